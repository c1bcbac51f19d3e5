"""Draws the stand-in model's scenes: 64×64 pictures in flat colours and textures, from a scene and a seed."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from guardrail.demo.standin_words import Scene

SIDE = 64
LARGER = 4  # drawn larger and reduced: smooth edges
PAINTS = {
    "red": (208, 42, 42),
    "orange": (240, 138, 32),
    "yellow": (244, 214, 52),
    "green": (52, 152, 70),
    "blue": (46, 92, 204),
    "purple": (136, 62, 172),
    "white": (242, 242, 240),
    "black": (36, 36, 40),
}
RADIUS = (7.8, 9.9)  # pixels: of the circle with a marker's area
_INNER = 0.45  # of a star: its inner radius as a share of the outer one


def draw(scene: Scene, rng: Random) -> np.ndarray:
    """The picture of a scene: (64, 64, 3) uint8."""
    brush = _Brush(rng)
    _background(brush, scene)
    side = rng.choice((-1, 1))
    if scene.companion:
        x = 32 + side * rng.uniform(13, 17) if scene.shape else rng.uniform(26, 38)
        _COMPANIONS[scene.companion](brush, x, rng.uniform(34, 40), scene)
    if scene.shape:
        x = 32 - side * rng.uniform(12, 17) if scene.companion else rng.uniform(18, 46)
        marker(brush, scene.shape, scene.colour, x, rng.uniform(18, 46))
    return brush.picture(noise=rng.uniform(1, 4))


def marker(brush: _Brush, shape: str, colour: str, x: float, y: float) -> None:
    """One shape of the common area, turned a little."""
    rng = brush.rng
    radius = rng.uniform(*RADIUS)
    turn = rng.uniform(-0.35, 0.35)
    paint = brush.shade(colour, 22)
    rings = [_scaled(outline, turn) for outline in _outlines(shape)]
    size = radius * math.sqrt(math.pi / (_area(rings[0]) - sum(_area(r) for r in rings[1:])))
    # The hole of a ring shows what lies behind it: drawn through a mask.
    brush.polygons([[(x + size * px, y + size * py) for px, py in ring] for ring in rings], paint)


def _outlines(shape: str) -> list[list[tuple[float, float]]]:
    """The outline of a shape about (0, 0), then the outlines of its holes."""
    if shape == "star":
        return [_polar(10, lambda k: 1.0 if k % 2 == 0 else _INNER)]
    if shape == "flower":
        return [_polar(120, lambda k: 0.8 + 0.2 * math.cos(5 * 2 * math.pi * k / 120))]
    if shape == "circle":
        return [_polar(60, lambda _: 1.0)]
    if shape == "ring":
        return [_polar(60, lambda _: 1.0), _polar(60, lambda _: 0.5)]
    if shape == "triangle":
        return [_polar(3, lambda _: 1.0)]
    if shape == "square":
        return [[(-1, -1), (1, -1), (1, 1), (-1, 1)]]
    if shape == "cross":
        w = 0.36
        return [
            [(-w, -1), (w, -1), (w, -w), (1, -w), (1, w), (w, w), (w, 1), (-w, 1), (-w, w), (-1, w), (-1, -w), (-w, -w)]
        ]
    if shape == "heart":
        points = []
        for k in range(60):
            t = 2 * math.pi * k / 60
            y = -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
            points.append((math.sin(t) ** 3, y / 16))
        return [points]
    raise ValueError(shape)


def _polar(count, radius):  # type: ignore[no-untyped-def]
    angles = [2 * math.pi * k / count - math.pi / 2 for k in range(count)]
    return [(radius(k) * math.cos(a), radius(k) * math.sin(a)) for k, a in enumerate(angles)]


def _scaled(points: list[tuple[float, float]], turn: float) -> list[tuple[float, float]]:
    c, s = math.cos(turn), math.sin(turn)
    return [(c * x - s * y, s * x + c * y) for x, y in points]


def _area(points: list[tuple[float, float]]) -> float:
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True))) / 2


class _Brush:
    """A large canvas; all lengths are in pixels of the small picture."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.image = Image.new("RGB", (SIDE * LARGER, SIDE * LARGER))
        self.canvas = ImageDraw.Draw(self.image)

    def shade(self, colour: str, spread: int = 14) -> tuple[int, int, int]:
        shift = self.rng.randint(-spread, spread) // 2
        r, g, b = (max(0, min(255, c + shift + self.rng.randint(-5, 5))) for c in PAINTS[colour])
        return r, g, b

    def box(self, x0: float, y0: float, x1: float, y1: float, paint: tuple[int, int, int]) -> None:
        self.canvas.rectangle([x0 * LARGER, y0 * LARGER, x1 * LARGER - 1, y1 * LARGER - 1], fill=paint)

    def oval(self, x: float, y: float, rx: float, ry: float, paint: tuple[int, int, int]) -> None:
        self.canvas.ellipse([(x - rx) * LARGER, (y - ry) * LARGER, (x + rx) * LARGER, (y + ry) * LARGER], fill=paint)

    def shape(self, points: list[tuple[float, float]], paint: tuple[int, int, int]) -> None:
        self.canvas.polygon([(x * LARGER, y * LARGER) for x, y in points], fill=paint)

    def line(self, points: list[tuple[float, float]], width: float, paint: tuple[int, int, int]) -> None:
        self.canvas.line(
            [(x * LARGER, y * LARGER) for x, y in points], fill=paint, width=round(width * LARGER), joint="curve"
        )

    def polygons(self, rings: list[list[tuple[float, float]]], paint: tuple[int, int, int]) -> None:
        """The first outline filled, without the others."""
        mask = Image.new("L", self.image.size)
        pen = ImageDraw.Draw(mask)
        for i, ring in enumerate(rings):
            pen.polygon([(x * LARGER, y * LARGER) for x, y in ring], fill=0 if i else 255)
        self.image.paste(paint, mask=mask)

    def picture(self, noise: float) -> np.ndarray:
        small = np.asarray(self.image.reduce(LARGER), dtype=np.float32)
        grain = np.random.Generator(np.random.PCG64(self.rng.getrandbits(64))).normal(0, noise, small.shape[:2])
        return np.clip(np.rint(small + grain[..., None].astype(np.float32)), 0, 255).astype(np.uint8)


