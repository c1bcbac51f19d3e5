"""What the answers of all peers come to: rates, areas, and each peer against guardrail on the same rows.

A row at which a peer failed is in no figure of it but ``not_checked_rate``: nobody knows what it would have decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.bench.data import BENIGN, BLOCK
from guardrail.bench.peers.base import FAILED
from guardrail.bench.peers.cases import COMPLETE, MISSING
from guardrail.bench.ranking import Ranking, harmless_needed
from guardrail.bench.run.measures import Better, Measure, of_area, of_rate
from guardrail.bench.statistics import (
    Bools,
    Difference,
    Floats,
    Rate,
    area_difference,
    area_under,
    curve,
    paired,
)

__all__ = ["TARGETS", "Answers", "agreements", "latency", "rates", "roc", "silent"]

TARGETS = (0.01, 0.005, 0.001)
"""False-positive rates that a true-positive rate is told at."""
_DIMENSIONS = ("label", "lang", "source")
_DECISIONS: tuple[tuple[str, str, Better], ...] = (
    ("block_rate", BLOCK, "higher"),
    ("over_block_rate", BENIGN, "lower"),
)
_BETTER: tuple[Better, Better] = ("higher", "lower")
_POINTS = 100
_MANY = 0.05
"""A figure that more than this share of its rows is missing from carries no claim."""
_Words = NDArray[np.object_]


class Answers:
    """The samples of a run by column. Rows that could not be read at all are left out, and counted in `unreadable`."""

    def __init__(self, samples: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
        kept = [s for s in samples if s["peers"]]
        self.names = tuple(names)
        self.unreadable = len(samples) - len(kept)
        self.columns: dict[str, _Words] = {
            d: np.array([s[d] for s in kept] or [], dtype=object) for d in ("role", *_DIMENSIONS)
        }
        self.actions: dict[str, _Words] = {}
        self.scores: dict[str, Floats] = {}
        self.failed: dict[str, Bools] = {}
        self.causes: dict[str, Counter[str]] = {}
        self.ms: dict[str, dict[str, Floats]] = {}
        for name in names:
            said = [s["peers"][name] for s in kept]
            self.actions[name] = np.array([a["action"] for a in said], dtype=object)
            self.scores[name] = np.array([np.nan if a["score"] is None else a["score"] for a in said], np.float64)
            self.failed[name] = np.array([bool(a.get("cause")) for a in said], bool)
            self.causes[name] = Counter(a["cause"] for a in said if a.get("cause"))
            self.ms[name] = {key: np.array([a[key] for a in said], np.float64) for key in ("ms", "cpu_ms")}

    def __len__(self) -> int:
        return len(self.columns["role"])

    def role(self, role: str) -> Bools:
        return np.equal(self.columns["role"], role).astype(bool)

    def did(self, name: str, *actions: str) -> Bools:
        """Rows at which the peer's own decision is one of these."""
        return np.isin(self.actions[name].astype(str), actions)

    def answered(self, *names: str) -> Bools:
        """Rows at which each of the peers decided something, be it on a missing answer of its own."""
        keep = np.ones(len(self), bool)
        for name in names:
            keep &= ~self.did(name, FAILED)
        return keep

    def scored(self, *names: str) -> Bools:
        """Rows of either kind with a score of each of the peers."""
        keep = self.role(BLOCK) | self.role(BENIGN)
        for name in names:
            keep &= ~np.isnan(self.scores[name])
        return keep


def rates(answers: Answers, reference: str) -> Iterator[Measure]:
    """Of every peer; then every other peer against `reference` on the same rows."""
    for name in answers.names:
        yield from _of_peer(answers, name, reference)
    for name in answers.names:
        if name != reference:
            yield from _against(answers, name, reference)


