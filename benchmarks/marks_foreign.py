"""How far the reader of invisible-watermark's ``dwtDct`` can be trusted, and how much it recognises.

    python benchmarks/marks_foreign.py ../shared/data/images --crops 2400
    PYTHONPATH=FOLDER python benchmarks/marks_foreign.py ../shared/data/images --marked

The first measures matching bits on unmarked pictures: random crops of the images under the folder, rescaled and
sometimes compressed, and drawn ones. It prints the correlation of the bits, with the 95 % bound from resampling whole
pictures, that `guardrail/marks/foreign/dwtdct.py` holds, and the highest counts seen. The second marks pictures with
the original package, as diffusers does and as scripts do that hand it 8-bit pixels, and counts what the package and
this reader recognise. It wants torch and OpenCV, and in FOLDER what this brings:

    pip install --no-deps --target FOLDER invisible-watermark PyWavelets
"""

from __future__ import annotations

import argparse
import io
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from marks_calibrate import drawn
from numpy.typing import NDArray
from PIL import Image

from guardrail.marks.foreign import dwtdct

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
SIDES = (256, 384, 512, 640, 768, 832, 1024)
RESAMPLES = 400


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    if not quality:
        return pixels
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def unmarked(rng: np.random.Generator, sources: list[Path]) -> tuple[str, NDArray[np.uint8]]:
    """One picture and what it is a crop of."""
    height, width = (int(v) for v in rng.choice(SIDES, 2))
    if rng.random() < 0.25:
        side = max(height, width)
        image, name = drawn(rng, side).crop((0, 0, width, height)), f"drawn {rng.integers(1 << 60)}"
    else:
        path = sources[int(rng.integers(len(sources)))]
        whole, name = Image.open(path).convert("RGB"), path.name
        share = rng.uniform(0.3, 1) * min(whole.width / width, whole.height / height)
        w, h = int(share * width), int(share * height)
        x, y = int(rng.integers(whole.width - w + 1)), int(rng.integers(whole.height - h + 1))
        image = whole.crop((x, y, x + w, y + h)).resize((width, height), Image.Resampling.LANCZOS)
    return name, compressed(np.asarray(image), int(rng.choice([0, 0, 75, 90, 95])))


def correlation(matches: NDArray[np.float64], length: int) -> float:
    """What the variance of the number of matching bits says over that of fair coins."""
    spread = float(np.mean((matches - length / 2) ** 2)) / (length / 4)
    return (spread - 1) / (length - 1)


def calibrate(folder: Path, crops: int) -> None:
    rng = np.random.default_rng(1)
    sources, names = files(folder), []
    counts: dict[tuple[str, str], list[int]] = defaultdict(list)
    rates = []
    for _ in range(crops):
        name, pixels = unmarked(rng, sources)
        names.append(name)
        for kind, said in dwtdct.votes(pixels).items():
            for generator in dwtdct.MESSAGES:
                counts[generator, kind].append(dwtdct.matching(said, generator))
        best = dwtdct.read_dwtdct(pixels)
        assert best is not None
        rates.append(best.rate)
    clusters: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(names):
        clusters[name].append(i)
    groups = [np.array(g) for g in clusters.values()]
    print(f"{crops} unmarked crops of {len(groups)} pictures")
    for (generator, kind), seen in counts.items():
        length, m = len(dwtdct.MESSAGES[generator]), np.array(seen, float)
        again = [
            correlation(m[np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])], length)
            for _ in range(RESAMPLES)
        ]
        share = m / length
        tails = "  ".join(
            f">={k}: {int((m >= k).sum())} (expected {crops * dwtdct.chance(k, length):.2f})"
            for k in (round(length * 0.66), round(length * 0.72), round(length * 0.78))
        )
        print(
            f"{generator:20s} {kind:6s} n={length:3d} mean {share.mean():.4f} highest {int(m.max())} "
            f"correlation {correlation(m, length):.5f} (95 % bound {np.quantile(again, 0.95):.5f})  {tails}"
        )
    print(
        f"lowest rate reported {min(rates):.2g} (expected at least {1 / crops:.2g}); "
        f"at or under {dwtdct.FOUND_RATE:g}: {sum(r <= dwtdct.FOUND_RATE for r in rates)}"
    )


def marked(folder: Path, every: int) -> None:
    from imwatermark import WatermarkDecoder, WatermarkEncoder

    wanted = list(dwtdct.MESSAGES["Stable Diffusion XL"])
    encoder: Any = WatermarkEncoder()
    encoder.set_watermark("bits", wanted)
    hits: dict[tuple[Any, ...], list[tuple[bool, bool]]] = defaultdict(list)
    spent: dict[int, list[float]] = defaultdict(list)
    for path in files(folder)[::every]:
        whole = Image.open(path).convert("RGB")
        side = min(whole.size)
        x, y = (whole.width - side) // 2, (whole.height - side) // 2
        square = whole.crop((x, y, x + side, y + side))
        for size in (512, 1024):
            bgr = np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))[..., ::-1]
            floats = encoder.encode(bgr.astype(np.float32), "dwtDct")
            for kind, out in (
                ("diffusers", np.rint(np.clip(floats, 0, 255)).astype(np.uint8)),
                ("8-bit", encoder.encode(np.ascontiguousarray(bgr), "dwtDct")),
            ):
                for quality in (0, 95, 90, 75):
                    seen = np.ascontiguousarray(compressed(out[..., ::-1], quality))
                    began = time.process_time()
                    reading = dwtdct.read_dwtdct(seen)
                    spent[size].append(time.process_time() - began)
                    decoder = WatermarkDecoder("bits", len(wanted))
                    bits = np.asarray(decoder.decode(np.ascontiguousarray(seen[..., ::-1]), "dwtDct"))
                    theirs = dwtdct.chance(int(np.sum(bits == np.array(wanted, bool))), len(wanted))
                    ours = reading is not None and reading.found and reading.generator == "Stable Diffusion XL"
                    hits[kind, size, quality].append((ours, theirs <= dwtdct.FOUND_RATE))
    for (kind, size, quality), seen in hits.items():
        ours, theirs = np.mean(seen, axis=0)
        form = f"JPEG {quality}" if quality else "clean"
        print(f"{kind:10s} {size:5d} {form:8s} n={len(seen)}  recognised {ours:.2f}  package's own bits {theirs:.2f}")
    for size, seconds in spent.items():
        print(f"read at {size}²: median {1e3 * np.median(seconds):.1f} ms of processor time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--crops", type=int, default=2400)
    parser.add_argument("--marked", action="store_true")
    parser.add_argument("--every", type=int, default=2, help="mark every so many-th image")
    chosen = parser.parse_args()
    if chosen.marked:
        marked(chosen.folder, chosen.every)
    else:
        calibrate(chosen.folder, chosen.crops)


if __name__ == "__main__":
    main()
