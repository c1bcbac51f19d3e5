"""Two policies, rule by rule: same, tighter, looser, changed, new or gone; and the version that the change asks for.

A rule is called tighter only where that is proven: in every request, with any signal missing, the new rule decides at
least as strictly as the old one did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from guardrail.decision import Action, ActionKind, ActionSpec, Param
from guardrail.policy.merge import texts_of
from guardrail.policy.model import Policy, Rule, Video, limits_of, signals_of
from guardrail.policy.tighter import covers
from guardrail.policy.video import fewer_frames
from guardrail.signals import Items, Stage, Vocabulary

__all__ = ["Bump", "Change", "Loosening", "PolicyDiff", "Relation", "compare_policies", "loosenings"]

Relation = Literal["same", "text", "tighter", "looser", "changed", "new", "gone"]
Bump = Literal["none", "patch", "minor", "major"]

_BUMP: Mapping[str, Bump] = {
    "same": "none",
    "text": "patch",
    "tighter": "minor",
    "new": "minor",
    "looser": "major",
    "changed": "major",
    "gone": "major",
}
BUMPS: tuple[Bump, ...] = ("none", "patch", "minor", "major")


class Loosening(NamedTuple):
    """One way in which a rule may decide less strictly than another. `proven` is False where nobody can tell."""

    text: str
    proven: bool = True


class Change(NamedTuple):
    """What became of one rule. `why` says what makes it looser, or what cannot be decided."""

    rule: str
    relation: Relation
    why: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"rule": self.rule, "relation": self.relation, "why": list(self.why)}


class PolicyDiff(NamedTuple):
    """All changes from one policy to another.

    Attributes:
        required: the least version step that says what changed: looser is major, tighter or new minor, texts patch.
        found: the step between the two versions.
    """

    changes: tuple[Change, ...]
    required: Bump
    found: Bump

    @property
    def version_ok(self) -> bool:
        return BUMPS.index(self.found) >= BUMPS.index(self.required)

    @property
    def tightens(self) -> bool:
        """Whether the second is proven to decide at least as strictly as the first."""
        return all(c.relation in ("same", "text", "tighter", "new") for c in self.changes)

    def to_json(self) -> dict[str, Any]:
        return {
            "changes": [c.to_json() for c in self.changes],
            "required": self.required,
            "found": self.found,
            "version_ok": self.version_ok,
        }


def compare_policies(old: Policy, new: Policy) -> PolicyDiff:
    """Every rule of either policy, in the order of the new one, those that are gone last."""
    before = {rule.id: rule for rule in old.rules}
    changes = [
        _change(before[rule.id], rule, new) if rule.id in before else Change(rule.id, "new") for rule in new.rules
    ]
    ids = {rule.id for rule in new.rules}
    changes += [Change(rule.id, "gone", ("the rule is gone",)) for rule in old.rules if rule.id not in ids]
    if (closer := _video(old.video, new.video)).relation != "same":
        changes.append(closer)
    required: Bump = max((_BUMP[c.relation] for c in changes), key=BUMPS.index, default="none")
    if required == "none" and (old.messages, old.cases) != (new.messages, new.cases):
        required = "patch"
    return PolicyDiff(tuple(changes), required, _step(old.version, new.version))


def _video(old: Video, new: Video) -> Change:
    """How closely videos are looked at, as if it were a rule."""
    before, after = (Video(v.every or 1, v.over or 0) for v in (old, new))
    if before == after:
        return Change("video", "same")
    fewer, more = fewer_frames(before, after), fewer_frames(after, before)
    relation: Relation = "tighter" if not fewer else "changed" if more else "looser"
    return Change("video", relation, (fewer,) if fewer else ())


def loosenings(parent: Rule, child: Rule, kinds: Mapping[str, ActionKind], words: Vocabulary) -> tuple[Loosening, ...]:
    """Every way in which `child` may decide less strictly than `parent`; empty when it is proven that it cannot."""
    if parent.shadow:
        return ()  # it never acted
    found: list[Loosening] = []
    if parent.locked and not child.locked:
        found.append(Loosening("it is not locked any more"))
    if child.shadow:
        found.append(Loosening("it only watches: shadow mode"))
    if parent.on_missing == "block" and child.on_missing == "ignore" and _acts_on_missing(parent, kinds):
        found.append(Loosening("it ignores missing signals, which blocked"))
    left = sorted(parent.at - child.at, key=lambda stage: stage.position)
    if left:
        found.append(Loosening(f"it is not looked at any more at {', '.join(left)}"))
    weaker: dict[Loosening, list[Stage]] = {}
    for stage in sorted(parent.at & child.at, key=lambda stage: stage.position):
        for worse in _weaker_actions(parent, child, stage, kinds):
            weaker.setdefault(worse, []).append(stage)
    found += [worse._replace(text=f"at {', '.join(stages)} {worse.text}") for worse, stages in weaker.items()]
    gap = covers(parent.when, child.when, words)
    if gap is not None:
        moved = _moved(parent, child)
        text = f"{moved}, so that its" if moved else "its"
        found.append(Loosening(f"{text} condition does not hold in this case, and did: {gap.text}", gap.proven))
    elif _may_turn_a_block_into_less(parent, child, kinds, words):
        found.append(
            Loosening("where a signal is missing it may fire and alter, and did block before: let it block", False)
        )
    return tuple(dict.fromkeys(found))


def _moved(parent: Rule, child: Rule) -> str:
    """The named thresholds of the rule that have another value now."""
    old, new = dict(limits_of(parent.when)), dict(limits_of(child.when))
    return ", ".join(f"{n} was {old[n]:g} and is {new[n]:g}" for n in new if n in old and old[n] != new[n])


def _acts_on_missing(rule: Rule, kinds: Mapping[str, ActionKind]) -> bool:
    """Whether a missing signal blocks: a rule that only labels or reports is passed over."""
    return any(kinds[spec.kind].effect.rank >= Action.ALTER.rank for spec in rule.then)


def _change(old: Rule, new: Rule, policy: Policy) -> Change:
    if _decides(old) == _decides(new):
        said = (old.severity, old.message, old.refs) == (new.severity, new.message, new.refs)
        return Change(new.id, "same" if said else "text")
    worse = loosenings(old, new, policy.actions, policy.vocabulary)
    if not worse:
        return Change(new.id, "tighter")
    why = tuple(w.text for w in worse)
    # What only cannot be decided may still be looser both ways: it is changed, and counts as looser for the version.
    return Change(new.id, "looser" if any(w.proven for w in worse) else "changed", why)


def _decides(rule: Rule) -> tuple[object, ...]:
    # Items and not the mapping: two read-only views are never equal.
    then = tuple((spec.kind, tuple(sorted(spec.params.items()))) for spec in rule.then)
    return rule.at, rule.when, then, rule.locked, rule.mode, rule.on_missing


def _weaker_actions(parent: Rule, child: Rule, stage: Stage, kinds: Mapping[str, ActionKind]) -> list[Loosening]:
    old = [spec for spec in parent.then if stage in kinds[spec.kind].stages]
    new = [spec for spec in child.then if stage in kinds[spec.kind].stages]
    if not old:
        return []
    before, after = _effect(old, kinds), _effect(new, kinds)
    if after.rank < before.rank:
        return [Loosening(f"it asks for {after}, and did for {before}")]
    found = []
    for spec in old:
        if kinds[spec.kind].effect is Action.ALTER and after is Action.BLOCK:
            continue  # what is blocked need not be altered
        if kinds[spec.kind].effect is Action.BLOCK:
            continue
        same = [s for s in new if s.kind == spec.kind]
        if not same:
            found.append(Loosening(f"it does not {spec.kind} any more", kinds[spec.kind].effect.rank < 2))
        elif not any(_covers_params(spec, s, kinds[spec.kind]) for s in same):
            found.append(Loosening(f"the parameters of {spec.kind} are not at least as strict", False))
    return found


def _effect(specs: list[ActionSpec], kinds: Mapping[str, ActionKind]) -> Action:
    return max((kinds[s.kind].effect for s in specs), key=lambda e: e.rank, default=Action.ALLOW)


def _covers_params(old: ActionSpec, new: ActionSpec, kind: ActionKind) -> bool:
    return all(_at_least(p, old.params.get(p.name), new.params.get(p.name), p.name in kind.merge) for p in kind.params)


def _at_least(param: Param, old: Any, new: Any, tells_apart: bool) -> bool:
    if old is None or old == new:
        return True
    if new is None or tells_apart or param.type == "word":
        return False
    if param.type == "choice":
        return param.choices.index(str(new)) >= param.choices.index(str(old))
    if param.type == "flag":
        return bool(new) >= bool(old)
    if param.type == "text":
        return texts_of(str(old)) <= texts_of(str(new))
    return bool(new >= old) if param.stricter == "higher" else bool(new <= old)


def _may_turn_a_block_into_less(parent: Rule, child: Rule, kinds: Mapping[str, ActionKind], words: Vocabulary) -> bool:
    """An unknown condition blocks, one that holds may only alter. A child whose condition is settled sooner would then
    decide less strictly, unless both hinge on one and the same single value."""
    if parent.when == child.when or parent.on_missing != "block":
        return False
    altering = [s for s in parent.at if _stage_effect(parent, s, kinds) is Action.ALTER]
    if all(_stage_effect(child, s, kinds) is Action.BLOCK for s in altering):
        return False
    read = {*signals_of(parent.when), *signals_of(child.when)}
    return len(read) > 1 or any(isinstance(words[name].kind, Items) for name in read)


def _stage_effect(rule: Rule, stage: Stage, kinds: Mapping[str, ActionKind]) -> Action:
    return _effect([s for s in rule.then if stage in kinds[s.kind].stages], kinds)


def _step(old: str, new: str) -> Bump:
    a, b = (tuple(int(part) for part in v.split("+")[0].split("-")[0].split(".")) for v in (old, new))
    if b[0] != a[0]:
        return "major" if b > a else "none"
    if b[1] != a[1]:
        return "minor" if b > a else "none"
    return "patch" if b[2] > a[2] else "none"
