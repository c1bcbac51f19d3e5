"""Photograph or depiction: how well faces are told apart, by kind of depiction, with intervals.

    python benchmarks/realness.py ../shared/data/images --models ../shared/models [--model realness.onnx --at-least 4]
        [--heads 40] [--cache FOLDER] [--out benchmarks/results/realness.json]

Photographs are every face found in `faces`; depictions are every face found in `notreal`, the same photographs rendered
by OpenCV, and heads drawn by a browser (where a Chromium is at hand). For the ROC all go through the same journey of
sizes and compression; a threshold is also chosen on half of the people and read on the others, over 50 splits. How many
photographs the verdict keeps is counted for each kind of change. Numbers only; no picture leaves the folder.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

import numpy as np  # noqa: E402 — after the path is set
from PIL import Image  # noqa: E402
from realness_model import TrainedRealness  # noqa: E402
from realness_renderings import CHANGES, RENDERINGS, Picture  # noqa: E402
from realness_statistics import KEPT, curve, may_ship, roc, share, splits  # noqa: E402

from guardrail.checks.image import realness  # noqa: E402
from guardrail.checks.image.backends.base import fit_long_side  # noqa: E402
from guardrail.media.read import read_image  # noqa: E402

# The astronaut is in the training set.
TRAINED_ON = frozenset({"Eileen_Collins"})
# Smaller faces, in pixels, are not rendered: nothing is claimed of them.
SMALLEST = 40


@dataclass(frozen=True)
class Face:
    """One face in its surroundings, and whose it is (or which picture it came from)."""

    picture: Picture
    box: tuple[float, float, float, float]
    person: str
    kind: str


def found(folder: Path, name: str, detector: Any) -> list[Face]:
    """Every face that the detector is certain of at one look, in pictures of at most its own side."""
    faces = []
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        image = next(view for _, view in read_image(folder / name / row["file"]).views())[..., :3]
        small, factor = fit_long_side(image, detector.side)
        person = row["identity"] or re.sub(r"[\d_]*\.\w+$", "", row["file"])
        for face in detector.candidates(np.ascontiguousarray(small)):
            if face.score >= detector.thresholds.certain:
                picture, box = surroundings(image, tuple(v / factor for v in face.box))  # type: ignore[arg-type]
                faces.append(Face(picture, box, person, row["category"] or name))
    return faces


def surroundings(image: Picture, box: tuple[float, float, float, float]) -> tuple[Picture, Any]:
    """The face with 0.6 of it on every side, at most 320 pixels: enough for every look, and cheap to render."""
    x, y, w, h = box
    left, top = max(0, int(x - 0.6 * w)), max(0, int(y - 0.6 * h))
    part = np.ascontiguousarray(image[top : int(y + 1.6 * h), left : int(x + 1.6 * w)])
    factor = min(1.0, 320 / max(part.shape[:2]))
    if factor < 1:
        size = (round(part.shape[1] * factor), round(part.shape[0] * factor))
        part = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.LANCZOS))
    return part, ((x - left) * factor, (y - top) * factor, w * factor, h * factor)


def journey(face: Face, rng: np.random.Generator) -> Face:
    """The same for photographs and depictions: a face of 48 to 160 pixels, JPEG of quality 40 to 95."""
    wanted = float(np.exp(rng.uniform(np.log(48), np.log(160))))
    factor = min(wanted / max(face.box[2:]), 1.5)
    height, width = face.picture.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = Image.fromarray(face.picture).resize(size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(40, 96)), subsampling=2)
    box = tuple(v * factor for v in face.box)
    return Face(np.asarray(Image.open(file).convert("RGB")), box, face.person, face.kind)  # type: ignore[arg-type]


def score(face: Face, model: TrainedRealness | None) -> float:
    """How sure of a depiction: the model's logit (-inf for no answer), or the cues as a part of what they need."""
    if model is not None:
        logit = model.logit(face.picture, face.box)
        return -np.inf if logit is None else logit
    # Without landmarks, which could only make it stricter.
    return realness.flatness(face.picture, face.box)


def detector_of(models: Path | None) -> Any:
    """YuNet where its file is, CenterFace else."""
    if models is not None:
        folders = (str(models), os.environ.get("GUARDRAIL_WEIGHTS", ""))
        os.environ["GUARDRAIL_WEIGHTS"] = os.pathsep.join(filter(None, folders))
    from guardrail.weights import status

    if any(s.weight.name == "yunet" and s.state == "ready" for s in status()):
        from guardrail.checks.image.backends.yunet import YuNet

        return YuNet(threads=1)
    from guardrail.checks.image.backends.centerface import CenterFace

    return CenterFace(threads=1)


