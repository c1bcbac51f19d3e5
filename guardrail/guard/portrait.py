"""Whether a face in a photograph is good enough to enrol: large, sharp, and looking at the camera.

A poor picture in the gallery is worse than none: it lies near many people or near nobody, for as long as it stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardrail.checks.image.backends.base import DetectedFace
from guardrail.media.types import Frame

__all__ = ["SMALLEST_FACE_PIXELS", "blur", "fault", "turned"]

# Measured: under 32 pixels a face loses its identity to the embedder; enrolment asks for twice that.
SMALLEST_FACE_PIXELS = 64
# Width to which a face is brought before its blur is measured: what embedders see.
ALIGNED_PIXELS = 112
BLUR_WINDOW = 9
FAINTEST_STEP = 1.5
# On every sixth of the 88 photographs of ../shared, faces of 64 pixels and more: none is over 0.58 as it is; blurred by
# 2 of 112 pixels they lie at 0.67 to 0.80, by 3 at 0.78 and more.
MOST_BLUR = 0.68
# Where the nose stands between the eyes, and between eyes and mouth; 0.5 is the middle. In the same photographs those
# from the front lie at 0.21 to 0.68 and at 0.50 to 0.65, a profile at -0.12.
NOSE_ACROSS = (0.15, 0.85)
NOSE_DOWN = (0.3, 0.8)
# Eyes nearer to each other than this share of the face are those of a profile.
EYES_APART = 0.2


def fault(pixels: Frame, face: DetectedFace) -> str:
    """What is wrong with a face to be enrolled, and what mends it; empty where nothing is.

    Args:
        pixels: (H, W, 3) RGB uint8.
    """
    side = min(face.box[2], face.box[3])
    if side < SMALLEST_FACE_PIXELS:
        return f"is {side:.0f} pixels, {SMALLEST_FACE_PIXELS} are needed for a sure match; take a larger picture"
    if turned(face):
        return "is turned away; take a picture in which the person looks at the camera"
    if blur(pixels, face) > MOST_BLUR:
        return "is blurred; take a sharper picture, in better light or from nearer"
    return ""


def blur(pixels: Frame, face: DetectedFace) -> float:
    """How blurred a face is, 0 (sharp) to 1, whatever its contrast; 1 where there is nothing to see.

    The share of the differences between neighbouring pixels that is left when the picture is blurred once more: much
    where it was blurred before (Crete et al., "The blur effect: perception and estimation with a new no-reference
    perceptual blur metric", SPIE 6492, 2007).
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    left, top = max(0, int(face.box[0])), max(0, int(face.box[1]))
    right, bottom = min(width, int(face.box[0] + face.box[2])), min(height, int(face.box[1] + face.box[3]))
    if right - left < BLUR_WINDOW or bottom - top < BLUR_WINDOW:
        return 1.0
    grey = Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right])).convert("L").convert("F")
    size = (ALIGNED_PIXELS, max(BLUR_WINDOW, round(ALIGNED_PIXELS * grey.height / grey.width)))
    values = np.asarray(grey.resize(size, Image.Resampling.BILINEAR), np.float64)
    return max(_blur_along(values), _blur_along(values.T))


def _blur_along(values: NDArray[np.float64]) -> float:
    from scipy.ndimage import uniform_filter1d

    before = np.abs(np.diff(values, axis=0))
    after = np.abs(np.diff(uniform_filter1d(values, BLUR_WINDOW, axis=0), axis=0))
    # The steps of a smooth slope in whole grey levels look like sharp edges.
    before[before < FAINTEST_STEP] = 0.0
    total = before.sum()
    if not total:
        return 1.0
    return float(1 - np.maximum(0, before - after).sum() / total)


def turned(face: DetectedFace) -> bool:
    """Whether the face looks past the camera, as far as five points tell; also where the points make no face."""
    left, right, nose, *mouth = np.asarray(face.landmarks, np.float64)
    across = right - left
    between = float(np.linalg.norm(across))
    down = (mouth[0] + mouth[1]) / 2 - (left + right) / 2
    length = float(np.linalg.norm(down))
    if not np.isfinite(between + length) or between < EYES_APART * face.box[2] or not length:
        return True
    x = float((nose - left) @ across) / between**2
    y = float((nose - (left + right) / 2) @ down) / length**2
    return not (NOSE_ACROSS[0] <= x <= NOSE_ACROSS[1] and NOSE_DOWN[0] <= y <= NOSE_DOWN[1])
