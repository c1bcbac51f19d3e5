"""What can be said about an image: layer by layer, with a rate of error, and never "not AI"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrail.errors import InputError
from guardrail.keys import Keyring
from guardrail.marks.files import label_of, read_file_label
from guardrail.marks.label import SOURCE_TYPES
from guardrail.marks.stack import MARK_VERSION, MarkStack
from guardrail.media import ImageInput, Limits, decode_image, from_array, from_pil
from guardrail.media.arrays import is_array, is_pil
from guardrail.media.decode import read_content

__all__ = ["Layer", "Verification", "verify_image"]

# Pixels; below, there is nothing to look for a watermark in.
_SMALLEST_SIDE = 2
_AI_SOURCES = frozenset(
    SOURCE_TYPES + word
    for word in (
        "trainedAlgorithmicMedia",
        "compositeWithTrainedAlgorithmicMedia",
        "algorithmicMedia",
        "compositeSynthetic",
    )
)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of marking.

    Args:
        name: ``watermark``, ``metadata`` or ``png text``.
        verdict: ``found``, ``marked, payload unreadable``, ``nothing found`` or ``not applicable``.
        says: what the layer says, by name.
        false_positive_rate: for the watermark, how often an unmarked image gives this verdict by chance.
    """

    name: str
    verdict: str
    says: dict[str, str] = field(default_factory=dict)
    statistic: float | None = None
    false_positive_rate: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "verdict": self.verdict,
            "says": self.says,
            "statistic": self.statistic,
            "false_positive_rate": self.false_positive_rate,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """All layers. `ai_generated` is True or unknown (``None``), never False: absence of marks proves nothing."""

    layers: Sequence[Layer]

    @property
    def ai_generated(self) -> bool | None:
        return True if any(layer.verdict in ("found", "marked, payload unreadable") for layer in self.layers) else None

    @property
    def mark_id(self) -> str:
        """The id in the watermark, in hex; it leads to the record of the decision. Empty when not read."""
        read = (layer for layer in self.layers if layer.name == "watermark" and layer.verdict == "found")
        return next((layer.says.get("mark id", "") for layer in read), "")

    @property
    def summary(self) -> str:
        if self.ai_generated:
            names = " and ".join(layer.name for layer in self.layers if layer.verdict.startswith(("found", "marked")))
            return f"AI-generated, says the {names}."
        return (
            "No mark was found. That does not mean that a camera made it: marks can be absent, stripped or too damaged."
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "ai_generated": self.ai_generated,
            "summary": self.summary,
            "mark_id": self.mark_id,
            "layers": [layer.to_json() for layer in self.layers],
        }


def verify_image(source: Any, keyring: Keyring) -> Verification:
    """Look for every mark in a file (path or bytes), a PIL image, an array or a tensor.

    Raises:
        InputError: it cannot be read as an image. A URL is refused: nothing is fetched.
    """
    stack = MarkStack(keyring)
    if isinstance(source, str) and "://" in source:
        raise InputError("a URL is not fetched; download the file and verify that")
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    if isinstance(source, str | Path | bytes):
        # Read once: what is decoded is what the metadata is read from.
        content = read_content(source, "image", Limits())
        image = decode_image(content)
        return Verification((_watermark(stack, image), *_file_layers(read_file_label(content))))
    if is_pil(source):
        label = label_of(source)
        layers = (_watermark(stack, from_pil(source)),)
        carried = {**label.properties()} if label else {}
        return Verification((*layers, *_file_layers(carried)) if carried else layers)
    if is_array(source):
        return Verification((_watermark(stack, from_array(source)),))
    raise InputError(f"{type(source).__name__} is no image; give a path, bytes, a PIL image, an array or a tensor")


def _watermark(stack: MarkStack, image: ImageInput) -> Layer:
    views = [pixels for _, pixels in image.views() if min(pixels.shape[:2]) >= _SMALLEST_SIDE]
    if not views:
        return Layer("watermark", "not applicable")
    key, found = max(
        (stack.detect(pixels) for pixels in views),
        key=lambda kd: ({"payload": 2, "marked": 1, "none": 0}[kd[1].verdict], kd[1].statistic),
    )
    # Each key and each view was another chance to be wrong (union bound).
    rate = min(1.0, float(found.false_positive_rate) * len(views) * stack.keys)
    statistic = float(found.statistic)
    if found.verdict == "payload" and found.payload is not None:
        version, number = found.payload >> 60, found.payload & (1 << 60) - 1
        says = {"mark id": f"{number:015x}", "key": key, "version": str(version)}
        # Another version was written by somebody else with this key: the mark is there, the id is not ours.
        verdict = "found" if version == MARK_VERSION else "marked, payload unreadable"
        return Layer("watermark", verdict, says, statistic, rate)
    if found.verdict == "marked":
        return Layer("watermark", "marked, payload unreadable", {"key": key}, statistic, rate)
    return Layer("watermark", "nothing found", {}, statistic, rate)


def _file_layers(label: dict[str, str]) -> list[Layer]:
    xmp = {k: v for k, v in label.items() if not k.startswith("png:")}
    text = {k.removeprefix("png:"): v for k, v in label.items() if k.startswith("png:")}
    says_ai = xmp.get("Iptc4xmpExt:DigitalSourceType", "") in _AI_SOURCES
    layers = [Layer("metadata", "found" if says_ai else "nothing found", xmp)]
    if text:
        layers.append(
            Layer("png text", "found" if text.get("Source", "").startswith("AI-generated") else "nothing found", text)
        )
    return layers
