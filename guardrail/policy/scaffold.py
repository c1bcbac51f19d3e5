"""Beginnings for authors: a child policy with a first rule, and a test made of a recorded decision."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from guardrail.decision import Action, Verdict
from guardrail.policy.engine import PolicyEngine
from guardrail.policy.replay import Past, Unreplayable
from guardrail.signals import Items, Stage, Vocabulary

__all__ = ["case_of", "new_policy"]

_PLAIN = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")
_NOT_PLAIN = {"yes", "no", "on", "off", "y", "n", "true", "false", "null"}  # words that YAML 1.1 takes for others
_DECIMALS = 20  # as many as a rule file reads

_NEW = """\
# {id}: what changes here, and for whom. Say it in a sentence or two; whoever reads a refusal later begins here.
#
# Check it after every change:   guardrail policy lint {file}
#                                guardrail policy test {file}
# What it would have decided:    guardrail policy simulate --under {file}
# Test it while you write:       guardrail policy watch {file}

policy:
  id: {id}
  version: 0.1.0   # looser: a new first number. tighter, or a new rule: a new second. texts and tests: a new third

# Everything in here holds as well: rules, thresholds, messages. Its locked rules can be tightened, never loosened.
extends: [{extends}]

# To change a rule that is inherited, name it (see: guardrail policy explain --help for why a rule fires):
#
# override:
#   suggestive-request: {{then: block}}

# Rules of its own. One more rule can only make decisions stricter.
rules:
  # No real person in advertisements, whatever the picture shows. The purpose is what the program that asks has set:
  # guard.context(purpose="advertising")
  - id: no-people-in-adverts
    mode: enforce            # shadow: it is reported, and does not act. A good way to begin
    severity: medium
    at: prompt               # prompt, reference, step, output, or a list of them
    when:
      all:
        - context.purpose: advertising
        - prompt.persons: {{any: {{match: ">= 0.5"}}}}
    then: block
    message: no-people-in-adverts

# What the end user reads. It never says which check objected, or how close it was.
messages:
  no-people-in-adverts:
    en: We do not put real people into advertisements.

# One test in which the rule decides, and one in which it should not. What a test does not name is harmless.
# To make one of a decision on record:   guardrail policy new --test-from DECISION --policy {file}
tests:
  - name: a named person in an advertisement
    given: {{stage: prompt, context.purpose: advertising, prompt.persons: [{{match: 0.9, kind: private}}]}}
    expect: {{decision: block}}
  - name: an advertisement without people
    given: {{stage: prompt, context.purpose: advertising}}
    expect: {{decision: allow, rules: []}}
"""


def new_policy(name: str, file: str, extends: str) -> str:
    """The text of a policy that extends another one: comments, a first rule, and its tests."""
    return _NEW.format(id=name, file=file, extends=_word(extends))


def case_of(past: Past, engine: PolicyEngine, vocabulary: Vocabulary, note: str = "") -> str:
    """A test, as it stands under `tests:`, with the signals of a recorded decision and what `engine` says to them.

    It is of the stage that decided, or of the last one where none objected.

    Raises:
        Unreplayable: no rule was asked, or the engine fails.
    """
    if not past.asked:
        why = f"the guard itself blocked ({past.own})" if past.own else "it repeats what an earlier decision refused"
        raise Unreplayable(f"no rule was asked: {why}")
    tries = [_at(past, stage, due, engine, vocabulary) for stage, due in past.asked]
    strictest = max(verdict.action.rank for _, verdict in tries)
    lines, verdict = next(t for t in tries if t[1].action.rank == strictest)
    if strictest == Action.ALLOW.rank:
        lines, verdict = tries[-1]
    rules = list(dict.fromkeys(reason.rule for reason in verdict.reasons if reason.rule and not reason.shadow))
    decision = "allow" if verdict.action is Action.LABEL else verdict.action.value
    because = ", because: missing" if verdict.missing else ""
    head = [f"  # {line}" for line in note.splitlines()]
    head += [f"  - name: from decision {past.id}", "    given:"]
    expect = f"    expect: {{decision: {decision}, rules: [{', '.join(rules)}]{because}}}"
    return "\n".join([*head, *(f"      {line}" for line in lines), expect]) + "\n"


def _at(
    past: Past, stage: Stage, due: frozenset[Stage], engine: PolicyEngine, vocabulary: Vocabulary
) -> tuple[list[str], Verdict]:
    """What is given at one stage, and the verdict on it as the reader of tests would fill it up."""
    if any(other.position > stage.position for other in due):
        raise Unreplayable(f"it was made at {stage} after a later stage, which no test can say")
    reads = engine.needs()
    lines, missing, named = [f"stage: {stage}"], [], dict[str, Any]()
    for spec in vocabulary.signals.values():
        value = past.signals.get(spec.name, spec.kind.benign)
        about_caller = spec.name.startswith("context.") and spec.name not in reads
        if about_caller or (spec.stage is not None and spec.stage not in due) or value in (spec.kind.benign, []):
            continue
        if isinstance(spec.kind, Items) and isinstance(value, list | tuple):
            value = [{name: item.get(name) for name in spec.kind.fields} for item in value]
        if value is None:
            missing.append(spec.name)
        else:
            lines.append(f"{spec.name}: {_spelled(value)}")
        named[spec.name] = value
    unread = sorted(n for n in reads if n in vocabulary and n not in past.signals and vocabulary[n].stage in due)
    if missing:
        lines.insert(1, f"missing: [{', '.join(missing)}]")
    told = {Stage.PROMPT, stage, *(s for n in named if (s := vocabulary[n].stage))}
    due = due or frozenset({Stage.PROMPT})  # a test has no way to say that nothing at all was there, not even words
    if due != told:
        lines.insert(1, f"due: [{', '.join(s.value for s in Stage if s in due)}]")
    if unread:
        lines.append(f"# not on record, and taken for harmless: {', '.join(unread)}")
    benign = {s.name: s.kind.benign for s in vocabulary.signals.values() if s.stage is None or s.stage in due}
    verdict = engine.evaluate({**benign, **named}, stage=stage, due=due)
    if any(reason.kind == "engine" for reason in verdict.reasons):
        raise Unreplayable("the policy engine failed")
    return lines, verdict


def _spelled(value: object) -> str:
    """A value as a rule file writes it: plain decimals, and quotes where YAML would read something else."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_spelled(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spelled, value))}]"
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, int | float):
        return f"{round(Decimal(repr(value)), _DECIMALS).normalize():f}"
    return _word(str(value))


def _word(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text not in _NOT_PLAIN
    return text if plain else json.dumps(text, ensure_ascii=False)
