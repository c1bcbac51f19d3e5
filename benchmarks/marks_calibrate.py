"""Fits the tail of TileLine's statistic on unmarked pictures, and checks the bound on the sync score.

    python benchmarks/marks_calibrate.py ../shared/data/images --decodes 200000

Every decode has a fresh random key. Pictures are random crops of the images under the folder, rescaled and sometimes
compressed, and drawn ones: noise, flat, gradients, text, shapes. The generalised Pareto fit to the top one per cent is
an extrapolation beyond what was seen; its 95 % bound comes from resampling whole pictures. Prints the constants that
`guardrail/marks/tileline/calibration.py` holds, writes them with the histogram to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: one thread a worker

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import stats

from guardrail.marks.tileline import calibration, code, detect, frontend, layout, sync

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
KEYS_PER_VIEW = 10
VIEWS = 4  # the frame as it is, and three maps that the search proposes
TOP_SHARE = 0.01
RESAMPLES = 200


def drawn(rng: np.random.Generator, side: int) -> Image.Image:
    """One synthetic picture: noise, a flat colour with a little noise, a gradient, text or shapes."""
    kind = int(rng.integers(5))
    if kind == 0:
        return Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    if kind == 1:
        flat = rng.integers(0, 256, 3) + rng.normal(0, rng.uniform(0, 3), (side, side, 3))
        return Image.fromarray(np.clip(np.rint(flat), 0, 255).astype(np.uint8))
    if kind == 2:
        y, x = np.mgrid[:side, :side] / side
        ramp = np.stack([rng.uniform(0, 128) * x + rng.uniform(0, 127) * y for _ in range(3)], -1)
        return Image.fromarray((ramp + rng.normal(0, rng.uniform(0, 1), ramp.shape)).clip(0, 255).astype(np.uint8))
    image = Image.new("RGB", (side, side), tuple(int(v) for v in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y, w, h = (int(v) for v in rng.integers(0, side, 4))
        ink = tuple(int(v) for v in rng.integers(0, 256, 3))
        if kind == 3:
            draw.text((x, y), "".join(chr(int(c)) for c in rng.integers(33, 126, 30)), fill=ink)
        else:
            draw.ellipse((x, y, x + w // 3, y + h // 3), fill=ink)
    return image


def picture(files: list[Path], seed: int) -> NDArray[np.uint8]:
    """An unmarked picture; the same for the same seed."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.25:
        image = drawn(rng, int(rng.integers(128, 640)))
    else:
        with Image.open(files[int(rng.integers(len(files)))]) as opened:
            image = opened.convert("RGB")
        share = rng.uniform(0.4, 1.0)
        w, h = max(32, int(image.width * share)), max(32, int(image.height * share))
        x, y = int(rng.integers(0, image.width - w + 1)), int(rng.integers(0, image.height - h + 1))
        scale = rng.uniform(200, 800) / min(w, h)
        image = image.crop((x, y, x + w, y + h)).resize((round(w * scale), round(h * scale)), Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.integers(30, 96)))
        image = Image.open(buffer).convert("RGB")
    return np.asarray(image)


def decodes_of(files: list[Path], seed: int) -> list[float]:
    """Statistics of the best words in one picture, fresh keys throughout."""
    rng = np.random.default_rng((seed, 1))
    seen = detect.Observation(frontend.picture_of(picture(files, seed)), (layout.FULL_TILES,))
    views = [seen.lines(layout.FULL_TILES)]
    views += [frontend.whiten_lines(seen.spectra().lines(comb.matrix())) for comb in seen.combs(1.0)[: VIEWS - 1]]
    out = []
    for lines in views:
        for _ in range(KEYS_PER_VIEW):
            keyed = layout.layout_of(rng.bytes(32))
            peak = sync.locate(sync.both_signs(lines), keyed, count=1)[0]
            soft = detect.soft_chips(keyed, sync.aligned(lines, peak))
            energy = float(np.linalg.norm(soft))
            out.append(next(code.decode(soft))[1] / energy if energy else 0.0)
    return out


def searched(files: list[Path], seed: int) -> tuple[float, float, float]:
    """Sync score, statistic and false-positive rate of a full search with one fresh key."""
    seen = detect.Observation(frontend.picture_of(picture(files, seed)), (layout.FULL_TILES,))
    found = detect.read(seen, layout.layout_of(np.random.default_rng((seed, 2)).bytes(32)), search=True)
    return found.sync, found.statistic, found.false_positive_rate


def fit(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """(start, shape, scale) of a generalised Pareto tail over the top share."""
    start = float(np.quantile(values, 1 - TOP_SHARE))
    shape, _, scale = stats.genpareto.fit(values[values > start] - start, floc=0)
    return start, float(shape), float(scale)


def fit_exponential(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """The same with the shape held at 0. The free shape comes out negative, a tail that ends: this one does not."""
    start = float(np.quantile(values, 1 - TOP_SHARE))
    return start, 0.0, float((values[values > start] - start).mean())


def tail_at(value: float, fitted: tuple[float, float, float]) -> float:
    start, shape, scale = fitted
    return float(TOP_SHARE * stats.genpareto.sf(value - start, shape, scale=scale))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--decodes", type=int, default=100_000)
    parser.add_argument("--searches", type=int, default=2_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "marks-calibration.json")
    args = parser.parse_args()
    files = sorted(p for p in args.folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    pictures = -(-args.decodes // (VIEWS * KEYS_PER_VIEW))
    with ProcessPoolExecutor(args.jobs) as pool:
        clusters = list(pool.map(partial(decodes_of, files), range(pictures), chunksize=16))
        searches = list(pool.map(partial(searched, files), range(10**6, 10**6 + args.searches), chunksize=16))
    values = np.concatenate(clusters)
    fitted = fit(values)
    rng = np.random.default_rng(0)
    again = (np.concatenate([clusters[i] for i in rng.integers(0, pictures, pictures)]) for _ in range(RESAMPLES))
    exponential = [fit_exponential(sample) for sample in again]
    threshold = 11.5
    scores = np.array(searches)
    result = {
        "pictures": pictures,
        "files": len(files),
        "decodes": len(values),
        "mean": float(values.mean()),
        "deviation": float(values.std()),
        "max": float(values.max()),
        "fit": dict(zip(("start", "shape", "scale"), fitted, strict=True)),
        "exponential": dict(zip(("start", "shape", "scale"), fit_exponential(values), strict=True)),
        "exponential_start_upper95": float(np.quantile([f[0] for f in exponential], 0.95)),
        "exponential_scale_upper95": float(np.quantile([f[2] for f in exponential], 0.95)),
        "tail_at_threshold": {
            "value": threshold,
            "fitted": tail_at(threshold, fitted),
            "exponential": tail_at(threshold, fit_exponential(values)),
            "exponential_upper95": float(np.quantile([tail_at(threshold, f) for f in exponential], 0.95)),
        },
        "proven_rate_at_threshold": calibration.payload_rate(threshold, 1),
        "searches": len(searches),
        "search_sync": {str(q): float(np.quantile(scores[:, 0], q)) for q in (0.5, 0.9, 0.99, 1.0)},
        "search_statistic_max": float(scores[:, 1].max()),
        "verdicts_on_unmarked": int((scores[:, 2] <= calibration.MARKED_RATE).sum()),
        "histogram": np.histogram(values, np.arange(0, 13, 0.1))[0].tolist(),
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "histogram"}, indent=1))


if __name__ == "__main__":
    main()
