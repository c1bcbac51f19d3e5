"""Documents that answer decisions: what is asked of them, what their answers may be, and how they are tried at load.

Two documents are asked for, by whatever means. `manifest` is what a rule file says beside its conditions, with `rules`
by id, and for each rule under `reads` the signals that it compares. `decision` is the answer to one stage of a request:

    {"policy": {"id": …, "version": …}, "judged": [ids], "fired": [{"id", "then"}], "missing": [{"id", "then"}]}

`judged` names every rule of the stage: one that was passed over in silence would let a request through. `input` is

    {"stage": "output", "due": ["prompt", "output"], "waiting": ["reference.nudity"], "signals": {"prompt.sexual": 0.1}}

with the signals that are there, and under `waiting` those that are not due. Only signals that some rule reads are in
it; never a prompt or a picture.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from guardrail.decision import ActionKind, ActionSpec, Leaf
from guardrail.policy.engines.base import OutsideEngine, Refusal
from guardrail.policy.engines.present import Plain, missing_leaves, present
from guardrail.policy.engines.reading import nodes_of, read_policy
from guardrail.policy.engines.verdicts import Judged, acting_specs
from guardrail.policy.findings import Findings, near, shown
from guardrail.policy.model import Policy, Rule
from guardrail.policy.schema import Reader
from guardrail.policy.then import read_actions
from guardrail.signals import Items, Stage, Vocabulary

__all__ = ["DocumentEngine", "read_json", "read_manifest"]


def read_json(text: str | bytes) -> Any:
    """The JSON value.

    Raises:
        Refusal: it is none, or holds NaN or an infinity, which JSON does not have.
    """

    def refuse(word: str) -> Any:
        raise Refusal(f"malformed answer: {word} is no number")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Refusal("malformed answer: no JSON") from None


def read_manifest(
    value: Any, findings: Findings, vocabulary: Vocabulary, actions: Mapping[str, ActionKind]
) -> tuple[Policy, dict[str, tuple[str, ...]]]:
    """The policy that a manifest describes, and id of a rule → the signals that it reads.

    Raises:
        PolicyError: it is none; every finding.
    """
    reads: dict[str, tuple[str, ...]] = {}
    rules = value.get("rules") if isinstance(value, dict) else None
    if not isinstance(rules, dict) or not all(isinstance(rule, dict) for rule in rules.values()):
        findings.add("GP211", None, "the manifest has no `rules` by id", 'write "rules": {"my-rule": {"at": […], …}}')
        findings.refuse()
    listed = []
    for name, rule in (rules or {}).items():
        listed.append(
            {"id": name, "when": "true", **{k: v for k, v in rule.items() if k not in ("reads", "id", "when")}}
        )
        reads[name] = _reads(name, rule, findings, vocabulary)
    raw = json.dumps(value, sort_keys=True, ensure_ascii=False).encode(errors="surrogatepass")
    try:
        root = nodes_of({**value, "rules": listed})
    except ValueError as error:
        findings.add("GP211", None, f"the manifest cannot be read: {error}", "flatten it")
        findings.refuse()
        raise
    policy = read_policy(root, raw, findings, vocabulary, actions)
    findings.refuse()
    assert policy is not None
    return policy, reads


def _reads(name: str, rule: dict[str, Any], findings: Findings, vocabulary: Vocabulary) -> tuple[str, ...]:
    named = rule.get("reads")
    if not isinstance(named, list) or not all(isinstance(signal, str) for signal in named):
        findings.add("GP211", None, f"{name} does not say what it reads", 'add "reads": [the signals it compares]')
        return ()
    at = rule.get("at")
    last = max((s.position for s in Stage if isinstance(at, list) and s.value in at), default=3)
    for signal in named:
        if signal not in vocabulary:
            findings.add("GP030", None, f"{name} reads an unknown signal {shown(signal)}", near(signal, vocabulary))
            continue
        stage = vocabulary[signal].stage
        if stage is not None and stage.position > last:
            message = f"{name}: {signal} is not known yet at {list(Stage)[last]}: it is measured at {stage}"
            findings.add("GP040", None, message, f"add {stage} to `at`")
    return tuple(signal for signal in named if signal in vocabulary)


class DocumentEngine(OutsideEngine):
    """Asks documents, and takes nothing for granted about their answers."""

    def __init__(self, policy: Policy, reads: Mapping[str, tuple[str, ...]], manifest: Mapping[str, Any]) -> None:
        super().__init__(policy, reads)
        self._specs = tuple(policy.vocabulary[name] for name in self.needs())
        self._rules = {rule.id: rule for rule in policy.rules}
        self._then = {name: rule.get("then") for name, rule in manifest["rules"].items()}

    @abstractmethod
    def _ask(self, given: Mapping[str, Any], deadline: float | None) -> Any:
        """The document `decision` for an input; None when it is undefined.

        Raises:
            Refusal: there is no answer, for the reason that it names.
        """

    def _judge(
        self, signals: Mapping[str, object], stage: Stage, due: frozenset[Stage], deadline: float | None
    ) -> Iterator[Judged]:
        waiting = [s.name for s in self._specs if s.stage is not None and s.stage not in due]
        there = present(signals, [s for s in self._specs if s.name not in waiting])
        values = self._sendable(there.values)
        ran = [s.value for s in Stage if s in due]
        answer = self._ask({"stage": stage.value, "due": ran, "waiting": waiting, "signals": values}, deadline)
        for found in self._read(answer, stage):
            failed = [there.failed[name] for name in self.reads[found.rule.id] if name in there.failed]
            if failed:
                yield found._replace(failure=f"engine error: {failed[0]}")
            elif found.holds:
                yield found._replace(leaves=self._there(found.rule, values))
            else:
                yield found._replace(leaves=self._gone(found.rule, waiting, values))

    def _sendable(self, values: Mapping[str, Plain]) -> dict[str, Plain]:
        """The values that can be handed over; the others count as missing."""
        return dict(values)

    # ---- the answer

    def _read(self, answer: Any, stage: Stage) -> Iterator[Judged]:
        """What the answer says of each rule.

        Raises:
            Refusal: it is not such an answer, or not of this policy.
        """
        if answer is None:
            raise Refusal("undefined: the documents have no decision for this request")
        if not isinstance(answer, dict):
            raise Refusal("malformed answer: no object")
        who = answer.get("policy")
        if not isinstance(who, dict) or (who.get("id"), who.get("version")) != (self.policy.id, self.policy.version):
            raise Refusal("the answer is of another policy, or of another version, than was loaded")
        judged = answer.get("judged")
        lists = [answer.get("fired"), answer.get("missing")]
        if not all(isinstance(found, list) for found in (judged, *lists)):
            raise Refusal("malformed answer: `judged`, `fired` and `missing` are not all lists")
        expected = {rule.id for rule in self.policy.rules if stage in rule.at}
        if any(not isinstance(name, str) or name not in expected for name in judged):  # type: ignore[union-attr]
            raise Refusal("the answer judges a rule that is not looked at at this stage")
        if silent := sorted(expected - set(judged)):  # type: ignore[arg-type]
            raise Refusal(f"not judged: {', '.join(silent)}")
        seen: set[str] = set()
        for entries, holds in zip(lists, (True, None), strict=True):
            for entry in entries:  # type: ignore[union-attr]
                rule, specs = self._entry(entry, expected)
                if rule.id in seen:
                    raise Refusal(f"malformed answer: {rule.id} twice")
                seen.add(rule.id)
                acting = acting_specs(specs, stage, self.policy.actions)
                if acting:
                    yield Judged(rule, acting, holds)

    def _entry(self, entry: Any, expected: set[str]) -> tuple[Rule, tuple[ActionSpec, ...]]:
        name = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name not in expected:
            raise Refusal("the answer names a rule that is not looked at at this stage")
        rule, then = self._rules[name], entry.get("then")
        if then == self._then[name]:
            return rule, rule.then
        if rule.locked:
            raise Refusal(f"{name} is locked: an answer cannot change what it does")
        findings = Findings("")
        try:
            specs = read_actions(nodes_of(then), rule.at, self.policy.actions, Reader(findings))
        except ValueError as error:
            raise Refusal(f"{name}: {error}") from None
        if findings.any_error or not specs:
            raise Refusal(f"{name}: {findings.in_order()[0].message if findings.any_error else 'no action'}")
        return rule, specs

    def _gone(self, rule: Rule, waiting: list[str], values: Mapping[str, Plain]) -> tuple[Leaf, ...]:
        found = []
        for signal in self.reads[rule.id]:
            if signal not in waiting:
                kind = self.policy.vocabulary[signal].kind
                found += missing_leaves(signal, kind.fields if isinstance(kind, Items) else (), values)
        return tuple(found)

    def _there(self, rule: Rule, values: Mapping[str, Plain]) -> tuple[Leaf, ...]:
        """What the rule could see: the documents do not say which comparison held."""
        known = ((signal, values[signal]) for signal in self.reads[rule.id] if signal in values)
        return tuple(Leaf(n, len(v) if isinstance(v, list) else v, "seen by", rule.id) for n, v in known)

    # ---- trying it

    def try_out(self, findings: Findings) -> None:
        """Ask for every stage, once with everything there and once with everything missing; note what is wrong."""
        harmless = {s.name: _harmless(s.kind) for s in self._specs}
        every = frozenset(Stage)
        for stage in Stage:
            if not any(stage in rule.at for rule in self.policy.rules):
                continue
            try:
                there = list(self._judge(harmless, stage, every, None))
                gone = list(self._judge({}, stage, every, None))
            except Refusal as refusal:
                findings.add("GP211", None, f"at {stage}: {refusal}", "see guardrail/policy/engines/answers.py")
                continue
            for name in sorted(j.rule.id for j in there if j.holds is None):
                message = f"at {stage}: {name} calls something missing although every signal that it reads is there"
                findings.add("GP212", None, message, "check the names of signals and fields, and `reads`")
            noticed = {j.rule.id for j in gone}
            for rule in self.policy.rules:
                acting = acting_specs(rule.then, stage, self.policy.actions)
                if stage in rule.at and acting and self.reads[rule.id] and rule.id not in noticed:
                    message = f"at {stage}: {rule.id} does not notice that everything that it reads is missing"
                    findings.add("GP212", None, message, "compare with the functions of data.guardrail.three")


def _harmless(kind: Any) -> Any:
    """The harmless value of a signal; a list has one item, so that its fields are looked at too."""
    return ({name: field.benign for name, field in kind.fields.items()},) if isinstance(kind, Items) else kind.benign
