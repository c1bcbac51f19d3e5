"""How well faces are found, told from no faces, and recognised, and what each stage costs. Numbers only.

    python benchmarks/faces.py ../shared/data/images --pack FOLDER [--only PART …] [--out benchmarks/results/faces.json]

The folder is that of benchmarks/images.py; FOLDER is a pinned insightface-style pack (`guardrail models pin FOLDER`).
YuNet is measured where its file is in the weights folder. Each part is written as soon as it is done, so that a run
that was stopped goes on with `--only`. Times are CPU times of one thread: they hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set
from PIL import Image, ImageFilter  # noqa: E402

from guardrail.checks.base import CheckSettings, SignalValues  # noqa: E402
from guardrail.checks.image.backend_choice import choose_backend  # noqa: E402
from guardrail.checks.image.backends.base import DetectedFace, Embedder, fit_long_side  # noqa: E402
from guardrail.checks.image.detection import GuardDetector  # noqa: E402
from guardrail.checks.image.identifiable import face_quality  # noqa: E402
from guardrail.errors import ConfigurationError  # noqa: E402
from guardrail.media import Request  # noqa: E402
from guardrail.media.read import read_image  # noqa: E402
from guardrail.media.types import Frame  # noqa: E402
from guardrail.signals import Stage  # noqa: E402

PARTS = ("found", "identity", "pairs", "cost")
WITH_PACK = "yunet and the pack's recogniser"
CROPS_EACH = 10
SCENES = ("coffee", "chelsea", "rocket", "hubble_deep_field", "retina", "immunohistochemistry", "brick", "grass")
SCENES += ("gravel", "coins", "text", "page", "clock", "moon", "cell")


class OnlyDetector:
    """OpenCV's own YuNet, which has no embedder at hand: SFace is not."""

    def __init__(self) -> None:
        from guardrail.checks.image.backends.yunet import OpenCVYuNet

        self.detector = GuardDetector(OpenCVYuNet())
        self.embedder: Embedder | None = None


class Both:
    def __init__(self, name: str, pack: str) -> None:
        self.settings = CheckSettings(face_backend=name, insightface_pack=pack)
        model, self.embedder = choose_backend(self.settings)
        self.detector = GuardDetector(model)


