"""Large lists of names: size of the file, time to build and load it, time of a look-up, and false hits on captions.

    python benchmarks/names.py ../shared/data [--names 1000000] [--out benchmarks/results/names]

Names are those of ../shared/data/names that are full names, filled up with made combinations of given and family names.
Prompts are captions; Korean, Chinese and Japanese ones are timed apart, since there every character
can begin a name. No name and no prompt is written anywhere.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from guardrail.checks.text.namefile import NameFile, build, key_of  # noqa: E402 — after the path is set
from guardrail.checks.text.normalise import plain  # noqa: E402


def real(folder: Path) -> Iterator[str]:
    with gzip.open(folder / "nga-constituents" / "constituents.csv.gz", "rt", encoding="utf-8-sig") as lines:
        yield from (row.get("forwarddisplayname") or "" for row in csv.DictReader(lines))
    with gzip.open(folder / "tate-artists" / "artist_data.csv.gz", "rt", encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines):
            yield " ".join(reversed((row.get("name") or "").split(", ", 1)))
    with (folder / "kr-national-assembly-20" / "assembly_names.csv").open(encoding="utf-8-sig") as lines:
        for row in csv.reader(lines):
            yield from row


def made(folder: Path, count: int) -> Iterator[str]:
    """Combinations of given and family names, spelt as in their country."""
    parts: dict[str, tuple[list[str], list[str]]] = {}
    for kind, name in enumerate(("common-forenames-by-country.csv", "common-surnames-by-country.csv")):
        with (folder / "popular-names-by-country" / name).open(encoding="utf-8-sig") as lines:
            for row in csv.DictReader(lines):
                for field in ("Localized Name", "Romanized Name"):
                    if row[field]:
                        parts.setdefault(row["Country"], ([], []))[kind].append(row[field])
    surnames = gzip.decompress((folder / "smashew-namedatabases" / "surnames_us.txt.gz").read_bytes()).decode().split()
    given = (folder / "smashew-namedatabases" / "firstnames_all.txt").read_text("utf-8").split()
    both = [p for p in parts.values() if p[0] and p[1]]
    draw = random.Random(1)
    for _ in range(count):
        if draw.random() < 0.3:
            firsts, lasts = draw.choice(both)
            yield f"{draw.choice(firsts)} {draw.choice(lasts)}"
        else:
            yield f"{draw.choice(given)} {draw.choice(surnames)}"


def prompts(path: Path, language: str, count: int) -> list[str]:
    found = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["lang"] == language and row["label"] == "benign" and "style" not in row["source"]:
                found.append(row["text"])
                if len(found) == count:
                    break
    return found


def measure(data: Path, total: int) -> dict[str, Any]:
    names = list(real(data / "names"))
    seen = {key for key, reason in map(key_of, names) if not reason}
    for name in made(data / "names", 4 * total):
        if len(seen) >= total:
            break
        key, reason = key_of(name)
        if not reason and key not in seen:
            seen.add(key)
            names.append(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.names"
        begun = time.perf_counter()
        count, left_out = build(names, path)
        built = time.perf_counter() - begun
        begun = time.perf_counter()
        loaded = NameFile.load(path)
        result: dict[str, Any] = {
            "names": count,
            "left_out": dict(left_out),
            "file_bytes": path.stat().st_size,
            "build_s": round(built, 2),
            "load_ms": round((time.perf_counter() - begun) * 1e3, 1),
        }
    for language, source in (("en", "train"), ("ko", "train"), ("ja", "train"), ("zh", "devtest")):
        texts = prompts(data / "prompts" / f"{source}.jsonl.gz", language, 3000)
        taken, hits = [], 0
        for text in texts:
            view = plain(text)
            list(loaded.find(view))  # the tokens are cached: other checks have made them already
            begun = time.perf_counter()
            hits += bool(list(loaded.find(view)))
            taken.append((time.perf_counter() - begun) * 1e6)
        taken.sort()
        result[language] = {
            "prompts": len(texts),
            "mean_characters": round(sum(map(len, texts)) / len(texts), 1),
            "p50_us": round(taken[len(taken) // 2], 1),
            "p99_us": round(taken[int(len(taken) * 0.99)], 1),
            "prompts_with_a_name": hits,
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = {
        "machine": f"{os.cpu_count()}-core {platform.machine()}, Python {platform.python_version()}",
        "command": f"python benchmarks/names.py ../shared/data --names {given.names}",
        **measure(given.data, given.names),
    }
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
