"""Every peer asked about every row, one row at a time; what was answered before is read back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from guardrail.bench.files import DataError
from guardrail.bench.peers.base import ACTIONS, FAILED, Answer, Judge
from guardrail.bench.run.samples import Samples
from guardrail.errors import InputError

__all__ = ["Item", "ask_all", "asked"]

Tell = Callable[[str, int, int], None]
DECIMALS = 6  # of scores and of milliseconds, in samples


class Item(NamedTuple):
    """A row: what a sample says of it (id, role, label, …), and what the peers are given."""

    told: dict[str, Any]
    media: Callable[[], Any]


def ask_all(
    items: Iterable[Item], judges: Mapping[str, Judge], samples: Samples, total: int, tell: Tell
) -> list[dict[str, Any]]:
    """The samples of all rows, in their order. The first to be asked changes from row to row, so that no peer always
    finds the caches cold.

    Raises:
        DataError: what was read back is of other rows.
    """
    names = list(judges)
    made: list[dict[str, Any]] = []
    for i, item in enumerate(items):
        if i < len(samples.done):
            sample = samples.done[i]
            if sample.get("id") != item.told["id"] or not isinstance(sample.get("peers"), dict):
                raise DataError(
                    f"results.jsonl:{i + 2}: is of another row than {item.told['id']}: begin anew with --fresh"
                )
        else:
            sample = {**item.told, **_answers(item, names, judges, i)}
            samples.add(sample)
        made.append(sample)
        tell("rows", i + 1, total)
    return made


def _answers(item: Item, names: list[str], judges: Mapping[str, Judge], turn: int) -> dict[str, Any]:
    try:
        media = item.media()
    except InputError as error:
        return {"cause": f"unreadable: {error.code}", "peers": {}}
    first = turn % len(names)
    found = {name: asked(judges[name], media) for name in [*names[first:], *names[:first]]}
    return {"cause": "", "peers": {name: found[name] for name in names}}


def asked(judge: Judge, media: Any) -> dict[str, Any]:
    """One answer with its wall and processor time in ms. A peer that raises, or gives no number, has failed."""
    begun, spent = time.perf_counter(), time.process_time()
    try:
        answer = judge(media)
    except Exception as error:  # noqa: BLE001 — of theirs, on rows that they do not take; the message may hold the row
        answer = Answer(FAILED, None, type(error).__name__)
    ms, cpu_ms = (time.perf_counter() - begun) * 1e3, (time.process_time() - spent) * 1e3
    score = answer.score
    if answer.action not in ACTIONS or (score is not None and not isfinite(score)):
        answer = Answer(FAILED, None, answer.cause or "gave no number")
    told = {
        "action": answer.action,
        "score": None if answer.score is None else round(float(answer.score), DECIMALS),
        "ms": round(ms if answer.ms is None else answer.ms, DECIMALS),
        "cpu_ms": round(cpu_ms if answer.cpu_ms is None else answer.cpu_ms, DECIMALS),
    }
    return told | {"cause": answer.cause} if answer.cause else told
