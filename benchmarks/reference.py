"""One reference image through every check of a guard: wall time, processor time, and the share of each check.

    python benchmarks/reference.py [--pack FOLDER] [--out benchmarks/results/reference.json]

The guard has a gallery with one person and a list with one known image, so that nothing is skipped; the request is
harmless words and one picture, already decoded. The pictures come out of scikit-image's wheel: a portrait (a face, so
that nudity is looked at twice and the face embedded), the portrait enlarged, and a street of texture without anybody.
YuNet is measured where its file is in the weights folder, a pack where its folder is given. Run it on an idle machine:
checks run side by side, so that the wall time of two cores is below the sum of the shares.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set

from guardrail import Guard  # noqa: E402
from guardrail.errors import ConfigurationError  # noqa: E402
from guardrail.media.types import Frame  # noqa: E402

WORDS = "a portrait by the sea, oil on canvas"
BATCH = 16


def pictures() -> dict[str, Frame]:
    import skimage.data
    from PIL import Image

    portrait = np.ascontiguousarray(skimage.data.astronaut())
    enlarged = np.asarray(Image.fromarray(portrait).resize((2048, 2048), Image.Resampling.BICUBIC))
    nobody = np.stack([skimage.data.gravel()] * 3, -1)
    return {"portrait, 512": portrait, "portrait, 2048": enlarged, "nobody, 512": np.ascontiguousarray(nobody)}


def measured(guard: Guard, picture: Frame, calls: int) -> dict[str, Any]:
    """Medians of `calls` calls, each with another pixel changed so that no cache can help."""
    changed: Iterator[Frame] = (_dotted(picture, i) for i in itertools.count())
    wall, cpu, shares = [], [], {}
    for number in range(calls + 1):
        given = next(changed)
        begun, used = time.perf_counter(), time.process_time()
        decision = guard.check_request(prompt=WORDS, images=[given])
        took = (time.perf_counter() - begun) * 1e3, (time.process_time() - used) * 1e3
        if number:  # the first call warms up
            wall.append(took[0])
            cpu.append(took[1])
            for name, ms in decision.timings_ms.items():
                shares.setdefault(name, []).append(ms)
    middles = {name: round(statistics.median(ms), 2) for name, ms in sorted(shares.items())}
    return {
        "wall_ms": round(statistics.median(wall), 1),
        "wall_ms_worst": round(max(wall), 1),
        "processor_ms": round(statistics.median(cpu), 1),
        "shares_ms": {name: ms for name, ms in middles.items() if ms > 0.1},
    }


def batched(guard: Guard, picture: Frame, runs: int) -> dict[str, float]:
    """One request with sixteen pictures, for each picture."""
    wall, cpu = [], []
    for run in range(runs):
        given = [_dotted(picture, run * BATCH + i) for i in range(BATCH)]
        begun, used = time.perf_counter(), time.process_time()
        guard.check_request(prompt=WORDS, images=given)
        wall.append((time.perf_counter() - begun) * 1e3 / BATCH)
        cpu.append((time.process_time() - used) * 1e3 / BATCH)
    return {"wall_ms": round(statistics.median(wall), 1), "processor_ms": round(statistics.median(cpu), 1)}


def _dotted(picture: Frame, number: int) -> Frame:
    given = picture.copy()
    given[number % 512, number // 512] ^= 1
    return given


def guards(pack: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "embedded", {"face_backend": "embedded"}
    yield "embedded, two threads a model", {"face_backend": "embedded", "threads": 2}
    yield "yunet", {"face_backend": "yunet"}
    if pack:
        yield "yunet and the pack's recogniser", {"face_backend": "yunet", "insightface_pack": pack}
        yield "insightface", {"face_backend": "insightface", "insightface_pack": pack}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pack", default="", help="folder of a pinned local insightface pack")
    parser.add_argument("--calls", type=int, default=11)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/reference.json")
    given = parser.parse_args()
    pack = str(Path(given.pack).absolute()) if given.pack else ""
    result: dict[str, Any] = {
        "machine": f"{os.cpu_count()}-core {platform.machine()}, Python {platform.python_version()}",
        "load before": round(os.getloadavg()[0], 1),
        "command": "python benchmarks/reference.py --pack FOLDER",
    }
    shown = pictures()
    for name, options in guards(pack):
        with tempfile.TemporaryDirectory() as folder:
            try:
                guard = _guard(Path(folder), shown["nobody, 512"], shown["portrait, 512"], options)
            except ConfigurationError as error:
                print(f"{name}: not measured ({error})", file=sys.stderr)
                continue
            with guard:
                result[name] = {what: measured(guard, picture, given.calls) for what, picture in shown.items()}
                result[name]["portrait, 512, each of 16"] = batched(guard, shown["portrait, 512"], 3)
        given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        print(f"{name}: {result[name]['portrait, 512']}", file=sys.stderr, flush=True)


def _guard(folder: Path, known: Frame, person: Frame, options: dict[str, Any]) -> Guard:
    from PIL import Image

    from guardrail.checks.image.faces import FaceCheck
    from guardrail.guard.enrol import enrol
    from guardrail.known import HashLists

    guard = Guard(gallery=folder / "gallery.sqlite", known=folder / "known", audit=None, **options)
    assert isinstance(guard.known, HashLists)
    guard.known.add("own", np.ascontiguousarray(np.rot90(known)))
    faces = next(c for c in guard._parts.judge.runner.checks if isinstance(c, FaceCheck))
    enrol(faces, guard.gallery, [Image.fromarray(person)], list="consented", attested_by="benchmark")
    return guard


if __name__ == "__main__":
    main()
