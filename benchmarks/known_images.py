"""Known images: PDQ against the reference, search in a million hashes, what changed pictures are still found.

    python benchmarks/known_images.py ../shared/data/images [--out benchmarks/results/known-images.json]

Pictures come from the folder and from scikit-image; none leaves them. `pdqhash` is compared with where it is installed
(pip install pdqhash; a source build). Times are wall clock and CPU: on a busy machine only the second says something.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# One thread: what a guard's check runs on.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set
from PIL import Image, ImageEnhance, ImageFilter, ImageOps  # noqa: E402

from guardrail.keys import Keyring  # noqa: E402
from guardrail.known import HashLists, Probe  # noqa: E402
from guardrail.known.file import PDQ, Rows  # noqa: E402
from guardrail.known.index import LARGEST_DISTANCE, HashIndex  # noqa: E402
from guardrail.known.loaded import Loaded  # noqa: E402
from guardrail.media.pdq import USABLE_QUALITY, pdq  # noqa: E402

MILLION = 1_000_000
COPIES = ("ag_", "cn_", "fr_", "insp_", "lp_", "ns_", "st_", "vt_")
FROM_SKIMAGE = (
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "camera.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "ihc.png",
)
FROM_SKIMAGE += ("retina.jpg", "motorcycle_left.png", "brick.png", "grass.png", "gravel.png", "moon.png")


@dataclass
class Picture:
    """`group`: pictures of one group may show the same."""

    image: Image.Image
    group: str


def pictures(folder: Path) -> list[Picture]:
    """The folder's, scikit-image's, and quarters of the Kodak and the BSDS pictures."""
    found: list[Picture] = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".jpg", ".png", ".jpeg", ".webp")):
        # Test pictures of other projects hold copies of each other; those of scikit-image come twice.
        group = (
            path.stem.split("_")[0]
            if path.stem.startswith(COPIES)
            else path.stem.removeprefix("ski_").removeprefix("kodim")
        )
        image = Image.open(path).convert("RGB")
        image.thumbnail((1024, 1024))
        found.append(Picture(image, group))
        if path.parent.name == "kodak" or path.stem.startswith("bsds"):
            w, h = image.size
            for left, top in itertools.product((0, w - int(w * 0.45)), (0, h - int(h * 0.45))):
                found.append(Picture(image.crop((left, top, left + int(w * 0.45), top + int(h * 0.45))), group))
    import skimage

    data = Path(skimage.__file__).parent / "data"
    found += [Picture(Image.open(data / name).convert("RGB"), Path(name).stem) for name in FROM_SKIMAGE]
    return found


def array(image: Image.Image) -> Any:
    return np.ascontiguousarray(np.asarray(image.convert("RGB")))


# ---- changes


def jpeg(image: Image.Image, quality: int = 30) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def cut(image: Image.Image, share: float = 0.05) -> Image.Image:
    w, h = image.size
    return image.crop((round(w * share), round(h * share), w - round(w * share), h - round(h * share)))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 30": jpeg,
    "half size": lambda i: i.resize((max(1, i.width // 2), max(1, i.height // 2)), Image.Resampling.LANCZOS),
    "blur 2 px": lambda i: i.filter(ImageFilter.GaussianBlur(2)),
    "30 % lighter": lambda i: ImageEnhance.Brightness(i).enhance(1.3),
    "30 % darker": lambda i: ImageEnhance.Brightness(i).enhance(0.7),
    "grey": lambda i: ImageOps.grayscale(i).convert("RGB"),
    "mirrored": ImageOps.mirror,
}
CUTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "cut by 5 % a side": cut,
    "cut by 5 % a side, mirrored, JPEG 50": lambda i: jpeg(ImageOps.mirror(cut(i)), 50),
    "turned by 3°, black corners": lambda i: i.rotate(3, Image.Resampling.BICUBIC),
    "turned by -3°, grown": lambda i: i.rotate(-3, Image.Resampling.BICUBIC, expand=True, fillcolor=(255, 255, 255)),
    "turned by 3°, then cut by 5 % a side": lambda i: cut(i.rotate(3, Image.Resampling.BICUBIC)),
    "cut by 7 % at the bottom": lambda i: i.crop((0, 0, i.width, i.height - round(i.height * 0.07))),
}


# ---- measuring


def augmented(found: Sequence[Picture], count: int) -> Iterator[Image.Image]:
    """`count` pictures: as they are, then in turn mirrored, cut, turned, compressed."""
    changes = [lambda i: i, *CHANGES.values(), *CUTS.values()]
    yield from itertools.islice((change(p.image) for change in changes for p in found), count)


def agreement(found: Sequence[Picture], count: int) -> dict[str, Any]:
    """Distance from pdqhash, given the same picture of at most 512 pixels a side, and the whole one."""
    try:
        import pdqhash
    except ImportError:
        return {"pdqhash": "not installed"}
    same: list[int] = []
    whole: list[int] = []
    quality: list[int] = []
    for number, image in enumerate(augmented(found, count)):
        ours, our_quality = pdq(array(image))
        small = image.resize((min(image.width, 512), min(image.height, 512)), Image.Resampling.BOX)
        vector, their_quality = pdqhash.compute(array(small))
        same.append(bits_apart(ours[0], np.packbits(vector)))
        quality.append(abs(our_quality - their_quality))
        if number < len(found):
            whole.append(bits_apart(ours[0], np.packbits(pdqhash.compute(array(image))[0])))
    return {
        "pictures": len(same),
        "same picture of at most 512 px": {"most": max(same), "mean": round(float(np.mean(same)), 2)},
        "pdqhash given the whole picture": {
            "pictures": len(whole),
            "most": max(whole),
            "mean": round(float(np.mean(whole)), 2),
            "within 10": round(float(np.mean(np.array(whole) <= 10)), 4),
        },
        "quality, most apart": max(quality),
    }


def bits_apart(a: Any, b: Any) -> int:
    return int(np.unpackbits(a ^ b).sum())


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU time of this thread, ms."""
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - wall) * 1e3, (time.thread_time() - cpu) * 1e3


