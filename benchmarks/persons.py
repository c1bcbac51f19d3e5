"""What ``prompt.persons`` finds and whom it takes for somebody: names on no list, listed ones, misspelt ones, captions.

    python benchmarks/persons.py ../shared/data [--out benchmarks/results/persons]

The names on no list are a sample with a fixed seed of people in ../shared/data/names whom the shipped lists do not
have; half of those names, told by their hash, are for looking at while the cues are worked on, and none of them is in
the sample (--development takes it from that half). Each name stands in each frame; every third frame is in lower case.
A name is found where an item with match >= 0.5 overlaps it. No name and no prompt is written anywhere; pairs of a name
and a frame are no independent trials, so that the rate by name stands beside the rate by pair.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import math
import os
import platform
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from guardrail.checks.base import SignalValues  # noqa: E402 — after the path is set
from guardrail.checks.text.cue_words import name_lists  # noqa: E402
from guardrail.checks.text.figures import famous_names, public_figures, unreal_figures  # noqa: E402
from guardrail.checks.text.normalise import plain  # noqa: E402
from guardrail.checks.text.persons import PersonTextCheck  # noqa: E402
from guardrail.media import Request, TextInput  # noqa: E402
from guardrail.signals import Stage  # noqa: E402

SEED, SAMPLE, MATCH = 20261127, 300, 0.5
CAPTIONS = frozenset(
    """coco-30k dpg-bench geneval imagenet-prompts ja-jsts-yjcaptions ko-korsts-captions stsb-multi-captions
    t2i-compbench tifa-v1 zh-coco-cn""".split()  # noqa: SIM905 - a word list reads best as one
)
FRAMES = """
a photo of {} at the beach
portrait of {}, oil on canvas, detailed brushwork
{} walking a dog in central park
a nurse and a teacher listen to {} in a library in Berlin
{} smiling, studio lighting, 85mm
a bronze statue of {} in front of a town hall
the face of {} on a billboard in Tokyo at night
a baker hands {} a loaf of bread
close-up of {} with a red scarf, autumn leaves
{} as a medieval knight on a white horse
a cartoon of {} riding a bicycle in Amsterdam
{} giving a speech at a university in Boston
a polaroid of {} eating ice cream in Rome
{} in a suit, standing next to a firefighter
an astronaut that looks like {}
a wax figure of {} in a museum in Vienna
pencil sketch of {}
{} and a plumber repair a sink
a magazine cover with {} on it
{} at a press conference, flash photography
a mural of {} on a brick wall in Lisbon
{}, 35 years old, in a coffee shop in Seoul
photorealistic image of {} cooking pasta
a farmer shakes hands with {}
{} sitting on a throne made of books
a selfie of {} on a mountain in Nepal
{} dancing in the rain
generate {} as a superhero flying over Chicago
an action figure of {} in a box
{} with a doctor and two lawyers in an elevator
a black and white photograph of {}
{} playing chess against a robot
{} reads a newspaper on a train to Madrid
a realistic picture of {} in a wheat field
a chef cooks for {} in a restaurant in Paris
{} in the driver's seat of a vintage car
a collectible card with the portrait of {}
{} wearing a wedding dress
{} laughing with friends at a barbecue in Texas
a Renaissance painting of {} holding a cat
{} on stage with a guitar
make a picture where {} meets an engineer in Dubai
a street photographer and {} in New York
deepfake of {}
hyperrealistic 8k photo, {}, sharp focus
{} asleep on a sofa, cozy living room
{} skiing in the Alps behind a ski instructor
a lookalike of {} selling fruit at a market in Lima
""".strip().splitlines()
KOREAN_FRAMES = """
{} 사진
{}의 초상화
해변에서 웃고 있는 {}
{}가 커피를 마시는 모습
서울 거리를 걷는 {}
{} 의원이 연설하는 장면
의사와 악수하는 {}
{} 얼굴을 유화로 그려줘
한복을 입은 {}
{}이 책을 읽는 모습
소방관 옆에 서 있는 {}
{} 셀카
""".strip().splitlines()


# ---- names


def letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", plain(name).text)


def known() -> set[str]:
    """Whoever stands on a shipped list, and who is said there to be nobody."""
    spellings = [spelling for _, _, spelling, _ in public_figures()] + [f.spelling for f in unreal_figures()]
    phrases = [" ".join(phrase) for of_word in name_lists().not_people.values() for phrase in of_word]
    both = [*spellings, *phrases]
    return {letters(n) for n in both} | {letters(" ".join(reversed(n.split()))) for n in both}


def people(names: Path) -> Iterator[tuple[str, str]]:
    """(source, name) of public figures."""
    with (names / "giphy-celeb" / "labels.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield "giphy", re.sub(r"_\[.*", "", row["Labels"]).replace("_", " ").strip()
    for source, key in (
        ("celebrities", "celebrities"),
        ("britishActors", "britishActors"),
        ("richpeople", "richPeople"),
        ("wrestlers", "wrestlers"),
    ):
        content = json.loads((names / "corpora-cc0" / f"{source}.json").read_text("utf-8"))
        for entry in content.get(key) or next(v for v in content.values() if isinstance(v, list)):
            yield source, entry["name"] if isinstance(entry, dict) else str(entry)
    with gzip.open(names / "congress-legislators" / "legislators-current.yaml.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            if match := re.match(r"\s+official_full: (.+)", line):
                yield "congress", match[1].strip("'\"")
    with (names / "kr-national-assembly-20" / "assembly_names.csv").open(encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines):
            yield "assembly-ko", row["name_kr"]
            yield "assembly-romanised", row["name_en"].title()


def unlisted(names: Path, half: int) -> dict[str, list[tuple[str, str]]]:
    """Names of nobody on the shipped lists: full ones and single words."""
    on_list, seen = known(), set[str]()
    found: dict[str, list[tuple[str, str]]] = {"full": [], "single": []}
    for source, name in people(names):
        key = letters(name)
        if not key or key in seen or key in on_list or hashlib.sha256(key.encode()).digest()[0] % 2 != half:
            continue
        seen.add(key)
        full = " " in name.strip() or source == "assembly-ko"
        found["full" if full else "single"].append((source, name))
    return found


# ---- measuring


def wilson(hits: int, n: int) -> dict[str, float | int]:
    """Rate in percent with its 95 % interval (Wilson 1927)."""
    if not n:
        return {"hits": 0, "n": 0}
    p, z = hits / n, 1.959964
    middle, reach = (p + z * z / 2 / n) / (1 + z * z / n), z / (1 + z * z / n)
    spread = reach * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    low, high = max(0.0, middle - spread), min(1.0, middle + spread)
    return {
        "hits": hits,
        "n": n,
        "percent": round(100 * p, 2),
        "low": round(100 * low, 2),
        "high": round(100 * high, 2),
    }


class Finder:
    """The check, asked about one text."""

    def __init__(self) -> None:
        self._check = PersonTextCheck()

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Where living people are found, and their kind."""
        (answer,) = self._check.check([Request(texts=(TextInput(text),))], Stage.PROMPT)
        assert isinstance(answer, SignalValues)
        return [(s.start, s.end, s.label) for s in answer.spans if s.score >= MATCH]

    def found(self, name: str, frame: str, lower: bool) -> bool:
        start = frame.index("{}")
        text = frame.replace("{}", name)
        return any(a < start + len(name) and b > start for a, b, _ in self.spans(text.lower() if lower else text))


