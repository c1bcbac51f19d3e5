"""Heads made from nothing: drawn ones (flat, shaded, outlined) and modelled ones (a small height field, lit).

No two are alike; none is anybody. A modelled head with skin texture is put to the model as photograph-like only after
a camera's noise was added (`cameras.py`), and as a depiction without it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from stylise import Floats, Picture, Random, blurred, floats, to_bytes

__all__ = ["drawn_head", "modelled_head", "skin_texture"]

_SKIN = np.array([[255, 224, 196], [241, 194, 150], [224, 172, 125], [198, 134, 90], [141, 85, 54], [92, 58, 40]])
SIZE = 120
SCALE = 2


def _skin(rng: Random) -> np.ndarray:
    a, b = rng.integers(0, len(_SKIN), 2)
    t = rng.uniform(0, 0.4)
    return np.clip(_SKIN[a] * (1 - t) + _SKIN[b] * t + rng.normal(0, 10, 3), 0, 255)


def _fill(colour: np.ndarray) -> tuple[int, int, int]:
    r, g, b = (int(v) for v in np.clip(colour, 0, 255))
    return r, g, b


def drawn_head(rng: Random) -> Picture:
    """Ellipses, arcs and polygons; eyes from dots to large anime ones; with or without outlines and shade."""
    side = SIZE * SCALE
    image = Image.new("RGB", (side, side), _fill(rng.uniform(60, 255, 3)))
    draw = ImageDraw.Draw(image)
    skin, hair = _skin(rng), rng.uniform(0, 255, 3) * rng.uniform(0.1, 1)
    outlined = rng.random() < 0.6
    pen = _fill(rng.uniform(0, 70, 3))
    pen_width = int(rng.integers(2, 7)) if outlined else 0
    line_only = rng.random() < 0.15
    face_fill = (255, 255, 255) if line_only else _fill(skin)
    hair_fill = (255, 255, 255) if line_only else _fill(hair)
    cx, cy = side / 2 + rng.normal(0, 6, 2)
    w, h = side * rng.uniform(0.30, 0.40), side * rng.uniform(0.36, 0.46)

    def ellipse(x: float, y: float, rx: float, ry: float, fill: tuple[int, int, int] | None, width: int = 0) -> None:
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill, outline=pen if width else None, width=max(width, 1))

    ellipse(cx, cy - h * 0.25, w * rng.uniform(1.05, 1.3), h * rng.uniform(0.9, 1.1), hair_fill, pen_width)
    if rng.random() < 0.5:
        draw.rectangle((cx - w * 1.15, cy - h * 0.2, cx + w * 1.15, cy + h * rng.uniform(0.3, 1.4)), fill=hair_fill)
    draw.rectangle((cx - w * 0.35, cy + h * 0.6, cx + w * 0.35, side), fill=_fill(skin * 0.85))
    ellipse(cx, cy, w, h, face_fill, pen_width)
    if rng.random() < 0.5 and not line_only:  # cel shadow on one side
        shade = Image.new("L", (side, side), 0)
        ImageDraw.Draw(shade).ellipse((cx - w, cy - h, cx + w, cy + h), fill=255)
        lit = Image.new("L", (side, side), 255)
        dx = w * rng.uniform(-0.5, 0.5)
        ImageDraw.Draw(lit).ellipse((cx - w + dx, cy - h * 1.1, cx + w + dx, cy + h * 0.9), fill=0)
        mask = Image.fromarray(np.minimum(np.asarray(shade), np.asarray(lit)))
        image.paste(_fill(skin * rng.uniform(0.7, 0.9)), mask=mask)
    eye = rng.uniform(0.05, 0.32)
    ey, ex = cy + h * rng.uniform(-0.15, 0.15), w * rng.uniform(0.36, 0.52)
    iris = _fill(rng.uniform(20, 200, 3))
    for sign in (-1, 1):
        x = cx + sign * ex
        if eye > 0.1:
            ellipse(x, ey, w * eye, h * eye * rng.uniform(0.6, 1.2), (255, 255, 255), max(pen_width, 1))
            ellipse(x, ey, w * eye * 0.6, h * eye * 0.7, iris)
        ellipse(x, ey, w * eye * 0.4, h * eye * 0.45, (15, 12, 15))
        if rng.random() < 0.7:
            ellipse(x - w * eye * 0.2, ey - h * eye * 0.25, w * eye * 0.2, w * eye * 0.2, (255, 255, 255))
        brow = ey - h * (eye + rng.uniform(0.05, 0.15))
        draw.line((x - w * 0.2, brow, x + w * 0.2, brow + rng.normal(0, 4)), fill=pen, width=int(rng.integers(3, 10)))
    ny = cy + h * rng.uniform(0.2, 0.32)
    nose = rng.integers(0, 3)
    if nose == 0:
        draw.line((cx, ny - h * 0.2, cx + w * 0.1, ny, cx - w * 0.03, ny), fill=pen, width=max(2, pen_width))
    elif nose == 1:
        ellipse(cx, ny, w * 0.1, h * 0.06, _fill(skin * 0.8))
    my, mw = cy + h * rng.uniform(0.5, 0.65), w * rng.uniform(0.15, 0.45)
    lips = _fill(np.array([190, 70, 80]) + rng.normal(0, 30, 3))
    if rng.random() < 0.5:
        draw.chord((cx - mw, my - mw * 0.5, cx + mw, my + mw * 0.5), 0, 180, fill=lips, outline=pen)
    else:
        draw.arc((cx - mw, my - mw * 0.6, cx + mw, my + mw * 0.4), 10, 170, fill=pen, width=int(rng.integers(2, 7)))
    if rng.random() < 0.6:  # fringe
        for _ in range(int(rng.integers(3, 9))):
            x0 = cx + rng.uniform(-1, 1) * w
            tip = (x0 + rng.normal(0, w * 0.2), cy - h * rng.uniform(0.1, 0.5))
            points = [(x0 - w * 0.2, cy - h * 0.95), (x0 + w * 0.2, cy - h * 0.95), tip]
            draw.polygon(points, fill=hair_fill, outline=pen if outlined else None)
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4)))
    out = floats(np.asarray(image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)))
    if rng.random() < 0.35:  # airbrush shade
        cloud = blurred(rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32), 14) * 14
        out = out * (1 + 0.18 * cloud[..., None])
    if rng.random() < 0.25:  # paper or canvas
        grain = blurred(rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32), rng.uniform(0.5, 1.5))
        out = out * (1 + 0.07 * grain[..., None])
    return to_bytes(out)


def skin_texture(rng: Random) -> Floats:
    """(SIZE, SIZE) relief of pores and creases: noise of several sizes."""
    out = np.zeros((SIZE, SIZE), np.float32)
    for sigma, weight in ((0.6, 0.5), (1.2, 0.8), (3.0, 1.0), (8.0, 1.5)):
        out += blurred(rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32), sigma) * sigma * weight
    return out


def modelled_head(rng: Random, textured: bool) -> Picture:
    """A height field of ellipsoids, lit by one lamp and the sky; `textured` adds pores, blotches and hairs."""
    unit = np.linspace(-1, 1, SIZE, dtype=np.float32)
    ys, xs = np.meshgrid(unit, unit, indexing="ij")
    turn, tilt = rng.normal(0, 0.15), rng.normal(0, 0.1)
    w, h = rng.uniform(0.55, 0.75), rng.uniform(0.75, 0.95)

    def bump(x: float, y: float, rx: float, ry: float, height: float) -> Floats:
        d = ((xs - x) / rx) ** 2 + ((ys - y) / ry) ** 2
        return (height * np.exp(-d * 1.5)).astype(np.float32)

    inside = 1 - (xs / w) ** 2 - (ys / h) ** 2
    z = np.sqrt(np.maximum(inside, 0)) * 0.8
    eye_y, eye_x = -0.12 + tilt, 0.26 * w / 0.65
    z = z + bump(turn, 0.12 + tilt, 0.09, 0.2, 0.22) + bump(turn, 0.22 + tilt, 0.13, 0.09, 0.12)
    for sign in (-1, 1):
        z = (
            z
            - bump(sign * eye_x + turn, eye_y, 0.15, 0.09, 0.12)
            + bump(sign * 0.36 + turn, 0.2 + tilt, 0.2, 0.2, 0.07)
        )
        z = z + bump(sign * eye_x + turn, eye_y - 0.16, 0.2, 0.06, 0.05)
    mouth_y = 0.45 + tilt
    z = z + bump(turn, mouth_y - 0.03, 0.2, 0.04, 0.06) + bump(turn, mouth_y + 0.05, 0.17, 0.05, 0.07)
    texture = skin_texture(rng) if textured else np.zeros((SIZE, SIZE), np.float32)
    z = z + texture * 0.0015
    gy, gx = np.gradient(z, unit, unit)
    normal = np.stack([-gx, -gy, np.ones_like(z)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = rng.normal(0, 0.6, 3)
    lamp[2] = 1.0
    lamp /= np.linalg.norm(lamp)
    diffuse = np.clip(normal @ lamp, 0, 1)
    half = lamp + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    shine = np.clip(normal @ half, 0, 1) ** rng.uniform(10, 60) * rng.uniform(0.02, 0.35)
    albedo = np.broadcast_to(_skin(rng) / 255, (SIZE, SIZE, 3)).copy()
    if textured:
        albedo *= 1 + 0.03 * texture[..., None] * np.array([0.6, 1.0, 1.1])
    lips = bump(turn, mouth_y, 0.22, 0.07, 1.0)[..., None]
    albedo = albedo * (1 - 0.6 * lips) + np.array([0.65, 0.25, 0.25]) * 0.6 * lips
    colour = albedo * (0.25 + 0.8 * diffuse[..., None]) + shine[..., None]
    big = rng.uniform(0.7, 1.7) if not textured else rng.uniform(0.7, 0.95)
    for sign in (-1, 1):
        ex, ey = (xs - sign * eye_x - turn) / (0.13 * big), (ys - eye_y) / (0.075 * big)
        white = (ex**2 + ey**2 < 1)[..., None]
        iris = ((xs - sign * eye_x - turn) ** 2 + (ys - eye_y) ** 2 < (0.062 * big) ** 2)[..., None]
        pupil = ((xs - sign * eye_x - turn) ** 2 + (ys - eye_y) ** 2 < (0.03 * big) ** 2)[..., None]
        colour = np.where(white, 0.85 * (0.4 + 0.6 * diffuse[..., None]), colour)
        colour = np.where(iris & white, rng.uniform(0.1, 0.6, 3), colour)
        colour = np.where(pupil & white, 0.03, colour)
        colour *= 1 - 0.7 * bump(sign * eye_x + turn, eye_y - 0.2, 0.2, 0.035, 1.0)[..., None]
    hair = ((xs / (w * 1.12)) ** 2 + ((ys + 0.12) / (h * 1.05)) ** 2 < 1) & (
        (ys < -0.45 + 0.3 * np.abs(xs) + rng.normal(0, 0.05)) | (inside < 0)
    )
    strand = (
        blurred(rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32), 0.7)
        if textured
        else np.sin(xs * rng.uniform(10, 40) + 3 * ys) * 0.3
    )
    hair_colour = rng.uniform(0.02, 0.6, 3) * rng.uniform(0.3, 1)
    background = rng.uniform(0.1, 0.95, 3) * (1 + 0.3 * ys[..., None] * rng.normal())
    colour = np.where((inside < 0)[..., None], background, colour)
    colour = np.where(hair[..., None], hair_colour * (0.8 + 0.5 * strand[..., None]), colour)
    return to_bytes(blurred(colour.astype(np.float32), rng.uniform(0.4, 0.9)))
