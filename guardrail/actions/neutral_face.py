"""A drawn face that is nobody's, in the place of a photographed one.

Drawn here, with fixed proportions. It takes from the picture what lies around the face (the border of the grown box)
and how the face lies (its middle, size and roll), and nothing of the face itself: two people in one place become one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guardrail.actions.places import Place
from guardrail.media.types import Frame

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["draw_over"]

Colour = tuple[int, int, int]

# Skin of middling tone under white light, and what the face is drawn with beside it, as shares of its brightness.
_SKIN = np.array([198.0, 160.0, 136.0])
_LUMA = np.array([0.299, 0.587, 0.114])
_SHADE, _DARK, _HAIR = 0.84, 0.34, 0.42
# Drawn larger by this and reduced: smooth edges. The drawing itself has at most this many pixels along a side.
_OVERSAMPLE, _MOST_PIXELS = 3, 1200
# A head is wider than the face that landmarks span: the drawing covers this much more of its rectangle.
_HEAD = 1.16


def draw_over(patch: Frame, place: Place, *, neutral: bool) -> Frame:
    """`patch`, the (H, W, 3) pixels of `place`, with what is around it drawn inwards and a face over it.

    Args:
        neutral: in greys, and over one flat colour: nothing but the place and the pose is taken from the picture's own
            colours around the face save their mean brightness.
    """
    from PIL import Image

    border = _border(patch)
    mean = border.mean(0)
    if neutral:
        back = np.broadcast_to(np.rint(np.full(3, mean @ _LUMA)), patch.shape).astype(np.uint8)
    else:
        back = _from_the_edges(patch)
    out = Image.fromarray(np.ascontiguousarray(back))
    face = _face(place.pose.half[0] * _HEAD, place.pose.half[1] * _HEAD, _skin(mean, neutral=neutral))
    face = face.rotate(-math.degrees(place.pose.roll), Image.Resampling.BICUBIC, expand=True)
    shrunk = (max(1, round(face.width / _scale(place))), max(1, round(face.height / _scale(place))))
    face = face.resize(shrunk, Image.Resampling.BOX)
    centre_x, centre_y = place.pose.centre[0] - place.left, place.pose.centre[1] - place.top
    out.paste(face, (round(centre_x - face.width / 2), round(centre_y - face.height / 2)), face)
    return np.asarray(out)


def _scale(place: Place) -> float:
    return _oversample(place.pose.half[0] * _HEAD, place.pose.half[1] * _HEAD)


def _oversample(half_width: float, half_height: float) -> float:
    return min(_OVERSAMPLE, _MOST_PIXELS / max(2 * half_width, 2 * half_height, 1.0))


def _border(patch: Frame) -> NDArray[np.float64]:
    return np.concatenate([patch[0], patch[-1], patch[:, 0], patch[:, -1]]).astype(np.float64)


def _from_the_edges(patch: Frame) -> Frame:
    """A smooth sheet spanned between the four edges of the patch: each pixel the mean of the edge pixels in its row and
    its column, the nearer weighing more."""
    edges = patch.astype(np.float64)
    height, width = patch.shape[:2]
    rows, cols = np.mgrid[0:height, 0:width].astype(np.float64)
    weights = [1 / (rows + 1), 1 / (height - rows), 1 / (cols + 1), 1 / (width - cols)]
    sides = [edges[:1], edges[-1:], edges[:, :1], edges[:, -1:]]
    total = sum(w[..., None] * np.broadcast_to(s, patch.shape) for w, s in zip(weights, sides, strict=True))
    sheet: NDArray[np.float64] = np.asarray(total) / np.sum(weights, axis=0)[..., None]
    return np.rint(sheet).astype(np.uint8)


def _skin(around: NDArray[np.float64], *, neutral: bool) -> NDArray[np.float64]:
    """Skin as the light of the picture shows it: its brightness follows what is around, its colour is lost where the
    picture has none."""
    light = float(around @ _LUMA)
    own = float(_SKIN @ _LUMA)
    target = min(0.7 * own + 0.3 * light, 215.0)
    colourful = 0.0 if neutral else min(1.0, float(np.ptp(around)) / 16.0)
    tone = own + colourful * (_SKIN - own)
    return np.clip(tone * target / own, 0, 255)


def _face(half_width: float, half_height: float, skin: NDArray[np.float64]) -> Image:
    """An RGBA drawing, upright, `_oversample` times as large as the face: (2 × half_width, 2 × half_height)."""
    from PIL import Image, ImageDraw

    k = _oversample(half_width, half_height)
    width, height = max(4, round(2 * half_width * k)), max(4, round(2 * half_height * k))
    picture = Image.new("RGBA", (width, height), (*_tone(skin, _HAIR), 0))
    draw = ImageDraw.Draw(picture)

    def oval(x: float, y: float, w: float, h: float, colour: Colour) -> None:
        edges = [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
        draw.ellipse(edges, fill=(*colour, 255))

    plain, shade, dark = (_tone(skin, share) for share in (1.0, _SHADE, _DARK))
    oval(0.5, 0.46, 1.0, 0.92, _tone(skin, _HAIR))
    oval(0.5, 0.53, 0.86, 0.94, shade)
    oval(0.5, 0.525, 0.82, 0.91, plain)
    for x in (0.33, 0.67):
        oval(x, 0.405, 0.17, 0.020, dark)
        oval(x, 0.455, 0.135, 0.040, _tone(skin, 1.22))
        oval(x, 0.455, 0.060, 0.038, dark)
    oval(0.5, 0.585, 0.13, 0.045, shade)
    # As red as the skin has colour: none in a grey picture.
    red = 1 - 0.2 * min(1.0, float(np.ptp(skin)) / 60)
    oval(0.5, 0.745, 0.26, 0.034, _tone(skin * (1.0, red, red), 0.78))
    return picture


def _tone(skin: NDArray[np.float64], share: float) -> Colour:
    r, g, b = (int(v) for v in np.rint(np.clip(skin * share, 0, 255)))
    return r, g, b