def backends(pack: str, wanted: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in wanted:
        try:
            # YuNet with the recogniser of the pack; without one, with dlib's.
            alone = name in ("embedded", "yunet")
            kind = "yunet" if name == WITH_PACK else name
            made[name] = OnlyDetector() if name == "opencv" else Both(kind, "" if alone else pack)
        except (ConfigurationError, ImportError) as error:
            print(f"{name}: not measured ({error})", file=sys.stderr)
    return made


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pixels(path: Path) -> Frame:
    return next(view for _, view in read_image(path).views())


def upper(n: int) -> float:
    """Upper end of the 95 % interval of a share of which `n` trials showed none (rule of three, exactly)."""
    return round(1 - 0.05 ** (1 / n), 5) if n else 1.0


def wilson(hits: int, n: int) -> dict[str, Any]:
    z, p = 1.96, hits / n
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((centre + s * spread) / (1 + z * z / n) for s in (-1, 1))
    return {"hits": hits, "of": n, "share": round(p, 4), "interval": [round(max(0, low), 4), round(min(1, high), 4)]}


# ---- found


def scenes(folder: Path) -> Iterator[tuple[str, Frame]]:
    """Pictures without a face: those at hand, and photographs and textures of scikit-image."""
    import skimage.data

    for r in rows(folder, "nofaces"):
        yield r["file"], pixels(folder / "nofaces" / r["file"])
    for name in SCENES:
        picture = getattr(skimage.data, name)()
        picture = picture.astype(np.uint8) * 255 if picture.dtype == bool else picture
        picture = np.stack([picture] * 3, -1) if picture.ndim == 2 else picture[..., :3]
        yield f"skimage {name}", np.ascontiguousarray(picture)


def crops(folder: Path) -> Iterator[tuple[str, Frame]]:
    """Ten squares of each picture without a face, with sides of 35 to 80 % of its short side; the same in every run."""
    rng = np.random.default_rng(5)
    for name, picture in scenes(folder):
        height, width = picture.shape[:2]
        for k in range(CROPS_EACH):
            side = int(rng.uniform(0.35, 0.8) * min(height, width))
            x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
            yield f"{name}#{k}", np.ascontiguousarray(picture[y : y + side, x : x + side])


def found(backend: Any, folder: Path) -> dict[str, Any]:
    out: dict[str, Any] = {}
    missed, counted = [], []
    of = rows(folder, "faces")
    for r in of:
        image = pixels(folder / "faces" / r["file"])
        faces = backend.detector.detect(image)
        if not any(face_quality(image, f).identifiable for f in faces):
            missed.append({"file": r["file"], "category": r["category"], "faces_not_identifiable": len(faces)})
        if r["n_faces"].isdigit() and int(r["n_faces"]) > 1:
            counted.append({"file": r["file"], "faces": int(r["n_faces"]), "found": len(faces)})
    out["faces"] = wilson(len(of) - len(missed), len(of)) | {"missed": missed, "groups": counted}
    for name, pictures in (
        ("nofaces", ((r["file"], pixels(folder / "nofaces" / r["file"])) for r in rows(folder, "nofaces"))),
        ("crops", crops(folder)),
    ):
        n, fired = 0, []
        for file, image in pictures:
            n += 1
            if faces := backend.detector.detect(image):
                fired.append({"file": file, "score": round(faces[0].score, 3)})
        out[name] = wilson(len(fired), n) | {"fired": fired}
    out["small"] = {str(s): wilson(*small_faces(backend.detector, folder, s)) for s in (20, 28, 40)}
    return out


def small_faces(detector: GuardDetector, folder: Path, side: int) -> tuple[int, int]:
    """How many faces of `side` pixels are found in pictures of 2048×1536 pixels: (found, of)."""
    background = Image.open(folder / "nofaces" / "kodim22.png").convert("RGB").resize((2048, 1536))
    of = [r for r in rows(folder, "faces") if r["category"] == "lfw"][::5]
    hits = 0
    for i, r in enumerate(of):
        photo = Image.open(folder / "faces" / r["file"]).convert("RGB")
        face = largest(detector.detect(np.asarray(photo)), np.asarray(photo))
        factor = side / math.sqrt(face.box[2] * face.box[3])
        small = photo.resize((round(photo.width * factor), round(photo.height * factor)), Image.Resampling.LANCZOS)
        picture, left, top = background.copy(), 100 + 177 * i, 80 + 137 * i
        picture.paste(small, (left, top))
        x = left + (face.box[0] + face.box[2] / 2) * factor
        y = top + (face.box[1] + face.box[3] / 2) * factor
        boxes = [f.box for f in detector.detect(np.asarray(picture))]
        hits += any(abs(b[0] + b[2] / 2 - x) < side / 2 and abs(b[1] + b[3] / 2 - y) < side / 2 for b in boxes)
    return hits, len(of)


# ---- identity


def largest(faces: list[DetectedFace], image: Frame) -> DetectedFace:
    """The face that the picture is of: large and near the middle."""
    middle = np.array(image.shape[1::-1]) / 2

    def weight(face: DetectedFace) -> float:
        x, y, w, h = face.box
        return w * h - 0.5 * float(np.sum((np.array([x + w / 2, y + h / 2]) - middle) ** 2))

    return max(faces, key=weight)


def people(folder: Path) -> list[dict[str, str]]:
    return [
        r
        for r in rows(folder, "faces")
        if r["identity"] and r["n_faces"] == "1" and r["category"] in ("lfw", "portrait")
    ]


def identity(backend: Any, folder: Path) -> dict[str, Any]:
    """50 random halves of the identities: the threshold is the least distance of different people in one half, read on
    the other."""
    vectors, names = [], []
    for r in people(folder):
        image = pixels(folder / "faces" / r["file"])
        if faces := backend.detector.detect(image):
            vectors.append(backend.embedder.embed(image, [largest(faces, image)])[0])
            names.append(r["identity"])
    distance = np.linalg.norm(np.array(vectors)[:, None] - np.array(vectors)[None], axis=-1)
    who = np.array(names)
    same, once = who[:, None] == who[None], np.triu(np.ones_like(distance, bool), 1)
    ids = sorted(set(names))
    rng = np.random.default_rng(0)
    tprs, false, thresholds, pairs = [], [], [], []
    for _ in range(50):
        half = set(rng.permutation(ids)[: len(ids) // 2])
        mine = np.array([n in half for n in names])
        fit, read = mine[:, None] & mine[None] & once, ~mine[:, None] & ~mine[None] & once
        if not (read & same).any() or not (fit & ~same).any():
            continue
        threshold = float(distance[fit & ~same].min())
        thresholds.append(threshold)
        tprs.append(float((distance[read & same] < threshold).mean()))
        false.append(int((distance[read & ~same] < threshold).sum()))
        pairs.append(int((read & ~same).sum()))
    scale = backend.embedder.scale
    mine, others = distance[same & once], distance[~same & once]
    return {
        "photographs": len(names),
        "people": len(ids),
        "splits": len(tprs),
        "tpr_mean": round(float(np.mean(tprs)), 4),
        "tpr_worst": round(float(np.min(tprs)), 4),
        "threshold_mean": round(float(np.mean(thresholds)), 4),
        "false_matches_read": {"mean": round(float(np.mean(false)), 2), "worst": max(false)},
        "different_pairs_in_a_half": int(np.median(pairs)),
        "upper_bound_of_false_matches_at_none": upper(int(np.median(pairs))),
        "all_pairs": {
            "same": len(mine),
            "different": len(others),
            "auc": round(float((mine[:, None] < others[None]).mean()), 6),
            "least_different": round(float(others.min()), 4),
            "tpr_below_it": round(float((mine < others.min()).mean()), 4),
        },
        "shipped": {
            name: {
                "distance": round(value, 4),
                "same": wilson(int((mine <= value).sum()), len(mine)),
                "different": wilson(int((others <= value).sum()), len(others)),
            }
            for name, value in (("same", scale.same), ("consent", scale.consent))
        },
    }


Change = Callable[[Any], Any]
SHAPES: tuple[Change, ...] = (
    lambda p: p,
    lambda p: p.transpose(0),
    lambda p: p.resize((max(1, p.width * 2 // 3), max(1, p.height * 2 // 3))),
    lambda p: p.rotate(8),
    lambda p: p.rotate(-8),
)
COLOURS: tuple[Change, ...] = (
    lambda p: p,
    lambda p: p.convert("L").convert("RGB"),
    lambda p: p.point(lambda v: int(v * 0.6)),
    lambda p: p.point(lambda v: min(255, int(v * 1.3))),
    lambda p: p.filter(ImageFilter.GaussianBlur(1.0)),
    lambda p: p.filter(ImageFilter.UnsharpMask(2.0)),
)


def pairs(backend: Any, folder: Path, least: int = 1_000_000) -> dict[str, Any]:
    """False matches among pairs of different people, over 30 variants of each of the few photographs at hand."""
    vectors, names = [], []
    for r in people(folder):
        photo = Image.open(folder / "faces" / r["file"]).convert("RGB")
        photo.thumbnail((640, 640))
        for shape in SHAPES:
            shaped = shape(photo)
            # Where the face is does not change with the colours.
            faces = backend.detector.detect(np.asarray(shaped))
            for colour in COLOURS if faces else ():
                image = np.asarray(colour(shaped))
                vectors.append(backend.embedder.embed(image, [largest(faces, image)])[0])
                names.append(r["identity"])
    v, who = np.array(vectors), np.array(names)
    different = np.triu(who[:, None] != who[None], 1)
    distance = np.sqrt(np.maximum(0, (v**2).sum(1)[:, None] + (v**2).sum(1)[None] - 2 * v @ v.T))[different]
    scale = backend.embedder.scale
    out: dict[str, Any] = {
        "what": "pairs over 30 variants (mirrored, reduced, tilted; grey, dark, light, soft, sharp) of each of the "
        "same few photographs: they are not independent, and say no more of other people than those photographs do",
        "vectors": len(names),
        "people": len(set(names)),
        "pairs": len(distance),
        "enough": len(distance) >= least,
    }
    for name, value in (("same", scale.same), ("consent", scale.consent)):
        false = int((distance <= value).sum())
        out[name] = {"distance": round(value, 4), "false": false, "rate": false / len(distance)}
    return out


# ---- cost


def cpu_ms(call: Callable[[], object], times: int = 5) -> float:
    call()
    taken = []
    for _ in range(times):
        begun = time.process_time()
        call()
        taken.append((time.process_time() - begun) * 1e3)
    return round(float(np.median(taken)), 1)


def cost(backend: Any) -> dict[str, Any]:
    """CPU milliseconds of one thread. 2048: the portrait enlarged (no detail to scan for) and a picture all detail."""
    import skimage.data

    from guardrail.checks.image.faces import FaceCheck
    from guardrail.checks.image.realness import judge_face
    from guardrail.gallery import GalleryIndex

    portrait = np.ascontiguousarray(skimage.data.astronaut())
    enlarged = np.asarray(Image.fromarray(portrait).resize((2048, 2048), Image.Resampling.BICUBIC))
    gravel = np.stack([np.tile(skimage.data.gravel(), (4, 4))] * 3, -1)
    detailed = np.ascontiguousarray(gravel)
    detailed[768:1280, 768:1280] = portrait
    model, detect = backend.detector.model, backend.detector.detect
    (face, *_) = detect(portrait)
    stages = {
        "512: first look": cpu_ms(lambda: model.candidates(fit_long_side(portrait, model.side)[0])),
        "512: detection": cpu_ms(lambda: detect(portrait)),
        "512 without a face: detection": cpu_ms(lambda: detect(np.ascontiguousarray(gravel[:512, :512]))),
        "512: quality": cpu_ms(lambda: face_quality(portrait, face)),
        "512: realness": cpu_ms(lambda: judge_face(portrait, face.box, None, face.landmarks)),
        "2048 enlarged: detection": cpu_ms(lambda: detect(enlarged), 3),
        "2048 all detail: detection": cpu_ms(lambda: detect(detailed), 3),
    }
    if backend.embedder is None:
        return {"ms": stages}
    stages["512: embedding"] = cpu_ms(lambda: backend.embedder.embed(portrait, [face]))
    index = GalleryIndex(
        backend.embedder.embed(portrait, [face]), np.zeros(1, np.intp), [("0" * 16, "protected", frozenset())]
    )
    gallery = type("OneIdentity", (), {"index": lambda self, embedder: index})()
    check = FaceCheck(replace(backend.settings, gallery=gallery))

    def asked(*pictures: Frame) -> object:
        (answer, *_) = check.check([Request(images=(read_image(p),)) for p in pictures], Stage.REFERENCE)
        assert isinstance(answer, SignalValues)
        return answer

    whole = {
        "512": cpu_ms(lambda: asked(portrait)),
        "2048 enlarged": cpu_ms(lambda: asked(enlarged), 3),
        "2048 all detail": cpu_ms(lambda: asked(detailed), 3),
        "512, each of 16": round(cpu_ms(lambda: asked(*[portrait] * 16), 1) / 16, 1),
    }
    return {"ms": stages, "whole check with a gallery, ms": whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pack", default="", help="folder of a pinned local insightface pack")
    parser.add_argument("--only", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--backends", nargs="*", default=["embedded", "yunet", "insightface", WITH_PACK, "opencv"])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/faces.json")
    given = parser.parse_args()
    pack = str(Path(given.pack).absolute()) if given.pack else ""
    result: dict[str, Any] = json.loads(given.out.read_text("utf-8")) if given.out.is_file() else {}
    result["machine"] = (
        f"{os.cpu_count()}-core {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    result["command"] = "python benchmarks/faces.py ../shared/data/images --pack FOLDER"
    made = backends(pack, given.backends)
    for part in (p for p in PARTS if p in given.only):
        for name, backend in made.items():
            if backend.embedder is None and part in ("identity", "pairs"):
                continue
            if part == "found" and name == WITH_PACK:
                continue  # its detector is that of `yunet`
            if part == "cost":
                value = cost(backend)
            else:
                value = {"found": found, "identity": identity, "pairs": pairs}[part](backend, given.folder)
            result.setdefault(name, {})[part] = value
            given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
            print(f"{part}, {name}: done", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
