"""TileLine under attack: share of images whose whole payload is read back exactly, condition by condition.

    python benchmarks/marks.py ../shared/data/images/kodak --psnr 43

Takes the centre square of every image in the folder, marks it with a key and a payload of its own, attacks it, reads
it back. Writes `benchmarks/results/marks-<folder>-<psnr>dB.json` and `.md`.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: timings are for one core

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from scipy import ndimage

from guardrail.marks.tileline import TileLine

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
LANCZOS, BICUBIC = Image.Resampling.LANCZOS, Image.Resampling.BICUBIC
Attack = Callable[[Image.Image, np.random.Generator], Image.Image]


def codec(name: str, quality: int) -> Attack:
    def attack(image: Image.Image, _: np.random.Generator) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, name, quality=quality)
        return Image.open(buffer).convert("RGB")

    return attack


def scale(factor: float, *, back: bool = False) -> Attack:
    down, up = (LANCZOS, BICUBIC) if factor < 1 else (BICUBIC, LANCZOS)

    def attack(image: Image.Image, _: np.random.Generator) -> Image.Image:
        small = image.resize((round(image.width * factor), round(image.height * factor)), down)
        return small.resize(image.size, up) if back else small

    return attack


def crop(area: float, *, back: bool = False) -> Attack:
    """Keeps a share of the area at a random place."""

    def attack(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        w, h = (round(side * math.sqrt(area)) for side in image.size)
        x, y = int(rng.integers(0, image.width - w + 1)), int(rng.integers(0, image.height - h + 1))
        part = image.crop((x, y, x + w, y + h))
        return part.resize(image.size, BICUBIC) if back else part

    return attack


def noise(deviation: float) -> Attack:
    def attack(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        noisy = np.asarray(image, np.float32) + rng.normal(0, deviation, (image.height, image.width, 3))
        return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))

    return attack


def hue(degrees: float) -> Attack:
    def attack(image: Image.Image, _: np.random.Generator) -> Image.Image:
        hsv = np.array(image.convert("HSV"))
        hsv[..., 0] += np.uint8(round(degrees * 255 / 360))
        return Image.fromarray(hsv, "HSV").convert("RGB")

    return attack


def local_means(image: Image.Image, _: np.random.Generator) -> Image.Image:
    from skimage.restoration import denoise_nl_means

    smooth = denoise_nl_means(np.asarray(image) / 255.0, 5, 10, h=10 / 255, channel_axis=-1)
    return Image.fromarray(np.rint(smooth * 255).clip(0, 255).astype(np.uint8))


def chain(*attacks: Attack) -> Attack:
    def attack(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        for step in attacks:
            image = step(image, rng)
        return image

    return attack


def brightness(factor: float) -> Attack:
    return lambda image, _: ImageEnhance.Brightness(image).enhance(factor)


def contrast(factor: float) -> Attack:
    return lambda image, _: ImageEnhance.Contrast(image).enhance(factor)


def saturation(factor: float) -> Attack:
    return lambda image, _: ImageEnhance.Color(image).enhance(factor)


def blur(radius: float) -> Attack:
    return lambda image, _: image.filter(ImageFilter.GaussianBlur(radius))


def rotate(degrees: float) -> Attack:
    return lambda image, _: image.rotate(degrees, BICUBIC)


# The conditions in which watermarks were compared, then harder ones.
CONDITIONS: dict[str, Attack] = {
    "none": chain(),
    **{f"jpeg{q}": codec("JPEG", q) for q in (90, 75, 50, 30)},
    **{f"webp{q}": codec("WEBP", q) for q in (80, 50)},
    "resize0.75": scale(0.75),
    "resize0.75_back": scale(0.75, back=True),
    "resize0.5": scale(0.5),
    "resize0.5_back": scale(0.5, back=True),
    "resize1.5": scale(1.5),
    "resize1.5_back": scale(1.5, back=True),
    "crop_area90": crop(0.90),
    "crop_area75": crop(0.75),
    "crop_area50": crop(0.50),
    "crop_side50": crop(0.25),
    "crop_area75_resized": crop(0.75, back=True),
    "crop_area50_resized": crop(0.50, back=True),
    "rot2": rotate(2),
    "rot5": rotate(5),
    "rot90": lambda image, _: image.transpose(Image.Transpose.ROTATE_90),
    "hflip": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "noise5": noise(5),
    "noise10": noise(10),
    "blur1": blur(1),
    "blur2": blur(2),
    "bright-20": brightness(0.8),
    "bright+20": brightness(1.2),
    "contrast-20": contrast(0.8),
    "contrast+20": contrast(1.2),
    "saturation-40": saturation(0.6),
    "hue10": hue(10),
    "grayscale": lambda image, _: image.convert("L").convert("RGB"),
    "jitter": chain(brightness(1.1), contrast(0.9), saturation(1.3), hue(6)),
    "screenshot": chain(scale(0.8), crop(0.97**2), codec("JPEG", 75)),
    "social": chain(scale(0.7), codec("JPEG", 70)),
    "jpeg50+resize0.5": chain(scale(0.5), codec("JPEG", 50)),
    "crop50+resize0.7+jpeg60": chain(crop(0.50), scale(0.7), codec("JPEG", 60)),
}
HARDER: dict[str, Attack] = {
    "jpeg20": codec("JPEG", 20),
    "jpeg10": codec("JPEG", 10),
    "avif50": codec("AVIF", 50),
    "reencoded_six_times": chain(*(codec(*c) for c in (("JPEG", 80), ("WEBP", 70), ("JPEG", 60)) for _ in range(2))),
    "rot10": rotate(10),
    "rot30": rotate(30),
    "rot180": lambda image, _: image.transpose(Image.Transpose.ROTATE_180),
    "aspect7": lambda image, _: image.resize((round(image.width * 1.07), image.height), BICUBIC),
    "resize0.25_back": scale(0.25, back=True),
    "crop_side50+jpeg75": chain(crop(0.25), codec("JPEG", 75)),
    "resize0.5+crop50+jpeg50": chain(scale(0.5), crop(0.50), codec("JPEG", 50)),
    "median5": lambda image, _: image.filter(ImageFilter.MedianFilter(5)),
    "noise25": noise(25),
    "palette16": lambda image, _: image.quantize(16).convert("RGB"),
    "local_means_h10": local_means,
}


def just_noticeable(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Share of pixels whose luma changes by more than the just-noticeable difference of Chou and Li (1995)."""
    weights = np.array([0.299, 0.587, 0.114])
    luma, changed = before @ weights, after @ weights
    around = np.array([[1, 1, 1, 1, 1], [1, 2, 2, 2, 1], [1, 2, 0, 2, 1], [1, 2, 2, 2, 1], [1, 1, 1, 1, 1]]) / 32
    across = np.array([[0, 0, 0, 0, 0], [1, 3, 8, 3, 1], [0, 0, 0, 0, 0], [-1, -3, -8, -3, -1], [0, 0, 0, 0, 0]]) / 16
    slanted = np.array([[0, 0, 1, 0, 0], [0, 8, 3, 0, 0], [1, 3, 0, -3, -1], [0, 0, -3, -8, 0], [0, 0, -1, 0, 0]]) / 16
    mean = ndimage.correlate(luma, around)
    kernels = (across, across.T, slanted, slanted[:, ::-1])
    gradient = np.max([np.abs(ndimage.correlate(luma, kernel)) for kernel in kernels], axis=0)
    texture = gradient * (0.0001 * mean + 0.115) + 0.5 - 0.01 * mean
    light = np.where(mean <= 127, 17 * (1 - np.sqrt(mean / 127)) + 3, 3 / 128 * (mean - 127) + 3)
    return float((np.abs(changed - luma) > np.maximum(texture, light)).mean())


