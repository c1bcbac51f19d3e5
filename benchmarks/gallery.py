"""How large a gallery may be: opening, searching, adding and memory with a million vectors, and kills in mid-write.

    python benchmarks/gallery.py                     # writes benchmarks/results/gallery.json; some ten minutes
    python benchmarks/gallery.py --vectors 100000 --kills 10 --out /tmp/gallery.json

The vectors are synthetic: 128 numbers, a common middle, and a spectrum that falls so that distances of unrelated ones
have the middle and the spread that were measured with dlib's ResNet (0.80 ± 0.077), two vectors a person. A probe of
somebody enrolled is one of the vectors and a step of 0.43 ± 0.075, the distances of two pictures of one person there.
Another gallery has vectors spread evenly over the sphere, which nothing real is, and which is the hardest to search.
Building, opening and searching each run in a process of their own; memory is the peak of the searching one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guardrail.gallery import Entry, Gallery

KEY: dict[str, Any] = {"key": b"b" * 32, "key_id": "bench"}
DIMENSION, PICTURES = 128, 2
PROBES, EXACT_PROBES, ANSWERS = 2000, 1000, 100
CHUNK = 20_000


@dataclass(frozen=True)
class DlibScale:
    """dlib's thresholds, and the rates that were measured on 6,909 pairs of different people."""

    same: float = 0.64
    consent: float = 0.55
    margin: float = 0.05
    far: float = 1.1
    rates: tuple[tuple[float, float], ...] = ((1.45e-4, 0.532), (1e-3, 0.596), (1e-2, 0.639), (5e-2, 0.672))

    def score(self, distance: float) -> float:
        if distance <= self.same:
            return 1.0 - 0.5 * distance / self.same
        return max(0.0, 0.5 * (self.far - distance) / (self.far - self.same))


def directions(geometry: str) -> Any:
    """Standard deviation along each axis; unrelated vectors are 0.80 apart."""
    spread = np.ones(DIMENSION) if geometry == "sphere" else np.arange(1, DIMENSION + 1) ** -0.38
    return (0.8 * spread / np.sqrt(2 * (spread**2).sum())).astype(np.float32)


def draw(rng: np.random.Generator, count: int, geometry: str) -> Any:
    vectors = rng.standard_normal((count, DIMENSION), np.float32) * directions(geometry)
    vectors[:, 0] += 0.82
    return vectors