def drawn(heads: int, cache: Path | None) -> dict[str, list[Face]]:
    """Heads by a browser; where their faces are is known."""
    import realness_heads

    out: dict[str, list[Face]] = {}
    if not heads or realness_heads.browser() is None:
        print("browser heads: not measured (none asked for, or no Chromium)", file=sys.stderr)
        return out
    box = {"svg": (52.0, 40.0, 152.0, 180.0), "css": (55.0, 45.0, 146.0, 180.0), "webgl": (52.0, 30.0, 152.0, 170.0)}
    for name, place in box.items():
        file = cache / f"heads_{name}.npy" if cache else None
        if file is not None and file.is_file():
            pictures = list(np.load(file))[:heads]
        else:
            pictures = getattr(realness_heads, f"{name}_heads")(heads)
            if file is not None:
                np.save(file, np.array(pictures))
        out[f"browser {name}"] = [Face(p, place, f"{name}{k}", name) for k, p in enumerate(pictures)]
    return out


def depictions_among(faces: list[Face], model: TrainedRealness | None) -> int:
    return sum(realness.judge_face(f.picture, f.box, model) == "depiction" for f in faces)


def collected(
    folder: Path, detector: Any, heads: int, rendered: int, cache: Path | None
) -> tuple[list[Face], dict[str, list[Face]]]:
    """Photographs, and depictions by kind. Kept in the cache, so that another model can be read on the same faces."""
    file = cache / "faces.npz" if cache else None
    if file is not None and file.is_file():
        return unpacked(file)
    photographs = found(folder, "faces", detector)
    depictions: dict[str, list[Face]] = {}
    for face in found(folder, "notreal", detector):
        depictions.setdefault(f"notreal {face.kind}", []).append(face)
    large = [f for f in photographs if min(f.box[2:]) >= SMALLEST]
    # Evenly over the set, so that every person has a part.
    large = large[:: max(1, len(large) // rendered)][:rendered]
    for name, render in RENDERINGS.items():
        depictions[f"rendered {name}"] = [Face(render(f.picture), f.box, f.person, name) for f in large]
        print(name, file=sys.stderr, flush=True)
    depictions |= drawn(heads, cache)
    if file is not None:
        packed(file, photographs, depictions)
    return photographs, depictions


def packed(file: Path, photographs: list[Face], depictions: dict[str, list[Face]]) -> None:
    pictures, rows = {}, []
    for kind, faces in {"": photographs, **depictions}.items():
        for face in faces:
            pictures[f"p{len(rows)}"] = face.picture
            rows.append([kind, [float(v) for v in face.box], face.person, face.kind])
    np.savez(file, rows=np.array(json.dumps(rows)), **pictures)


def unpacked(file: Path) -> tuple[list[Face], dict[str, list[Face]]]:
    kept = np.load(file)
    by_kind: dict[str, list[Face]] = {}
    for k, (kind, box, person, own) in enumerate(json.loads(str(kept["rows"]))):
        by_kind.setdefault(kind, []).append(Face(kept[f"p{k}"], tuple(box), person, own))
    return by_kind.pop(""), by_kind


def altered(photographs: list[Face], change: str) -> list[Face]:
    factor, alter = CHANGES[change]
    return [
        Face(alter(f.picture), tuple(v * factor for v in f.box), f.person, change)  # type: ignore[arg-type]
        for f in photographs
    ]


def kept(photographs: list[Face], model: TrainedRealness | None) -> dict[str, Any]:
    """How many photographs are not called a depiction, by what happened to them."""
    kept_by: dict[str, Any] = {}
    highest: dict[str, float] = {}
    for change in CHANGES:
        changed = altered(photographs, change)
        kept_by[change] = share(len(changed) - depictions_among(changed, model), len(changed))
        highest[change] = round(max(score(f, model) for f in changed), 2)
        print(change, kept_by[change], highest[change], file=sys.stderr, flush=True)
    hits, of = (sum(k[part] for k in kept_by.values()) for part in ("hits", "of"))
    return {
        "by_change": kept_by,
        "all": share(hits, of),
        "highest_score": highest,
        "latency": latency([f for f in photographs if min(f.box[2:]) >= SMALLEST][:40], model),
    }


def shipping(photographs: list[Face], depictions: dict[str, list[Face]], model: TrainedRealness) -> Any:
    """Whether the model may ship; see `realness_statistics.may_ship`."""
    changed = {c: np.array([score(f, model) for f in altered(photographs, c)]) for c in CHANGES}
    still = [f for faces in depictions.values() for f in faces]
    gone = [f for faces in travelled(depictions).values() for f in faces]
    sets = {
        name: (
            np.array([score(f, model) for f in faces]),
            np.array([realness.judge_face(f.picture, f.box) == "depiction" for f in faces]),
        )
        for name, faces in (("as they are", still), ("after the journey", gone))
    }
    return may_ship(changed, [f.person for f in photographs], sets)


def travelled(depictions: dict[str, list[Face]]) -> dict[str, list[Face]]:
    return {
        name: [journey(f, np.random.default_rng([2, number, k])) for k, f in enumerate(faces)]
        for number, (name, faces) in enumerate(depictions.items())
    }


def told_apart(
    photographs: list[Face], depictions: dict[str, list[Face]], model: TrainedRealness | None
) -> dict[str, Any]:
    """ROC, by kind of depiction, after the journey; and what the verdict finds."""
    large = [f for f in photographs if min(f.box[2:]) >= SMALLEST]
    real = np.array([score(journey(f, np.random.default_rng([1, k])), model) for k, f in enumerate(large)])
    by_kind: dict[str, Any] = {}
    every: list[np.ndarray] = []
    for name, gone in travelled(depictions).items():
        faces = depictions[name]
        every.append(np.array([score(f, model) for f in gone]))
        by_kind[name] = {
            "faces": len(faces),
            **roc(real, every[-1]),
            "called_a_depiction": share(depictions_among(faces, model), len(faces)),
            "called_a_depiction_after_the_journey": share(depictions_among(gone, model), len(gone)),
        }
        print(name, by_kind[name], file=sys.stderr, flush=True)
    together = np.concatenate(every)
    return {
        "photographs": len(real),
        "overall": {**roc(real, together), "curve": curve(real, together)},
        "splits": {f"{k:.1%} kept": splits(real, [f.person for f in large], together, k) for k in KEPT},
        "by_kind": by_kind,
    }


def latency(faces: list[Face], model: TrainedRealness | None) -> dict[str, Any]:
    took = []
    for face in faces * 3:
        started = time.thread_time()
        realness.judge_face(face.picture, face.box, model)
        took.append((time.thread_time() - started) * 1000)
    return {
        "cpu_ms_a_face": {"p50": round(float(np.median(took)), 2), "p95": round(float(np.quantile(took, 0.95)), 2)},
        "note": "time of the calling thread, in pictures of at most 320 pixels; the machine was busy with other work",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, help="folder with YuNet")
    parser.add_argument("--model", type=Path, help="a classifier made by training/faces")
    parser.add_argument("--at-least", type=float, default=np.inf, help="the logit from which on it is sure")
    parser.add_argument("--heads", type=int, default=40, help="browser heads a kind; 0 for none")
    parser.add_argument("--rendered", type=int, default=1000, help="photographed faces that are rendered, at most")
    parser.add_argument("--part", choices=("kept", "apart", "both"), default="both")
    parser.add_argument("--cache", type=Path, help="folder outside of the project for the browser's heads")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    detector = detector_of(given.models)
    wanted = given.part != "kept"
    photographs, depictions = (
        collected(given.folder, detector, given.heads, given.rendered, given.cache)
        if wanted
        else (found(given.folder, "faces", detector), {})
    )
    photographs = [f for f in photographs if f.person not in TRAINED_ON]
    depictions = {k: [f for f in faces if f.person not in TRAINED_ON] for k, faces in depictions.items()}
    models: dict[str, TrainedRealness | None] = {"cues": None}
    if given.model:
        # Without a threshold the ROC is measured and nothing is called a depiction.
        models["trained"] = TrainedRealness(given.model.read_bytes(), min(given.at_least, 1e9))
    result: dict[str, Any] = {
        "command": f"python benchmarks/realness.py {' '.join(sys.argv[1:])}",
        "machine": f"{os.cpu_count()}-core {platform.machine()}, Python {platform.python_version()}, busy",
        "detector": detector.name,
        "photographs": {"faces": len(photographs), "people_or_files": len({f.person for f in photographs})},
    }
    if wanted:
        result["depictions"] = {"faces": sum(map(len, depictions.values())), "kinds": len(depictions)}
    for name, model in models.items():
        part: dict[str, Any] = {} if model is None else {"weights": dict(model.weights)}
        if given.part != "apart":
            part["photographs_kept"] = kept(photographs, model)
        if wanted:
            part["told_apart"] = told_apart(photographs, depictions, model)
            if model is not None:
                part["may_ship"] = shipping(photographs, depictions, model)
        result[name] = part
    text = json.dumps(result, indent=1)
    if given.out:
        given.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
