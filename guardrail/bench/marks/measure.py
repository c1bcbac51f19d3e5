"""Marking pictures, changing them, reading them back; ours and others in one run.

Every picture has a key and a payload of its own, drawn from its name, and every condition falls on it alike whatever
the watermark: all methods meet the same crops and the same noise.
"""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail import __version__
from guardrail.bench.marks import quality
from guardrail.bench.marks.conditions import CONDITIONS, Condition
from guardrail.bench.marks.methods import Method, tileline
from guardrail.bench.marks.peers import PEERS
from guardrail.bench.marks.pictures import Size, Source, chosen, groups, sources
from guardrail.bench.marks.seen import Seen
from guardrail.bench.run.environment import commit, load_average, machine, source
from guardrail.bench.run.samples import Samples, damaged
from guardrail.bench.statistics import Rate

__all__ = ["FORMAT", "KIND", "MarksPlan", "measure", "run_facts"]

KIND, FORMAT = "guardrail bench marks", 1
FAILURES = 40
"""So many pictures are named for each condition that lost them."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class MarksPlan:
    """What to measure.

    Args:
        images: folders of pictures.
        packaged: also scikit-image's own.
        drawn: also so many drawn here.
        limit: at most so many pictures, evenly spread; None for all.
        sizes: of the marked pictures.
        psnr_db: strengths of ours; the peers come after the first.
        conditions: what happens to each.
        peers: also other people's watermarks, at the first size.
        peer_pictures: on so many pictures; a quarter of it for those that take seconds a call.
        command: how this was called, for the report.
        jobs: processes, each with its own pictures.
        results: file of the samples, from which a run that was killed goes on; None for none.
        fresh: begin anew, whatever is in it.
        keep_names: folders below those given are named, not numbered.
    """

    images: Sequence[Path] = ()
    packaged: bool = True
    drawn: int = 0
    limit: int | None = None
    sizes: Sequence[Size] = (Size(512, 512), Size(1024, 1024))
    psnr_db: Sequence[float] = (43.0,)
    conditions: Sequence[Condition] = field(default_factory=lambda: tuple(CONDITIONS.values()))
    peers: bool = True
    peer_pictures: int = 20
    command: str = ""
    jobs: int = 1
    results: Path | None = None
    fresh: bool = False
    keep_names: bool = False


def measure(plan: MarksPlan, progress: Progress | None = None) -> dict[str, Any]:
    """The report, as JSON holds it. All but times is the same for the same pictures and versions.

    Args:
        progress: told (what is done, how many so far, of how many).

    Raises:
        DataError: the pictures cannot be used, or `plan.results` are of another run.
    """
    found = sources(plan.images, packaged=plan.packaged, drawn=plan.drawn, keep_names=plan.keep_names)
    pictures = chosen(found, plan.limit)
    begun, load = time.perf_counter(), load_average()
    jobs, missing = _jobs(plan, pictures)
    conditions = [c for c in plan.conditions if not c.lacking]
    rows = []
    with Samples(plan.results, _identity(plan, jobs), fresh=plan.fresh) as samples, _spread_over(plan.jobs) as each:
        waiting = iter(samples.done)
        for method, size, of in jobs:
            # Shuffled, so that a run that is not done yet is of all kinds of pictures.
            shuffled = sorted(of, key=lambda s: _secret(s, "order"))
            seen = [Seen.from_json(sample) for sample in islice(waiting, len(shuffled))]
            look = partial(_look, method, size, [c.name for c in conditions])
            # Other people's packages in this process: one of them sets up processes of its own while it is imported.
            for one in (each if method.checked else map)(look, shuffled[len(seen) :]):
                seen.append(one)
                samples.add({"method": method.name, "size": str(size), **one.to_json()})
                if progress is not None:
                    progress(f"pictures, {method.name} at {size}", len(seen), len(of))
            rows.append(_row(method, size, seen, conditions))
        if next(waiting, None) is not None:
            raise damaged(plan.results)
    return {
        "kind": KIND,
        "format": FORMAT,
        "pictures": {
            "there": len(found),
            "chosen": len(pictures),
            "groups": groups(pictures),
            "sha256": {group: _digest(p for p in pictures if p.group == group) for group in groups(pictures)},
        },
        "aims": {c.name: c.aim for c in conditions},
        "rows": rows,
        "not_installed": missing,
        "not_measured": {c.name: c.lacking for c in plan.conditions if c.lacking},
        "run": run_facts(plan.command, load) | {"jobs": plan.jobs, "seconds": time.perf_counter() - begun},
    }


_Job = tuple[Method, Size, list[Source]]


def _jobs(plan: MarksPlan, pictures: list[Source]) -> tuple[list[_Job], dict[str, str]]:
    """What is measured one after the other, and which peers are not: name → why."""
    jobs: list[_Job] = [(tileline(plan.psnr_db[0]), size, pictures) for size in plan.sizes]
    missing: dict[str, str] = {}
    for peer in PEERS if plan.peers else ():
        if peer.lacking:
            missing[peer.method.name] = peer.lacking
        else:
            most = max(1, plan.peer_pictures // 4) if peer.slow else plan.peer_pictures
            jobs.append((peer.method, plan.sizes[0], chosen(pictures, most)))
    return jobs + [(tileline(db), size, pictures) for db in plan.psnr_db[1:] for size in plan.sizes], missing


def _identity(plan: MarksPlan, jobs: Sequence[_Job]) -> dict[str, Any]:
    return {
        "suite": "marks",
        "guardrail": __version__,
        "source": source(),
        "conditions": [c.name for c in plan.conditions if not c.lacking],
        "keep_names": plan.keep_names,
        "jobs": [[method.name, str(size), _digest(of)] for method, size, of in jobs],
    }


def _digest(pictures: Iterable[Source]) -> str:
    return hashlib.sha256("".join(f"{p.name}={p.sha256};" for p in pictures).encode()).hexdigest()


@contextmanager
def _spread_over(jobs: int) -> Iterator[Callable[[Callable[[Source], Seen], Sequence[Source]], Iterator[Seen]]]:
    """A `map` over so many processes; what it gives is the same and in the same order for any number."""
    if jobs == 1:
        yield map
        return
    # Spawned, not forked: the libraries below have threads, and a fork copies their locks.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield pool.imap


def run_facts(command: str, load: float | None) -> dict[str, Any]:
    """Where and when."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "machine": machine(),
        "guardrail": __version__,
        "commit": commit(),
        "load": load,
        "seconds": None,
    }


