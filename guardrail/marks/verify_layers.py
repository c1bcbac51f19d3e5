"""What a file says of itself, who signed it, and what the registry knows of it, as layers of a verification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from guardrail.errors import MissingExtra
from guardrail.marks.foreign.layers import CLAIMED
from guardrail.marks.label import SOURCE_TYPES
from guardrail.marks.layers import Layer
from guardrail.media import ImageInput, Limits
from guardrail.media.pdq import BITS, BYTES, USABLE_QUALITY, pdq
from guardrail.media.renderings import WHITE, over

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from guardrail.marks.registry import Entry, Registry
    from guardrail.media.types import Frame

__all__ = [
    "INVALID",
    "NOT_LOOKED_AT",
    "OURS",
    "SIMILAR",
    "UNLIKE",
    "credentials_layer",
    "file_layers",
    "registry_layer",
]

NOT_LOOKED_AT = "not looked at"
INVALID = "invalid"
"""Of credentials: changed after they were signed, or signed by somebody who may not."""
SIMILAR = "looks like a registered one"
UNLIKE = "registered, looks different"
OURS = "guardrail:"
"""How the names of our own metadata begin."""

_WORDS = (
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicMedia",
    "compositeSynthetic",
)
# The vocabulary is also seen under https.
_AI_SOURCES = frozenset(
    base + word for base in (SOURCE_TYPES, SOURCE_TYPES.replace("http:", "https:")) for word in _WORDS
)
# GB 45438-2025: "1" generated, "2" possibly, "3" suspected by a platform.
_AIGC_VERDICTS = {"1": "found", "2": "suspected", "3": "suspected"}
# What is given out. Everything else in a file may be a prompt, a caption or the name of somebody who is shown.
_GIVEN = frozenset(
    (
        "Iptc4xmpExt:DigitalSourceType",
        "Iptc4xmpExt:AISystemUsed",
        "Iptc4xmpExt:AISystemVersionUsed",
        "Iptc4xmpExt:DigImageGUID",
        "xmp:CreatorTool",
        "xmp:CreateDate",
    )
)
# Names of devices and programs, and times: only where the value looks like one. ComfyUI writes its graph, prompts and
# all, into Make and Model of WebP files.
_GIVEN_IF_NAME = frozenset(
    ("exif:Make", "exif:Model", "exif:Software", "exif:ModifyDate", "exif:DateTimeOriginal", "exif:CreateDate")
)
_LONGEST_NAME = 64  # characters
_DECISION = re.compile(r"decision \S{1,64}")
_OUR_SOURCE = re.compile(r"AI-generated \(\w{1,64}\)")
# PDQ's makers take this for the same picture, changed a little.
_SAME = 31


def file_layers(said: Mapping[str, str]) -> list[Layer]:
    """Layers of what `read_file_label` gives."""
    parts: dict[str, dict[str, str]] = {"png": {}, "aigc": {}, "": {}}
    for name, value in said.items():
        kind, _, rest = name.partition(":")
        parts[kind if kind in parts else ""][rest if kind in parts else name] = value
    says_ai = said.get("Iptc4xmpExt:DigitalSourceType", "") in _AI_SOURCES
    other = {name: value for name, value in parts[""].items() if _given(name, value)}
    layers = [Layer("metadata", "found" if says_ai else "nothing found", other)]
    if text := {name: value for name, value in parts["png"].items() if _tells(name, value)}:
        found = text.get("Source", "").startswith("AI-generated")
        layers.append(Layer("png text", "found" if found else "nothing found", text))
    if field := parts["aigc"]:
        layers.append(Layer("AIGC field", _AIGC_VERDICTS.get(field.get("Label", ""), "nothing found"), field))
    return layers


def _given(name: str, value: str) -> bool:
    if name in _GIVEN_IF_NAME:
        return _is_name(value)
    return name in _GIVEN or name.startswith(OURS)


def _is_name(text: str) -> bool:
    """Whether a text can be a name or a time: one short line, and no piece of JSON."""
    return len(text) <= _LONGEST_NAME and text.isprintable() and "{" not in text


def _tells(keyword: str, text: str) -> bool:
    """Whether a PNG keyword says where the picture comes from, and holds nothing else."""
    if keyword == "Comment":
        return _DECISION.fullmatch(text) is not None
    if keyword == "Source":
        # Others write prompts here.
        return _OUR_SOURCE.fullmatch(text) is not None
    return keyword in ("Software", "Creation Time") and _is_name(text)


def credentials_layer(content: bytes, anchors: bytes | None, limits: Limits) -> Layer:
    """Content Credentials (C2PA): ``found`` where they hold, say that a model made the picture, and their signer is
    among the anchors. Of any other signer it is ``claimed``: whoever writes a file can sign it with a key of their own.

    Raises:
        ConfigurationError: the anchors are no certificates.
    """
    from guardrail.marks.credentials import read_credentials

    name = "content credentials"
    try:
        read = read_credentials(content, anchors=anchors, limits=limits)
    except MissingExtra as error:
        return Layer(name, NOT_LOOKED_AT, {"why": str(error)})
    if read is None:
        return Layer(name, "nothing found")
    says = {"state": read.state, **read.says}
    if read.problems:
        says["problems"] = ", ".join(read.problems)
    if read.state == "Invalid":
        return Layer(name, INVALID, says)
    sources = f"{says.get('digital source type', '')}, {says.get('earlier digital source type', '')}".split(", ")
    if not _AI_SOURCES.intersection(sources):
        return Layer(name, "says nothing of AI", says)
    if read.state == "Trusted":
        return Layer(name, "found", says)
    return Layer(name, CLAIMED, {**says, "signer": "not trusted: the file says so itself"})


def registry_layer(registry: Registry, image: ImageInput, watermark: Layer) -> Layer:
    """What the registry knows: by the bytes of the file, by the watermark's id, else by likeness (PDQ).

    ``found`` where the bytes or the id lead to an entry and the picture still looks like it. A file that we wrote need
    not: something may have been pasted over the picture in memory before. Where likeness cannot be told, the watermark
    decides: one that was copied leads to another picture, and one that is gone to none. Likeness alone proves nothing:
    whatever a registered picture was made from looks like it too.

    Transparent pictures are registered as they look over white; their bare colours are compared as well, for entries
    of before.

    Raises:
        RegistryError: it cannot be read.
    """
    hashes = _hashes(image.frames[0])
    by_file = registry.by_sha256(image.file_sha256.hex()) if image.file_sha256 else None
    mark_id = watermark.says.get("mark id", "")
    entry = by_file or (registry.by_id(mark_id) if mark_id else None)
    if entry is not None:
        distance = _distance(entry, hashes)
        told = "cannot be told" if distance is None else f"{distance} of {BITS} bits apart"
        if distance is not None:
            unlike = distance > _SAME
        elif entry.pdq is None:
            unlike = watermark.verdict == "copied"
        else:
            # The registered picture had enough in it to be compared, and this one has not.
            unlike = (watermark.verdict, mark_id) != ("found", entry.mark_id)
        by = "the bytes of the file" if by_file else "the mark id"
        return Layer("registry", UNLIKE if unlike else "found", {"found by": by, "likeness": told, **_says(entry)})
    near = registry.nearest(hashes, _SAME, limit=1) if len(hashes) else []
    for entry, distance in near:
        told = f"{distance} of {BITS} bits apart"
        return Layer("registry", SIMILAR, {"found by": "likeness", "likeness": told, **_says(entry)})
    return Layer("registry", "nothing found")


def _hashes(frame: Frame) -> NDArray[np.uint8]:
    """(n, 32), of what a frame shows in its eight orientations; none where they would match by chance."""
    shown = [over(frame, WHITE)]
    if frame.shape[2] == 4:
        shown.append(frame[..., :3])
    hashed = [pdq(view) for view in shown]
    usable = [hashes for hashes, quality in hashed if quality >= USABLE_QUALITY]
    return np.concatenate(usable) if usable else np.empty((0, BYTES), np.uint8)


def _distance(entry: Entry, hashes: NDArray[np.uint8]) -> int | None:
    """Of the nearest; ``None`` where it cannot be told."""
    if entry.pdq is None or not len(hashes):
        return None
    return int(np.unpackbits(hashes ^ np.frombuffer(entry.pdq, np.uint8), axis=1).sum(1).min())


def _says(entry: Entry) -> dict[str, str]:
    says = {"mark id": entry.mark_id, "model": entry.model, "policy": entry.policy, "created": entry.created}
    return {name: value for name, value in says.items() if value}