def silent(answers: Answers) -> dict[str, str]:
    """Peers that failed on every row, with their most frequent cause."""
    return {
        name: f"failed on every row: {min(causes, key=lambda cause: (-causes[cause], cause))}"
        for name, causes in answers.causes.items()
        if causes and not answers.answered(name).any()
    }


def _of_peer(answers: Answers, name: str, reference: str) -> Iterator[Measure]:
    blocked, stopped = answers.did(name, "block"), answers.did(name, "block", "alter")
    bad, good = answers.role(BLOCK), answers.role(BENIGN)
    for measure, role, better in _DECISIONS:
        yield _decided(answers, measure, blocked, answers.role(role), better, peer=name)
    if name == reference or (stopped & ~blocked).any():
        yield _decided(answers, "stop_rate", stopped, bad, "higher", peer=name)
        yield _decided(answers, "over_stop_rate", stopped, good, "lower", peer=name)
    yield of_rate("not_checked_rate", _rate(answers.failed[name], np.ones(len(answers), bool)), "lower", peer=name)
    yield from _of_score(answers, name)
    for dimension in _DIMENSIONS:
        words = answers.columns[dimension]
        values = sorted(set(words) - {""})
        for value in values if len(values) > 1 else ():
            for measure, role, better in _DECISIONS:
                where = np.equal(words, value).astype(bool) & answers.role(role)
                if where.any():
                    yield _decided(answers, measure, blocked, where, better, **{dimension: str(value), "peer": name})


def _decided(answers: Answers, measure: str, hits: Bools, of: Bools, better: Better, **where: str) -> Measure:
    """A share of those of the rows `of` that the peer answered."""
    kept = of & answers.answered(where["peer"])
    note, caveat = _without(int(of.sum()), int(kept.sum()), "failed")
    return replace(of_rate(measure, _rate(hits, kept), better, note, **where), caveat=caveat)


def _without(rows: int, kept: int, why: str) -> tuple[str, str]:
    """(note, caveat) of a figure that rows are missing from."""
    note = f"{rows - kept:,} of {rows:,} rows {why}, and are not in it" if kept < rows else ""
    return note, note if rows - kept > _MANY * rows else ""


def _of_score(answers: Answers, name: str) -> Iterator[Measure]:
    keep = answers.scored(name)
    scores, truth = answers.scores[name][keep], answers.role(BLOCK)[keep]
    if not len(scores):
        note = "it gives no score" if answers.answered(name).any() or not len(answers) else "it failed on every row"
        yield Measure("auroc", (("peer", name),), better="higher", unit="area", note=note)
        return
    asked = int((answers.role(BLOCK) | answers.role(BENIGN)).sum())
    note, caveat = _without(asked, len(scores), "have no score of it")
    yield replace(of_area("auroc", area_under(scores, truth), len(scores), note=note, peer=name), caveat=caveat)
    for target in TARGETS:
        found = _true_positives(scores, truth, target, name)
        yield replace(
            found,
            note="; ".join(filter(None, (found.note, note))),
            caveat="; ".join(filter(None, (found.caveat, caveat))),
        )


def _true_positives(scores: Floats, truth: Bools, target: float, name: str) -> Measure:
    of = {"fpr": f"{target:g}", "peer": name}
    if truth.all() or not truth.any():
        return Measure("tpr_at_fpr", tuple(of.items()), better="higher", note="one kind is absent")
    at, needed = Ranking(scores, truth).at(target), harmless_needed(target)
    where = "no threshold keeps to it" if at.threshold is None else f"score of {at.threshold:.6f} and over"
    note = f"{where}, chosen on these rows and taken as given by the interval"
    few = f"too few harmless rows for it: {at.alarms.of:,}, and {needed:,} are needed" if at.alarms.of < needed else ""
    return replace(of_rate("tpr_at_fpr", at.found, "higher", note, **of), caveat=few)


