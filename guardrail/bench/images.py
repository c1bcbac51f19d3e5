"""``guardrail bench images``: what the image checks find in folders of pictures, and the processor time it takes them.

No picture, no vector and no identity is in the report: counts, rates with their intervals, and file names only where
the user asks for them.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from guardrail import __version__
from guardrail.bench.files import DataError
from guardrail.bench.pictures import Picture, pictures
from guardrail.bench.run.environment import machine
from guardrail.bench.statistics import Rate
from guardrail.checks.base import Check, CheckSettings, Failure
from guardrail.checks.registry import construct
from guardrail.errors import CheckError, InputError
from guardrail.media import Request
from guardrail.media.read import read_image
from guardrail.signals import SignalValue, Stage

__all__ = ["FORMAT", "KIND", "ImagePlan", "Seen", "failed", "measure"]

KIND, FORMAT = "guardrail bench images", 1
ASKED = ("reference.faces", "reference.nudity", "reference.hash_match")
# Where the shipped policies act.
REAL, PARTIAL, EXPLICIT = 0.50, 0.35, 0.65


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What to measure.

    Args:
        data: folders of pictures, with csv files in them if there are any (see `guardrail.bench.pictures`).
        settings: of the checks; the gallery is not asked.
        limit: at most so many pictures, evenly spread; None for all.
        show: name so many files of each kind of mistake; 0 for none.
        command: how this was called, for the report.
    """

    data: Sequence[Path]
    settings: CheckSettings = field(default_factory=CheckSettings)
    limit: int | None = None
    show: int = 0
    command: str = ""


@dataclass(slots=True)
class Seen:
    """What the checks said of one picture.

    Args:
        cause: why it could not be read, or a check could not answer; without content.
        cpu_ms: processor time of decoding and of each check.
    """

    picture: Picture
    faces: int | None = None
    real: int = 0
    identifiable: int = 0
    nudity: float | None = None
    known: bool | None = None
    cause: str = ""
    cpu_ms: dict[str, float] = field(default_factory=dict)


def measure(plan: ImagePlan, progress: Callable[[str, int, int], None] | None = None) -> dict[str, Any]:
    """The report, as JSON holds it. All but ``run`` and ``processor_ms`` is the same for the same input.

    Args:
        progress: told (what is done, how many so far, of how many).

    Raises:
        DataError: the data cannot be used.
        ConfigurationError: none of the checks can start here.
    """
    found = pictures(plan.data)
    chosen = _spread(found, plan.limit)
    checks, unavailable = construct(ASKED, plan.settings)
    if not checks:
        raise unavailable[0].error if unavailable else DataError("no check of images is installed")
    for check in checks:
        check.warmup()
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    begun = time.perf_counter()
    seen: list[Seen] = []
    for i, picture in enumerate(chosen):
        seen.append(_look(picture, checks))
        if progress is not None:
            progress("pictures", i + 1, len(chosen))
    return {
        "kind": KIND,
        "format": FORMAT,
        "effective": [c.effective().to_json() for c in checks],
        "not_measured": {u.name: str(u.error).splitlines()[0] for u in unavailable},
        "data": {
            "folders": [str(p) for p in plan.data],
            "pictures": len(found),
            "chosen": len(seen),
            # Those that every check answered for; the others are named below, each with its cause.
            "measured": sum(not s.cause for s in seen),
            "described": sum(not s.cause and s.picture.faces is not None for s in seen),
        },
        "thresholds": {"real": REAL, "nudity.partial": PARTIAL, "nudity.explicit": EXPLICIT},
        "rates": _rates(seen),
        "could_not_be_checked": dict(sorted(Counter(s.cause for s in seen if s.cause).items())),
        "processor_ms": _times(seen),
        "shown": _shown(seen, plan.show),
        "run": {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": plan.command,
            "machine": machine(),
            "guardrail": __version__,
            "load": load_average,
            "seconds": time.perf_counter() - begun,
        },
    }


def failed(report: Mapping[str, Any]) -> int:
    """How many pictures could not be read, or not be answered for by a check."""
    return sum(report["could_not_be_checked"].values())


