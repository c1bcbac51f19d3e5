"""Every figure of a run on prompts, from its samples alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from guardrail.bench import cells
from guardrail.bench.analysis_figures import analysis_figures
from guardrail.bench.analysis_tables import analysis_sheets
from guardrail.bench.columns import Columns
from guardrail.bench.run.figures import Figure
from guardrail.bench.run.measures import Measure
from guardrail.bench.scoring import curves, scores
from guardrail.bench.tables import Sheet

__all__ = ["Analysis", "analyse"]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What samples say. The parts are those of a `Run`, and depend on nothing but the samples and the thresholds.

    Attributes:
        measures: every figure with its n and interval.
        curves: JSON: what the figures are drawn from.
        sheets, figures: tables and plots of the report.
    """

    measures: tuple[Measure, ...]
    curves: dict[str, Any]
    sheets: tuple[Sheet, ...]
    figures: tuple[Figure, ...]


def analyse(samples: Iterable[Mapping[str, Any]], *, thresholds: Mapping[str, float]) -> Analysis:
    """Measure what was recorded.

    Args:
        samples: lines of results.jsonl, disguised copies among them; read once, kept in some 60 bytes each.
        thresholds: name → limit of the score, as `guardrail.bench.scores.thresholds_on` finds them in a policy; empty
            for a subject without.

    Raises:
        DataError: a sample is none.
    """
    columns = Columns.of_samples(samples)
    margins = cells.margins(columns)
    measures = (
        *cells.decisions(columns, margins),
        *cells.twins(columns),
        *cells.unread(columns, margins),
        *cells.bypasses(columns, margins),
        *cells.disguises(columns, margins),
        *scores(columns, thresholds),
    )
    points = curves(columns)
    crowded = [" × ".join(margin) for margin in margins.crowded]
    return Analysis(measures, points, analysis_sheets(measures, points, crowded), analysis_figures(measures, points))
