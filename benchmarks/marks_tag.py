"""The content tag: does a genuine mark fit its picture, does a copied one not?

    python benchmarks/marks_tag.py ../shared/data/images --keys 8

The agreement of `guardrail.marks.tag` between the tags of centre squares and the same squares after each condition of
`guardrail bench marks` that leaves the picture whole, and between the tags of squares and *other* squares: what a mark
meets that was lifted from one picture onto another. Only the tag is measured, no watermark is written or read. Writes
`benchmarks/results/marks-tag.json`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from guardrail.bench.marks.conditions import CONDITIONS
from guardrail.marks.tag import COPIED, GENUINE, Tagger, binding

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
# What a reader calls whole: no crop, no turn that is no quarter turn.
WHOLE = ("none", "jpeg30", "webp50", "resize0.5_back", "blur2", "noise10", "bright+20", "contrast+20", "saturation-40",
         "hue10", "grayscale", "jitter", "social", "wider7", "palette16", "median5", "jpeg10")  # fmt: skip
SIDE = 256


def square(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    side = min(image.size)
    x, y = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((x, y, x + side, y + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keys", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "marks-tag.json")
    args = parser.parse_args()
    pictures = [np.asarray(square(p)) for p in sorted(args.folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
    # Two files of one picture are no other picture.
    small = [p[::8, ::8].astype(np.int16) for p in pictures]
    kept = [i for i in range(len(pictures)) if all(np.abs(small[i] - small[j]).mean() > 5 for j in range(i))]
    pictures = [pictures[i] for i in kept]
    attacked = {name: [_after(name, p, i) for i, p in enumerate(pictures)] for name in WHOLE}
    copied: list[float] = []
    genuine: dict[str, list[float]] = {name: [] for name in WHOLE}
    for key in range(args.keys):
        tagger = Tagger(np.random.default_rng(key).bytes(32))
        tags = [tagger.tag(p) for p in pictures]
        for name in WHOLE:
            genuine[name] += [tagger.agreement(tag, p) for tag, p in zip(tags, attacked[name], strict=True)]
        copied += [tagger.agreement(t, p) for i, t in enumerate(tags) for j, p in enumerate(pictures) if i != j]
    result = {
        "command": f"python benchmarks/marks_tag.py {args.folder} --keys {args.keys}",
        "pictures": len(pictures),
        "limits": {"genuine": GENUINE, "copied": COPIED},
        "copied": _shares(copied),
        "genuine": {name: _shares(values) for name, values in genuine.items()},
        "genuine_all": _shares([v for values in genuine.values() for v in values]),
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def _after(name: str, pixels: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    return CONDITIONS[name](pixels, str(number))


def _shares(values: list[float]) -> dict[str, float]:
    said = [binding(v, whole=True) for v in values]
    return {
        "n": len(values),
        "mean": round(float(np.mean(values)), 3),
        "lowest": round(min(values), 3),
        **{word: round(said.count(word) / len(said), 5) for word in ("genuine", "copied", "not checkable")},
    }


if __name__ == "__main__":
    main()
