"""Face detection made for a guard: rather look twice than miss, and rather look again than cry wolf.

A picture that is long and narrow is cut into overlapping windows first (see `guardrail.checks.image.tiles`), and each
of them is looked at as a picture of its own: reduced by its long side, nothing would be left of the faces in it.

One detector model looks at a picture in up to four ways:

1. at the whole picture, reduced to the detector's own size;
2. in overlapping tiles where the picture is large, because what is 16 pixels wide there would be 5 in the first look;
3. turned by 90, 180 and 270 degrees: no detector here finds every face that lies on its side or its head. Always, since
   a face that is certain says nothing about the one beside it;
4. at the surroundings of every face it was not sure of, enlarged or reduced to one size. Its threshold at first sight
   can therefore be low: measured with CenterFace, true faces score as high at the second look as at the first, and
   buildings, animals and still lifes nearly nothing (see the thresholds of each backend).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from guardrail.checks.image.backends.base import (
    DetectedFace,
    WindowDetector,
    fit_long_side,
    overlap,
    suppress_overlaps,
)
from guardrail.checks.image.tiles import cut_off, tiles, whole_first, windows
from guardrail.checks.image.turning import turned_back
from guardrail.media.types import Frame

__all__ = ["GuardDetector"]

TILED_FROM = 1280
"""Long side in pixels over which a picture is looked at in tiles too."""
SCANNED = 1184
"""Long side in pixels to which it is reduced for that: two tiles of 640 with an overlap of 96. A face that is 16 pixels
wide then, the smallest that the detectors find for sure, is 28 pixels wide in a picture of 2048."""
# Grey levels by which the tile must differ, in the mean over some block of 16 pixels, from what the first look saw of
# it. Blocks with faces of 20 to 40 pixels (in a picture of 2048) were measured at 7 and more, at half their contrast at
# 3.4 and more; half of the blocks of a photograph with sky and water, and all of a blurred background, are under 1.
DETAIL = 2.0
TURNED_SIDE = 384
SAME_FACE = 0.35
# Of two areas, how small the one may be against the other for a turned look at a face that is known.
SAME_SIZE = 0.25
SECOND_SIDE = 192
SECOND_ZOOM = 2.0
# Noise can give hundreds of candidates. Beyond this many, what was not looked at again counts as a face.
SECOND_LOOKS = 64


class GuardDetector:
    """A `FaceDetector` out of a model that looks at one window. Thread-safe as far as the model is."""

    def __init__(self, model: WindowDetector) -> None:
        self.model = model
        self.name = model.name
        self.weights: Mapping[str, str] = model.weights
        self.provider = model.provider

    def detect(self, image: Frame) -> list[DetectedFace]:
        """Faces in an (H, W, 3) RGB uint8 image, surest first; boxes and landmarks in its coordinates.

        Raises:
            CheckError: the model gave a number that is not finite.
        """
        cut = windows(*image.shape[:2])
        if len(cut) == 1:
            return self._picture(np.ascontiguousarray(image))
        whole: list[DetectedFace] = []
        parts: list[DetectedFace] = []
        for window in cut:
            top, left, bottom, right = window
            for face in self._picture(np.ascontiguousarray(image[top:bottom, left:right])):
                (parts if cut_off(face, window, image.shape) else whole).append(_moved(face, left, top))
        return _merged(whole_first(whole, parts))

    def _picture(self, image: Frame) -> list[DetectedFace]:
        large = max(image.shape[:2]) > TILED_FROM
        # Reducing twice is cheaper than reducing the whole twice.
        scanned = fit_long_side(image, SCANNED)[0] if large else image
        small, _ = fit_long_side(scanned, self.model.side)
        factor = max(small.shape[:2]) / max(image.shape[:2])
        seen = [_scaled(f, 1 / factor) for f in self.model.candidates(small)]
        if large:
            seen += self._tiled(scanned, small, max(scanned.shape[:2]) / max(image.shape[:2]))
        certain = self.model.thresholds.certain
        found = self._sure(image, _merged(seen), certain)
        # A face that lies on its side can be seen in a way upright, its eyes taken for something else: the better look
        # wins, unless the upright one is certain.
        known = [f for f in found if f.score >= certain]
        return _merged([*found, *self._turned(image, small, known)])

    def _tiled(self, scanned: Frame, small: Frame, factor: float) -> Iterator[DetectedFace]:
        detail = _detail(scanned, small)
        height, width = scanned.shape[:2]
        for top, left in tiles(height, width, self.model.side):
            bottom, right = min(height, top + self.model.side), min(width, left + self.model.side)
            if detail[top // 16 : -(-bottom // 16), left // 16 : -(-right // 16)].max() < DETAIL:
                continue
            for face in self.model.candidates(np.ascontiguousarray(scanned[top:bottom, left:right])):
                # Cut off by the tile: the next tile, or the first look, has it whole.
                if not cut_off(face, (top, left, bottom, right), (height, width)):
                    yield _scaled(_moved(face, left, top), 1 / factor)

    def _turned(self, image: Frame, small: Frame, known: Sequence[DetectedFace]) -> list[DetectedFace]:
        """Faces that do not stand upright. Where `known` has one already, nothing is looked for."""
        reduced, _ = fit_long_side(small, TURNED_SIDE)
        factor = max(reduced.shape[:2]) / max(image.shape[:2])
        found: list[DetectedFace] = []
        for turns in (1, 2, 3):
            candidates = (
                _scaled(f, 1 / factor) for f in self.model.candidates(np.ascontiguousarray(np.rot90(reduced, turns)))
            )
            new = [c for c in candidates if not _is_one_of(turned_back(c, turns, image.shape[:2]), known)]
            if new:
                upright = np.ascontiguousarray(np.rot90(image, turns))
                # Nothing is certain on its side: clouds and craters look like faces from one of four sides.
                sure = self._sure(upright, new, np.inf)
                found += [turned_back(f, turns, image.shape[:2]) for f in sure]
        return _merged(found)

    def _sure(self, image: Frame, seen: Sequence[DetectedFace], certain: float) -> list[DetectedFace]:
        found: list[DetectedFace] = []
        looks = 0
        for face in seen:
            if face.score < certain and looks < SECOND_LOOKS:
                looks += 1
                if self._second_look(image, face) < self.model.thresholds.confirm:
                    continue
            found.append(face)
        return found

    def _second_look(self, image: Frame, face: DetectedFace) -> float:
        """The best score of a face in the middle of the surroundings of `face`, as (192, 192, 3) pixels."""
        from PIL import Image

        x, y, w, h = face.box
        half = max(w, h, 2.0) * SECOND_ZOOM / 2
        # Black beyond the edge, as a detector pads.
        around = Image.fromarray(image).crop(
            (round(x + w / 2 - half), round(y + h / 2 - half), round(x + w / 2 + half), round(y + h / 2 + half))
        )
        size = (SECOND_SIDE, SECOND_SIDE)
        window = np.asarray(around.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
        scale = SECOND_SIDE / (2 * half)
        expected = ((SECOND_SIDE - w * scale) / 2, (SECOND_SIDE - h * scale) / 2, w * scale, h * scale)
        again = (f.score for f in self.model.candidates(window) if overlap(f.box, expected) > SAME_FACE)
        return max(again, default=0.0)


def _detail(scanned: Frame, small: Frame) -> Frame:
    """Per block of 16 pixels of `scanned`: the mean difference from the enlarged `small` in its strongest colour."""
    from PIL import Image, ImageChops

    fine = Image.fromarray(scanned)
    coarse = Image.fromarray(small).resize(fine.size, Image.Resampling.BILINEAR)
    blocks: Frame = np.asarray(ImageChops.difference(fine, coarse).reduce(16)).max(2)
    return blocks


def _scaled(face: DetectedFace, factor: float) -> DetectedFace:
    x, y, w, h = (v * factor for v in face.box)
    return replace(face, box=(x, y, w, h), landmarks=face.landmarks * np.float32(factor))


def _moved(face: DetectedFace, left: int, top: int) -> DetectedFace:
    x, y, w, h = face.box
    return replace(face, box=(x + left, y + top, w, h), landmarks=face.landmarks + np.array([left, top], np.float32))


def _is_one_of(face: DetectedFace, known: Sequence[DetectedFace]) -> bool:
    """Whether one of `known` has its middle in the same place and about its size.

    Seen from another side the box of one face differs more than that of one seen twice. The size keeps a small face
    that lies inside of a large one.
    """
    x, y, w, h = face.box
    for other in known:
        left, top, width, height = other.box
        inside = left <= x + w / 2 <= left + width and top <= y + h / 2 <= top + height
        if inside and SAME_SIZE * width * height <= w * h <= width * height / SAME_SIZE:
            return True
    return False


def _merged(faces: Sequence[DetectedFace]) -> list[DetectedFace]:
    if not faces:
        return []
    boxes = np.array([f.box for f in faces], np.float32)
    scores = np.array([f.score for f in faces], np.float32)
    return [faces[i] for i in suppress_overlaps(boxes, scores, SAME_FACE)]
