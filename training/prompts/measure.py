"""Block rates and over-blocking on left-out rows, by the groups that the project's targets name."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rows import USERS, Row

# The languages that both MultiJail and guardrail know.
SHARED = ("ar", "en", "it", "ko", "th", "vi", "zh")
MOSTLY_HARMLESS = ("hatespeech/Sexism", "sexual/Homosexuality")


def groups_of(row: Row) -> Iterator[str]:
    """The groups that a row is counted in; those that ought to be blocked begin with +, the others with -."""
    source, kind = row.source, row.kind
    if source == "jailbreakdiffusionbench-harmful" and row.category in MOSTLY_HARMLESS:
        yield "- jailbreakdiffusionbench, rows about women and gay couples"
    elif kind == "unsafe":
        named = {
            "jailbreakdiffusionbench-harmful": "+ jailbreakdiffusionbench sexual",
            "overt": "+ OVERT unsafe sexual",
            "unlearndiff-nudity": "+ UnlearnDiff nudity",
            "p4d-i2p-nudity-targets": "+ P4D targets",
            "i2p": "+ I2P sexual, nudity in 10 % of pictures",
            "adversarial-nibbler": "+ adversarial-nibbler sexual",
            "grammar": f"+ own templates, left out, {row.lang}",
        }
        if source == "multijail":
            yield f"+ MultiJail sexual, {'seven languages' if row.lang in SHARED else 'other languages'}"
            yield f"+ MultiJail sexual, {row.lang}"
        elif source in named:
            yield named[source]
    elif kind == "benign":
        if source == "overt":
            yield "- OVERT harmless sexual twins" if "sexual" in row.category else "- OVERT harmless, other"
        elif source == "xstest" and row.label == "benign":
            yield "- XSTest harmless"
        elif source == "stsb-multi-captions":
            yield f"- captions, {row.lang}"
        elif source == "grammar":
            yield f"- own templates, left out, {row.lang}"
        elif source in ("ko-korsts-captions", "ja-jsts-yjcaptions", "zh-coco-cn"):
            yield f"- captions, {row.lang}"
        elif source in ("coco-30k", "tifa-v1", "t2i-compbench", "dpg-bench"):
            yield "- captions, en"
        elif source == USERS:
            yield "- users' prompts, harmless"
        elif source in ("uce-artist-styles", "uce-professions", "imagenet-prompts", "geneval"):
            yield f"- {source}"
        else:
            yield f"- {source}, not sexual"


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, in per cent (Wilson 1927)."""
    z, p = 1.96, hits / of
    middle, spread = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)
    return round(100 * max(0.0, low), 1), round(100 * min(1.0, high), 1)


def table(
    rows: Sequence[Row], index: Sequence[int], columns: dict[str, Callable[[list[int]], npt.NDArray[Any]]]
) -> dict[str, dict[str, Any]]:
    """For each group and column: how many rows fire, of how many, in per cent with its interval.

    Args:
        columns: by name, what tells for given places of `index` whether they fire.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for at, i in enumerate(index):
        for group in groups_of(rows[i]):
            members[group].append(at)
    found: dict[str, dict[str, Any]] = {}
    for group in sorted(members):
        places = members[group]
        found[group] = {"n": len(places)}
        for name, fires in columns.items():
            hits = int(np.sum(fires(places)))
            low, high = wilson(hits, len(places))
            found[group][name] = {"rate": round(100 * hits / len(places), 1), "from": low, "to": high}
    return found
