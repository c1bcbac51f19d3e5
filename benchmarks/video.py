"""Videos: frames that a sample looks at, faces that are missed between two frames, scores smoothed over frames.

    python benchmarks/video.py ../shared/data/images [--out benchmarks/results/video.json] [--parts sampling …]

The videos are made here: crops of still photographs that stand, wander or grow, with a little noise. Faces stand in for
whatever a check looks for. Numbers only; no picture is written.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set

from guardrail.checks.base import CheckSettings  # noqa: E402
from guardrail.checks.image.backend_choice import choose_backend  # noqa: E402
from guardrail.checks.image.detection import GuardDetector  # noqa: E402
from guardrail.guard.frames.following import between  # noqa: E402
from guardrail.guard.frames.sampling import sampled  # noqa: E402
from guardrail.guard.frames.smoothing import smoothed  # noqa: E402
from guardrail.media import ImageInput, Region, Request, Role  # noqa: E402
from guardrail.media.types import Frame  # noqa: E402
from guardrail.signals import Stage  # noqa: E402

SIDE = 256
LENGTH = 49  # frames of a video of Wan or CogVideoX
MOVES = ("stands", "wanders", "grows", "cuts")
EVERY = (4, 8, 16)
PATCHES = (1.0, 0.5, 0.25, 0.125)  # side of what is put in, as a share of the frame's side
PARTS = ("sampling", "between", "smoothing")


def picture(path: Path) -> Frame:
    """(H, W, 3) with a short side of 1.5 times SIDE."""
    from PIL import Image

    image = Image.open(path).convert("RGB")
    factor = 1.5 * SIDE / min(image.size)
    return np.asarray(image.resize((round(image.width * factor), round(image.height * factor))))


def video(still: Frame, move: str, rng: np.random.Generator, other: Frame | None = None, *, noise: float = 2.0) -> Any:
    """(LENGTH, SIDE, SIDE, 3): a crop of `still` that stands, wanders by 2 pixels a frame, grows by 1 % a frame, or
    cuts to `other` half way."""
    from PIL import Image

    frames = []
    height, width = still.shape[:2]
    for i in range(LENGTH):
        source = other if move == "cuts" and other is not None and i >= LENGTH // 2 else still
        side = SIDE if move != "grows" else round(SIDE * (1.5 - 0.01 * i))
        top, left = (height - side) // 2, (width - side) // 2
        if move == "wanders":
            left = max(0, min(width - side, left + 2 * (i - LENGTH // 2)))
        crop = np.asarray(Image.fromarray(source).crop((left, top, left + side, top + side)).resize((SIDE, SIDE)))
        frames.append(np.clip(crop + rng.normal(0, noise, crop.shape), 0, 255).astype(np.uint8))
    return np.stack(frames)


# ---- which frames are looked at


def sampling(harmless: Sequence[Path], faces: Sequence[Path]) -> dict[str, Any]:
    """Share of frames looked at, and of single frames with a picture put into them that were among those."""
    result: dict[str, Any] = {"frames": LENGTH, "videos": len(harmless)}
    stills = [picture(p) for p in harmless]
    for every in EVERY:
        looked: dict[str, float] = {}
        put_in: dict[str, Any] = {f"{share:g}": [0, 0] for share in PATCHES}
        for move in MOVES:
            rng = np.random.default_rng(1)
            counts = []
            for i, still in enumerate(stills):
                frames = video(still, move, rng, stills[i - 1])
                counts.append(len(sampled(frames, every)) / LENGTH)
                patch = picture(faces[i % len(faces)])
                for share in PATCHES:
                    hit = _put_in(frames, patch, share, rng)
                    put_in[f"{share:g}"][0] += hit[0] in sampled(hit[1], every)
                    put_in[f"{share:g}"][1] += 1
            looked[move] = round(float(np.mean(counts)), 3)
        shares = {share: round(a / n, 3) for share, (a, n) in put_in.items()}
        result[f"every {every}"] = {"looked at": looked, "single frame looked at, by size": shares}
    begin = time.perf_counter()
    sampled(np.zeros((LENGTH, 512, 512, 3), np.uint8), 8)
    result["ms a frame of 512x512"] = round((time.perf_counter() - begin) / LENGTH * 1e3, 2)
    return result


def _put_in(frames: Any, patch: Frame, share: float, rng: np.random.Generator) -> tuple[int, Any]:
    from PIL import Image

    at = int(rng.integers(1, LENGTH - 1))
    side = round(SIDE * share)
    top, left = (int(rng.integers(0, SIDE - side + 1)) for _ in range(2))
    changed = frames.copy()
    changed[at, top : top + side, left : left + side] = np.asarray(Image.fromarray(patch).resize((side, side)))
    return at, changed


# ---- faces between two frames


def missed(faces: Sequence[Path], detector: GuardDetector) -> dict[str, Any]:
    """Frames in which a face is not found though frames before and after show it, and those that are filled."""
    rng = np.random.default_rng(2)
    frames_with, gaps, filled, at_ends, area = 0, 0, 0, 0, []
    for path in faces:
        still = picture(path)
        for noise in (60.0, 100.0):  # at 40 none of 500 frames was missed
            frames = video(still, "grows", rng, noise=noise)[:25]
            found = [detector.detect(f) for f in frames]
            have = [i for i, f in enumerate(found) if f]
            if not have:
                continue
            frames_with += len(frames)
            image = ImageInput(tuple(frames), "output", 0, Role.OUTPUT)
            regions = [Region(0, i, face.box, "face", face.score) for i, f in enumerate(found) for face in f]
            added = between(regions, Request(outputs=(image,)), Stage.OUTPUT)
            covered = {r.frame for r in added}
            inside = [i for i in range(have[0], have[-1]) if not found[i]]
            gaps += len(inside)
            filled += sum(i in covered for i in inside)
            at_ends += len(frames) - (have[-1] - have[0] + 1)
            area += [r.box[2] * r.box[3] / SIDE**2 for r in added]
    return {
        "frames of videos with a face": frames_with,
        "missed between two finds": gaps,
        "filled": filled,
        "missed before the first or after the last find": at_ends,
        "regions added": len(area),
    }


# ---- scores over frames


def smoothing(harmless: Sequence[Path], faces: Sequence[Path], model: Any) -> dict[str, Any]:
    """The model's raw first-look score on videos without and with faint faces; at the same false alarms, hits of the
    highest frame alone and of windows that may raise it."""
    rng = np.random.default_rng(3)
    model.thresholds = replace(model.thresholds, candidate=0.01)
    scores = {"harmless": [], "faint": []}  # type: dict[str, list[list[float]]]
    for name, paths in (("harmless", harmless), ("faint", faces)):
        for path in paths:
            still = picture(path)
            if name == "faint":  # little contrast, much noise
                still = (128 + (still.astype(np.float32) - 128) * 0.15).astype(np.uint8)
            frames = video(still, "wanders", rng, noise=2.0 if name == "harmless" else 14.0)[::2]
            scores[name].append([max((f.score for f in model.candidates(frame)), default=0.0) for frame in frames])
    result: dict[str, Any] = {name: {"videos": len(s)} for name, s in scores.items()}
    for name, rows in scores.items():
        result[name]["correlation of frames within a video"] = round(_within(rows), 3)
    for over in (0, 5, 9, 17):
        top = {name: np.array([max(smoothed(row, over)) for row in rows]) for name, rows in scores.items()}
        at_05 = {name: int((values >= 0.5).sum()) for name, values in top.items()}
        # The limit that leaves two of the harmless videos over it: only the order of scores counts then.
        limit = float(np.sort(top["harmless"])[-3]) + 1e-9
        result[f"over {over}"] = {
            "at 0.5": at_05,
            "hits at two false alarms": int((top["faint"] > limit).sum()),
            "auc": round(_auc(top["faint"], top["harmless"]), 3),
        }
    return result


def _within(rows: Sequence[Sequence[float]]) -> float:
    """One-way intraclass correlation (Shrout and Fleiss 1979, ICC(1,1))."""
    table = np.array(rows)
    k = table.shape[1]
    between_rows = k * float(table.mean(1).var(ddof=1))
    inside = float(table.var(1, ddof=1).mean())
    return (between_rows - inside) / (between_rows + (k - 1) * inside)


def _auc(high: Any, low: Any) -> float:
    return float(np.mean((high[:, None] > low[None]) + 0.5 * (high[:, None] == low[None])))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--most", type=int, default=30, help="pictures of a set")
    args = parser.parse_args(argv)
    harmless = list(_pictures(args.folder, ("nofaces", "kodak")))[: args.most]
    faces = list(_pictures(args.folder, ("faces",)))[: args.most]
    result: dict[str, Any] = {"date": time.strftime("%Y-%m-%d", time.gmtime())}
    model, _ = choose_backend(CheckSettings(face_backend="embedded"))
    if "sampling" in args.parts:
        result["sampling"] = sampling(harmless, faces)
    if "between" in args.parts:
        result["between"] = missed(faces, GuardDetector(model))
    if "smoothing" in args.parts:  # last: it lowers the detector's threshold
        result["smoothing"] = smoothing(harmless, faces, model)
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", "utf-8")
    return 0


def _pictures(folder: Path, sets: Sequence[str]) -> Iterator[Path]:
    for name in sets:
        yield from sorted(p for p in (folder / name).iterdir() if p.suffix in (".png", ".jpg", ".jpeg"))


if __name__ == "__main__":
    raise SystemExit(main())
