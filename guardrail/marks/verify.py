"""What can be said about an image: layer by layer, with a rate of error, and never "not AI"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrail.errors import InputError
from guardrail.keys import Keyring
from guardrail.marks.base import RANK
from guardrail.marks.files import label_of, read_file_label
from guardrail.marks.foreign import foreign_layers
from guardrail.marks.foreign.layers import CLAIMED
from guardrail.marks.label import Label
from guardrail.marks.layers import Layer
from guardrail.marks.stack import MarkStack, Reading
from guardrail.marks.tileline import calibration
from guardrail.marks.verify_layers import (
    INVALID,
    NOT_LOOKED_AT,
    OURS,
    SIMILAR,
    UNLIKE,
    credentials_layer,
    file_layers,
    registry_layer,
)
from guardrail.media import ImageInput, Limits, decode_image, from_array, from_pil
from guardrail.media.arrays import is_array, is_pil
from guardrail.media.decode import read_content

if TYPE_CHECKING:
    from guardrail.marks.registry import Registry

__all__ = ["VERIFY_LIMITS", "Layer", "Verification", "verify_image"]

VERIFY_LIMITS = Limits(pixels=8192 * 8192, file_bytes=256_000_000)
"""What is too much to verify: more than what is generated, since pictures are enlarged on their way."""

# Pixels; below, there is nothing to look for a watermark in.
_SMALLEST_SIDE = 2
# Views (frames and renderings of transparency) in which a watermark is searched for, beside where it was put.
_SEARCHED = 8
# Verdicts by which a layer says that a model made the picture; "claimed" is the file's own word, which anybody could
# have written. A mark that was copied, credentials that do not hold and mere likeness to a registered picture are
# findings, and no such evidence.
_EVIDENCE = ("found", "marked, payload unreadable", CLAIMED)
_FINDINGS = {
    "copied": "The watermark was made for another picture and copied onto this one.",
    INVALID: "The content credentials do not hold: the file was changed after signing, or the signer may not sign.",
    UNLIKE: (
        "The registered picture looks different: this one was cut or changed since it was marked, or the mark copied."
    ),
    SIMILAR: "The registry has a picture that looks like this one.",
    "suspected": "A platform suspects that a model made it, says the AIGC field.",
}
_NOT_CHECKABLE = (
    "The picture was cut, turned or changed since it was marked, or the watermark was copied onto it: the mark cannot "
    "say which."
)
_UNTRUSTED = "The content credentials say so themselves: their signer is not trusted, and anybody can sign."
_NO_KEY = "no key is here: a watermark of ours can be read with the key only that it was made with"


@dataclass(frozen=True, slots=True)
class Verification:
    """All layers. `ai_generated` is True or unknown (``None``), never False: absence of marks proves nothing."""

    layers: Sequence[Layer]

    @property
    def ai_generated(self) -> bool | None:
        return True if any(layer.verdict in _EVIDENCE for layer in self.layers) else None

    @property
    def mark_id(self) -> str:
        """The id in the watermark, in hex; it leads to the record of the decision. Empty when not read."""
        read = (layer for layer in self.layers if layer.name == "watermark" and layer.verdict == "found")
        return next((layer.says.get("mark id", "") for layer in read), "")

    @property
    def summary(self) -> str:
        verdicts = {layer.verdict for layer in self.layers}
        findings = [text for verdict, text in _FINDINGS.items() if verdict in verdicts]
        if any(layer.says.get("binding") == "not checkable" for layer in self.layers):
            findings.append(_NOT_CHECKABLE)
        if any(layer.name == "content credentials" and layer.verdict == CLAIMED for layer in self.layers):
            findings.append(_UNTRUSTED)
        if self.ai_generated:
            # Each layer once, whatever the number of generators that it names.
            names = dict.fromkeys(layer.name for layer in self.layers if layer.verdict in _EVIDENCE)
            return " ".join([f"AI-generated, says the {' and '.join(names)}.", *findings])
        none = "No other mark was found." if findings else "No mark was found."
        return " ".join(
            [
                *findings,
                none,
                "That does not mean that a camera made it: marks can be absent, stripped or too damaged.",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "ai_generated": self.ai_generated,
            "summary": self.summary,
            "mark_id": self.mark_id,
            "layers": [layer.to_json() for layer in self.layers],
        }


def verify_image(
    source: Any,
    keyring: Keyring | None,
    *,
    search: bool = True,
    registry: Registry | None = None,
    anchors: bytes | None = None,
    limits: Limits | None = None,
) -> Verification:
    """Look for every mark in a file (path or bytes), a PIL image, an array or a tensor.

    Args:
        keyring: ``None``: there is no key, and no watermark of ours is looked for.
        search: also look for a watermark that was cropped, turned or squeezed; much slower where there is none.
        registry: where released pictures are registered.
        anchors: certificates in PEM whose holders are trusted to sign Content Credentials.
        limits: what is too much to look at; `VERIFY_LIMITS` by default.

    Raises:
        InputError: it cannot be read as an image. A URL is refused: nothing is fetched.
        RegistryError: the registry cannot be read.
    """
    limits = limits or VERIFY_LIMITS
    if isinstance(source, str) and "://" in source:
        raise InputError("a URL is not fetched; download the file and verify that")
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    content: bytes | None = None
    said: dict[str, str] | Label | None = None
    if isinstance(source, str | Path | bytes):
        # Read once: what is decoded is what the metadata is read from.
        content = read_content(source, "image", limits)
        image = decode_image(content, limits=limits)
        said = read_file_label(content)
    elif is_pil(source):
        image = from_pil(source, limits=limits)
        said = label_of(source)
    elif is_array(source):
        image = from_array(source, limits=limits)
    else:
        raise InputError(f"{type(source).__name__} is no image; give a path, bytes, a PIL image, an array or a tensor")
    return Verification(tuple(_layers(image, content, said, keyring, search, registry, anchors, limits)))


def _layers(
    image: ImageInput,
    content: bytes | None,
    label: dict[str, str] | Label | None,
    keyring: Keyring | None,
    search: bool,
    registry: Registry | None,
    anchors: bytes | None,
    limits: Limits,
) -> Iterator[Layer]:
    ours = Layer("watermark", NOT_LOOKED_AT, {"why": _NO_KEY})
    if keyring is not None:
        ours = _watermark(MarkStack(keyring), image, search=search)
    yield ours
    said = _confirmed(label, keyring, ours).says() if isinstance(label, Label) else label
    if content is not None:
        yield credentials_layer(content, anchors, limits)
    if said is not None:
        yield from file_layers(said)
    for layer in foreign_layers(image.frames[0], content):
        # Our own label names the generator as well, also where it names no mark: it is not another claim.
        if not (layer.name == "generator metadata" and any(name.startswith(OURS) for name in said or ())):
            yield layer
    if registry is not None:
        yield registry_layer(registry, image, ours)


def _confirmed(label: Label, keyring: Keyring | None, watermark: Layer) -> Label:
    """The label of a picture in memory as its file would have it: without a watermark that is not read in it."""
    if watermark.says.get("mark id", "") == label.mark_id:
        return label
    bare = replace(label, mark_id="", integrity="")
    return bare if keyring is None else MarkStack(keyring).with_integrity(bare)


def _watermark(stack: MarkStack, image: ImageInput, *, search: bool = True) -> Layer:
    shown = [(frame, pixels) for frame, pixels in image.views() if min(pixels.shape[:2]) >= _SMALLEST_SIDE]
    views = [pixels for _, pixels in shown]
    if not views:
        return Layer("watermark", "not applicable")
    # The fast path over everything first. The search costs forty times that: it is for the first views only, or a small
    # animated file would keep a reader busy for minutes.
    searched = views[:_SEARCHED] if search else []
    readings: list[Reading] = []
    for frame, pixels in shown:
        # Of a transparent picture some renderings carry the mark, and some look as it did when it was marked.
        renderings = (view for number, view in shown if number == frame)
        readings.append(stack.bound(stack.read(pixels, search=False), renderings))
        if readings[-1].fits:
            break
    if not any(reading.found.verdict == "payload" for reading in readings):
        for frame, pixels in shown[: len(searched)]:
            renderings = (view for number, view in shown if number == frame)
            readings.append(stack.bound(stack.read(pixels), renderings))
            if readings[-1].found.verdict == "payload":
                break
    reading = max(readings, key=_evidence)
    found = reading.found
    # Each key and each look was another chance to be wrong (union bound): of the looks that were planned, not only of
    # those that were made.
    rate = min(1.0, float(found.false_positive_rate) * (len(views) + len(searched)) * stack.keys)
    statistic = float(found.statistic)
    limit = calibration.PAYLOAD_RATE if found.verdict == "payload" else calibration.MARKED_RATE
    if found.verdict == "none" or rate > limit:
        return Layer("watermark", "nothing found", {}, statistic, rate)
    if reading.payload is None:
        # Not readable, or another version, written by somebody else with this key: there, but no id of ours.
        return Layer("watermark", "marked, payload unreadable", {"key": reading.key}, statistic, rate)
    says = {"mark id": reading.payload.mark_id, "key": reading.key, "version": str(reading.payload.version)}
    says["binding"] = str(reading.binding)
    return Layer("watermark", "copied" if reading.binding == "copied" else "found", says, statistic, rate)


def _evidence(reading: Reading) -> tuple[int, float, float]:
    agreement = -math.inf if reading.agreement is None else reading.agreement
    return RANK[reading.found.verdict], agreement, reading.found.statistic
