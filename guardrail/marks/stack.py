"""The watermark of what a guard releases: payload, strength, reading back. No release without reading back."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import MarkError
from guardrail.keys import Keyring
from guardrail.marks.base import RANK, eight_bits
from guardrail.marks.label import Label
from guardrail.marks.metadata.aigc import integrity_of
from guardrail.marks.payload import ID_DIGITS, PAYLOAD_VERSION, Payload, shape_of
from guardrail.marks.tag import Binding, Tagger, binding
from guardrail.marks.tileline.layout import VERSION
from guardrail.media.renderings import WHITE, over

if TYPE_CHECKING:
    from guardrail.marks.tileline import Detection, Geometry, TileLine

__all__ = ["MarkStack", "Reading", "shown"]

RETRY_DB = 2.0
_Restore = Callable[[NDArray[np.generic]], NDArray[np.generic]]
_SHIFT = 0.03  # tiles; what a resize moves the corner by. A crop of 1 % of the short side moves it by 0.04.


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one picture.

    Attributes:
        key: id of the key that it was read with.
        found: verdict, statistic, rate and geometry.
        payload: its parts, where it was read and is in our format.
        agreement: of the content tag with the picture, -4.47..4.47; None where there is no tag.
        binding: `genuine`: the mark was made for this picture; `copied`: for another one; `not checkable`: too little
            of the picture is left to say; None where there is no tag.
    """

    key: str
    found: Detection
    payload: Payload | None = None
    agreement: float | None = None
    binding: Binding | None = None

    @property
    def fits(self) -> bool:
        """Whether the mark was made for this picture, as far as can be told."""
        return self.binding == "genuine"


class MarkStack:
    """Marks pixels with the active key and reads marks of every key on the ring.

    The payload is never constant: averaging pictures with one payload would give the mark away.

    Args:
        psnr_db: strength, see `TileLine`.
    """

    def __init__(self, keyring: Keyring, *, psnr_db: float = 43.0) -> None:
        self._keyring = keyring
        self._psnr_db = psnr_db
        self._marks: dict[str, TileLine] = {}
        self._taggers: dict[str, Tagger] = {}

    def _mark(self, key: str) -> TileLine:
        if key not in self._marks:
            from guardrail.marks.tileline import TileLine

            self._marks[key] = TileLine(
                self._keyring.derive(f"marks/tileline/{VERSION}", key=key), psnr_db=self._psnr_db
            )
        return self._marks[key]

    def _tagger(self, key: str) -> Tagger:
        if key not in self._taggers:
            self._taggers[key] = Tagger(self._keyring.derive("marks/tag", key=key))
        return self._taggers[key]

    def warmup(self) -> None:
        """Make what is made on first use."""
        self._mark(self._keyring.active)
        self._tagger(self._keyring.active)

    @property
    def key(self) -> str:
        """Id of the key that is marked with."""
        return self._keyring.active

    @property
    def keys(self) -> int:
        """How many keys marks are read with."""
        return len(self._keyring.ids)

    def mark_id(self, decision_id: str, attempt: int = 0) -> str:
        """The 40-bit id (10 hex digits) that belongs to a decision; further attempts where one is taken already."""
        said = f"{decision_id}/{attempt}" if attempt else decision_id
        return self._keyed("marks/ids", said)[:ID_DIGITS]

    def with_integrity(self, label: Label) -> Label:
        """The label with a keyed value over its AIGC field (see `integrity_of`), where it has one."""
        field = label.aigc()
        if not field:
            return label
        return replace(label, integrity=integrity_of(field, self._keyring.derive("marks/integrity")))

    def _keyed(self, purpose: str, said: str) -> str:
        return hmac.new(self._keyring.derive(purpose), said.encode(), hashlib.sha256).hexdigest()

    def _layout(self, mark_id: str) -> int:
        # By the id alone: the frames of a video have one, and their marks must not jump.
        return int(self._keyed("marks/layouts", mark_id)[:8], 16)

    def grade(self, height: int, width: int) -> Literal["full", "fragile", "none"]:
        """How well an image of this size can carry the watermark."""
        return self._mark(self._keyring.active).grade(height, width)

    def tag(self, pixels: NDArray[np.generic]) -> int:
        """The content tag of (H, W, 3) pixels, uint8 or float in 0..1."""
        return self._tagger(self._keyring.active).tag(eight_bits(pixels))

    def embed(self, pixels: NDArray[np.generic], mark_id: str, *, tag: int | None = None) -> NDArray[np.generic]:
        """Mark an image and read the mark back.

        Args:
            pixels: (H, W, 3) RGB, (H, W, 4) with alpha that stays as it is, or (H, W, 1) grey; uint8 or float in 0..1.
            mark_id: 10 hexadecimal digits.
            tag: the content tag to write; by default that of the image, of a transparent one as it looks over white.

        Raises:
            MarkError: the image is too small, is none that the watermark knows, or its mark cannot be read back even
                when it is made stronger.
        """
        mark = self._mark(self._keyring.active)
        height, width = pixels.shape[:2]
        if mark.grade(height, width) == "none":
            raise MarkError(f"an image of {width}×{height} pixels is too small for the watermark")
        colours, restore = _colours(pixels)
        shape = shape_of(height, width, transparent=_is_transparent(pixels))
        said = Payload(mark_id, self.tag(shown(pixels)) if tag is None else tag, shape)
        payload = said.to_int()
        layout = self._layout(mark_id)
        for boost in (0.0, RETRY_DB):
            marked: NDArray[np.generic] = mark.embed(colours, payload, boost_db=boost, layout=layout)
            out = restore(marked)
            # Read as a file would hold it: eight bits a channel. The mark is where it was put: no search.
            seen = mark.detect(eight_bits(_as_rgb(out)[0]), search=False)
            if seen.verdict == "payload" and seen.payload == payload:
                return out
        raise MarkError("the watermark could not be read back from the image")

    def fitting_tag(self, pixels: NDArray[np.generic], tag: int | None) -> int:
        """The tag of a frame that follows one with `tag`: the same as long as it fits, so that marks do not flicker."""
        _colours(pixels)
        seen = shown(pixels)
        tagger = self._tagger(self._keyring.active)
        if tag is not None and binding(tagger.agreement(tag, seen), whole=True) == "genuine":
            return tag
        return tagger.tag(seen)

    def detect(self, pixels: NDArray[np.uint8], *, search: bool = True) -> tuple[str, Detection]:
        """The best finding over all keys of the ring: (key id, detection)."""
        found = []
        for key in self._keyring.ids:
            seen = self._mark(key).detect(pixels, search=search)
            found.append((key, seen))
            if seen.verdict == "payload":
                break  # two keys' marks in one picture: the newer key's is the answer
        return max(found, key=lambda kd: (RANK[kd[1].verdict], kd[1].statistic))

    def read(self, pixels: NDArray[np.uint8], *, search: bool = True) -> Reading:
        """As `detect`, and what the payload says: which picture, and whether it was made for this one."""
        key, found = self.detect(pixels, search=search)
        if found.payload is None:
            return Reading(key, found)
        payload = Payload.from_int(found.payload)
        if payload.version != PAYLOAD_VERSION:
            return Reading(key, found)
        return self.bound(Reading(key, found, payload), [pixels])

    def bound(self, reading: Reading, views: Iterable[NDArray[np.uint8]]) -> Reading:
        """A reading, and whether its mark was made for the picture: for the view of it that the tag fits best.

        The mark of a transparent picture may be read in one rendering only, such as its bare colours, and belong to
        what another one shows.

        Args:
            views: (H, W, 3) renderings of the frame that the mark was read in, at least one.
        """
        if reading.payload is None:
            return reading
        payload, geometry, tagger = reading.payload, reading.found.geometry, self._tagger(reading.key)
        fits = [
            (tagger.agreement(payload.tag, _upright(view, geometry)), _is_whole(view, payload, geometry))
            for view in views
        ]
        agreement, whole = max(fits)
        return replace(reading, agreement=agreement, binding=binding(agreement, whole=whole))