def _background(brush: _Brush, scene: Scene) -> None:
    if scene.setting:
        _SETTINGS[scene.setting](brush)
        return
    rng = brush.rng
    base = brush.shade(scene.ground)
    brush.box(0, 0, SIDE, SIDE, base)
    step = 30 if sum(base) < 380 else -30
    other = tuple(max(0, min(255, c + step)) for c in base)
    pitch = rng.uniform(8, 12)
    shift = rng.uniform(0, pitch)
    if scene.texture == "striped":
        upright = rng.random() < 0.5
        for k in range(-1, 9):
            a = k * pitch + shift
            area = (a, 0, a + pitch / 2, SIDE) if upright else (0, a, SIDE, a + pitch / 2)
            brush.box(*area, other)
    elif scene.texture == "dotted":
        for i in range(-1, 9):
            for j in range(-1, 9):
                brush.oval(i * pitch + shift, j * pitch + shift, pitch / 5, pitch / 5, other)
    elif scene.texture == "checkered":
        for i in range(-2, 10):
            for j in range(-2, 10):
                if (i + j) % 2:
                    brush.box(
                        i * pitch + shift, j * pitch + shift, (i + 1) * pitch + shift, (j + 1) * pitch + shift, other
                    )


def _snow(brush: _Brush) -> None:
    brush.box(0, 0, SIDE, SIDE, _near(brush, (172, 194, 214)))
    level = brush.rng.uniform(40, 48)
    brush.oval(brush.rng.uniform(10, 54), level + 26, 60, 28, _near(brush, (236, 240, 246)))
    for _ in range(16):
        brush.oval(brush.rng.uniform(0, 64), brush.rng.uniform(0, 48), 0.9, 0.9, (248, 250, 252))


def _night(brush: _Brush) -> None:
    brush.box(0, 0, SIDE, SIDE, _near(brush, (20, 24, 58)))
    for _ in range(14):
        brush.oval(brush.rng.uniform(0, 64), brush.rng.uniform(0, 44), 0.7, 0.7, (226, 226, 190))
    brush.box(0, brush.rng.uniform(48, 54), SIDE, SIDE, _near(brush, (22, 40, 34)))


def _sea(brush: _Brush) -> None:
    brush.box(0, 0, SIDE, SIDE, _near(brush, (176, 216, 240)))
    level = brush.rng.uniform(36, 44)
    deep = _near(brush, (34, 106, 158))
    brush.box(0, level, SIDE, SIDE, deep)
    for k in range(3):
        y = level + 5 + 7 * k
        brush.line([(x, y + 1.2 * math.sin(x / 3 + k)) for x in range(0, 66, 2)], 1, (96, 160, 200))


def _meadow(brush: _Brush) -> None:
    brush.box(0, 0, SIDE, SIDE, _near(brush, (160, 210, 236)))
    level = brush.rng.uniform(40, 46)
    brush.box(0, level, SIDE, SIDE, _near(brush, (112, 178, 84)))
    for _ in range(14):
        x, y = brush.rng.uniform(0, 64), brush.rng.uniform(level + 3, 64)
        brush.line([(x, y), (x + brush.rng.uniform(-1, 1), y - 3)], 0.8, (74, 138, 58))


def _near(brush: _Brush, paint: tuple[int, int, int]) -> tuple[int, int, int]:
    shift = brush.rng.randint(-8, 8)
    r, g, b = (max(0, min(255, c + shift)) for c in paint)
    return r, g, b