def build(path: Path, total: int, geometry: str) -> dict[str, Any]:
    gallery, rng = Gallery(path, **KEY), np.random.default_rng(1)
    built = Timed()
    for start in range(0, total // PICTURES, CHUNK):
        people = min(CHUNK, total // PICTURES - start)
        first = draw(rng, people, geometry)
        second = first + 0.3 * (draw(rng, people, geometry) - draw(rng, people, geometry))
        pairs = np.stack([first, second], axis=1)
        lists: Any = ("protected", "consented")
        with built:
            gallery.enrol_many([Entry(pair, lists[n % 2]) for n, pair in enumerate(pairs)], embedder="bench")
    return {"enrol_all_s": built.seconds(), "file_mb": round(gallery.statistics().bytes / 1e6, 1)}


def search(path: Path, geometry: str) -> dict[str, Any]:
    before = peak_mb()
    opened, read, asked = Timed(), Timed(), Timed()
    with opened:
        gallery = Gallery(path, **KEY)
    with read:
        index = gallery.index("bench")
    scale, rng = DlibScale(), np.random.default_rng(2)
    rows = rng.integers(0, len(index.main), PROBES)
    steps = draw(rng, PROBES, geometry) - draw(rng, PROBES, geometry)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    genuine = (index.main[rows] + steps * rng.normal(0.43, 0.075, (PROBES, 1)).clip(0.1)).astype(np.float32)
    strangers = draw(rng, PROBES, geometry)
    index.match(genuine[0], scale)
    found: dict[str, Any] = {
        "open_and_verify_s": opened.seconds(),
        "read_s": read.seconds(),
        "identities": len(index),
        "exact": index.exact,
        "protect_threshold": round(index.thresholds(scale).protect, 3),
        "consent_threshold": round(index.thresholds(scale).consent, 3),
        "expected_false_matches_per_search": round(index.thresholds(scale).expected, 1),
    }
    kinds = {"enrolled": genuine, "strangers": strangers}
    answers: dict[str, list[Any]] = {name: [] for name in kinds}
    for name, probes in kinds.items():
        searched = Timed()
        for probe in probes:
            with searched:
                answers[name].append(index.match(probe, scale))
        found[f"search_{name}_ms"] = searched.milliseconds()
    for probe in genuine[:500]:
        with asked:
            gallery.index("bench").match(probe, scale)
    found["ask_the_store_ms"] = asked.milliseconds()
    found["peak_mb"], found["before_mb"] = round(peak_mb()), round(before)
    for name, probes in kinds.items():
        found[f"recall_{name}"] = recall(index, probes[:EXACT_PROBES], answers[name], scale)
    return found


def recall(index: Any, probes: Any, answers: list[Any], scale: Any) -> dict[str, Any]:
    """Against a comparison with every vector."""
    reach = index.thresholds(scale).reach
    rows, distances = nearest_rows(index.main, probes)
    hits = np.zeros(len(probes), np.bool_)
    for number, (probe, row) in enumerate(zip(probes, rows, strict=True)):
        people, nearest = index._nearest(probe, reach)
        hits[number] = people[nearest.argmin()] == index.owners[row]
    exact = dataclasses.replace(index, finder=None)
    same = blocks = 0
    for probe, answer in zip(probes[:ANSWERS], answers, strict=False):
        right = exact.match(probe, scale)
        same += (right.gallery, right.consent) == (answer.gallery, answer.consent)
        blocks += right.gallery == "protected" != answer.gallery
    within = distances <= reach
    return {
        "probes": len(probes),
        "at_1": round(float(hits.mean()), 4),
        "within_the_threshold": int(within.sum()),
        "at_1_within_the_threshold": round(float(hits[within].mean()), 4) if within.any() else None,
        "answers_compared": ANSWERS,
        "same_list_and_consent": round(same / ANSWERS, 4),
        "protected_and_missed": blocks,
    }


def nearest_rows(vectors: Any, probes: Any) -> tuple[Any, Any]:
    """The nearest row to each probe, and how far it is."""
    best, rows = np.full(len(probes), np.inf), np.zeros(len(probes), np.intp)
    for start in range(0, len(vectors), CHUNK):
        part = vectors[start : start + CHUNK]
        squares = np.einsum("ij,ij->i", part, part) - 2 * (probes @ part.T)
        at = squares.argmin(axis=1)
        least = squares[np.arange(len(probes)), at]
        rows = np.where(least < best, start + at, rows)
        best = np.minimum(best, least)
    return rows, np.linalg.norm(vectors[rows] - probes, axis=1)


def add(path: Path, geometry: str) -> dict[str, Any]:
    gallery, rng = Gallery(path, **KEY), np.random.default_rng(3)
    gallery.index("bench")
    entries = [Entry(vector[None], "protected") for vector in draw(rng, 1000, geometry)]
    together, again, single, revoked = Timed(), Timed(), Timed(), Timed()
    with together:
        gallery.enrol_many(entries, embedder="bench")
    with again:
        gallery.index("bench")
    for vector in draw(rng, 20, geometry):
        with single:
            one = gallery.enrol(vector[None], embedder="bench", list="protected")
    with revoked:
        gallery.revoke(one.id)
    return {
        "add_1000_s": together.seconds(),
        "read_again_after_it_s": again.seconds(),
        "add_one_ms": single.milliseconds(),
        "revoke_one_s": revoked.seconds(),
        "peak_mb": round(peak_mb()),
    }


WRITER = """
import sys
from pathlib import Path
import numpy as np
from guardrail.gallery import Gallery
gallery = Gallery(Path(sys.argv[1]), key=b"b" * 32, key_id="bench")
rng = np.random.default_rng(int(sys.argv[2]))
print("ready", flush=True)
while True:
    vectors = rng.normal(size=(3, 128)).astype(np.float32)
    print(gallery.enrol(vectors, embedder="bench", list="protected").id, flush=True)
"""


def kill(path: Path, count: int) -> dict[str, Any]:
    """Kill a process that enrols without a pause, again and again; who was acknowledged must be there."""
    rng = np.random.default_rng(4)
    acknowledged: list[str] = []
    for number in range(count):
        command = [sys.executable, "-c", WRITER, str(path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.0, 0.25))
            process.kill()
            acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    gallery = Gallery(path, **KEY)
    there = {identity.id for identity in gallery.identities()}
    lost = [name for name in acknowledged if name not in there]
    return {"kills": count, "acknowledged": len(acknowledged), "lost": len(lost), "kept": len(there)}


class Timed:
    """Wall and processor time of many short pieces: on a busy machine the two say different things."""

    def __init__(self) -> None:
        self._wall: list[float] = []
        self._processor: list[float] = []

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self._wall.append(time.perf_counter() - self._began[0])
        self._processor.append(time.process_time() - self._began[1])

    def milliseconds(self) -> dict[str, Any]:
        return {
            name: {f"p{q}": round(float(np.percentile(times, q)) * 1000, 2) for q in (50, 95, 99)}
            for name, times in (("wall", self._wall), ("processor", self._processor))
        }

    def seconds(self) -> dict[str, float]:
        return {"wall": round(sum(self._wall), 2), "processor": round(sum(self._processor), 2)}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stage(*words: object) -> dict[str, Any]:
    command = [sys.executable, __file__, "--stage", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    print(words[0], found, file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--geometry", nargs="+", default=["faces", "sphere"])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "gallery.json")
    parser.add_argument("--folder", type=Path, help="where the galleries are written; a temporary one by default")
    parser.add_argument("--stage", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        verb, path, *rest = options.stage
        stages = {
            "build": lambda: build(Path(path), int(rest[0]), rest[1]),
            "search": lambda: search(Path(path), rest[0]),
            "add": lambda: add(Path(path), rest[0]),
            "kill": lambda: kill(Path(path), int(rest[0])),
        }
        print(json.dumps(stages[verb]()))
        return
    import cryptography
    import faiss

    report: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "load_before": [round(n, 1) for n in os.getloadavg()],
        "versions": {"numpy": np.__version__, "faiss": faiss.__version__, "cryptography": cryptography.__version__},
        "command": "python benchmarks/gallery.py",
        "vectors": options.vectors,
    }
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for geometry in options.geometry:
            path = Path(folder) / f"{geometry}-{secrets.token_hex(2)}.sqlite"
            report[geometry] = {
                **stage("build", path, options.vectors, geometry),
                "search": stage("search", path, geometry),
                "add": stage("add", path, geometry),
            }
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()
        report["kill"] = stage("kill", Path(folder) / "kill.sqlite", options.kills)
    report["load_after"] = [round(n, 1) for n in os.getloadavg()]
    options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
