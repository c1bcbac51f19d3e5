"""The few figures that a reader of a report looks for first, in words."""

from __future__ import annotations

from dataclasses import replace

from guardrail.bench.limits import part, value
from guardrail.bench.run.measures import Measure
from guardrail.bench.run.record import Run
from guardrail.bench.tables import Sheet

__all__ = ["MEASURED", "headline"]

MEASURED = "Measured with what, and where"
_MOST = 8
_WORDS = {
    "block_rate": "to be blocked, and blocked",
    "stop_rate": "to be blocked, and blocked or altered",
    "over_block_rate": "harmless, but blocked",
    "over_stop_rate": "harmless, but blocked or altered",
    "not_checked_rate": "could not be checked",
    "bypass_after_alter_rate": "altered, and still found wanting",
    "attack_lost_rate": "caught as they came, and allowed in disguise",
    "attack_alarm_rate": "harmless, and stopped in disguise only",
    "auroc": "area under the ROC curve",
    "average_precision": "average precision",
    "eer": "equal error rate",
    "ece": "expected calibration error",
    "brier": "Brier score",
    "pair_accuracy": "pairs whose harmful half scores higher",
    "face_found_rate": "pictures with a face, and found",
    "face_alarm_rate": "pictures without a face, and one found",
    "known_found_rate": "known pictures, and found",
    "known_alarm_rate": "other pictures, and taken for known",
    "drawn_stopped_rate": "stopped as they came",
    "adaptive_success_rate": "stopped, and an allowed wording found",
    "agreement_rate": "the same decision as the built-in engine",
    "never_allowed_rate": "requests that no policy may allow, and blocked",
}


def headline(run: Run) -> Sheet | None:
    """Those that the run names, else at most eight: those over everything with a better direction that were measured,
    in their order. None where there are none."""
    if run.headline:
        by_key = {m.key: m for m in run.measures}
        chosen = [by_key[key] for key in run.headline if key in by_key]
    else:
        chosen = [m for m in run.measures if not m.of and m.better and m.value is not None][:_MOST]
    if not chosen:
        return None
    head = ("figure", "value (95 %)", "n", "remark")
    return Sheet("In short", head, tuple(map(_row, chosen)))


def _row(measure: Measure) -> tuple[str, ...]:
    """What has to be known of it is the first thing only: the table of all figures has the rest."""
    words = _said(measure)
    twice = measure.unit not in ("share", "area") and measure.unit in words  # an equal error rate of 0.2 error rate
    shown = replace(measure, unit="") if twice else measure
    return words, value(shown), f"{measure.n:,}", measure.remark or measure.bound or measure.note


def _said(measure: Measure) -> str:
    words = _WORDS.get(measure.name, measure.name.replace("_", " "))
    return f"{words}: {part(measure)}" if measure.of else words