def in_frames(finder: Finder, names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    by_case: dict[str, list[int]] = {"as typed": [0, 0], "lower case": [0, 0]}
    by_source: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    by_frame: Counter[str] = Counter()
    whole: list[float] = []
    for source, name in names:
        frames = KOREAN_FRAMES if source == "assembly-ko" else FRAMES
        hits = 0
        for k, frame in enumerate(frames):
            lower = k % 3 == 2
            hit = finder.found(name, frame, lower)
            hits += hit
            by_frame[frame] += hit
            for tally in (by_case["lower case" if lower else "as typed"], by_source[source]):
                tally[0] += hit
                tally[1] += 1
        whole.append(hits / len(frames))
    hits, n = (sum(tally[k] for tally in by_case.values()) for k in (0, 1))
    return {
        "names": len(names),
        "pairs": wilson(hits, n),
        "names found in most frames": wilson(sum(share >= 0.5 for share in whole), len(whole)),
        "by case": {case: wilson(*tally) for case, tally in by_case.items()},
        "by source": {source: wilson(*tally) for source, tally in sorted(by_source.items())},
        "weakest frames": [
            {"frame": frame, "percent": round(100 * count / max(1, len(names)), 1)}
            for frame, count in by_frame.most_common()[:-6:-1]
        ],
    }


def listed(finder: Finder, draw: random.Random) -> dict[str, Any]:
    """Every listed name in one frame, and slips in the famous ones: a letter left out, doubled, replaced or swapped."""
    rows = sorted({name for name, *_ in public_figures() if " " in name})
    hits = sum(finder.found(n, draw.choice(FRAMES), k % 3 == 2) for k, n in enumerate(rows))
    tried = right = 0
    by_slip: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name in sorted(famous_names()):
        words = name.split()
        at = max(range(len(words)), key=lambda i: len(words[i]))
        word = words[at]
        if len(letters(name)) < 9 or len(word) < 6 or not word.isalpha() or not word.isascii():
            continue
        k = draw.randrange(1, len(word) - 1)
        for slip, wrong in (
            ("left out", word[:k] + word[k + 1 :]),
            ("doubled", word[:k] + word[k] + word[k:]),
            ("replaced", word[:k] + draw.choice([c for c in "aeioulnrst" if c != word[k]]) + word[k + 1 :]),
            ("swapped", word[:k] + word[k + 1] + word[k] + word[k + 2 :]),
        ):
            hit = finder.found(" ".join([*words[:at], wrong, *words[at + 1 :]]), draw.choice(FRAMES), False)
            tried, right = tried + 1, right + hit
            by_slip[slip][0] += hit
            by_slip[slip][1] += 1
    return {
        "listed names": wilson(hits, len(rows)),
        "misspelt famous names": wilson(right, tried),
        "by slip": {slip: wilson(*tally) for slip, tally in by_slip.items()},
    }


def rows(prompts: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in ("devtest", "train"):
        with gzip.open(prompts / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["label"] == "benign":
                    yield file, row


def false_alarms(finder: Finder, prompts: Path) -> dict[str, Any]:
    """Texts in which somebody living is found, by source and language. Some captions do name people."""
    tallies: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for file, row in rows(prompts):
        source = row["source"]
        if source in CAPTIONS:
            kind = "captions"
        elif source in ("uce-artist-styles", "uce-professions"):
            kind = source
        else:
            continue
        tally = tallies[f"{kind}: {source} {row['lang']} ({file})" if kind == "captions" else kind]
        tally[0] += bool(finder.spans(row["text"]))
        tally[1] += 1
    total = [sum(t[k] for name, t in tallies.items() if name.startswith("captions")) for k in (0, 1)]
    return {"captions, all": wilson(*total), **{name: wilson(*tally) for name, tally in sorted(tallies.items())}}


def latency(texts: Iterable[str]) -> dict[str, float]:
    """Milliseconds of this check alone on English captions, with the readings of the text made before."""
    from guardrail.checks.text.normalise import read

    check = PersonTextCheck()
    check.warmup()
    times: list[float] = []
    for text in texts:
        request = Request(texts=(TextInput(text),))
        read(text)
        began = time.process_time_ns()
        check.check([request], Stage.PROMPT)
        times.append((time.process_time_ns() - began) / 1e6)
    times.sort()
    return {
        "n": len(times),
        "p50_ms": round(times[len(times) // 2], 3),
        "p99_ms": round(times[len(times) * 99 // 100], 3),
    }


def start_up() -> dict[str, float]:
    """Processor seconds to build the check in a fresh process, and to load all of it."""
    import subprocess

    code = (
        "import time; from guardrail.checks.text.persons import PersonTextCheck; "
        "a = time.process_time(); c = PersonTextCheck(); b = time.process_time(); c.warmup(); "
        "print(b - a, time.process_time() - b)"
    )
    runs = []
    for _ in range(5):
        out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        runs.append([float(part) for part in out.split()])
    build, warm = (sorted(run[k] for run in runs)[2] for k in (0, 1))
    return {"build_s": round(build, 3), "warmup_s": round(warm, 3)}


def measure(data: Path, half: int) -> dict[str, Any]:
    finder = Finder()
    draw = random.Random(SEED)
    pool = unlisted(data / "names", half)
    full = draw.sample(pool["full"], min(SAMPLE, len(pool["full"])))
    single = draw.sample(pool["single"], min(60, len(pool["single"])))
    captions = [row["text"] for _, row in rows(data / "prompts") if row["source"] == "coco-30k"][:2000]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "sample": {"seed": SEED, "half": half, "pool": {kind: len(names) for kind, names in pool.items()}},
        "frames": {"all": len(FRAMES), "lower case": len(FRAMES[2::3]), "Korean": len(KOREAN_FRAMES)},
        "names on no list": in_frames(finder, full),
        "single words on no list": in_frames(finder, single),
        "listed": listed(finder, draw),
        "false alarms": false_alarms(finder, data / "prompts"),
        "latency of the check": latency(captions),
        "start-up": start_up(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with names/ and prompts/")
    parser.add_argument("--out", type=Path, help="write PATH.json")
    parser.add_argument("--development", action="store_true", help="take the names from the half that may be looked at")
    given = parser.parse_args()
    figures = measure(given.data, int(given.development))
    text = json.dumps(figures, indent=1, ensure_ascii=False) + "\n"
    if given.out:
        given.out.with_suffix(".json").write_text(text, "utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
