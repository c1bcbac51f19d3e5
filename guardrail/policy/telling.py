"""An explanation as a page of text for the author of a policy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from guardrail.decision import Leaf
from guardrail.policy.explain import Explanation, RuleExplained, StageExplained
from guardrail.policy.trace import Traced
from guardrail.signals import Stage

__all__ = ["comparison", "tell"]

_MOST_ITEMS_SHOWN = 8
_WORDS = {
    "fires": "FIRES",
    "does-not": "no",
    "unknown": "unknown",
    "waits": "waits",
    "error": "ERROR",
    "idle": "idle",
}
_MARKS = {"yes": "yes ", "no": "no  ", "missing": "?   ", "waits": "wait"}


def tell(explanation: Explanation, only: Collection[str] = ()) -> str:
    """The whole page. A rule's tree is shown where it fires or is unknown, otherwise at the last stage only.

    Args:
        only: ids of the rules to show; empty for all.
    """
    lines = [_headline(explanation), ""]
    for explained in explanation.stages:
        rules = tuple(r for r in explained.rules if not only or r.rule.id in only)
        lines += _stage(explained._replace(rules=rules), explanation.last.stage)
        lines.append("")
    shadows = dict.fromkeys(r.rule.id for r in explanation.last.rules if r.rule.shadow)
    if shadows:
        lines.append(f"SHADOW: these rules only watch and never act: {', '.join(shadows)}")
    return "\n".join(lines).rstrip("\n")


def _headline(explanation: Explanation) -> str:
    policy = explanation.policy
    deciding = [(s.stage, r.rule.id) for s in explanation.stages for r in s.rules if r.decides]
    if deciding:
        stages = dict.fromkeys(stage.value for stage, _ in deciding)
        rules = dict.fromkeys(rule for _, rule in deciding)
        why = f"at {', '.join(stages)}, by {', '.join(rules)}"
    elif explanation.decision == "allow":
        why = f"no rule alters or blocks up to {explanation.last.stage.value}"
    else:
        why = "the engine failed closed: " + "; ".join(r.cause for r in explanation.last.verdict.reasons if r.cause)
    return f"{explanation.decision}: {why} (policy {policy.id} {policy.version})"


def _stage(explained: StageExplained, last: Stage) -> Iterator[str]:
    due = ", ".join(s.value for s in Stage if s in explained.due) or "nothing"
    yield f"at {explained.stage.value} (measured: {due})"
    looked_at = [r for r in explained.rules if r.outcome != "elsewhere"]
    width = max((len(r.rule.id) for r in looked_at), default=0)
    for rule in looked_at:
        yield f"  {_WORDS[rule.outcome]:<8} {rule.rule.id:<{width}}  {_about(rule, explained.stage)}".rstrip()
        # A rule that is looked at again later shows its tree there.
        again = rule.outcome in ("does-not", "waits") and any(
            explained.stage.position < s.position <= last.position for s in rule.rule.at
        )
        if rule.condition is not None and not again and rule.condition.text != "always":
            yield from _tree(rule.condition, explained.stage, 0)
    rest = [r.rule for r in explained.rules if r.outcome == "elsewhere"]
    if rest:
        named = (f"{r.id} (at {', '.join(s.value for s in Stage if s in r.at)})" for r in rest)
        yield f"  not looked at here: {', '.join(named)}"


def _about(rule: RuleExplained, stage: Stage) -> str:
    words = []
    if rule.fails_closed:
        words.append("block: it fails closed")
    elif rule.effect is not None:
        words.append(", ".join(rule.actions))
    if rule.missing:
        passed_over = "" if rule.effect else ", and the rule is passed over"
        words.append(f"missing: {', '.join(rule.missing)}{passed_over}")
    if rule.waits_for:
        words.append(f"waits for {', '.join(rule.waits_for)}")
    if rule.outcome == "waits" and rule.absent:
        words.append(f"this request has nothing for {', '.join(rule.absent)}")
    if rule.outcome == "idle":
        words.append(f"none of its actions can act at {stage.value}")
    flags = ["locked"] if rule.rule.locked else []
    flags += ["shadow: it does not act" if rule.effect else "shadow"] if rule.rule.shadow else []
    if flags:
        words.append(f"[{', '.join(flags)}]")
    return "; ".join(words) + ("  <-- decides" if rule.decides else "")


def _tree(part: Traced, stage: Stage, depth: int) -> Iterator[str]:
    note = _note(part, stage)
    yield f"      {_MARKS[part.state]} {'  ' * depth}{part.text}{': ' if note else ''}{note}"
    shown, left = _parts(part)
    for below in shown:
        yield from _tree(below, stage, depth + 1)
    if left:
        yield f"           {'  ' * (depth + 1)}… and {left} more items"


def _parts(part: Traced) -> tuple[Sequence[Traced], int]:
    """The parts to show: of a long list those first that settle it."""
    if part.leaf is None or len(part.parts) <= _MOST_ITEMS_SHOWN:
        return part.parts, 0
    settling = "no" if part.leaf.op == "all" else "yes"
    order = sorted(part.parts, key=lambda p: (p.state != settling, p.state != "missing"))[:_MOST_ITEMS_SHOWN]
    return [p for p in part.parts if p in order], len(part.parts) - _MOST_ITEMS_SHOWN


def _note(part: Traced, stage: Stage) -> str:
    if part.leaf is None:
        return ""
    if part.state == "waits":
        of = part.signal.partition(".")[0]
        later = of in list(Stage) and Stage(of).position > stage.position
        return f"not due, {of} has not run" if later else f"not due, this request has no {of}"
    if part.leaf.limit is None:  # a list
        if part.leaf.value is None:
            return "missing"
        holds = sum(p.state == "yes" for p in part.parts)
        return f"{holds} of {len(part.parts)} items pass" if part.parts else "the list is empty"
    return comparison(part.leaf, part.state == "yes")


def comparison(leaf: Leaf, holds: bool) -> str:
    """A value against its limit, with the margin: ``0.66 of 0.70: 0.04 short``."""
    if leaf.value is None:
        return "missing"
    if leaf.margin is None:
        return str(leaf.value).lower() if isinstance(leaf.value, bool) else repr(leaf.value)
    if leaf.margin == 0.0:
        return f"{float(leaf.value):.4g}, exactly the limit"
    value, limit, margin = _digits(float(leaf.value), float(leaf.limit))  # type: ignore[arg-type]
    if leaf.op in (">=", ">"):
        return f"{value} of {limit}: {margin} {'over' if holds else 'short'}"
    return f"{value}, limit {limit}: {margin} {'under' if holds else 'too high'}"


def _digits(value: float, limit: float) -> tuple[str, str, str]:
    """With two decimals, or as many more as it takes to tell the two apart."""
    digits = next((n for n in (2, 3, 4, 6) if round(value, n) != round(limit, n)), 9)
    return tuple(f"{x:.{digits}f}" for x in (value, limit, abs(value - limit)))  # type: ignore[return-value]
