"""What the image checks find and miss: faces, identities, drawings, nudity. Numbers only; no picture leaves the folder.

    python benchmarks/images.py ../shared/data/images [--pack FOLDER] [--out benchmarks/results/images]

The folder has `faces`, `nofaces`, `notreal` and `kodak`, with one csv a set. Nothing here measures the recall of
nudity: no such picture is kept (see docs/architecture.md). YuNet is measured where its file is in the weights folder.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set

from guardrail.checks.base import CheckSettings, SignalValues  # noqa: E402
from guardrail.checks.image.backends.base import DetectedFace  # noqa: E402
from guardrail.checks.image.faces import FaceCheck  # noqa: E402
from guardrail.checks.image.nudity import NudityCheck  # noqa: E402
from guardrail.checks.image.realness import FEW_COLOURS_SHARE, FLAT_SHARE, judge_face, realness_cues  # noqa: E402
from guardrail.errors import ConfigurationError  # noqa: E402
from guardrail.media import Request  # noqa: E402
from guardrail.media.read import read_image  # noqa: E402
from guardrail.media.types import Frame  # noqa: E402
from guardrail.signals import Stage  # noqa: E402

SETS = ("faces", "nofaces", "notreal")


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pixels(path: Path) -> Frame:
    return next(view for _, view in read_image(path).views())


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, p = 1.96, hits / n
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n))


def share(hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(hits, n)
    return {"hits": hits, "of": n, "share": round(hits / n, 4), "interval": [round(low, 4), round(high, 4)]}


def detection(check: FaceCheck, folder: Path) -> dict[str, Any]:
    """How many pictures of each set have at least one face to the detector."""
    found: dict[str, Any] = {}
    for name in SETS:
        of = rows(folder, name)
        seen = [bool(check.detector.detect(pixels(folder / name / r["file"]))) for r in of]
        found[name] = share(sum(seen), len(seen))
        if name == "faces":
            found["missed"] = sorted({r["category"] for r, s in zip(of, seen, strict=True) if not s})
    return found


def largest(faces: list[DetectedFace], image: Frame) -> DetectedFace:
    """The face that the picture is of: large and near the middle."""
    middle = np.array(image.shape[1::-1]) / 2

    def weight(face: DetectedFace) -> float:
        x, y, w, h = face.box
        return w * h - 0.5 * float(np.sum((np.array([x + w / 2, y + h / 2]) - middle) ** 2))

    return max(faces, key=weight)


def identity(check: FaceCheck, folder: Path) -> dict[str, Any]:
    """Pairs of single-person photographs: the same person or not, by distance."""
    of = [
        r
        for r in rows(folder, "faces")
        if r["identity"] and r["n_faces"] == "1" and r["category"] in ("lfw", "portrait")
    ]
    vectors, names = [], []
    for r in of:
        image = pixels(folder / "faces" / r["file"])
        if faces := check.detector.detect(image):
            vectors.append(check.embedder.embed(image, [largest(faces, image)])[0])
            names.append(r["identity"])
    pairs = [
        (names[i] == names[j], float(np.linalg.norm(vectors[i] - vectors[j])))
        for i, j in itertools.combinations(range(len(names)), 2)
    ]
    same = np.array([d for s, d in pairs if s])
    other = np.array([d for s, d in pairs if not s])
    scale = check.embedder.scale
    return {
        "people": len(set(names)),
        "photographs": len(names),
        "pairs_same": len(same),
        "pairs_other": len(other),
        "auc": round(float((same[:, None] < other[None]).mean()), 5),
        "protect": {
            "distance": round(scale.same, 3),
            "found": share(int((same <= scale.same).sum()), len(same)),
            "false": share(int((other <= scale.same).sum()), len(other)),
        },
        "consent": {
            "distance": round(scale.consent, 3),
            "found": share(int((same <= scale.consent).sum()), len(same)),
            "false": share(int((other <= scale.consent).sum()), len(other)),
        },
    }


def realness(check: FaceCheck, folder: Path) -> dict[str, Any]:
    """Photographed faces must never be called a depiction; how many depictions are recognised is a convenience."""
    out: dict[str, Any] = {"thresholds": {"flat": FLAT_SHARE, "few_colours": FEW_COLOURS_SHARE}}
    for name in ("faces", "notreal"):
        verdicts, flats, fews = [], [], []
        for r in rows(folder, name):
            image = pixels(folder / name / r["file"])
            for face in check.detector.detect(image):
                verdicts.append(judge_face(image, face.box, None, face.landmarks))
                x, y, w, h = (max(0, int(v)) for v in face.box)
                crop = image[y : y + h, x : x + w]
                if min(crop.shape[:2]) >= 24:
                    flat, few = realness_cues(crop)
                    flats.append(flat)
                    fews.append(few)
        out[name] = {
            "depiction": share(sum(v == "depiction" for v in verdicts), len(verdicts)),
            "flat_max": round(max(flats), 3),
            "few_colours_max": round(max(fews), 3),
        }
    return out


def nudity(folder: Path) -> dict[str, Any]:
    """False alarms on pictures without nudity, at the thresholds of the default policy."""
    check = NudityCheck()
    out: dict[str, Any] = {}
    for name in (*SETS, "kodak"):
        files = sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
        scores = []
        for file in files:
            (answer,) = check.check([Request(images=(read_image(file),))], Stage.REFERENCE)
            assert isinstance(answer, SignalValues)
            scores.append(float(answer.signals["reference.nudity"]))  # type: ignore[arg-type]
        out[name] = {f"at {t}": share(sum(s >= t for s in scores), len(scores)) for t in (0.35, 0.65)}
    return out


def backends(pack: str) -> dict[str, FaceCheck]:
    made = {}
    for name in ("embedded", "yunet", "insightface"):
        try:
            made[name] = FaceCheck(CheckSettings(face_backend=name, insightface_pack=pack, threads=os.cpu_count() or 1))
        except ConfigurationError as error:
            print(f"{name}: not measured ({error})", file=sys.stderr)
    return made


def markdown(result: dict[str, Any]) -> str:
    lines = ["# What the image checks find and miss", "", f"{result['machine']}. Made by `{result['command']}`.", ""]
    lines += [
        "| faces by | pictures with faces: found | missed kinds | without people: false alarm | artwork: face found |"
    ]
    lines += ["|---|---|---|---|---|"]
    for name, b in result["backends"].items():
        d = b["detection"]
        cells = [f"{d[s]['hits']} of {d[s]['of']}" for s in ("faces", "nofaces", "notreal")]
        lines.append(f"| {name} | {cells[0]} | {', '.join(d['missed']) or 'none'} | {cells[1]} | {cells[2]} |")
    lines += [
        "",
        "| identity by | AUC | at distance | same person found | other people matched |",
        "|---|---|---|---|---|",
    ]
    for name, b in result["backends"].items():
        i = b["identity"]
        for use in ("protect", "consent"):
            u = i[use]
            lines.append(
                f"| {name} | {i['auc']} | {use} {u['distance']} | {u['found']['hits']} of {u['found']['of']} "
                f"| {u['false']['hits']} of {u['false']['of']} |"
            )
    people = next(iter(result["backends"].values()))["identity"]
    lines += [
        "",
        f"{people['photographs']} photographs of {people['people']} people. Few people: the figures are rough.",
    ]
    lines += ["", "| faces called a depiction | photographs | artwork |", "|---|---|---|"]
    for name, b in result["backends"].items():
        r = b["realness"]
        cells = [f"{r[s]['depiction']['hits']} of {r[s]['depiction']['of']}" for s in ("faces", "notreal")]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    r = next(iter(result["backends"].values()))["realness"]
    lines += [
        "",
        f"Largest flat share of a photographed face {r['faces']['flat_max']} (a depiction needs {FLAT_SHARE}), "
        f"largest share of eight colours {r['faces']['few_colours_max']} (needs {FEW_COLOURS_SHARE}).",
        "",
        "| nudity: false alarms | at 0.35 | at 0.65 |",
        "|---|---|---|",
    ]
    for name, n in result["nudity"].items():
        cells = [
            f"{n[t]['hits']} of {n[t]['of']} (95 %: up to {n[t]['interval'][1]:.0%})" for t in ("at 0.35", "at 0.65")
        ]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    lines += ["", "Recall of nudity is not measured here: no such picture is kept or made.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pack", default="", help="folder of a local insightface pack")
    parser.add_argument("--out", type=Path, help="file stem for .json and .md")
    given = parser.parse_args()
    result: dict[str, Any] = {
        "machine": f"{os.cpu_count()}-core {platform.machine()}, Python {platform.python_version()}",
        "command": "python benchmarks/images.py ../shared/data/images",
        "backends": {},
    }
    for name, check in backends(given.pack).items():
        result["backends"][name] = {
            "detection": detection(check, given.folder),
            "identity": identity(check, given.folder),
            "realness": realness(check, given.folder),
        }
    result["nudity"] = nudity(given.folder)
    if given.out:
        given.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        given.out.with_suffix(".md").write_text(markdown(result), "utf-8")
    print(markdown(result))


if __name__ == "__main__":
    main()