_SETTINGS = {"in snow": _snow, "at night": _night, "at sea": _sea, "in a meadow": _meadow}


def _house(brush: _Brush, x: float, y: float, scene: Scene) -> None:
    w, h = brush.rng.uniform(9, 11), brush.rng.uniform(8, 10)
    brush.box(x - w, y - h / 2, x + w, y + h, brush.shade(scene.paint))
    brush.shape([(x - w - 2, y - h / 2), (x, y - h * 1.5), (x + w + 2, y - h / 2)], (112, 66, 46))
    brush.box(x - 2, y + h - 7, x + 2, y + h, (84, 56, 40))
    brush.box(x - w + 2, y, x - w + 6, y + 4, (250, 236, 170))
    brush.box(x + w - 6, y, x + w - 2, y + 4, (250, 236, 170))


def _tree(brush: _Brush, x: float, y: float, scene: Scene) -> None:
    brush.box(x - 2, y, x + 2, y + 13, (104, 70, 44))
    paint = brush.shade(scene.paint)
    brush.oval(x, y - 5, brush.rng.uniform(9, 11), brush.rng.uniform(9, 12), paint)


def _boat(brush: _Brush, x: float, y: float, scene: Scene) -> None:
    y += 4
    brush.shape([(x - 12, y), (x + 12, y), (x + 8, y + 7), (x - 8, y + 7)], brush.shade(scene.paint))
    brush.box(x - 0.8, y - 17, x + 0.8, y, (84, 56, 40))
    brush.shape([(x + 1.5, y - 16), (x + 10, y - 3), (x + 1.5, y - 3)], (244, 240, 228))


def _lighthouse(brush: _Brush, x: float, y: float, scene: Scene) -> None:
    paint = brush.shade(scene.paint)
    brush.shape([(x - 4, y - 14), (x + 4, y - 14), (x + 7, y + 13), (x - 7, y + 13)], (238, 236, 230))
    brush.shape([(x - 4.8, y - 7), (x + 4.8, y - 7), (x + 5.5, y - 1), (x - 5.5, y - 1)], paint)
    brush.shape([(x - 6, y + 5), (x + 6, y + 5), (x + 6.6, y + 10), (x - 6.6, y + 10)], paint)
    brush.box(x - 3, y - 19, x + 3, y - 14, (250, 226, 120))
    brush.shape([(x - 5, y - 19), (x, y - 23), (x + 5, y - 19)], (60, 60, 66))


_SKINS = ((244, 208, 176), (222, 172, 130), (172, 118, 82), (112, 74, 52))
_HAIRS = ((52, 36, 28), (120, 76, 40), (214, 176, 92), (70, 70, 74))


def _face(brush: _Brush, x: float, y: float, scene: Scene) -> None:
    y -= 4
    skin, hair = brush.rng.choice(_SKINS), brush.rng.choice(_HAIRS)
    brush.box(x - 9, y + 12, x + 9, y + 26, brush.shade(scene.paint))
    brush.oval(x, y - 3, 12, 13, hair)
    brush.oval(x, y + 1, 10, 12, skin)
    for side in (-1, 1):
        brush.oval(x + side * 4, y - 1, 1.7, 1.7, (255, 255, 255))
        brush.oval(x + side * 4, y - 1, 1.0, 1.2, (30, 26, 24))
    bend = 2.2 if scene.smiling else -2.2
    brush.line(
        [(x + dx, y + 7 + bend * (1 - (dx / 4.5) ** 2)) for dx in (-4.5, -3, -1.5, 0, 1.5, 3, 4.5)], 1.3, (150, 50, 50)
    )


def _person(brush: _Brush, x: float, y: float, scene: Scene) -> None:
    skin, hair = brush.rng.choice(_SKINS), brush.rng.choice(_HAIRS)
    clothes = brush.shade(scene.paint)
    for side in (-1, 1):
        brush.line([(x + side * 2, y + 6), (x + side * 3, y + 17)], 2.6, (60, 62, 78))
        brush.line([(x + side * 3, y - 6), (x + side * 8, y + brush.rng.uniform(-8, 4))], 2.2, skin)
    brush.shape([(x - 4.5, y - 8), (x + 4.5, y - 8), (x + 5, y + 8), (x - 5, y + 8)], clothes)
    brush.oval(x, y - 14.5, 5.2, 5.6, hair)
    brush.oval(x, y - 13.5, 4.3, 4.8, skin)
    for side in (-1, 1):
        brush.oval(x + side * 1.7, y - 14, 0.7, 0.7, (30, 26, 24))


_COMPANIONS = {
    "house": _house,
    "tree": _tree,
    "boat": _boat,
    "lighthouse": _lighthouse,
    "face": _face,
    "person": _person,
}