def structural_similarity(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float | None:
    try:
        from skimage.metrics import structural_similarity as ssim
    except ImportError:
        return None
    return float(ssim(before, after, channel_axis=2))


def timed(function: Callable[[], Any], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def measure(numbered: tuple[int, Path], *, side: int, psnr_db: float, harder: bool) -> dict[str, Any]:
    number, path = numbered
    image = Image.open(path).convert("RGB")
    if min(image.size) < side:
        image = image.resize([max(side, round(n * side / min(image.size))) for n in image.size], LANCZOS)
    x, y = (image.width - side) // 2, (image.height - side) // 2
    before = np.asarray(image.crop((x, y, x + side, y + side)))
    rng = np.random.default_rng(number)
    mark = TileLine(rng.bytes(32), psnr_db=psnr_db)
    payload = int.from_bytes(rng.bytes(8), "big")
    after = mark.embed(before, payload)
    error = float(np.mean((after.astype(float) - before) ** 2))
    out: dict[str, Any] = {
        "psnr": 10 * math.log10(255**2 / error),
        "ssim": structural_similarity(before, after),
        "just_noticeable": just_noticeable(before, after),
        "embed_ms": timed(lambda: mark.embed(before, payload)),
        "detect_ms": timed(lambda: mark.detect(after)),
        "unmarked_search_ms": timed(lambda: mark.detect(before), 3),
        "conditions": {},
    }
    for name, attack in (CONDITIONS | HARDER if harder else CONDITIONS).items():
        attacked = np.asarray(attack(Image.fromarray(after), np.random.default_rng((number, 1))))
        start = time.perf_counter()
        found = mark.detect(attacked)
        out["conditions"][name] = {
            "exact": found.payload == payload,
            "wrong": found.payload is not None and found.payload != payload,
            "statistic": found.statistic,
            "detect_ms": 1000 * (time.perf_counter() - start),
        }
    return out


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    z = 1.96
    centre, spread = hits / n + z * z / (2 * n), z * math.sqrt(hits / n * (1 - hits / n) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def summary(results: list[dict[str, Any]], args: argparse.Namespace) -> dict[str, Any]:
    def column(key: str) -> list[float]:
        return [r[key] for r in results if r[key] is not None]

    conditions = {}
    for name in results[0]["conditions"]:
        cells = [r["conditions"][name] for r in results]
        hits = sum(c["exact"] for c in cells)
        conditions[name] = {
            "exact": hits / len(cells),
            "interval95": wilson(hits, len(cells)),
            "wrong": sum(c["wrong"] for c in cells),
            "statistic_min": min(c["statistic"] for c in cells),
            "statistic_mean": float(np.mean([c["statistic"] for c in cells])),
            "detect_ms": float(np.median([c["detect_ms"] for c in cells])),
        }
    return {
        "machine": args.machine,
        "images": args.folder.name,
        "n": len(results),
        "side": args.side,
        "psnr_asked": args.psnr,
        "psnr": float(np.mean(column("psnr"))),
        "psnr_min": min(column("psnr")),
        "ssim": float(np.mean(column("ssim"))) if column("ssim") else None,
        "just_noticeable": float(np.mean(column("just_noticeable"))),
        **{k: float(np.median(column(k))) for k in ("embed_ms", "detect_ms", "unmarked_search_ms")},
        "conditions": conditions,
    }


def markdown(s: dict[str, Any]) -> str:
    ssim = "–" if s["ssim"] is None else f"{s['ssim']:.4f}"
    lines = [
        f"# TileLine on {s['images']}, {s['psnr_asked']:g} dB asked for",
        "",
        f"{s['n']} images, centre {s['side']}×{s['side']}, own key and payload each. {s['machine']}; one thread each.",
        "",
        f"PSNR {s['psnr']:.2f} dB (lowest {s['psnr_min']:.2f}), SSIM {ssim}, pixels beyond the just-noticeable "
        f"difference of Chou and Li {100 * s['just_noticeable']:.2f} %. Medians: embed {s['embed_ms']:.1f} ms, detect "
        f"{s['detect_ms']:.1f} ms, full search of an unmarked image {s['unmarked_search_ms']:.0f} ms.",
        "",
        "`exact`: share of images with the whole payload read, with its 95 % interval. `wrong`: images with another "
        "payload read. `statistic`: threshold near 11.7.",
        "",
        "| condition | exact | 95 % | wrong | statistic, lowest | mean | detect ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, c in s["conditions"].items():
        low, high = c["interval95"]
        lines.append(
            f"| {name} | {c['exact']:.2f} | {low:.2f}–{high:.2f} | {c['wrong']} | {c['statistic_min']:.1f} "
            f"| {c['statistic_mean']:.1f} | {c['detect_ms']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--psnr", type=float, default=43.0)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--no-harder", dest="harder", action="store_false", help="the compared conditions only")
    parser.add_argument("--machine", default="2-core x86-64 VM, Python 3.11")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    files = sorted(p for p in args.folder.iterdir() if p.suffix.lower() in SUFFIXES)
    work = partial(measure, side=args.side, psnr_db=args.psnr, harder=args.harder)
    with ProcessPoolExecutor(args.jobs) as pool:
        results = list(pool.map(work, enumerate(files)))
    s = summary(results, args)
    stem = args.out / f"marks-{args.folder.name}-{args.psnr:g}dB"
    stem.with_name(stem.name + ".json").write_text(json.dumps(s, indent=1) + "\n")
    table = markdown(s)
    stem.with_name(stem.name + ".md").write_text(table)
    print(table, end="")


if __name__ == "__main__":
    main()
