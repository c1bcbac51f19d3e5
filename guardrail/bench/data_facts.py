"""What was measured, as it travels with a result: files, descriptions, columns, labels, and which rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrail.bench.data import Survey
from guardrail.bench.descriptions import NO_DESCRIPTION, Description
from guardrail.bench.layout import Columns, Labels
from guardrail.bench.sources import Source
from guardrail.bench.text import visible

__all__ = ["data_facts", "picture_facts", "told_data"]


def data_facts(
    found: Survey, columns: Columns, labels: Labels, limit: int | None = None, seed: int | None = None
) -> dict[str, Any]:
    """What was measured, for ``facts["data"]`` of a run."""
    return {
        "files": [
            {
                "name": f.shown,
                "sha256": f.sha256,
                "rows": f.rows,
                "description": _name(f.description),
            }
            for f in found.files
        ],
        "descriptions": [d.to_json() for d in found.descriptions],
        **({"split": found.split} if found.split else {}),
        "rows": found.rows,
        "empty_texts": found.empty,
        "repeated": found.repeated,
        "measured": found.rows if limit is None else min(limit, found.rows),
        "sample": _sample_in_words(found.rows, limit, seed),
        "limit": limit,
        "columns": columns.to_json(),
        "labels": labels.to_json(),
    }


def told_data(found: Survey, limit: int | None = None, seed: int | None = None) -> list[tuple[str, str]]:
    """The same in words, (name, value), for the head of a report."""
    told = [
        ("data", f"{f.shown}, {f.rows:,} rows, sha256 {f.sha256[:12]}…, {_called(f.description)}") for f in found.files
    ]
    if found.split:
        told.append(("split", visible(found.split)))
    if odd := _odd(found):
        told.append(("rows", odd))
    told.append(("sample", _sample_in_words(found.rows, limit, seed)))
    for d in found.descriptions:
        told += [(f"licence of {d.name}", d.licence), *((f"{d.name} may not be used for", use) for use in d.not_for)]
    return told


def _called(told: Description | None) -> str:
    return NO_DESCRIPTION if told is None else f"described as {told.name} {told.version}"


def _odd(found: Survey) -> str:
    """Rows that weigh more than a reader would think; they are measured like all others."""
    empty, repeated = found.empty, found.repeated
    told = [f"{empty:,} with an empty text"] if empty else []
    told += [f"{repeated:,} with the text and the label of an earlier row"] if repeated else []
    return f"{'; '.join(told)} (measured like all others)" if told else ""


def _sample_in_words(total: int, limit: int | None, seed: int | None) -> str:
    if limit is None or limit >= total:
        return f"all {total:,} rows"
    how = "evenly spread" if seed is None else f"drawn with seed {seed}"
    return f"{limit:,} of {total:,} rows, {how}"


def picture_facts(folders: Sequence[Source]) -> dict[str, Any]:
    """The same for folders of pictures."""
    described = {id(f.description): f.description for f in folders if f.description is not None}
    return {
        "folders": [{"name": visible(str(f.path)), "description": _name(f.description)} for f in folders],
        "descriptions": [d.to_json() for d in described.values()],
    }


def _name(told: Description | None) -> str:
    return NO_DESCRIPTION if told is None else told.name
