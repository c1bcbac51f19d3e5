"""A run on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardrail.bench.cards import system_card
from guardrail.bench.drawing import drawn, standalone
from guardrail.bench.files import DataError
from guardrail.bench.junit import cases_of, junit
from guardrail.bench.page import page
from guardrail.bench.report import markdown, write_texts
from guardrail.bench.risks import risk_assessment
from guardrail.bench.run.measures import Measure, by_key
from guardrail.bench.run.record import FORMAT, METRICS, RUN, Run, StoredRun

__all__ = ["METRICS", "RUN", "read_run", "write_run"]


def write_run(run: Run, folder: Path) -> list[Path]:
    """Write everything that is made of a run, all files or none; results.jsonl is there already.

    Raises:
        DataError: the folder cannot be written to.
    """
    by_key(run.measures)
    texts: dict[str, str] = {
        RUN: _json(
            {
                "format": FORMAT,
                "suite": run.suite,
                "title": run.title,
                **run.facts,
                "not_run": dict(run.not_run),
                "holds_prompts": run.texts,
                "timing": dict(run.timing),
            }
        ),
        METRICS: _json(
            {
                "format": FORMAT,
                "suite": run.suite,
                "measures": [m.to_json() for m in run.measures],
                "curves": dict(run.curves),
            }
        ),
        **_made(run),
    }
    return write_texts(texts, folder)


def _made(run: Run) -> dict[str, str]:
    """What is made for readers: reports, plots, cards, and what a CI service shows."""
    plots = drawn(run.figures)
    return {
        "report.html": page(run, plots),
        "report.md": markdown(run, plots),
        "junit.xml": junit(cases_of(run)),
        "system_card.md": system_card(run),
        "risk_assessment.md": risk_assessment(run),
        **{f"figures/{name}.svg": standalone(plot) for name, plot in plots.plots.items()},
    }


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def read_run(folder: Path) -> StoredRun:
    """An earlier run.

    Raises:
        DataError: it is none, of another format, or damaged.
    """
    run, metrics = _read(folder / RUN), _read(folder / METRICS)
    try:
        if run["format"] != FORMAT or metrics["format"] != FORMAT:
            raise DataError(f"{folder} has another format than this version writes ({FORMAT}): measure anew")
        if run["suite"] != metrics["suite"]:
            raise DataError(f"{folder}: {RUN} and {METRICS} are of two runs: measure anew")
        measures = by_key(Measure.from_json(told) for told in metrics["measures"])
        return StoredRun(str(run["suite"]), run, measures, dict(metrics["curves"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise DataError(f"{folder} was changed by hand or is cut off: measure anew") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; name the folder of an earlier run") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path} is no JSON: name the folder of an earlier run") from None
    if not isinstance(told, dict):
        raise DataError(f"{path} is no object: name the folder of an earlier run")
    return told
