"""One picture put to the checks of images: what they say of it, as a line of results.jsonl."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from guardrail.bench.image_attacks import Box, ImageAttack
from guardrail.bench.pictures import Picture
from guardrail.checks.base import Check, Failure, SignalValues
from guardrail.errors import CheckError, InputError
from guardrail.media import ImageInput, Request
from guardrail.media.read import read_image
from guardrail.signals import SignalValue, Stage

__all__ = ["EXPLICIT", "PARTIAL", "REAL", "Sample", "attacked_sample", "boxes_of", "clean_sample"]

Sample = dict[str, Any]
# Where the shipped policies act.
REAL, PARTIAL, EXPLICIT = 0.50, 0.35, 0.65


def clean_sample(picture: Picture, name: str, checks: Sequence[Check]) -> tuple[Sample, ImageInput | None]:
    """The picture as it came; and decoded, None where it cannot be read.

    ``told_faces`` is what a csv says, ``listed`` whether it is on the list of known images, ``faces`` what was found,
    ``real`` and ``identifiable`` how many of those count so; ``boxes`` is where; ``cause`` says why it could not be
    read or a check could not answer, without content.
    """
    sample = _begun(picture, name, "")
    spent = time.process_time()
    try:
        image = read_image(picture.path)
    except InputError as error:
        return sample | {"cause": f"unreadable: {error.code}", "cpu_ms": {}}, None
    cpu = {"decoding": _ms_since(spent)}
    return _looked(sample, image, checks, cpu), image


def attacked_sample(
    picture: Picture,
    name: str,
    clean: Sample,
    image: ImageInput,
    attack: ImageAttack,
    seed: int,
    checks: Sequence[Check],
) -> Sample:
    """The picture after an attack; ``applied`` is false where the attack had nothing to do. Of a moving picture, its
    first frame."""
    sample = _begun(picture, name, attack.name)
    pixels = attack(image.frames[0][..., :3], boxes_of(clean), image.file_sha256.hex(), seed)
    if pixels is None:
        return sample | {"applied": False}
    try:
        changed = read_image(pixels)
    except InputError as error:
        return sample | {"applied": True, "cause": f"unreadable: {error.code}"}
    return _looked(sample | {"applied": True}, changed, checks, {})


def boxes_of(clean: Sample) -> list[Box]:
    return [Box(*box) for box in clean["boxes"]]


def _begun(picture: Picture, name: str, attack: str) -> Sample:
    return {
        "id": name,
        "folder": picture.group,
        "category": picture.category,
        "attack": attack,
        "told_faces": picture.faces,
        "listed": picture.listed,
        "faces": None,
        "real": None,
        "identifiable": None,
        "nudity": None,
        "known": None,
        "cause": "",
        "boxes": [],
    }


def _looked(sample: Sample, image: ImageInput, checks: Sequence[Check], cpu: dict[str, float]) -> Sample:
    request, boxes = Request(images=(image,)), []
    for check in checks:
        if Stage.REFERENCE not in check.stages:
            continue
        spent = time.process_time()
        answer: SignalValues | Failure
        try:
            (answer,) = check.check([request], Stage.REFERENCE)
        except CheckError as error:
            answer = Failure(f"{type(error).__name__}: {error}")
        cpu[check.name] = _ms_since(spent)
        if isinstance(answer, Failure):
            sample["cause"] = sample["cause"] or f"{check.name}: {answer.cause}"
        else:
            sample |= _said(answer.signals)
            boxes += [[*(round(v, 1) for v in r.box), r.kind] for r in answer.regions]
    return sample | {"boxes": boxes, "cpu_ms": cpu}


def _said(signals: Mapping[str, SignalValue]) -> Sample:
    said: Sample = {}
    faces = signals.get("reference.faces")
    if isinstance(faces, tuple):
        said["faces"] = len(faces)
        said["real"] = sum(float(f.get("real") or 0.0) >= REAL for f in faces)
        said["identifiable"] = sum(bool(f.get("identifiable")) for f in faces)
    nudity = signals.get("reference.nudity")
    if isinstance(nudity, float | int):
        said["nudity"] = round(float(nudity), 6)
    known = signals.get("reference.hash_match")
    if isinstance(known, bool):
        said["known"] = known
    return said


def _ms_since(spent: float) -> float:
    return round((time.process_time() - spent) * 1e3, 3)
