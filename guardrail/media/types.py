"""The request as the checks see it: texts, images, where each came from, and the caller's context."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import TextTooLong, UnsupportedInput
from guardrail.media.renderings import renderings
from guardrail.signals import Stage

__all__ = ["NARROW", "Context", "Frame", "ImageInput", "Limits", "Request", "Role", "TextInput", "Unverified"]

Frame = NDArray[np.uint8]
"""(height, width, 3) RGB or (height, width, 4) RGBA, uint8."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much to look at. Beyond a limit the input is an error, never cut off and passed on.

    Args:
        characters: of one text.
        pixels: of one image (width × height).
        file_bytes: of one encoded image.
        frames: of one animated image or video. All frames of a file together: one and a half times `pixels`.
        aspect: of one image, long side over short side, where the short side has `NARROW` pixels or more. A long strip
            is looked at piece by piece, so this bounds the work.
    """

    characters: int = 20_000
    pixels: int = 25_000_000
    file_bytes: int = 20_000_000
    frames: int = 128
    aspect: int = 64


NARROW = 12
"""Short side in pixels under which a picture holds no face that anybody could be told by."""


class Role(StrEnum):
    """What an image is for."""

    REFERENCE = "reference"
    CONTROL = "control"
    MASK = "mask"
    KEEP = "keep"
    """A mask the other way round: white is what stays."""
    VIDEO = "video"
    PREVIEW = "preview"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class TextInput:
    """One text of the request.

    Args:
        text: as it came in. Never printed, logged or stored.
        argument: the parameter it came by, e.g. ``prompt_2`` or ``cross_attention_kwargs.gligen.phrases``.
        index: position inside that argument.
        negative: True where the words are to be avoided rather than drawn.
    """

    text: str = field(repr=False)
    argument: str = "prompt"
    index: int = 0
    negative: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise UnsupportedInput(f"{self.argument} must be text, got {type(self.text).__name__}")

    def within(self, limits: Limits) -> TextInput:
        """This text, if it is short enough.

        Raises:
            TextTooLong: it has more characters than `limits` allows.
        """
        if len(self.text) > limits.characters:
            raise TextTooLong(f"{self.argument} has {len(self.text)} characters, {limits.characters} are allowed")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class ImageInput:
    """One image (or video) of the request, decoded.

    Args:
        frames: each (H, W, 3) or (H, W, 4), uint8; one for a still image, and one more for each other way in which its
            values can be read (grey of 16 bits, floats over 1). Those of a video may be read anew whenever one is
            asked for.
        file_sha256: of the file that it was decoded from; empty where it came as pixels.
    """

    frames: Sequence[Frame] = field(repr=False)
    argument: str = "image"
    index: int = 0
    role: Role = Role.REFERENCE
    file_sha256: bytes = field(default=b"", repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame."""
        height, width = self.frames[0].shape[:2]
        return int(height), int(width)

    def views(self) -> Iterator[tuple[int, Frame]]:
        """Every rendering that somebody could see: (index of the frame, (H, W, 3) RGB pixels), none twice.

        Where pixels are transparent, the picture is judged over black, over white, over mid-grey and without its
        transparency; where it has few levels of grey, stretched as well (see `guardrail.media.renderings`). All views
        of a frame share its coordinates.
        """
        for i, frame in enumerate(self.frames):
            for pixels in renderings(frame):
                yield i, pixels

    def digest(self) -> bytes:
        """SHA-256 over shapes and pixels."""
        h = hashlib.sha256()
        for frame in self.frames:
            h.update(repr(frame.shape).encode())
            h.update(np.ascontiguousarray(frame).data)
        return h.digest()


@dataclass(frozen=True, slots=True)
class Unverified:
    """An input that no check can read. `kind` is one of the words of the signal ``request.unverified``."""

    kind: str
    argument: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What the caller says about the request. Reaches rules (purpose, locale) and records (the user as a keyed hash).

    Args:
        purpose: a word that rules may name, such as ``"medical"``.
        user: a pseudonym of the end user, never a name.
        locale: language of messages to the end user, e.g. ``"ko"`` or ``"pt-BR"``.
        tenant: on whose behalf, where one service serves several.
    """

    purpose: str = ""
    user: str = field(default="", repr=False)
    locale: str = "en"
    tenant: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """The texts and images of one item of a call."""

    texts: tuple[TextInput, ...] = ()
    images: tuple[ImageInput, ...] = ()
    previews: tuple[ImageInput, ...] = ()
    outputs: tuple[ImageInput, ...] = ()
    unverified: tuple[Unverified, ...] = ()
    context: Context = Context()
    adapters: tuple[str, ...] = ()
    """Kinds of what was loaded into the pipeline, as words of the signal ``request.adapters``; one entry each."""

    def media(self, stage: Stage) -> Sequence[TextInput] | Sequence[ImageInput]:
        """What there is to look at in `stage`."""
        match stage:
            case Stage.PROMPT:
                return self.texts
            case Stage.REFERENCE:
                return self.images
            case Stage.STEP:
                return self.previews
            case Stage.OUTPUT:
                return self.outputs

    def due(self, ran: frozenset[Stage]) -> frozenset[Stage]:
        """The stages of `ran` that this request has media for: their signals must be there."""
        return frozenset(s for s in ran if self.media(s))

    def with_texts(self, texts: Sequence[TextInput]) -> Request:
        return replace(self, texts=tuple(texts))

    def with_images(self, images: Sequence[ImageInput]) -> Request:
        return replace(self, images=tuple(images))

    def with_output(self, image: ImageInput) -> Request:
        return replace(self, outputs=(image,))
