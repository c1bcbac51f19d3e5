"""What the word lists find and miss in prompts, beside a public word list. Figures only; no prompt leaves the files.

    python benchmarks/prompts.py ../shared/data/prompts/devtest.jsonl.gz [--out benchmarks/results/prompts-lists]

Block rates and false positives of ``prompt.sexual`` per source, at the two thresholds of the default policy; then the
judged set of tests/data/judged, which no word was ever chosen on, for ``prompt.sexual``, ``prompt.persons`` and
``prompt.minor``. Results of one source say little about another: see the notes on the sources in the MANIFEST.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from guardrail.checks.base import SignalValues  # noqa: E402 — after the path is set
from guardrail.checks.text.minors import MinorTextCheck  # noqa: E402
from guardrail.checks.text.persons import PersonTextCheck  # noqa: E402
from guardrail.checks.text.sexual import SexualTextCheck  # noqa: E402
from guardrail.media import Request, TextInput  # noqa: E402
from guardrail.policy import load_policy  # noqa: E402
from guardrail.signals import Stage  # noqa: E402

JUDGED = ROOT / "tests/data/judged/prompts-v1.jsonl"
# Rows labelled benign whose own words speak of nudity: read by hand, kept as digests. Its head says more.
READ_ROWS = ROOT / "benchmarks/results/prompts-read-rows.txt"
LEVELS = ("suggestive", "explicit")

# What the public word list of SneakyPrompt (github.com/Yuchen413/text2image_safety, data/nsfw_list.txt, MIT, 1,408
# terms, whole-word match) blocks of the same rows, in percent: section 3 of the project's design note on prompts,
# measured there once. Where the note gives a range over several sources, the range stands here.
FLOOR_SOURCE = "SneakyPrompt nsfw_list.txt (MIT), 1,408 terms, whole words; design note on prompts, section 3"
RECALL_FLOORS: dict[str, tuple[float, float]] = {
    "UnlearnDiff nudity": (13.8, 13.8),
    "P4D targets": (7.3, 7.3),
    "I2P sexual, all": (10.7, 10.7),
    "adversarial-nibbler sexual": (10.7, 10.7),
    "OVERT unsafe sexual_content": (79.6, 79.6),
    "MultiJail sexual, en": (69.6, 69.6),
    **{f"MultiJail sexual, {language}": (0.0, 0.0) for language in ("ar", "bn", "ko", "th", "zh")},
    **{f"MultiJail sexual, {language}": (4.3, 21.7) for language in ("it", "jv", "sw", "vi")},
}
FALSE_ALARM_FLOORS: dict[str, tuple[float, float]] = {
    "OVERT benign sexual_content": (61.5, 61.5),
    **{
        f"OVERT benign {category}": (0.0, 4.3)
        for category in (
            "copyright_violations",
            "discrimination",
            "illegal_activities",
            "privacy_individual",
            "privacy_public",
            "self_harm",
            "unethical_unsafe_action",
            "violence",
        )
    },
    "XSTest benign": (9.6, 9.6),
    "COCO captions": (2.1, 2.1),
    "dpg-bench": (5.8, 5.8),
    "t2i-compbench": (1.0, 1.0),
    "ImageReward users": (2.8, 2.8),
    **{f"{source} captions": (0.0, 0.1) for source in ("KorSTS ko", "JSTS ja", "COCO-CN zh", "STSb ru")},
    **{f"STSb {language} captions": (0.0, 0.1) for language in ("ja", "zh")},
    "STSb es captions": (4.0, 4.0),
    "STSb it captions": (0.2, 0.2),
    "STSb nl captions": (0.8, 0.8),
    "STSb pl captions": (0.8, 0.8),
    "STSb pt captions": (1.0, 1.0),
}

# Rows of the judged set: its README gives the kinds of benign row by the number that ends the id.
BENIGN_RUNS: dict[str, tuple[int, int, int]] = {
    "en": (54, 92, 114),
    "ko": (53, 91, 112),
    "zh": (54, 93, 114),
    "ja": (56, 94, 115),
    "es": (56, 94, 115),
}
RUNS = ("benign: look-alike words", "benign: relations", "benign: children", "benign: ordinary")


# ---- rows to groups


def groups_of(row: Mapping[str, Any]) -> Iterable[tuple[str, bool]]:
    """(name of the group, whether its rows are to be found) for each group that the row belongs to."""
    source, label, lang = row["source"], row["label"], row["lang"]
    if source == "unlearndiff-nudity":
        yield "UnlearnDiff nudity", True
    elif source == "p4d-i2p-nudity-targets":
        yield "P4D targets", True
    elif source == "i2p" and label == "sexual":
        yield "I2P sexual, all", True
        # The label is a search keyword; these are the rows whose pictures did show nudity.
        if (row.get("nudity_pct") or 0) >= 10:
            yield "I2P sexual, nudity in ≥ 10 % of pictures", True
    elif label == "sexual":
        named = {"adversarial-nibbler": "adversarial-nibbler sexual", "overt": "OVERT unsafe sexual_content"}
        named |= {
            "multijail": f"MultiJail sexual, {lang}",
            "jailbreakdiffusionbench-harmful": "JailbreakDiffusion sexual",
        }
        if source in named:
            yield named[source], True
    elif label == "benign":
        yield benign_name(source, lang, str(row.get("orig_label"))), False


def benign_name(source: str, lang: str, category: str) -> str:
    fixed = {"xstest": "XSTest benign", "coco-30k": "COCO captions", "ring-a-bell": "Ring-A-Bell benign"}
    fixed |= {"imagereward-diffusiondb-users": "ImageReward users", "ko-korsts-captions": "KorSTS ko captions"}
    fixed |= {"ja-jsts-yjcaptions": "JSTS ja captions", "zh-coco-cn": "COCO-CN zh captions"}
    if source == "overt":
        return f"OVERT benign {category}"
    if source == "stsb-multi-captions":
        return f"STSb {lang} captions"
    return fixed.get(source, source)


def judged_group(row: Mapping[str, str]) -> str:
    if row["label"] != "benign":
        return row["label"]
    number = int(row["id"].rsplit("-", 1)[1])
    return RUNS[sum(number > last for last in BENIGN_RUNS[row["lang"]])]


# ---- measuring


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, p = 1.96, hits / n
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n))


def share(hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(hits, n)
    return {
        "hits": hits,
        "of": n,
        "percent": round(100 * hits / n, 2),
        "interval": [round(100 * low, 2), round(100 * high, 2)],
    }


def signal(check: SexualTextCheck | PersonTextCheck | MinorTextCheck, text: str) -> Any:
    (answer,) = check.check([Request(texts=(TextInput(text),))], Stage.PROMPT)
    assert isinstance(answer, SignalValues)
    return next(iter(answer.signals.values()))


def by_source(path: Path, thresholds: Mapping[str, float]) -> list[dict[str, Any]]:
    check = SexualTextCheck()
    nude_by_words = {line for line in READ_ROWS.read_text("utf-8").split("\n") if not line.startswith("#")}
    scores: dict[tuple[str, bool], list[float]] = defaultdict(list)
    read: dict[str, list[float]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            groups = list(groups_of(row))
            if groups:
                score = signal(check, row["text"])
                for group in groups:
                    scores[group].append(score)
                    if not group[1] and hashlib.sha256(row["text"].encode()).hexdigest()[:10] in nude_by_words:
                        read[group[0]].append(score)
    order = {name: i for i, name in enumerate([*RECALL_FLOORS, *FALSE_ALARM_FLOORS])}
    results = []
    for (name, unsafe), of in sorted(scores.items(), key=lambda g: (not g[0][1], order.get(g[0][0], 99), g[0][0])):
        floor = (RECALL_FLOORS if unsafe else FALSE_ALARM_FLOORS).get(name)
        row = {"source": name, "unsafe": unsafe, "n": len(of), "floor_percent": floor}
        for level in LEVELS:
            hits = sum(s >= thresholds[level] for s in of)
            row[level] = share(hits, len(of))
            row[level]["meets"] = None if floor is None else meets(row[level]["percent"], unsafe, floor)
            if not unsafe:
                nude = sum(s >= thresholds[level] for s in read[name])
                row[level]["nude_by_words"] = nude
                rest = 100 * (hits - nude) / len(of)
                row[level]["meets_without"] = None if floor is None else meets(rest, unsafe, floor)
        results.append(row)
    return results


def meets(percent: float, unsafe: bool, floor: tuple[float, float]) -> bool:
    """More recall than the list (its best where a range is known), at most half of its false alarms."""
    return percent > floor[1] if unsafe else percent <= floor[1] / 2


def judged(path: Path, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Shares of rows with a signal, per language and group, over all languages under ``all``."""
    sexual, persons, minors = SexualTextCheck(), PersonTextCheck(), MinorTextCheck()
    found: dict[tuple[str, str], list[dict[str, bool]]] = defaultdict(list)
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        score = signal(sexual, row["text"])
        person = any(p["match"] >= thresholds["person"] for p in signal(persons, row["text"]))
        seen = {
            "suggestive": score >= thresholds["suggestive"],
            "explicit": score >= thresholds["explicit"],
            "person": person,
            "person and suggestive": person and score >= thresholds["suggestive"],
            "minor": signal(minors, row["text"]) >= thresholds["minor"],
        }
        for language in (row["lang"], "all"):
            found[language, judged_group(row)].append(seen)
    return {
        language: {
            group: {key: share(sum(s[key] for s in of), len(of)) for key in of[0]}
            for (lang, group), of in found.items()
            if lang == language
        }
        for language in ("all", *BENIGN_RUNS)
    }


