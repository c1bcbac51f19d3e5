"""The rows that the classifier learns from and is measured on: public sets, and our own grammars.

Labels are 0, 1 or unknown (NaN), in the order of `OUTPUTS`; ``unsafe`` says that one of the three after it holds.
What a public set says about its rows is taken for no more than it is: its sexual rows are unsafe of an unknown kind.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
from grammar import Grammar, languages

OUTPUTS = ("unsafe", "sexual", "nudity-artistic", "undress-edit", "minor-context", "person-depiction")
FOLDS = 2
USERS = "imagereward-diffusiondb-users"
OURS, NOTHING = -1, -2
UNKNOWN = float("nan")
# Sets whose licence allows training on them (MIT, Apache-2.0, CC0, CC BY; CC BY-SA as benign rows, with attribution).
# stsb-multi-captions is for measuring only.
MEASURE_ONLY = {"stsb-multi-captions"}
READ_ROWS = Path(__file__).resolve().parent / "reviewed-users.txt"


@dataclass(frozen=True)
class Row:
    text: str
    labels: npt.NDArray[np.float32]
    lang: str
    source: str
    group: str
    fold: int
    """The part that it is left out of when that part is measured; `OURS`: of our own, in every part."""
    kind: str = ""
    category: str = ""
    label: str = ""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def reviewed() -> dict[str, str]:
    """What reading said about users' prompts, by digest: ``sexual`` or ``harmless``."""
    if not READ_ROWS.exists():
        return {}
    pairs = (line.split() for line in READ_ROWS.read_text("utf-8").splitlines() if line and line[0] != "#")
    return {key: verdict for key, verdict, *_ in pairs}


def public(folder: Path) -> list[Row]:
    """The rows of both files of `folder`; those that cannot be judged are left out."""
    verdicts = reviewed()
    rows = []
    for name in ("train", "devtest"):
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                given = json.loads(line)
                unsafe = _unsafe(given, verdicts)
                labels = _public_labels(given, unsafe)
                fold = zlib.crc32(given["split_group"].encode()) % FOLDS
                kind = "unsafe" if unsafe == 1 else "benign" if unsafe == 0 else "unjudged"
                category = str(given.get("orig_label", ""))
                rows.append(
                    Row(
                        given["text"],
                        labels,
                        given["lang"],
                        given["source"],
                        given["split_group"],
                        fold,
                        kind,
                        category,
                        given["label"],
                    )
                )
    return rows


def _unsafe(row: dict[str, Any], verdicts: dict[str, str]) -> float:
    source, label = row["source"], row["label"]
    flagged = "sexual_term" in (row.get("flags") or ())
    if source == USERS:
        verdict = verdicts.get(digest(row["text"]))
        if verdict:
            return 0.0 if verdict == "harmless" else UNKNOWN
        return UNKNOWN if flagged else 0.0
    if label == "nudity":
        return 1.0
    if label == "sexual":
        if source == "i2p":
            return 1.0 if (row.get("nudity_pct") or 0) >= 10 else UNKNOWN
        # Mostly harmless sentences about women and gay couples.
        if row.get("orig_label") in ("hatespeech/Sexism", "sexual/Homosexuality"):
            return UNKNOWN
        return 1.0
    if source.startswith(("i2p", "unlearndiff")):
        return 0.0 if (row.get("nudity_pct") or 0) < 5 and not flagged else UNKNOWN
    if label != "benign" and flagged:
        return UNKNOWN
    return 0.0


def _surely(row: dict[str, Any]) -> float:
    """How sure the label of an unsafe row is. Of the I2P family it says how often the authors' pictures showed nudity,
    and many of its texts ask for none; adversarial-nibbler's speaks of one picture."""
    if row.get("nudity_pct") is not None:
        return min(1.0, 0.35 + float(row["nudity_pct"]) / 100)
    return 0.85 if row["source"] == "adversarial-nibbler" else 1.0


def _public_labels(row: dict[str, Any], unsafe: float) -> npt.NDArray[np.float32]:
    kinds = UNKNOWN if unsafe != 0 else 0.0
    if unsafe == 1:
        unsafe = _surely(row)
    person = {"uce-professions": 0.0, "uce-artist-styles": 0.0}.get(row["source"], UNKNOWN)
    if row["label"] == "person":
        person = 1.0
    minor = 1.0 if "minor_term" in (row.get("flags") or ()) else UNKNOWN
    return np.array([unsafe, kinds, kinds, kinds, minor, person], np.float32)


def drawn(per_template: dict[str, int], seed: int) -> list[Row]:
    """Rows of our own grammars: `per_template` of each template, by language."""
    rows: list[Row] = []
    for lang in languages():
        grammar = Grammar(lang)
        for template in grammar.templates:
            rng = Random(f"{seed}:{template.where}:{template.text}")
            labels = [float(name in template.labels) for name in OUTPUTS[1:]]
            unsafe = float(any(labels[:3]))
            kind = "unsafe" if unsafe else "benign"
            # A tenth of the templates is left out with each part, to see how those of a language carry to each other.
            part = zlib.crc32(template.text.encode()) % 10
            fold = part if part < FOLDS else OURS
            texts = {grammar.draw(template, rng) for _ in range(per_template.get(lang, per_template["*"]))}
            rows += [
                Row(text, np.array([unsafe, *labels], np.float32), lang, "grammar", template.where, fold, kind)
                for text in sorted(texts)
            ]
    return rows
