"""``guardrail bench images``: what the image checks find in folders of pictures, as they came and after attacks.

No picture, no vector and no identity is in the results: counts, rates with their intervals, places, and file names only
where the user asks for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Any

from guardrail.bench.data_facts import picture_facts
from guardrail.bench.files import DataError, sha256
from guardrail.bench.image_attacks import ImageAttack, chosen
from guardrail.bench.image_known import KnownHere
from guardrail.bench.image_samples import EXPLICIT, PARTIAL, REAL, Sample, attacked_sample, clean_sample
from guardrail.bench.image_tables import figures, measures, not_run, percentiles, sheets, told
from guardrail.bench.pictures import Picture, numbered, picture_folders, pictures
from guardrail.bench.run.environment import environment
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, Samples, damaged
from guardrail.checks.base import Check, CheckSettings
from guardrail.checks.registry import Unavailable, construct
from guardrail.media import ImageInput
from guardrail.media.read import read_image

__all__ = ["ImagePlan", "failed", "measure"]

Progress = Callable[[str, int, int], None]
ASKED = ("reference.faces", "reference.nudity", "reference.hash_match")


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What to measure.

    Args:
        data: folders of pictures, with csv files in them if there are any (see `guardrail.bench.pictures`).
        settings: of the checks; the gallery is not asked.
        limit: at most so many pictures, evenly spread; None for all.
        show: name so many files of each kind of mistake; 0 for none.
        attacks: names of `IMAGE_ATTACKS` to try on every picture, or ``all``; none for the pictures as they came.
        seed: of what the attacks draw.
        known_here: every second picture is put on a list of known images, in memory, in the place of other lists.
        out: folder for results.jsonl; a run that was killed goes on from it. None: nothing is kept.
        fresh: begin anew, whatever is there.
        keep_names: file names go into results.jsonl, and names of folders below those given into the figures.
        command: how this was called, for the report.
    """

    data: Sequence[Path]
    settings: CheckSettings = field(default_factory=CheckSettings)
    limit: int | None = None
    show: int = 0
    attacks: tuple[str, ...] = ()
    seed: int = 1
    known_here: bool = False
    out: Path | None = None
    fresh: bool = False
    keep_names: bool = False
    command: str = ""


def measure(plan: ImagePlan, progress: Progress | None = None) -> Run:
    """The run. The same input gives the same measures.

    Args:
        progress: told (what is done, how many so far, of how many).

    Raises:
        DataError: the data cannot be used, or no attack has this name.
        ConfigurationError: none of the checks can start here.
    """
    attacks = chosen(plan.attacks)
    folders, found = picture_folders(plan.data), pictures(plan.data)
    taken = _spread(found, plan.limit)
    shown = taken if plan.keep_names else _spread(numbered(found, plan.data), plan.limit)
    settings = plan.settings
    if plan.known_here:
        known = KnownHere(p.path for p in taken[::2])
        settings = replace(settings, known=known)
        shown = [replace(p, listed=sha256(p.path) in known.listed) for p in shown]
    listed = settings.known is not None and settings.known.asked()
    checks, unavailable = _checks(settings, listed)
    facts = {
        **environment(plan.command, seed=plan.seed),
        "checks": [c.effective().to_json() for c in checks],
        "thresholds": {"real": REAL, "nudity.partial": PARTIAL, "nudity.explicit": EXPLICIT},
        "data": {
            **picture_facts(folders),
            "files": [_data(plan.data, taken)],
            "pictures": len(found),
            "chosen": len(taken),
        },
        "attacks": [a.name for a in attacks],
        "names_kept": plan.keep_names,
        "known_images": "every second picture measured" if plan.known_here else "lists" if listed else "none",
    }
    begun = time.perf_counter()
    samples = _samples(plan, shown, checks, attacks, facts, progress or (lambda what, done, of: None))
    clean = [s for s in samples if not s["attack"]]
    timing = {"processor_ms": percentiles(clean), "seconds": time.perf_counter() - begun}
    absent = {u.name: str(u.error).splitlines()[0] for u in unavailable}
    if not listed:
        absent["known images"] = "no list was asked: name one with --known, or --known data for the pictures themselves"
    return Run(
        suite="images",
        title="Image checks",
        facts=facts,
        measures=tuple(measures(samples)),
        timing=timing,
        told=tuple(told(facts, samples)),
        sheets=tuple(sheets(samples, facts, timing, _shown(plan, taken, clean))),
        figures=tuple(figures(samples)),
        not_run={**absent, **not_run(samples)},
    )


