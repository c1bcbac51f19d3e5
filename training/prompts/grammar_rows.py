"""Rows of the grammars as a file for `guardrail models fit-encoder-head`:

python training/prompts/grammar_rows.py --each 3 --out rows.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from grammar import Grammar, languages


def rows(langs: Sequence[str], each: int, rng: Random) -> Iterator[dict[str, Any]]:
    """`each` rows of every template, with the template as the group that no split divides."""
    for lang in langs:
        grammar = Grammar(lang)
        for template in grammar.templates:
            for _ in range(each):
                text = grammar.draw(template, rng)
                yield {"text": text, "labels": sorted(template.labels), "lang": lang, "split_group": template.where}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--langs", default=",".join(languages()), help="comma-separated")
    parser.add_argument("--each", type=int, default=3, help="rows of a template")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with given.out.open("w", encoding="utf-8") as out:
        for row in rows(given.langs.split(","), given.each, Random(given.seed)):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