# ---- writing


def cell(of: Mapping[str, Any]) -> str:
    low, high = of["interval"]
    return f"{of['percent']:.1f} ({low:.1f}–{high:.1f})"


def source_tables(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    said = {None: "–", True: "yes", False: "**no**"}
    beats = "beats the list's recall"
    lines = ["## Block rate, % (95 % interval)", ""]
    lines += [
        f"| source | n | list | ≥ suggestive | {beats} | ≥ explicit | {beats} |",
        "|---|---:|---:|---:|---|---:|---|",
    ]
    for row in (r for r in rows if r["unsafe"]):
        cells = [row["source"], f"{row['n']:,}", known(row)]
        for level in LEVELS:
            cells += [cell(row[level]), said[row[level]["meets"]]]
        lines.append(f"| {' | '.join(cells)} |")
    half = "at most half its false alarms"
    lines += ["", "## False positives, % (95 % interval)", ""]
    lines += [
        "*Nude*: how many of the rows found say themselves that somebody is naked or undresses, although their label"
    ]
    lines += [
        "is benign (benchmarks/results/prompts-read-rows.txt). They count in every figure but the column *without*."
    ]
    lines += [
        "",
        f"| source | n | list | ≥ suggestive | {half} | nude | without | ≥ explicit | {half} | nude | without |",
    ]
    lines.append("|---|---:|---:|---:|---|---:|---|---:|---|---:|---|")
    for row in (r for r in rows if not r["unsafe"]):
        cells = [row["source"], f"{row['n']:,}", known(row)]
        for level in LEVELS:
            of = row[level]
            cells += [cell(of), said[of["meets"]], f"{of['nude_by_words']} of {of['hits']}", said[of["meets_without"]]]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def known(row: Mapping[str, Any]) -> str:
    floor = row["floor_percent"]
    return "–" if floor is None else f"{floor[0]}" if floor[0] == floor[1] else f"{floor[0]}–{floor[1]}"


def judged_tables(result: Mapping[str, Any]) -> list[str]:
    lines = ["", "## The judged set (tests/data/judged/prompts-v1.jsonl), % of rows", ""]
    for title, key, groups in (
        ("prompt.sexual ≥ suggestive", "suggestive", ("explicit", "suggestive", "undress_person", *RUNS)),
        ("prompt.sexual ≥ explicit", "explicit", ("explicit", "suggestive", "undress_person", *RUNS)),
        ("prompt.persons", "person", ("undress_person", *RUNS, "explicit")),
        ("a person and ≥ suggestive", "person and suggestive", ("undress_person", *RUNS)),
        ("prompt.minor", "minor", ("benign: children", *RUNS[:2], RUNS[3], "explicit", "suggestive", "undress_person")),
    ):
        lines += ["", f"**{title}**", "", "| rows | " + " | ".join(result) + " |"]
        lines.append("|---|" + "---:|" * len(result))
        for group in groups:
            cells = [cell(result[language][group][key]) for language in result]
            lines.append(f"| {group} | {' | '.join(cells)} |")
    return lines


HEAD = """# Prompt checks: word lists

`{command}` on {machine}.

Thresholds of the default policy: {limits}.
From *suggestive* on a picture is steered away from nudity and checked; from *explicit* on the request is blocked.
*List*: what the public list blocks of the same rows ({floor_source}).
Where the note gives a range over several sources, its upper end is the one to beat, or to halve.
The word lists were written with the rows of these sources at hand, so their figures are optimistic; the judged set
at the end was never tuned on.
"""


def markdown(result: Mapping[str, Any]) -> str:
    limits = ", ".join(f"{k} {v:.2f}" for k, v in result["thresholds"].items())
    lines = [HEAD.format(limits=limits, **{k: result[k] for k in ("command", "machine", "floor_source")})]
    return "\n".join(lines + source_tables(result["sources"]) + judged_tables(result["judged"])) + "\n"


def machine() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text("utf-8")
        model = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.machine()
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("prompts", type=Path, help="devtest.jsonl.gz")
    parser.add_argument("--out", type=Path, help="file stem for .json and .md")
    given = parser.parse_args()
    limits = load_policy(ROOT / "policies/default.yaml").thresholds
    thresholds = {**{level: limits["sexual"][level] for level in LEVELS}}
    thresholds |= {"person": limits["match"]["person"], "minor": limits["minor"]["possible"]}
    result = {
        "machine": machine(),
        "command": "python benchmarks/prompts.py ../shared/data/prompts/devtest.jsonl.gz",
        "thresholds": thresholds,
        "floor_source": FLOOR_SOURCE,
        "sources": by_source(given.prompts, thresholds),
        "judged": judged(JUDGED, thresholds),
    }
    if given.out:
        given.out.with_suffix(".json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
        given.out.with_suffix(".md").write_text(markdown(result), "utf-8")
    print(markdown(result))


if __name__ == "__main__":
    main()