def spread(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = np.array(times).T
    return {
        "wall p50": round(float(np.median(wall)), 2),
        "wall p99": round(float(np.percentile(wall, 99)), 2),
        "cpu p50": round(float(np.median(cpu)), 2),
        "cpu p99": round(float(np.percentile(cpu, 99)), 2),
    }


def searching(rng: np.random.Generator) -> dict[str, Any]:
    """A million hashes, and queries some bits away from one of them: times, and the same answers as comparing all."""
    hashes = rng.integers(0, 256, (MILLION, 32), dtype=np.uint8)
    begun = time.perf_counter()
    index = HashIndex(hashes, np.full(MILLION, LARGEST_DISTANCE, np.uint8))
    built = time.perf_counter() - begun
    times: list[tuple[float, float]] = []
    wrong = 0
    for number in range(500):
        query = np.unpackbits(hashes[number])
        query[rng.choice(256, int(rng.integers(0, 48)), replace=False)] ^= 1
        packed = np.packbits(query)
        times.append(timed(lambda packed=packed: index.search(packed[None])))  # type: ignore[misc]
        if number % 5 == 0:
            apart = np.bitwise_count(hashes ^ packed).sum(1, dtype=np.int64)
            wrong += index.search(packed[None])[0].tolist() != np.nonzero(apart <= LARGEST_DISTANCE)[0].tolist()
    return {"hashes": MILLION, "build_s": round(built, 2), "ms a query": spread(times), "wrong answers of 100": wrong}


def lists_of(folder: Path, frames: Sequence[Any], *, whole: bool) -> tuple[HashLists, list[int]]:
    """One list a picture, with its hash alone (as imported) or all that `known add` keeps; and the usable ones."""
    lists = HashLists(folder, Keyring([bytes(32)], source="benchmark"))
    usable = []
    for i, frame in enumerate(frames):
        hashes, quality = pdq(frame)
        if quality < USABLE_QUALITY:
            continue
        usable.append(i)
        if whole:
            lists.add(f"p{i}", frame)
        else:
            one = np.array([LARGEST_DISTANCE], np.uint8)
            lists.extend(f"p{i}", Rows(hashes[:1], np.full(1, PDQ, np.uint8), one, np.zeros(1, np.uint32), ("",)))
    return lists, usable


def recovery(
    found: Sequence[Picture], work: Path, changes: Mapping[str, Callable[[Image.Image], Image.Image]]
) -> dict[str, Any]:
    """The share of changed pictures that are found, on lists of hashes alone and on lists made of the pictures."""
    frames = [array(p.image) for p in found]
    kinds = {"imported hashes": False, "added pictures": True}
    made = {kind: lists_of(Path(tempfile.mkdtemp(dir=work)), frames, whole=whole) for kind, whole in kinds.items()}
    usable = made["imported hashes"][1]
    result: dict[str, Any] = {"pictures": len(usable), "too plain, left out": len(found) - len(usable)}
    false: dict[str, int] = dict.fromkeys(kinds, 0)
    for name, change in changes.items():
        hits: dict[str, int] = dict.fromkeys(kinds, 0)
        plain = 0
        for i in usable:
            probe = Probe.of(array(change(found[i].image)))
            plain += not probe.usable
            for kind, (lists, _) in made.items():
                answers = {hit.list for hit in lists.search(probe)}
                hits[kind] += f"p{i}" in answers
                false[kind] += sum(found[int(a[1:])].group != found[i].group for a in answers)
        result[name] = {kind: round(n / len(usable), 4) for kind, n in hits.items()} | {"too plain when changed": plain}
        print(name, result[name], flush=True)
    result["matches with a picture of something else"] = false
    return result


def unrelated(found: Sequence[Picture], work: Path) -> dict[str, Any]:
    """Pairs of different pictures: by their hashes, and by everything that a search tries."""
    frames = [array(p.image) for p in found]
    hashed = [pdq(frame) for frame in frames]
    usable = [i for i, (_, quality) in enumerate(hashed) if quality >= USABLE_QUALITY]
    apart = [
        int(np.bitwise_count(hashed[a][0] ^ hashed[b][0][0]).sum(1, dtype=np.int64).min())
        for a, b in itertools.combinations(usable, 2)
        if found[a].group != found[b].group
    ]
    # Half of them are listed, the other half is looked up.
    listed, asked = list(range(0, len(found), 2)), list(range(1, len(found), 2))
    lists, _ = lists_of(work / "half", [frames[i] for i in listed], whole=True)
    false = 0
    for i in asked:
        answers = {found[listed[int(hit.list[1:])]].group for hit in lists.search(Probe.of(frames[i]))}
        false += bool(answers - {found[i].group})
    return {
        "pairs": len(apart),
        "nearest pair, bits apart": min(apart),
        "pairs within 31": sum(a <= LARGEST_DISTANCE for a in apart),
        "looked up, cut and turned versions too": len(asked),
        "of them matched with something else": false,
    }


def looking_up(found: Sequence[Picture], rng: np.random.Generator) -> dict[str, Any]:
    """Hashing an unknown picture and looking it up among a million, cut and turned versions too."""
    hashes = rng.integers(0, 256, (MILLION, 32), dtype=np.uint8)
    limits = np.full(MILLION, LARGEST_DISTANCE, np.uint8)
    rows = Rows(hashes, np.full(MILLION, PDQ, np.uint8), limits, np.zeros(MILLION, np.uint32), ("",))
    loaded = Loaded({"million": rows})
    frames = [array(p.image.resize((512, 512))) for p in found[::6]]
    false: list[int] = []
    times = [timed(lambda f=f: false.append(len(loaded.search(Probe.of(f))))) for f in frames]  # type: ignore[misc]
    return {"pictures of 512 px": len(frames), "false matches": sum(false), "ms": spread(times[3:])}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--agreement", type=int, default=1000, help="pictures compared with pdqhash")
    parser.add_argument("--every", type=int, default=2, help="of the cut and turned pictures, only every nth")
    parser.add_argument("--only", action="append", help="a part of the result; may be given several times")
    given = parser.parse_args()
    # What was measured before stays: parts can be run one at a time.
    before = json.loads(given.out.read_text("utf-8")) if given.only and given.out and given.out.exists() else {}
    rng = np.random.default_rng(20_261_127)
    found = pictures(given.folder)
    result: dict[str, Any] = {
        "machine": f"{os.cpu_count()}-core {platform.machine()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.0f}",
        "command": shlex.join(["python", *sys.argv]),
        "pictures": len(found),
    }
    result = before | result
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts: dict[str, Callable[[], Any]] = {
            "search": lambda: searching(rng),
            "unrelated": lambda: unrelated(found, work),
            "changed pictures": lambda: recovery(found, work, CHANGES),
            # These take ten times as long.
            "cut and turned pictures": lambda: recovery(found[:: given.every], work, CUTS),
            "looking up": lambda: looking_up(found, rng),
            "agreement with pdqhash 0.2.8": lambda: agreement(found, given.agreement),
        }
        for name in given.only or parts:
            result[name] = parts[name]()
            print(name, json.dumps(result[name], indent=1), flush=True)
            if given.out:
                given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