def _against(answers: Answers, name: str, reference: str) -> Iterator[Measure]:
    for measure, role, _ in _DECISIONS:
        rows = answers.role(role)
        where = rows & answers.answered(name, reference)
        n = int(where.sum())
        note, caveat = _without(int(rows.sum()), n, f"failed with it or with {reference}")
        if n:
            theirs, ours = answers.did(name, "block")[where], answers.did(reference, "block")[where]
            counts = f"{int((theirs & ~ours).sum()):,} only by it, {int((ours & ~theirs).sum()):,} only by {reference}"
            counts = "; ".join(filter(None, (counts, note)))
            found = _difference(f"{measure}_difference", paired(ours, theirs), n, name, counts)
            yield replace(found, caveat=caveat)
        elif note:
            yield Measure(f"{measure}_difference", (("peer", name),), unit="difference of shares", note=note)
    keep = answers.scored(name, reference)
    truth = answers.role(BLOCK)[keep]
    area = area_difference(answers.scores[reference][keep], answers.scores[name][keep], truth) if len(truth) else None
    if area is not None:
        asked = int((answers.role(BLOCK) | answers.role(BENIGN)).sum())
        note, caveat = _without(asked, len(truth), f"have no score of it or of {reference}")
        yield replace(
            _difference("auroc_difference", area, len(truth), name, note, unit="difference of areas"), caveat=caveat
        )


def _difference(
    measure: str, found: Difference, n: int, name: str, counts: str, unit: str = "difference of shares"
) -> Measure:
    note = "; ".join(part for part in (f"p = {found.p:.3g}", counts) if part)
    return Measure(
        measure, (("peer", name),), found.value, n, None, (found.low, found.high), found.method, unit=unit, note=note
    )


def agreements(answers: Answers, reference: str, own: Sequence[str]) -> Iterator[Measure]:
    """Of engines: the same decision as `reference`, by condition and by whether a signal is missing.

    Args:
        own: engines of guardrail, which have to agree; of the others it is told only.
    """
    ours, blocked, mute = answers.actions[reference], answers.did(reference, "block"), silent(answers)
    for name in answers.names:
        more, less = _BETTER if name in own else ("", "")
        same = np.equal(answers.actions[name], ours).astype(bool)
        failed, allowed = answers.did(name, FAILED), answers.did(name, "allow")
        for case in (COMPLETE, MISSING):
            here = np.equal(answers.columns["label"], case).astype(bool)
            if not here.any():
                continue
            of = {"case": case, "peer": name}
            if name != reference:
                # A missing signal is what an engine may fail at, and that is a finding; to fail at everything is none.
                asked, note = (here, "") if name not in mute else (here & ~here, "it failed on every row")
                yield of_rate("agreement_rate", _rate(same, asked), more, note, **of)
                yield of_rate("allowed_instead_of_blocked_rate", _rate(allowed, asked & blocked), less, note, **of)
            yield of_rate("not_checked_rate", _rate(failed, here), less, **of)


def roc(answers: Answers) -> dict[str, list[list[float]]]:
    """ROC curves of the peers that score: name → points (false-positive rate, true-positive rate)."""
    made = {}
    for name in answers.names:
        keep = answers.scored(name)
        found = curve(answers.scores[name][keep], answers.role(BLOCK)[keep]) if keep.any() else None
        if found is not None:
            thin = found.thinned(_POINTS)
            made[name] = [[float(f), float(t)] for f, t in zip(thin.false, thin.true, strict=True)]
    return made


def latency(answers: Answers) -> dict[str, dict[str, dict[str, float]]]:
    """ms of a row that was answered by peer, wall and processor time: p50, p95, p99."""
    return {
        name: {
            key: {f"p{p}": float(np.percentile(values[kept], p)) for p in (50, 95, 99)}
            for key, values in answers.ms[name].items()
            if kept.any()
        }
        for name in answers.names
        for kept in (answers.answered(name),)
    }


def _rate(hits: Bools, of: Bools) -> Rate:
    return Rate(int((hits & of).sum()), int(of.sum()))
