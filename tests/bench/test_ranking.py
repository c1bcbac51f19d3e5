"""Figures that follow from the order of the scores, against their definitions and counts by hand."""

from __future__ import annotations

from itertools import product
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from guardrail.bench.ranking import Ranking, at_limit, figures, harmless_needed
from guardrail.bench.statistics import Rate, area_under, curve
from tests.budget import examples

# score:  .9   .8    .7   .6    .5 (a tie)   .1
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.1])
TRUTH = np.array([True, False, True, True, True, False, False])

rows = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=25).filter(
    lambda of: len({truth for _, truth in of}) == 2
)


def figured(scores: np.ndarray, truth: np.ndarray, *rates: float) -> list[float]:
    ranking = Ranking(scores, truth)
    made: list[float] = figures(ranking.found[None], ranking.alarms[None], rates)[0].tolist()
    return made


def test_figures_by_hand() -> None:
    area, average, equal, third, none = figured(SCORES, TRUTH, 1 / 3, 0.1)
    # Of 4 · 3 pairs: .9 beats 3, .7 and .6 beat 2 each, .5 beats 1 and ties with 1.
    assert area == pytest.approx((3 + 2 + 2 + 1.5) / 12)
    assert average == pytest.approx((1 / 1 + 2 / 3 + 3 / 4 + 4 / 6) / 4)
    # With 3 of 4 found there is 1 false alarm of 3, at the tie 4 and 2: the line between meets missed = false alarms
    # where 1/3 + t/3 = 1/4 − t/4.
    assert equal == pytest.approx(1 / 3)
    assert (third, none) == (3 / 4, 1 / 4)


def test_a_share_of_false_alarms_names_its_threshold() -> None:
    ranking = Ranking(SCORES, TRUTH)
    assert ranking.at(1 / 3) == (0.6, Rate(3, 4), Rate(1, 3))
    assert ranking.at(0.01) == (0.9, Rate(1, 4), Rate(0, 3))
    assert Ranking(SCORES, ~TRUTH).at(0.01) == (None, Rate(0, 3), Rate(0, 4))
    assert at_limit(SCORES, TRUTH, 0.5) == (Rate(4, 4), Rate(2, 3))
    # Three of 300 are 1 %, though 0.01 · 300 is not 3 in floats.
    scores = np.append(np.arange(300) / 300, [0.9895, 0.5])
    assert Ranking(scores, np.arange(302) >= 300).at(0.01).alarms == Rate(3, 300)


@settings(max_examples=examples(150))
@given(rows)
def test_figures_are_what_their_definitions_say(of: list[tuple[int, bool]]) -> None:
    scores, truth = np.array([s for s, _ in of], float), np.array([t for _, t in of])
    high, low = scores[truth], scores[~truth]
    area, average, equal, found = figured(scores, truth, 0.2)
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(high, low)]
    assert area == pytest.approx(np.mean(wins))
    points = [(np.mean(high >= limit), np.mean(low >= limit)) for limit in [np.inf, *sorted(set(scores), reverse=True)]]
    precise = [0.0] + [np.mean(truth[scores >= limit]) for limit in sorted(set(scores), reverse=True)]
    steps = zip(points, points[1:], precise[1:], strict=False)
    assert average == pytest.approx(sum((b[0] - a[0]) * p for a, b, p in steps))
    assert found == pytest.approx(max(t for t, f in points if f <= 0.2 + 1e-12))
    # On the straight lines of the curve, the equal error rate is the one place where both errors are the same.
    assert np.interp(equal, [f for _, f in points], [t for t, _ in points]) >= 1 - equal - 1e-9
    assert min(min(1 - t, f) for t, f in points) - 1e-9 <= equal <= min(max(1 - t, f) for t, f in points) + 1e-9


def test_only_the_order_counts_and_areas_agree_with_delongs() -> None:
    rng = np.random.default_rng(4)
    truth = rng.random(500) < 0.3
    scores = np.round(rng.normal(truth * 1.0), 1)
    made, area = figured(scores, truth, 0.01), area_under(scores, truth)
    assert made == figured(np.exp(scores), truth, 0.01)
    assert area is not None
    assert made[0] == pytest.approx(area.value, abs=1e-12)


def test_curves_lie_on_the_whole_curve_and_keep_its_ends() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(4_000) < 0.4
    scores = rng.normal(truth * 1.5)
    ranking, whole = Ranking(scores, truth), curve(scores, truth)
    assert whole is not None
    roc = list(ranking.roc(100, 0.05))
    assert len(roc) <= 150
    assert roc[0] == (None, 0.0, 0.0)
    assert roc[-1] == (scores.min(), 1.0, 1.0)
    assert sum(false <= 0.05 for _, false, _ in roc) >= 50
    for limit, false, true in roc[1:]:
        assert (true, false) == (np.mean(scores[truth] >= limit), np.mean(scores[~truth] >= limit))
    for limit, recall, precision in ranking.precision_recall(100):
        assert (recall, precision) == (np.mean(scores[truth] >= limit), np.mean(truth[scores >= limit]))
    for limit, false, missed in ranking.detection_error(100):
        assert false == np.mean(scores[~truth] >= limit)
        assert missed == pytest.approx(np.mean(scores[truth] < limit))
        assert 0 < false < 1 > missed > 0


def test_a_separated_score_has_no_detection_error_curve() -> None:
    assert list(Ranking(np.array([0.9, 0.1]), np.array([True, False])).detection_error(10)) == []


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 381), (0.005, 765), (0.001, 3838)])
def test_fewer_harmless_rows_cannot_show_a_share_of_false_alarms(rate: float, needed: int) -> None:
    assert harmless_needed(rate) == needed
    assert Rate(0, needed).interval[1] <= rate < Rate(0, needed - 1).interval[1]
    # The textbook's rule of three is for one side; two sides need a little more.
    assert ceil(3 / rate) < needed < ceil(4 / rate)
    assert stats.binomtest(0, needed).proportion_ci(method="wilson").high <= rate
