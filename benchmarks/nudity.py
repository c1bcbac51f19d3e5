"""The nudity check on harmless pictures: boxes beside NudeNet's own, false alarms, looks and cost of each stage.

    python benchmarks/nudity.py ../shared/data/images [--out benchmarks/results/nudity] [--parts parity alarms cost]

The folder has `faces`, `nofaces`, `notreal` and `kodak`; scikit-image's photographs come out of its wheel. Numbers
only. Nothing here measures recall: no nude picture is kept (see docs/architecture.md). False alarms are pictures whose
score reaches a threshold, with their Wilson interval; the sets are small.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set

from guardrail.checks.image.nudity import NudeNet, NudityCheck, looks  # noqa: E402
from guardrail.checks.image.nudity.looks import FIRST_SIDE, SECOND_SIDE  # noqa: E402
from guardrail.media.read import read_image  # noqa: E402
from guardrail.media.types import Frame  # noqa: E402
from guardrail.policy.simulation import Rate  # noqa: E402

SETS = ("kodak", "faces", "nofaces", "notreal")
# Those of scikit-image's wheel that are photographs or scans; none is fetched.
SKIMAGE = tuple(
    "astronaut brick camera cell chelsea clock coffee coins colorwheel grass gravel hubble_deep_field "  # noqa: SIM905
    "immunohistochemistry moon page retina rocket text".split()
)
THRESHOLDS = {"score 0.20": 0.20, "partial 0.35": 0.35, "0.50": 0.50, "explicit 0.65": 0.65}


def pictures(folder: Path, name: str) -> dict[str, Frame]:
    if name == "skimage":
        import skimage.data

        found = {n: np.asarray(getattr(skimage.data, n)()) for n in SKIMAGE}
        return {n: next(v for _, v in read_image(np.ascontiguousarray(p)).views()) for n, p in found.items()}
    files = sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    return {p.name: next(v for _, v in read_image(p).views()) for p in files}


def share(hits: int, of: int) -> dict[str, Any]:
    low, high = Rate(hits, of).interval
    return {"pictures": hits, "of": of, "interval_95": [round(low, 4), round(high, 4)]}


def parity(folder: Path) -> dict[str, Any]:
    """Ours beside the package's: on Kodak's and scikit-image's photographs, at both sizes."""
    import nudenet

    ours = NudeNet()
    out: dict[str, Any] = {}
    for side in (FIRST_SIDE, SECOND_SIDE):
        theirs = nudenet.NudeDetector(inference_resolution=side)
        boxes = other_classes = 0
        worst_box = worst_score = 0.0
        tested = {**pictures(folder, "kodak"), **pictures(folder, "skimage")}
        for picture in tested.values():
            found, said = ours.detect(picture, side).parts, theirs.detect(picture)
            if [p.label for p in found] != [d["class"] for d in said]:
                other_classes += 1
                continue
            for part, other in zip(found, said, strict=True):
                boxes += 1
                # The package cuts its boxes down to whole pixels.
                worst_box = max(worst_box, *(abs(int(a) - b) for a, b in zip(part.box, other["box"], strict=True)))
                worst_score = max(worst_score, abs(part.score - other["score"]))
        out[str(side)] = {
            "pictures": len(tested),
            "pictures_with_other_classes": other_classes,
            "boxes": boxes,
            "largest_difference_pixels": worst_box,
            "largest_difference_score": float(f"{worst_score:.2g}"),
        }
    return out


def alarms(folder: Path, sets: Sequence[str]) -> dict[str, Any]:
    check = NudityCheck()
    out: dict[str, Any] = {}
    for name in sets:
        scores, taken, doubtful = [], Counter[int](), 0
        for picture in pictures(folder, name).values():
            seen, score = check.judge(picture)
            scores.append(score)
            taken[seen.looks] += 1
            doubtful += seen.doubtful or 0 < score < check.combination.sure
        out[name] = {
            **{t: share(sum(s >= v for s in scores), len(scores)) for t, v in THRESHOLDS.items()},
            "looks": {str(k): taken[k] for k in sorted(taken)},
            "would_ask_a_second_opinion": share(doubtful, len(scores)),
            "scores": sorted((round(s, 3) for s in scores if s > 0), reverse=True),
        }
    return out


def together(sets: dict[str, Any]) -> dict[str, Any]:
    """All sets as one."""
    return {
        t: share(sum(s[t]["pictures"] for s in sets.values()), sum(s[t]["of"] for s in sets.values()))
        for t in (*THRESHOLDS, "would_ask_a_second_opinion")
    }


def cost(folder: Path) -> dict[str, Any]:
    """Median processor time, ms, one thread, of each stage: it says the same on a busy machine."""
    check = NudityCheck()
    detector = NudeNet()
    photo = pictures(folder, "skimage")["astronaut"]
    group = max(pictures(folder, "faces").values(), key=lambda p: p.size)
    large = np.kron(photo, np.ones((4, 4, 1), np.uint8))
    empty = pictures(folder, "skimage")["brick"]
    half = photo[:256]
    stages: dict[str, Callable[[], Any]] = {
        "look at 320": lambda: detector.detect(photo, FIRST_SIDE),
        "look at 640": lambda: detector.detect(photo, SECOND_SIDE),
        "picture with nobody, 512": lambda: check.judge(empty),
        "portrait, 512": lambda: check.judge(photo),
        "portrait, 2048": lambda: check.judge(large),
        "picture with nobody, 512x768": lambda: check.judge(np.concatenate([empty, empty[:256]])),
        "picture with nobody, 512x2048": lambda: check.judge(np.concatenate([empty] * 4)),
        "portrait, 512x768": lambda: check.judge(np.concatenate([photo, half[::-1]])),
        "four portraits, 512x2048": lambda: check.judge(np.concatenate([photo] * 4)),
        f"group photograph, {group.shape[1]}x{group.shape[0]}": lambda: check.judge(group),
    }
    out: dict[str, Any] = {}
    for name, stage in stages.items():
        stage()
        spent = []
        for _ in range(5):
            begun = time.process_time()
            stage()
            spent.append((time.process_time() - begun) * 1e3)
        out[name] = {"cpu_ms": round(float(np.median(spent)), 1)}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", nargs="+", default=["parity", "alarms", "cost"])
    parser.add_argument("--sets", nargs="+", default=[*SETS, "skimage"], help="for alarms")
    parser.add_argument("--out", type=Path, help="writes OUT.json; what is there already stays")
    given = parser.parse_args()
    path = given.out.with_suffix(".json") if given.out else None
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path and path.exists() else {}
    found |= {
        "command": f"python benchmarks/nudity.py {given.folder}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "detector": "nudenet-320n",
        "version": NudityCheck.version,
        "cue": looks.CUE,
        "squares_from": round(looks.LONG, 3),
        "squares_at_640_from": looks.VERY_LONG,
        "second_opinions": "none: no hub model is at hand; their adapters are tested with random weights",
    }
    if "parity" in given.parts:
        found["parity"] = parity(given.folder)
    if "alarms" in given.parts:
        found["alarms"] = {**found.get("alarms", {}), **alarms(given.folder, given.sets)}
        found["alarms_together"] = together(found["alarms"])
    if "cost" in given.parts:
        found["cost"] = cost(given.folder)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if path:
        path.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
