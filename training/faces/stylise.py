"""Photograph crops rendered as flat artwork, as painting, as smooth 3D. Line art is in `lines.py`.

Every rendering takes an (H, W, 3) uint8 RGB picture and a generator, and gives another of that size. They are written
for this project with NumPy, SciPy, Pillow and scikit-image; OpenCV's are left for measuring.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

__all__ = ["FLAT", "PAINTED", "SMOOTH", "floats", "grey", "to_bytes"]

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Random = np.random.Generator


def floats(picture: Picture) -> Floats:
    return picture.astype(np.float32) / 255


def to_bytes(x: Floats) -> Picture:
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def grey(x: Floats) -> Floats:
    return (x @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)


def blurred(x: Floats, sigma: float) -> Floats:
    return ndimage.gaussian_filter(x, (sigma, sigma, 0) if x.ndim == 3 else sigma)


def saturated(x: Floats, by: float) -> Floats:
    g = grey(x)[..., None]
    return g + (x - g) * by


def dark_edges(x: Floats, sigma: float, threshold: float) -> Floats:
    """1 where no edge is, 0 on it: difference of Gaussians (as in Winnemöller's XDoG, 2006)."""
    g = grey(x)
    difference = blurred(g, sigma) - 0.98 * blurred(g, sigma * 1.6)
    return 1 / (1 + np.exp(-(difference - threshold + 0.005) * 400)).astype(np.float32)


def guided(x: Floats, radius: int, eps: float) -> Floats:
    """He's guided filter (2010), each channel its own guide: smooths what varies less than `eps`, keeps edges."""
    size = (2 * radius + 1, 2 * radius + 1, 1)
    mean = ndimage.uniform_filter(x, size)
    variance = np.maximum(ndimage.uniform_filter(x * x, size) - mean * mean, 0)
    a = variance / (variance + eps)
    b = mean * (1 - a)
    return ndimage.uniform_filter(a, size) * x + ndimage.uniform_filter(b, size)


# Flat: few colours, hard borders.


def posterised(p: Picture, rng: Random) -> Picture:
    smooth = Image.fromarray(p).filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 3.0)))
    few = smooth.quantize(int(rng.integers(4, 14)), method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    out = few.convert("RGB")
    if rng.random() < 0.6:
        out = out.filter(ImageFilter.ModeFilter(int(rng.choice([3, 5, 7]))))
    return np.asarray(out)


def cel(p: Picture, rng: Random) -> Picture:
    """Smooth colours, few steps of light, dark outlines."""
    x = floats(p)
    smooth = x
    for _ in range(int(rng.integers(2, 4))):
        smooth = guided(smooth, int(rng.integers(3, 7)), float(rng.uniform(0.01, 0.04)))
    light = grey(smooth)[..., None]
    steps = int(rng.integers(3, 7))
    place = light * steps
    hard = rng.uniform(4, 30)
    stepped = (np.floor(place) + 1 / (1 + np.exp(-hard * (place % 1 - 0.5)))) / steps
    out = saturated(smooth * (stepped + 0.02) / (light + 0.02), rng.uniform(1.0, 1.7))
    if rng.random() < 0.75:
        edges = dark_edges(smooth if rng.random() < 0.5 else x, rng.uniform(0.7, 1.8), rng.uniform(-0.005, 0.01))
        out = out * edges[..., None]
    return to_bytes(out)


def superpixels(p: Picture, rng: Random) -> Picture:
    from skimage.segmentation import find_boundaries, slic

    labels = slic(
        p, n_segments=int(rng.integers(60, 500)), compactness=float(rng.uniform(4, 25)), max_num_iter=4, start_label=0
    )
    sizes = np.maximum(np.bincount(labels.ravel()), 1)
    colours = np.stack([np.bincount(labels.ravel(), p[..., c].ravel()) / sizes for c in range(3)], -1)
    out = colours[labels]
    if rng.random() < 0.3:
        out = np.where(find_boundaries(labels)[..., None], rng.uniform(0, 80), out)
    return out.astype(np.uint8)


def mosaic(p: Picture, rng: Random) -> Picture:
    """Cells around random points, each of one colour: glass, mosaic, facets."""
    height, width = p.shape[:2]
    points = rng.uniform(0, 1, (int(rng.integers(150, 900)), 2)) * (height, width)
    from scipy.spatial import cKDTree

    ys, xs = np.mgrid[:height, :width]
    distances, nearest = cKDTree(points).query(np.stack([ys.ravel(), xs.ravel()], -1), k=2)
    cell = nearest[:, 0].reshape(height, width)
    sizes = np.maximum(np.bincount(cell.ravel(), minlength=len(points)), 1)
    colours = np.stack([np.bincount(cell.ravel(), p[..., c].ravel(), len(points)) / sizes for c in range(3)], -1)
    out = colours[cell]
    if rng.random() < 0.5:
        rim = (distances[:, 1] - distances[:, 0]).reshape(height, width) < rng.uniform(0.6, 2)
        out = np.where(rim[..., None], rng.uniform(0, 255), out)
    return out.astype(np.uint8)


def dithered(p: Picture, rng: Random) -> Picture:
    """Few colours, error diffused: old screens, GIF."""
    scale = float(rng.uniform(1.0, 3.0))
    small = Image.fromarray(p).resize((round(p.shape[1] / scale), round(p.shape[0] / scale)), Image.Resampling.BOX)
    few = small.quantize(int(rng.integers(2, 12)), dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")
    return np.asarray(few.resize(p.shape[1::-1], Image.Resampling.NEAREST))


# Painted: the mark of a tool.


def kuwahara(p: Picture, rng: Random) -> Picture:
    """Kuwahara (1976): the mean of the calmest of four neighbouring squares; looks like oil."""
    x = floats(p)
    for _ in range(int(rng.integers(1, 3))):
        radius = int(rng.integers(2, 6))
        size, half = radius + 1, radius // 2 + 1
        mean = ndimage.uniform_filter(x, (size, size, 1))
        g = grey(x)
        variance = ndimage.uniform_filter(g * g, size) - ndimage.uniform_filter(g, size) ** 2
        shifts = [(half, half), (half, -half), (-half, half), (-half, -half)]
        variances = np.stack([np.roll(variance, s, (0, 1)) for s in shifts])
        means = np.stack([np.roll(mean, s, (0, 1)) for s in shifts])
        x = np.take_along_axis(means, variances.argmin(0)[None, ..., None], 0)[0]
    return to_bytes(saturated(x, rng.uniform(0.9, 1.4)))


def _flow(x: Floats, sigma: float) -> Floats:
    """Angle along which the picture changes least (structure tensor, smoothed)."""
    g = grey(x)
    gx, gy = ndimage.sobel(g, 1), ndimage.sobel(g, 0)
    jxx, jyy, jxy = blurred(gx * gx, sigma), blurred(gy * gy, sigma), blurred(gx * gy, sigma)
    return 0.5 * np.arctan2(2 * jxy, jxx - jyy) + np.pi / 2


def strokes(p: Picture, rng: Random) -> Picture:
    """Brush strokes from coarse to fine along the edges (after Hertzmann, 1998)."""
    x = floats(p)
    angle = _flow(x, 3.0)
    size = p.shape[0]
    canvas = Image.fromarray(to_bytes(blurred(x, 6)))
    draw = ImageDraw.Draw(canvas)
    finest = float(rng.uniform(1.2, 4))
    wobble = float(rng.uniform(0, 0.5))
    for width in (9.0, 5.0, finest):
        reference = to_bytes(blurred(x, width / 2.5))
        count = int((size / width) ** 2 * rng.uniform(0.8, 1.6))
        ys, xs = rng.integers(0, size, count), rng.integers(0, size, count)
        length = width * rng.uniform(1.2, 4)
        turned = angle[ys, xs] + rng.normal(0, wobble, count)
        colours = reference[ys, xs] + rng.normal(0, 7, (count, 3))
        dx, dy = np.cos(turned) * length / 2, np.sin(turned) * length / 2
        for k in range(count):
            colour = tuple(int(v) for v in np.clip(colours[k], 0, 255))
            line = (xs[k] - dx[k], ys[k] - dy[k], xs[k] + dx[k], ys[k] + dy[k])
            draw.line(line, fill=colour, width=max(1, round(width * 0.8)))
    out = floats(np.asarray(canvas))
    return to_bytes(_relief(blurred(out, 0.5), angle, rng) if rng.random() < 0.6 else blurred(out, 0.4))


def _relief(x: Floats, angle: Floats, rng: Random) -> Floats:
    """Light on thick paint: noise smeared along the strokes, lit from one side."""
    height, width = x.shape[:2]
    noise = rng.normal(0, 1, (height, width)).astype(np.float32)
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    smeared = np.zeros_like(noise)
    for t in range(-4, 5):
        places = (ys + t * np.sin(angle), xs + t * np.cos(angle))
        smeared += ndimage.map_coordinates(noise, places, order=1, mode="reflect")
    height_map = blurred(smeared / 9, 0.6)
    light = ndimage.sobel(height_map, 0) + ndimage.sobel(height_map, 1)
    return x + light[..., None] * float(rng.uniform(0.01, 0.06))


def brushed(p: Picture, rng: Random) -> Picture:
    """The picture itself smeared along its own lines: fine brushwork, as of old masters."""
    x = floats(p)
    angle = _flow(x, float(rng.uniform(1.5, 4)))
    height, width = x.shape[:2]
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    reach = int(rng.integers(3, 8))
    noisy = x + rng.normal(0, rng.uniform(0.02, 0.15), (height, width, 1)).astype(np.float32)
    out = np.zeros_like(x)
    for t in range(-reach, reach + 1):
        places = (ys + t * np.sin(angle), xs + t * np.cos(angle))
        out += np.stack([ndimage.map_coordinates(noisy[..., c], places, order=1, mode="reflect") for c in range(3)], -1)
    out /= 2 * reach + 1
    out = guided(out, 2, 0.002)
    return to_bytes(_relief(saturated(out, rng.uniform(0.8, 1.3)), angle, rng))


def watercolour(p: Picture, rng: Random) -> Picture:
    """Flat washes with dark rims on grainy paper."""
    x = floats(kuwahara(p, rng))
    rims = blurred(np.abs(grey(x) - blurred(grey(x), 2)), 0.7)
    paper = blurred(rng.normal(0, 1, x.shape[:2]).astype(np.float32), rng.uniform(0.6, 1.5))
    cloud = blurred(rng.normal(0, 1, x.shape[:2]).astype(np.float32), 8) * 8
    density = 1 + 0.12 * paper + 0.2 * cloud + 4 * rims
    return to_bytes(np.power(np.clip(0.15 + 0.85 * x, 0.01, 1), density[..., None]))


def dots(p: Picture, rng: Random) -> Picture:
    """Pointillism."""
    size = p.shape[0]
    radius = float(rng.uniform(1.2, 3.5))
    ground = tuple(int(v) for v in rng.integers(180, 255, 3))
    canvas = Image.new("RGB", (size, size), ground)
    draw = ImageDraw.Draw(canvas)
    count = int((size / radius) ** 2 * rng.uniform(0.5, 1.0))
    reference = to_bytes(blurred(floats(p), radius / 2))
    ys, xs = rng.integers(0, size, count), rng.integers(0, size, count)
    colours = reference[ys, xs] + rng.normal(0, 18, (count, 3))
    for x, y, colour in zip(xs, ys, colours, strict=True):
        fill = tuple(int(v) for v in np.clip(colour, 0, 255))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    return np.asarray(canvas)


def oiled(p: Picture, rng: Random) -> Picture:
    """The commonest colour of each neighbourhood."""
    bits = 255 & ~((1 << int(rng.integers(3, 6))) - 1)
    coarse = Image.fromarray((p & bits) + (255 - bits) // 2)
    return np.asarray(coarse.filter(ImageFilter.ModeFilter(int(rng.choice([5, 7, 9])))))


# Smooth: no texture is left, as in 3D animation and airbrush.


def airbrushed(p: Picture, rng: Random) -> Picture:
    x = floats(p)
    for _ in range(int(rng.integers(2, 4))):
        x = guided(x, int(rng.integers(3, 7)), float(rng.uniform(0.0025, 0.009)))
    return to_bytes(saturated(x, rng.uniform(0.9, 1.6)))


def rendered(p: Picture, rng: Random) -> Picture:
    """Like 3D animation: no texture, soft light from the picture's own relief, bright highlights."""
    x = floats(p)
    for _ in range(3):
        x = guided(x, 5, float(rng.uniform(0.003, 0.012)))
    relief = blurred(grey(x), rng.uniform(1.5, 3))
    gx, gy = ndimage.sobel(relief, 1), ndimage.sobel(relief, 0)
    strength = float(rng.uniform(1, 4))
    normal = np.stack([-gx * strength, -gy * strength, np.ones_like(gx)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    light = rng.normal(0, 0.5, 3)
    light[2] = 1
    light /= np.linalg.norm(light)
    diffuse = np.clip(normal @ light, 0, 1)
    shine = diffuse ** float(rng.uniform(15, 60)) * rng.uniform(0.05, 0.4)
    out = saturated(x, rng.uniform(1.0, 1.7)) * (0.55 + 0.5 * diffuse[..., None]) + shine[..., None]
    return to_bytes(out.astype(np.float32))


def varied(p: Picture, rng: Random) -> Picture:
    """Total variation (Chambolle, 2004): piecewise smooth."""
    from skimage.restoration import denoise_tv_chambolle

    x = denoise_tv_chambolle(floats(p), weight=float(rng.uniform(0.12, 0.35)), max_num_iter=15, channel_axis=-1)
    return to_bytes(saturated(x.astype(np.float32), rng.uniform(0.9, 1.5)))


def diffused(p: Picture, rng: Random) -> Picture:
    """Perona and Malik's anisotropic diffusion (1990)."""
    x = floats(p)
    k = float(rng.uniform(0.03, 0.08))
    for _ in range(int(rng.integers(12, 28))):
        step = np.zeros_like(x)
        for axis in (0, 1):
            difference = np.diff(x, axis=axis)
            flow = difference * np.exp(-((difference / k) ** 2))
            pad = [(0, 0)] * 3
            pad[axis] = (0, 1)
            step += np.pad(flow, pad)
            pad[axis] = (1, 0)
            step -= np.pad(flow, pad)
        x = x + 0.2 * step
    return to_bytes(saturated(x, rng.uniform(0.9, 1.4)))


def marbled(p: Picture, rng: Random) -> Picture:
    """One material all over, as a statue or a figure of metal: the light without the colours."""
    x = floats(rendered(p, rng))
    g = grey(x)
    g = (g - g.min()) / (np.ptp(g) + 1e-3)
    dark, bright = rng.uniform(0, 0.35, 3), rng.uniform(0.6, 1.0, 3)
    grain = blurred(rng.normal(0, 1, g.shape).astype(np.float32), rng.uniform(0.5, 3)) * rng.uniform(0, 0.08)
    t = np.clip(g + grain, 0, 1)[..., None]
    return to_bytes((dark + (bright - dark) * t).astype(np.float32))


FLAT = (posterised, cel, cel, superpixels, mosaic, dithered)
PAINTED = (kuwahara, strokes, strokes, brushed, brushed, watercolour, dots, oiled)
SMOOTH = (airbrushed, rendered, rendered, varied, diffused, marbled)
