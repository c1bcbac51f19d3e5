"""What another policy would have decided: recorded decisions replayed, and counted with the uncertainty of counting.

What it can say has an edge. A request that was stopped early was never looked at later: where the other policy would
have let it go on, later stages might still have stopped it (`Simulation.let_on`). And a picture made from a changed
prompt is not the picture that the unchanged one would have given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from guardrail.decision import Action
from guardrail.policy.engine import PolicyEngine
from guardrail.policy.replay import Outcome, Past, Unreplayable, is_decision, past_of, replay, stage_of
from guardrail.policy.simulation import Flip, Simulation

__all__ = ["simulate"]

_EVERY = 1_000  # records between two reports of progress


def simulate(
    records: Iterable[object],
    under: PolicyEngine,
    *,
    compared: PolicyEngine | None = None,
    keep: int = 20,
    progress: Callable[[int], None] | None = None,
) -> Simulation:
    """Decide recorded decisions again.

    Args:
        records: bodies of audit records, as `Decision.to_json` writes them. Whatever else stands among them is counted.
        under: the policy to decide by.
        compared: what "before" means: another policy; by default what was recorded.
        keep: how many flips to remember, the first ones.
        progress: called with the number of records, now and then.
    """
    found = Simulation(under.ref, compared.ref if compared else None)
    wanted = _Wanted(engine.needs() for engine in (under, compared) if engine is not None)
    recorded: Counter[tuple[str, str]] = Counter()
    pairs: Counter[tuple[Outcome, Outcome]] = Counter()  # few differ: counting them first costs half as much
    for record in records:
        found.records += 1
        if progress is not None and not found.records % _EVERY:
            progress(found.records)
        if type(record) is not dict and not isinstance(record, Mapping):
            found.skipped["it is not a record (no JSON object)"] += 1
        elif not is_decision(record):
            found.others += 1
        else:
            try:
                past = past_of(record)
                recorded[past.policy] += 1
                pair = _decided(past, under, compared, wanted, found)
            except Unreplayable as error:
                found.skipped[str(error)] += 1
                continue
            if pair is not None:
                pairs[pair] += 1
                if pair[0].action is not pair[1].action:
                    found.let_on += past.outcome.action is Action.BLOCK and pair[1].action is not Action.BLOCK
                    if len(found.flips) < keep:
                        found.flips.append(Flip(past.id, *pair))
    found.recorded.update({" ".join(policy): count for policy, count in recorded.items()})
    for (before, after), count in pairs.items():
        found.add(before, after, count)
    return found


def _decided(
    past: Past, under: PolicyEngine, compared: PolicyEngine | None, wanted: _Wanted, found: Simulation
) -> tuple[Outcome, Outcome] | None:
    """What was and what would be decided; None where the guard itself blocked, which is counted apart."""
    if not past.asked:
        # Before any rule is asked, only an input or the record can fail. All else was copied from another decision.
        if past.own not in ("input", "audit"):
            raise Unreplayable("no rule was asked: it repeats what an earlier decision refused")
        found.own.setdefault(past.own, Counter())["not asked"] += 1
        return None
    if past.regenerated:
        raise Unreplayable("the picture was generated again: only the signals of the last attempt are on record")
    if missing := wanted.absent(past):
        raise Unreplayable(f"not on record, because no check measured it then: {', '.join(missing)}")
    after = replay(past, under)
    if past.own:
        found.own.setdefault(past.own, Counter())[after.action.value] += 1
        return None
    return replay(past, compared) if compared is not None else past.outcome, after


class _Wanted:
    """The signals that the policies read, and which of them a record lacks.

    A signal that is null was due and missing, and the rules know what to do about it. One that is not there at all was
    never asked for by the policy of that time: to call it missing would block every request, to call it harmless would
    let every one through.
    """

    def __init__(self, needs: Iterable[Mapping[str, object]]) -> None:
        self._names = {name: stage_of(name) for names in needs for name in names}
        self._due: dict[frozenset[Any], frozenset[str]] = {}

    def absent(self, past: Past) -> list[str]:
        due = past.due
        wanted = self._due.get(due)
        if wanted is None:
            names = (name for name, stage in self._names.items() if stage is None or stage in due)
            wanted = self._due[due] = frozenset(names)
        return [] if past.signals.keys() >= wanted else sorted(wanted - past.signals.keys())
