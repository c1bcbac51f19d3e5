"""Make ``guardrail/checks/text/lists/common.en.txt``: ordinary English words, counted in captions under open licences.

The list tells ordinary words from the pieces of a word that was cut in two ("pen is", "na ked"). Sources: COCO captions
(CC BY 4.0), T2I-CompBench (MIT), TIFA (Apache-2.0), GenEval (MIT); only counts are taken from them.

usage: python benchmarks/make_common_words.py ../shared/data/prompts/train.jsonl.gz
"""

from __future__ import annotations

import collections
import gzip
import json
import re
import sys
from pathlib import Path

SOURCES = {"coco-30k", "t2i-compbench", "tifa-v1", "geneval"}
MINIMUM_COUNT = 6
TARGET = Path(__file__).parent.parent / "guardrail/checks/text/lists/common.en.txt"


def main(path: str) -> None:
    counts: collections.Counter[str] = collections.Counter()
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            if row["source"] in SOURCES and row["label"] == "benign":
                counts.update(re.findall(r"[a-z]+", row["text"].lower()))
    words = sorted(w for w, n in counts.items() if n >= MINIMUM_COUNT and (len(w) > 1 or w in "ai"))
    head = (
        "# Ordinary English words: every word seen at least "
        f"{MINIMUM_COUNT} times in the captions of {', '.join(sorted(SOURCES))}.\n"
        "# Made by benchmarks/make_common_words.py; only counts were taken from the captions.\n"
    )
    TARGET.write_text(head + "\n".join(words) + "\n", encoding="utf-8")
    print(f"{len(words)} words → {TARGET}")


if __name__ == "__main__":
    main(sys.argv[1])
