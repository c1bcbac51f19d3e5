"""Samples of a run as samples of Inspect's logs: one for each prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import nan
from pathlib import Path
from typing import Any

from guardrail.bench.files import DataError
from guardrail.bench.run.folder import METRICS
from guardrail.bench.run.record import StoredRun
from guardrail.bench.run.samples import FILE, iter_samples
from guardrail.bench.text import visible

__all__ = ["SUITE", "samples_of"]

SUITE = "prompts"
"""The suite whose samples go into the log; of the others, the figures alone."""
_TARGETS = {"block": "block", "benign": "allow", "other": ""}
_STOPS = {"block": ("block",), "stop": ("block", "alter")}
"""What counts as stopped, by score: as in ``block_rate``, and as in ``stop_rate``."""
_SAID = ("label", "lang", "source", "attack", "rules", "role", "action", "cause", "group", "pair", "of", "families",
         "bypassed", "ms", "cpu_ms")  # fmt: skip
_LONGEST_ID = 200  # characters; it is part of the name of a file in the log


def samples_of(folder: Path, run: StoredRun, identity: str) -> Iterator[dict[str, Any]]:
    """Fields of an `EvalSample` for each prompt, in the order of the run; none for a suite of other samples.

    Raises:
        DataError: results.jsonl cannot be read, or is of another run than metrics.json.
    """
    if run.suite != SUITE:
        return
    path = folder / FILE
    taken, seen = set[str](), Counter[tuple[str, str]]()
    for line, row in enumerate(iter_samples(path), 2):
        try:
            made = _sample(row, taken, identity, texts=bool(run.run["holds_prompts"]))
            if not row.get("of"):
                seen[row["role"], row["action"]] += 1
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError(f"{path}:{line}: no prompt of a run: measure anew with --fresh") from None
        yield made
    for role, name in (("block", "block_rate"), ("benign", "over_block_rate")):
        told, n = run.measures.get(name), sum(k for (of, _), k in seen.items() if of == role)
        if (told.count or 0, told.n) != (seen[role, "block"], n) if told is not None else n:
            raise DataError(
                f"{path} and {METRICS} are of two runs, or one of them was stopped: run the same command again"
            )


def _sample(row: Mapping[str, Any], taken: set[str], identity: str, *, texts: bool) -> dict[str, Any]:
    name, again = _name(row["id"]), 1
    while name in taken:  # ids are unique in the data, but not always after `_name`
        again += 1
        name = f"{_name(row['id'])}#{again}"
    taken.add(name)
    return {
        "id": name,
        "epoch": 1,
        "input": _encodable(row["text"]) if texts and "text" in row else name,
        "target": _TARGETS[row["role"]],
        "scores": dict(_scores(row)),
        "metadata": {"id": visible(row["id"]), **{field: _plain(row[field]) for field in _SAID if field in row}},
        "uuid": sha256(f"{identity}/{name}".encode()).hexdigest()[:22],
        "total_time": row["ms"] / 1e3,
    }


def _name(given: str) -> str:
    """An id that is fit for the name of a file in an archive: no way up, no control character, no excessive length."""
    parts = (part for part in visible(given).replace("\\", "/").split("/") if part not in ("", ".", ".."))
    name = "/".join(parts) or "sample"
    return name if len(name) <= _LONGEST_ID else f"{name[:_LONGEST_ID]}~{sha256(name.encode()).hexdigest()[:12]}"


def _encodable(text: str) -> str:
    """A prompt as it is; half of a surrogate pair, which no file can hold, as ``\\udxxx``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _encodable(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _scores(row: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """``block`` and ``stop``, correct (C) or incorrect (I); and ``score``, where there is one.

    A prompt that is neither harmful nor harmless has no right answer: NaN, which Inspect leaves out of every metric.
    """
    action, role = str(row["action"]), row["role"]
    if action not in ("allow", "alter", "block"):
        raise ValueError("no such action")
    why = _encodable(row["cause"] or ", ".join(row["rules"])) or "no rule acted"
    for name, stops in _STOPS.items():
        right = (action in stops) == (role == "block")
        value = nan if role == "other" else "C" if right else "I"
        yield name, {"value": value, "answer": action, "explanation": why}
    if row["score"] is not None:
        yield "score", {"value": float(row["score"]), "answer": action}