def failed(run: Run) -> int:
    """How many pictures, as they came or attacked, could not be read, or not be answered for by a check."""
    of_all = [m for m in run.measures if m.name == "not_checked_rate" and {k for k, _ in m.of} <= {"attack"}]
    return sum(m.count or 0 for m in of_all)


def _checks(settings: CheckSettings, listed: bool) -> tuple[list[Check], list[Unavailable]]:
    """Those that can start; that of known images only where there is a list."""
    checks, unavailable = construct(ASKED if listed else ASKED[:2], settings)
    if not checks:
        raise unavailable[0].error if unavailable else DataError("no check of images is installed")
    for check in checks:
        check.warmup()
    return checks, unavailable


def _spread(found: Sequence[Picture], limit: int | None) -> list[Picture]:
    if limit is None or len(found) <= limit:
        return list(found)
    return [found[i * len(found) // limit] for i in range(limit)]


def _data(given: Sequence[Path], taken: Sequence[Picture]) -> dict[str, Any]:
    """Names of the folders, and one sha256 over the pictures taken with what is told of them."""
    digest = new_sha256()
    for one in taken:
        digest.update(f"{one.group}|{one.faces}|{one.category}|{sha256(one.path)}\n".encode())
    return {"name": "; ".join(map(str, given)), "sha256": digest.hexdigest(), "rows": len(taken)}


def _samples(
    plan: ImagePlan,
    taken: Sequence[Picture],
    checks: Sequence[Check],
    attacks: Sequence[ImageAttack],
    facts: dict[str, Any],
    tell: Progress,
) -> list[Sample]:
    """A sample of each picture as it came, followed by one for each attack."""
    kept = ("guardrail", "source", "checks", "thresholds", "attacks", "known_images", "seed")
    identity = {
        "suite": "images",
        **{name: facts[name] for name in kept},
        "data": facts["data"]["files"][0]["sha256"],
        "keep_names": plan.keep_names,
    }
    path = None if plan.out is None else plan.out / FILE
    made: list[Sample] = []
    with Samples(path, identity, fresh=plan.fresh) as samples:
        ready, steps = iter(samples.done), len(taken) * (1 + len(attacks))
        for number, picture in enumerate(taken):
            name = f"{number + 1:06d}"
            for new in _of_picture(plan, picture, name, checks, attacks):
                sample = next(ready, None)
                if sample is None:
                    sample = new(made)
                    samples.add(sample | ({"file": str(picture.path)} if plan.keep_names else {}))
                elif sample.get("id") != name:
                    raise damaged(path)
                made.append(sample)
                tell("pictures", len(made), steps)
            samples.flush()
        if next(ready, None) is not None:
            raise damaged(path)
    return made


def _of_picture(
    plan: ImagePlan, picture: Picture, name: str, checks: Sequence[Check], attacks: Sequence[ImageAttack]
) -> Iterator[Callable[[Sequence[Sample]], Sample]]:
    """How to make each sample of a picture, given those made before; what is there already is never decoded."""
    image: ImageInput | None = None

    def as_it_came(made: Sequence[Sample]) -> Sample:
        nonlocal image
        sample, image = clean_sample(picture, name, checks)
        return sample

    yield as_it_came
    for i, attack in enumerate(attacks, 1):

        def after(made: Sequence[Sample], i: int = i, attack: ImageAttack = attack) -> Sample:
            nonlocal image
            clean = made[-i]
            if not clean["cause"]:
                image = read_image(picture.path) if image is None else image
                return attacked_sample(picture, name, clean, image, attack, plan.seed, checks)
            return {**clean, "attack": attack.name, "applied": False, "cause": "", "boxes": []}

        yield after


def _shown(plan: ImagePlan, taken: Sequence[Picture], clean: Sequence[Sample]) -> list[tuple[str, str]]:
    """(kind, file name) of what looks like a mistake in the pictures as they came."""
    kinds: dict[str, Callable[[Sample], bool]] = {
        "missed faces": lambda s: s["faces"] == 0 and bool(s["told_faces"]),
        "faces where none is": lambda s: bool(s["faces"]) and s["told_faces"] == 0,
        "nudity": lambda s: (s["nudity"] or 0.0) >= PARTIAL,
    }
    return [
        (kind, str(picture.path))
        for kind, is_one in kinds.items()
        for picture in [p for p, s in zip(taken, clean, strict=True) if is_one(s)][: plan.show]
    ]