def shown(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """What a picture is taken to show: (H, W, 3) uint8, of a transparent one as it looks over white.

    Args:
        pixels: (H, W, 1, 3 or 4), uint8 or float in 0..1.
    """
    frame = eight_bits(pixels)
    return np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else over(frame, WHITE)


def _is_transparent(pixels: NDArray[np.generic]) -> bool:
    return pixels.shape[2] == 4 and int(eight_bits(pixels[..., 3:]).min()) < 255


def _colours(pixels: NDArray[np.generic]) -> tuple[NDArray[np.generic], _Restore]:
    """The colours that are marked, as RGB, and how to put them back.

    Raises:
        MarkError: shape, type or range are none that the watermark knows.
    """
    from guardrail.marks.tileline import check_pixels

    rgb, restore = _as_rgb(pixels)
    try:
        check_pixels(rgb)
    except ValueError as error:
        # An output that cannot be marked is refused like any other.
        raise MarkError(f"the image cannot carry the watermark: {error}") from None
    return rgb, restore


def _as_rgb(pixels: NDArray[np.generic]) -> tuple[NDArray[np.generic], _Restore]:
    channels = pixels.shape[2] if pixels.ndim == 3 else 0
    if channels == 4:
        return np.ascontiguousarray(pixels[..., :3]), lambda rgb: np.concatenate([rgb, pixels[..., 3:]], axis=2)
    if channels == 1:
        return np.repeat(pixels, 3, axis=2), _grey
    return pixels, lambda rgb: rgb


def _grey(rgb: NDArray[np.generic]) -> NDArray[np.generic]:
    # ITU-R BT.601, as the watermark's luma.
    grey = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    rounded = np.rint(grey) if rgb.dtype == np.uint8 else grey
    return rounded[..., None].astype(rgb.dtype)


def _is_whole(pixels: NDArray[np.uint8], payload: Payload, geometry: Geometry) -> bool:
    """Whether the picture is as it was marked: upright, the tiles where they were put, and of the same shape.

    Turned and mirrored pictures are not said to be whole: where their corner was would have to be known.
    """
    if geometry.shift is None or geometry.flip or geometry.degrees != 0.0:
        return False
    if any(abs(s - round(s)) > _SHIFT for s in geometry.shift):
        return False
    return payload.shape == shape_of(*pixels.shape[:2])


def _upright(pixels: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """The picture as it was marked, as far as quarter turns and mirror images go."""
    turned = np.rot90(pixels, -round(geometry.degrees / 90))
    return turned[:, ::-1] if geometry.flip else turned