# ---- one picture


def _secret(source: Source, what: str) -> bytes:
    """Keys and payloads of a measurement: the same in every run, and in no relation to any real key."""
    return hashlib.sha256(f"guardrail bench marks|{what}|{source.drawn_from}".encode()).digest()


class _Clock:
    def __init__(self) -> None:
        self.ms: dict[str, tuple[float, float]] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        made = work()
        self.ms[name] = ((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3)
        return made


def _look(method: Method, size: Size, conditions: Sequence[str], source: Source) -> Seen:
    before = source.pixels(size)
    seen = Seen(source.name, source.group, source.enlarged(size))
    key, payload = _secret(source, "key"), int.from_bytes(_secret(source, "payload"), "big") >> (256 - method.bits)
    clock = _Clock()
    try:
        marker = clock("key", lambda: method.marker(key))
        after: NDArray[np.uint8] = clock("embed", lambda: marker.embed(before, payload))
    except Exception as error:  # of theirs; ours says MarkError, and the row counts it as not read
        if method.checked and not isinstance(error, ValueError):
            raise
        seen.error = type(error).__name__
        return seen
    seen.quality = {
        "psnr": quality.psnr(before, after),
        "ssim": quality.structural_similarity(before, after),
        "just_noticeable": quality.just_noticeable(before, after),
    }
    clock("fast, marked", lambda: marker.read(after, search=False))
    if method.checked:
        clock("fast, unmarked", lambda: marker.read(before, search=False))
        if method.single is not None:
            one = method.single(key)
            clock("fast, unmarked, one layout", lambda: one.read(before, search=False))
        seen.unmarked = clock("full search, unmarked", lambda: marker.read(before)).verdict
        seen.other_key = method.marker(_secret(source, "other key")).read(after).verdict
    seen.ms = clock.ms
    for name in conditions:
        changed = CONDITIONS[name](after, source.drawn_from)
        cpu = time.process_time()
        read = marker.read(changed)
        spent = (time.process_time() - cpu) * 1e3
        right = method.bits // 2 if read.payload is None else method.bits - (read.payload ^ payload).bit_count()
        seen.reads[name] = read, right, spent
    return seen


# ---- all pictures


def _row(method: Method, size: Size, seen: Sequence[Seen], conditions: Sequence[Condition]) -> dict[str, Any]:
    able = [s for s in seen if not s.error]
    return {
        "method": method.name,
        "bits": method.bits,
        "checked": method.checked,
        "layouts": method.layouts,
        "size": str(size),
        "asked_db": method.asked_db,
        "n": len(seen),
        "not_marked": {e: sum(s.error == e for s in seen) for e in sorted({s.error for s in seen if s.error})},
        "quality": {
            name: _spread([s.quality[name] for s in able], worst)
            for name, worst in (("psnr", min), ("ssim", min), ("just_noticeable", max))
        }
        if able
        else None,
        "ms": {
            name: {
                what: float(np.median([s.ms[name][i] for s in able])) for i, what in enumerate(("wall", "processor"))
            }
            for name in (able[0].ms if able else ())
        },
        # How often a mark is claimed that is not there. Not the false-positive rate: far too few pictures for that.
        "unmarked": _verdicts([s.unmarked for s in able]) if method.checked else None,
        "other_key": _verdicts([s.other_key for s in able]) if method.checked else None,
        "conditions": {c.name: _cell(method, c.name, seen) for c in conditions},
        "groups": {
            group: {c.name: _exact(method, c.name, [s for s in seen if s.group == group]) for c in conditions}
            for group in dict.fromkeys(s.group for s in seen)
        },
        # Pictures that were large enough: enlarged ones are smoother than what a generator makes.
        "not_enlarged": {c.name: _exact(method, c.name, [s for s in seen if s.enlarged <= 1.0]) for c in conditions},
    }


def _spread(values: Sequence[float], worst: Callable[[Sequence[float]], float]) -> dict[str, float]:
    finite = [min(v, 99.0) for v in values]  # JSON has no infinity: an unchanged picture counts as 99 dB
    return {"mean": float(np.mean(finite)), "worst": float(worst(finite))}


def _verdicts(of: Sequence[str]) -> dict[str, int]:
    return {verdict: list(of).count(verdict) for verdict in sorted(set(of))}


def _is_exact(method: Method, seen: Seen, name: str) -> bool:
    return not seen.error and seen.reads[name][0].payload is not None and seen.reads[name][1] == method.bits


def _exact(method: Method, name: str, seen: Sequence[Seen]) -> dict[str, Any]:
    return Rate(sum(_is_exact(method, s, name) for s in seen), len(seen)).to_json()


def _cell(method: Method, name: str, seen: Sequence[Seen]) -> dict[str, Any]:
    """What became of one condition; a picture that could not be marked was not read."""
    able = [s.reads[name] for s in seen if not s.error]
    statistics = [read.statistic for read, _, _ in able if read.statistic is not None and math.isfinite(read.statistic)]
    failures = sorted(s.picture for s in seen if not _is_exact(method, s, name))
    return {
        "exact": _exact(method, name, seen),
        "wrong": sum(r.payload is not None and right < method.bits for r, right, _ in able) if method.checked else None,
        "marked": sum(r.verdict == "marked" for r, _, _ in able) if method.checked else None,
        "errors": _verdicts([r.verdict for r, _, _ in able if r.verdict.startswith("error")]),
        "bit_accuracy": None if method.checked or not able else sum(b for _, b, _ in able) / len(able) / method.bits,
        "statistic": {"lowest": min(statistics), "mean": float(np.mean(statistics))} if statistics else None,
        "read_ms": float(np.median([ms for _, _, ms in able])) if able else None,
        "failures": failures[:FAILURES],
    }
