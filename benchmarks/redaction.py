"""What a redaction leaves of a face: rank-1 over a padded gallery and matches at the threshold, by method and strength.

    python benchmarks/redaction.py ../shared/data/images --models ../shared/models [--out benchmarks/results/redaction]

Probes are altered photographs, the gallery holds the other clean photographs of the same people and at least 1,000
distractors. An attack is given more than it would have: it aligns by the landmarks of the untouched face, and it also
tries every face that the detector still finds. Distractors are the vectors of faces of people who are no probes, as
they are and mirrored, and vectors drawn around them (see `distractor_vectors`). How far they lie from the probes is
stated beside how far different people lie from each other. Numbers only; no picture is written. What was measured
before and is not measured now stays in OUT: parts can be run one by one.

Chance is stated in three ways: what the best constant embedding would score (the share of the commonest person), what
guessing with the same answers in another order would score on average, and how often such a guess would do as well (one
in so many, 10,000 shuffles). A flat fill matches by chance too: what the other methods are to be compared with.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set
from numpy.typing import NDArray  # noqa: E402

from guardrail.actions.cover import METHODS, STRENGTHS, cover  # noqa: E402
from guardrail.checks.image.backends.align import align_112  # noqa: E402
from guardrail.checks.image.backends.base import DetectedFace, FaceDetector  # noqa: E402
from guardrail.checks.image.backends.dlib_embedding import DlibEmbedding  # noqa: E402
from guardrail.media.read import read_image  # noqa: E402
from guardrail.media.types import Frame  # noqa: E402
from guardrail.policy.simulation import Rate  # noqa: E402

Vectors = NDArray[np.float32]
DISTRACTORS = 1200
SHUFFLES = 10_000
FALSE_ACCEPT = 0.01


class Recogniser(Protocol):
    """An embedder of the attack: distances between its vectors are Euclidean."""

    name: str
    same: float
    licence: str

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> Vectors: ...


class Dlib:
    name, licence = "dlib-resnet-v1", "CC0-1.0"

    def __init__(self) -> None:
        self._inner = DlibEmbedding()
        self.same = float(self._inner.scale.same)

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> Vectors:
        return self._inner.embed(image, faces)


class MobileFaceNet:
    """The 112-pixel network of ../shared/models; unit vectors, so that distance² = 2 - 2 cos."""

    name, licence = "mobilefacenet-128d", "unknown: tests only"
    # cos 0.252, at a false match rate of 1 % on the test photographs (see the design notes on faces).
    same = float(np.sqrt(2 - 2 * 0.252))

    def __init__(self, path: Path) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> Vectors:
        found = []
        mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        for face in faces:
            crop = (align_112(image, face.landmarks) / 255.0 - mean) / deviation
            row = np.moveaxis(crop, -1, 0)[None].astype(np.float32)
            found.append(self._session.run(None, {self._input: row})[0][0])
        vectors = np.asarray(found, np.float32).reshape(len(faces), -1)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


class Probe:
    """One photograph of one person."""

    def __init__(self, image: Frame, face: DetectedFace, person: str) -> None:
        self.image, self.face, self.person = image, face, person


def detector_here() -> FaceDetector:
    """The one that a guard would use here."""
    from guardrail.checks.base import CheckSettings
    from guardrail.checks.image.faces import FaceCheck

    return FaceCheck(CheckSettings()).detector


def load(folder: Path, detector: FaceDetector) -> tuple[list[Probe], list[Probe]]:
    """Probes (people with two photographs or more) and everybody else."""
    with (folder / "faces.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    single = [r for r in rows if r["identity"] and r["n_faces"] == "1" and r["category"] in ("lfw", "portrait")]
    often = {name for name, n in Counter(r["identity"] for r in single).items() if n > 1}
    probes: list[Probe] = []
    others: list[Probe] = []
    for row in rows:
        image = next(view for _, view in read_image(folder / "faces" / row["file"]).views())
        faces = detector.detect(image)
        if row in single and row["identity"] in often:
            if faces:
                largest = max(faces, key=lambda f: f.box[2] * f.box[3] - _aside(f, image))
                probes.append(Probe(image, largest, row["identity"]))
        # A photograph that may show one of the probes again pads nothing; its name may be in the file's.
        elif not any(name.split("_")[-1].lower() in f"{row['file']} {row['identity']}".lower() for name in often):
            others += [Probe(image, f, "") for f in faces if min(f.box[2:]) >= 32]
    return probes, others


def thinned(probes: Sequence[Probe], every: int) -> list[Probe]:
    """Every so many-th photograph of each person, two at least: an attack compares with another one."""
    kept: list[Probe] = []
    for person in dict.fromkeys(p.person for p in probes):
        mine = [p for p in probes if p.person == person]
        kept += mine[::every] if len(mine) > every else mine[:2]
    return [p for p in kept if sum(q.person == p.person for q in kept) > 1]


def _aside(face: DetectedFace, image: Frame) -> float:
    x, y, w, h = face.box
    return 0.5 * float((x + w / 2 - image.shape[1] / 2) ** 2 + (y + h / 2 - image.shape[0] / 2) ** 2)


def distractor_vectors(recogniser: Recogniser, others: Sequence[Probe], typical: Vectors, count: int) -> Vectors:
    """(count, dimension): the faces of `others`, mirrored ones too, and vectors drawn from a normal distribution with
    their mean and covariance (a tenth of it moved to the diagonal: there are fewer faces than dimensions), brought to
    the length of real vectors."""
    real = [recogniser.embed(o.image, [o.face])[0] for o in others]
    for o in others:
        flipped = np.ascontiguousarray(o.image[:, ::-1])
        real.append(recogniser.embed(flipped, [_mirrored(o.face, o.image.shape[1])])[0])
    known = np.asarray(real, np.float64)[:count]
    covariance = np.cov(known.T)
    covariance = 0.9 * covariance + 0.1 * np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
    drawn = np.random.default_rng(5).multivariate_normal(known.mean(0), covariance, size=count - len(known))
    drawn *= np.linalg.norm(typical, axis=1).mean() / np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.concatenate([known, drawn]).astype(np.float32)


def _mirrored(face: DetectedFace, width: int) -> DetectedFace:
    x, y, w, h = face.box
    marks = face.landmarks[[1, 0, 2, 4, 3]] * np.array([-1, 1], np.float32) + np.array([width - 1, 0], np.float32)
    return DetectedFace((width - x - w, y, w, h), face.score, marks)


class Gallery:
    """Clean vectors of the probes, one a photograph, and the distractors."""

    def __init__(self, recogniser: Recogniser, probes: Sequence[Probe], others: Sequence[Probe], count: int) -> None:
        self.recogniser = recogniser
        self.clean = np.stack([recogniser.embed(p.image, [p.face])[0] for p in probes])
        self.people = np.array([p.person for p in probes])
        self.distractors = distractor_vectors(recogniser, others, self.clean, count)
        distances = np.linalg.norm(self.clean[:, None] - self.clean[None], axis=2)
        different = distances[self.people[:, None] != self.people[None]]
        self.measured_same = float(np.quantile(different, FALSE_ACCEPT))
        """Distance at which 1 % of the pairs of different probes match."""
        # The looser of the shipped one and of what is measured here: more must not match.
        self.same = max(recogniser.same, self.measured_same)
        padded = np.linalg.norm(self.clean[:, None] - self.distractors[None], axis=2)
        self.spread = {
            "different_people_p1_p50": [round(float(np.quantile(different, q)), 3) for q in (0.01, 0.5)],
            "to_distractors_p1_p50": [round(float(np.quantile(padded, q)), 3) for q in (0.01, 0.5)],
        }

    def attack(self, index: int, candidates: Vectors) -> tuple[str, Vectors]:
        """Whom the nearest gallery vector of any candidate belongs to (`""`: a distractor), and the distance to each
        other photograph of the right person."""
        others = np.delete(np.arange(len(self.people)), index)
        known = np.concatenate([self.clean[others], self.distractors])
        distances = np.linalg.norm(candidates[:, None] - known[None], axis=2)
        nearest = int(distances.min(0).argmin())
        named = str(self.people[others][nearest]) if nearest < len(others) else ""
        own = distances[:, : len(others)][:, self.people[others] == self.people[index]]
        return named, own.min(0)

    def read(self, probes: Sequence[Probe], altered: Sequence[Frame], detector: FaceDetector) -> dict[str, Any]:
        named, own, again = [], [], 0
        for i, (probe, image) in enumerate(zip(probes, altered, strict=True)):
            seen = [f for f in detector.detect(image) if _overlap(f.box, probe.face.box) > 0.2]
            again += bool(seen)
            who, distances = self.attack(i, self.recogniser.embed(image, [probe.face, *seen]))
            named.append(who)
            own.append(distances)
        guessed = np.array(named)
        hits = int((guessed == self.people).sum())
        n = len(probes)
        shuffle = np.random.default_rng(7)
        chances = np.array([(shuffle.permutation(guessed) == self.people).sum() for _ in range(SHUFFLES)])
        low, high = Rate(hits, n).interval
        commonest = max(Counter(self.people.tolist()).values()) / n
        nearest = np.array([distances.min() for distances in own])
        pairs = np.concatenate(own)
        return {
            "probes": n,
            "rank1": round(hits / n, 4),
            "rank1_interval": [round(low, 4), round(high, 4)],
            "best_constant": round(commonest, 4),
            "by_shuffled_answers": round(float(chances.mean()) / n, 4),
            "p_of_guessing_as_well": round(float((chances >= hits).mean()), 4),
            "verification_matches": int((nearest <= self.same).sum()),
            "verification_matches_of_pairs": [int((pairs <= self.same).sum()), len(pairs)],
            "nearest_own_distance": round(float(nearest.min()), 3),
            "still_detected": again,
            "answered_with_a_distractor": int((guessed == "").sum()),
        }


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inner = max(0.0, width) * max(0.0, height)
    return inner / (a[2] * a[3] + b[2] * b[3] - inner + 1e-9)


def eye_bar(image: Frame, face: DetectedFace) -> Frame:
    """What people ask for and the policy loader refuses: a black bar over both eyes."""
    from PIL import Image, ImageDraw

    eyes = face.landmarks[:2].astype(float)
    across = eyes[1] - eyes[0]
    picture = Image.fromarray(image.copy())
    start, end = eyes[0] - 0.5 * across, eyes[1] + 0.5 * across
    ImageDraw.Draw(picture).line([*start, *end], fill=(0, 0, 0), width=max(2, round(0.5 * float(np.hypot(*across)))))
    return np.asarray(picture)


def by_the_guard(probes: Sequence[Probe], method: str) -> tuple[list[Frame], list[str], Counter[str]]:
    """Each probe through a guard that covers every face, stronger until it holds; and how strong it became."""
    from guardrail import Guard

    rules = (
        "policy: {id: bench-redaction, version: 1.0.0}\nrules: [{id: cover, at: reference, "
        f"when: {{reference.faces: {{any: {{real: '>= 0'}}}}}}, then: {{{method}: {{target: faces}}}}}}]\n"
    )
    frames: list[Frame] = []
    strengths: Counter[str] = Counter()
    blocked: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench-redaction.yaml"
        path.write_text(rules, "utf-8")
        with Guard(path, audit=None, gallery=None) as guard:
            for probe in probes:
                decision = guard.check_image(probe.image)
                done = [a for a in decision.alterations if a.status == "applied"]
                if decision.blocked or not done:
                    blocked.append(decision.reasons[-1].describe() if decision.reasons else "nothing was covered")
                    # Nothing of a blocked picture is released: a grey one stands for it.
                    frames.append(np.full_like(probe.image, 127))
                    strengths["blocked"] += 1
                else:
                    frames.append(np.ascontiguousarray(done[-1].pixels[0][..., :3]))
                    strengths[done[-1].detail.split(", ")[-1]] += 1
    return frames, blocked, strengths


def measure(given: argparse.Namespace) -> dict[str, Any]:
    detector = detector_here()
    probes, others = load(given.folder, detector)
    probes = thinned(probes, given.every)
    recognisers: list[Recogniser] = [Dlib()] if "dlib" in given.recognisers else []
    if "mobilefacenet" in given.recognisers:
        recognisers.append(MobileFaceNet(given.models / "mobilefacenet_128d.onnx"))
    galleries = [Gallery(r, probes, others, given.distractors) for r in recognisers]
    found: dict[str, Any] = {
        "detector": detector.name,
        "people": len({p.person for p in probes}),
        "distractors": {"count": given.distractors, "real_faces_among_them": 2 * len(others)},
        "recognisers": {
            g.recogniser.name: {
                "licence": g.recogniser.licence,
                "threshold_distance": round(g.same, 4),
                "threshold_measured_here": round(g.measured_same, 4),
                "threshold_shipped": round(g.recogniser.same, 4),
                "distances": g.spread,
            }
            for g in galleries
        },
    }
    if "curves" in given.parts:
        found["curves"] = {
            name: {g.recogniser.name: g.read(probes, frames, detector) for g in galleries}
            for name, frames in steps(probes).items()
        }
    if "guard" in given.parts:
        found["as_the_guard_does_it"] = {}
        for method in METHODS:
            frames, blocked, strengths = by_the_guard(probes, method)
            found["as_the_guard_does_it"][method] = {
                "strengths": dict(sorted(strengths.items())),
                "blocked_because": dict(Counter(blocked)),
                **{g.recogniser.name: g.read(probes, frames, detector) for g in galleries},
            }
    return found


def steps(probes: Sequence[Probe]) -> dict[str, list[Frame]]:
    """Every way of altering → the altered photographs."""
    out: dict[str, list[Frame]] = {"untouched": [p.image for p in probes]}
    out["eye bar (refused)"] = [eye_bar(p.image, p.face) for p in probes]
    for method in METHODS:
        # The strongest of every method is the flat fill.
        for strength in range(1 if method == "fill" else STRENGTHS - 1):
            out[f"{method} {strength + 1}"] = [
                cover(p.image, [p.face.box], method, strength, [p.face.landmarks]) for p in probes
            ]
    return out


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = dict(old)
    for key, value in new.items():
        both[key] = merged(old[key], value) if isinstance(value, dict) and isinstance(old.get(key), dict) else value
    return both


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="the folder with mobilefacenet_128d.onnx")
    parser.add_argument("--distractors", type=int, default=DISTRACTORS)
    parser.add_argument("--every", type=int, default=1, help="every so many-th probe only")
    parser.add_argument("--recognisers", nargs="+", default=["mobilefacenet", "dlib"])
    parser.add_argument("--parts", nargs="+", default=["curves", "guard"])
    parser.add_argument("--out", type=Path, help="writes OUT.json")
    given = parser.parse_args()
    begun = time.perf_counter()
    found = measure(given)
    found |= {
        "command": f"python benchmarks/redaction.py {given.folder} --models {given.models}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "seconds": round(time.perf_counter() - begun),
    }
    if given.out:
        path = given.out.with_suffix(".json")
        old = json.loads(path.read_text("utf-8")) if path.exists() else {}
        path.write_text(json.dumps(merged(old, found), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
