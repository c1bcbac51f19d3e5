"""The blind judged sets, v2: what the text checks and the default policy do with requests and with their benign twins.

    python benchmarks/judged.py [--out benchmarks/results/judged-v2]

No text is printed or written. The sets are never edited and never tuned on; see tests/data/judged.

*block* and *alter* are for the words alone. *with a face* is what the default policy does with the same words beside a
photograph of somebody: any request that leans towards the sexual is blocked then. The picture's own signal is given (no
photograph is needed to know what the policy does with one); the words are judged as part of a request with a picture.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set

from guardrail import Guard  # noqa: E402
from guardrail.checks.text.sexual import LEANING, SexualTextCheck  # noqa: E402
from guardrail.media import ImageInput, Request, TextInput  # noqa: E402
from guardrail.signals import Stage  # noqa: E402

SETS = ("en", "ko", "multi")


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, in per cent."""
    z, p = 1.96, hits / of
    middle, spread = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return round(100 * (middle - spread) / (1 + z * z / of), 1), round(100 * (middle + spread) / (1 + z * z / of), 1)


def leans_with_picture(check: SexualTextCheck, text: str) -> bool:
    """Whether the words beside some picture reach what the rule about real people blocks."""
    picture = ImageInput((np.full((64, 64, 3), 127, np.uint8),))
    (values,) = check.check([Request(texts=(TextInput(text),), images=(picture,))], Stage.PROMPT)
    score = values.signals["prompt.sexual"]  # type: ignore[union-attr]
    assert isinstance(score, float)
    return score >= LEANING


def measure(guard: Guard) -> dict[str, Any]:
    check = SexualTextCheck()
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for name in SETS:
        with (ROOT / "tests" / "data" / "judged" / f"prompts-v2-{name}.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                decision = guard.check_prompt(row["text"])
                persons = decision.signals["prompt.persons"]
                count = counts.setdefault((row["lang"], row["set"], row["label"]), Counter())
                count["of"] += 1
                count[decision.action.value] += 1
                count["person"] += any((p["match"] or 0) >= 0.5 for p in persons)
                blocked = decision.action.value == "block"
                count["with a face"] += blocked or leans_with_picture(check, row["text"])
    result: dict[str, Any] = {}
    for (lang, kind, label), count in sorted(counts.items()):
        cell = {"of": count["of"]}
        for what in ("block", "alter", "person", "with a face"):
            cell[what] = round(100 * count[what] / count["of"], 1)  # type: ignore[assignment]
        cell["block_95"] = wilson(count["block"], count["of"])  # type: ignore[assignment]
        cell["with a face_95"] = wilson(count["with a face"], count["of"])  # type: ignore[assignment]
        result.setdefault(lang, {}).setdefault(kind, {})[label] = cell
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with Guard("default", audit=None, gallery=None) as guard:
        result = {
            "machine": f"{os.cpu_count()}-core {platform.machine()}, Python {platform.python_version()}",
            "command": "python benchmarks/judged.py",
            "policy": guard.policy.to_json(),
            "blocked, altered and persons found, in per cent": measure(guard),
        }
    print(json.dumps(result, indent=1, ensure_ascii=False))
    if given.out:
        given.out.with_suffix(".json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