def _spread(found: Sequence[Picture], limit: int | None) -> list[Picture]:
    if limit is None or len(found) <= limit:
        return list(found)
    return [found[i * len(found) // limit] for i in range(limit)]


def _look(picture: Picture, checks: Sequence[Check]) -> Seen:
    seen = Seen(picture)
    spent = time.process_time()
    try:
        image = read_image(picture.path)
    except InputError as error:
        seen.cause = f"unreadable: {error.code}"
        return seen
    seen.cpu_ms["decoding"] = (time.process_time() - spent) * 1e3
    request = Request(images=(image,))
    for check in checks:
        if Stage.REFERENCE not in check.stages:
            continue
        spent = time.process_time()
        try:
            (answer,) = check.check([request], Stage.REFERENCE)
        except CheckError as error:
            answer = Failure(f"{type(error).__name__}: {error}")
        seen.cpu_ms[check.name] = (time.process_time() - spent) * 1e3
        if isinstance(answer, Failure):
            seen.cause = seen.cause or f"{check.name}: {answer.cause}"
        else:
            _note(seen, answer.signals)
    return seen


def _note(seen: Seen, signals: Mapping[str, SignalValue]) -> None:
    faces = signals.get("reference.faces")
    if isinstance(faces, tuple):
        seen.faces = len(faces)
        seen.real = sum(float(f.get("real") or 0.0) >= REAL for f in faces)
        seen.identifiable = sum(bool(f.get("identifiable")) for f in faces)
    nudity = signals.get("reference.nudity")
    if isinstance(nudity, float | int):
        seen.nudity = float(nudity)
    known = signals.get("reference.hash_match")
    if isinstance(known, bool):
        seen.known = known


# What is measured: its name, which pictures it is asked of, and which of them count. A picture that a check could not
# answer for is asked of nothing that the check would have said.
_MEASURES: tuple[tuple[str, Callable[[Seen], bool], Callable[[Seen], bool]], ...] = (
    ("faces found", lambda s: s.faces is not None and bool(s.picture.faces), lambda s: bool(s.faces)),
    ("fired without a face", lambda s: s.faces is not None and s.picture.faces == 0, lambda s: bool(s.faces)),
    ("any face", lambda s: s.faces is not None and s.picture.faces is None, lambda s: bool(s.faces)),
    ("counts as real, of those with a face found", lambda s: bool(s.faces), lambda s: s.real > 0),
    ("identifiable, of those with a face found", lambda s: bool(s.faces), lambda s: s.identifiable > 0),
    ("nudity, partial", lambda s: s.nudity is not None, lambda s: (s.nudity or 0.0) >= PARTIAL),
    ("nudity, explicit", lambda s: s.nudity is not None, lambda s: (s.nudity or 0.0) >= EXPLICIT),
    ("known image", lambda s: s.known is not None, lambda s: bool(s.known)),
)


def _rates(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """Each measure over all pictures, over each folder and over each category that a csv names."""
    groups: dict[tuple[str, str], list[Seen]] = {("all", ""): list(seen)}
    for one in seen:
        groups.setdefault(("folder", one.picture.group), []).append(one)
        if one.picture.category:
            groups.setdefault(("category", one.picture.category), []).append(one)
    made: list[dict[str, Any]] = []
    for (by, name), members in sorted(
        groups.items(), key=lambda g: (["all", "folder", "category"].index(g[0][0]), g[0])
    ):
        for measure_name, asked, counts in _MEASURES:
            of = [s for s in members if asked(s)]
            if of:
                rate = Rate(sum(map(counts, of)), len(of))
                made.append({"by": by, "group": name, "measure": measure_name, "found": rate.to_json()})
    return made


def _times(seen: Sequence[Seen]) -> dict[str, dict[str, float]]:
    """Percentiles of each stage, and its share of the whole."""
    names = list(dict.fromkeys(name for s in seen for name in s.cpu_ms))
    total = sum(sum(s.cpu_ms.values()) for s in seen)
    made: dict[str, dict[str, float]] = {}
    for name in names:
        values = np.array([s.cpu_ms[name] for s in seen if name in s.cpu_ms])
        p50, p95 = (float(v) for v in np.percentile(values, (50, 95)))
        made[name] = {"p50": p50, "p95": p95, "share": float(values.sum()) / total if total else 0.0}
    return made


def _shown(seen: Sequence[Seen], most: int) -> dict[str, list[str]]:
    """File names of what looks like a mistake."""
    kinds: dict[str, Callable[[Seen], bool]] = {
        "missed faces": lambda s: s.faces == 0 and bool(s.picture.faces),
        "faces where none is": lambda s: bool(s.faces) and s.picture.faces == 0,
        "nudity": lambda s: (s.nudity or 0.0) >= PARTIAL,
    }
    return (
        {name: [str(s.picture.path) for s in seen if is_one(s)][:most] for name, is_one in kinds.items()}
        if most
        else {}
    )
