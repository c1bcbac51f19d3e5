"""Photograph crops rendered as line art and print: ink, pencil, hatching, screens."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from stylise import Floats, Picture, Random, blurred, dark_edges, floats, grey, to_bytes

__all__ = ["LINES"]


def _on_paper(ink: Floats, p: Picture, rng: Random) -> Picture:
    """`ink` (1 = bare paper, 0 = full ink) in some ink on some paper, perhaps over a wash of the picture's colours."""
    paper = rng.uniform(0.8, 1.0, 3) if rng.random() < 0.5 else np.ones(3)
    pen = rng.uniform(0, 0.3, 3) if rng.random() < 0.5 else np.zeros(3)
    ground = np.broadcast_to(paper, (*ink.shape, 3)).astype(np.float32)
    if rng.random() < 0.35:
        wash = blurred(floats(p), rng.uniform(1.5, 4))
        ground = ground * (1 - (1 - wash) * rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        grain = blurred(rng.normal(0, 1, ink.shape).astype(np.float32), rng.uniform(0.4, 1.2))
        ground = ground * (1 + grain[..., None] * rng.uniform(0.01, 0.06))
    return to_bytes((pen + (ground - pen) * ink[..., None]).astype(np.float32))


def inked(p: Picture, rng: Random) -> Picture:
    x = blurred(floats(p), rng.uniform(0.5, 1.5))
    ink = dark_edges(x, float(rng.uniform(0.7, 2.2)), float(rng.uniform(-0.004, 0.012)))
    if rng.random() < 0.4:  # black areas in the shade
        ink = ink * (grey(x) > rng.uniform(0.1, 0.35))
    return _on_paper(blurred(ink.astype(np.float32), rng.uniform(0.3, 0.7)), p, rng)


def pencilled(p: Picture, rng: Random) -> Picture:
    """Colour dodge of the picture by its own blurred negative: the usual pencil effect."""
    g = grey(floats(p))
    dodge = np.clip(g / (blurred(g, float(rng.uniform(2, 8))) + 1e-3), 0, 1) ** float(rng.uniform(1, 4))
    return _on_paper(dodge.astype(np.float32), p, rng)


def charcoal(p: Picture, rng: Random) -> Picture:
    g = blurred(grey(floats(p)), rng.uniform(0.6, 1.5))
    slope = np.hypot(ndimage.sobel(g, 0), ndimage.sobel(g, 1))
    grain = blurred(rng.normal(0, 1, g.shape).astype(np.float32), 0.6)
    shade = np.clip(1 - slope * rng.uniform(0.8, 2.0) - (1 - g) * rng.uniform(0, 0.5), 0, 1)
    return _on_paper(np.clip(shade + grain * rng.uniform(0.05, 0.3) * (1 - shade), 0, 1).astype(np.float32), p, rng)


def hatched(p: Picture, rng: Random) -> Picture:
    g = blurred(grey(floats(p)), 1.0)
    ys, xs = np.mgrid[: g.shape[0], : g.shape[1]].astype(np.float32)
    ink = np.ones_like(g)
    first = rng.uniform(0, np.pi)
    for k, level in enumerate(np.sort(rng.uniform(0.15, 0.85, 4))[::-1]):
        angle = first + k * rng.uniform(0.5, 1.0)
        gap = rng.uniform(3, 6)
        wave = np.sin(2 * np.pi * (xs * np.cos(angle) + ys * np.sin(angle)) / gap + blurred(g, 3) * rng.uniform(0, 4))
        ink = np.where((g < level) & (wave > rng.uniform(0.3, 0.7)), 0.0, ink)
    if rng.random() < 0.6:
        ink = ink * dark_edges(floats(p), 1.2, 0.0)
    return _on_paper(blurred(ink.astype(np.float32), 0.45), p, rng)


def engraved(p: Picture, rng: Random) -> Picture:
    """Parallel lines whose width carries the tone, as on banknotes."""
    g = blurred(grey(floats(p)), 0.8)
    ys, xs = np.mgrid[: g.shape[0], : g.shape[1]].astype(np.float32)
    angle, gap = rng.uniform(0, np.pi), rng.uniform(3, 6)
    bend = blurred(g, 4) * rng.uniform(-8, 8)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (xs * np.cos(angle) + ys * np.sin(angle) + bend) / gap)
    return _on_paper((1 / (1 + np.exp(-(g - wave) * rng.uniform(8, 25)))).astype(np.float32), p, rng)


def halftone(p: Picture, rng: Random) -> Picture:
    """Screens of dots: one ink, or one a channel at its own angle."""
    x = blurred(floats(p), 0.8)
    ys, xs = np.mgrid[: x.shape[0], : x.shape[1]].astype(np.float32)
    gap = rng.uniform(3, 7)

    def screen(tone: Floats, angle: float) -> Floats:
        u = (xs * np.cos(angle) + ys * np.sin(angle)) * 2 * np.pi / gap
        v = (-xs * np.sin(angle) + ys * np.cos(angle)) * 2 * np.pi / gap
        dot = 0.5 + 0.25 * (np.cos(u) + np.cos(v))
        return (1 / (1 + np.exp(-(tone - dot) * rng.uniform(8, 20)))).astype(np.float32)

    if rng.random() < 0.5:
        return _on_paper(screen(grey(x), float(rng.uniform(0, np.pi))), p, rng)
    angles = np.deg2rad([15, 75, 0]) + rng.uniform(0, np.pi)
    return to_bytes(np.stack([screen(x[..., c], float(a)) for c, a in enumerate(angles)], -1))


def embossed(p: Picture, rng: Random) -> Picture:
    g = blurred(grey(floats(p)), rng.uniform(0.6, 2))
    angle = rng.uniform(0, 2 * np.pi)
    light = ndimage.sobel(g, 1) * np.cos(angle) + ndimage.sobel(g, 0) * np.sin(angle)
    shade = np.clip(0.5 + light * rng.uniform(0.5, 1.5), 0, 1).astype(np.float32)
    return to_bytes(shade[..., None] * rng.uniform(0.7, 1.0, 3).astype(np.float32))


LINES = (inked, inked, pencilled, charcoal, hatched, engraved, halftone, embossed)
