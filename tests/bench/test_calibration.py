"""What a score means, and contrast pairs: by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from guardrail.bench.calibration import calibration_error, equal_mass, error_by_chance, mean_interval
from guardrail.bench.pairs import PairScores, pair_scores
from guardrail.bench.statistics import Rate, wilson
from tests.budget import examples


def test_bins_of_equal_mass_by_hand() -> None:
    scores = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.7])
    truth = np.array([False, True, False, True, True, False])
    low, high = equal_mass(scores, truth, 2)
    assert (low.low, low.high, low.found, high.low, high.high, high.found) == (0.1, 0.3, (1, 3), 0.7, 0.9, (2, 3))
    assert (low.mean, high.mean) == pytest.approx((0.2, 0.8))
    assert calibration_error([low, high]) == pytest.approx((abs(0.2 - 1 / 3) + abs(0.8 - 2 / 3)) / 2)


def test_a_tie_that_fills_a_bin_leaves_the_others_as_many() -> None:
    scores = np.append(np.zeros(90), np.linspace(0.1, 1, 10))
    assert [(b.low, b.found.of) for b in equal_mass(scores, scores > 0, 6)] == [
        (0.0, 90), (0.1, 2), (pytest.approx(0.3), 2), (0.5, 2), (pytest.approx(0.7), 2), (pytest.approx(0.9), 2)
    ]  # fmt: skip


@settings(max_examples=examples(150))
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40), st.integers(1, 6))
def test_bins_hold_every_row_once_and_never_part_a_tie(of: list[tuple[int, bool]], count: int) -> None:
    scores, truth = np.array([s / 5 for s, _ in of]), np.array([t for _, t in of])
    bins = equal_mass(scores, truth, count)
    assert len(bins) == min(count, len(set(scores)))
    assert sum(b.found.of for b in bins) == len(of)
    assert sum(b.found.hits for b in bins) == truth.sum()
    assert all(a.high < b.low for a, b in pairwise(bins))


def test_a_right_score_is_off_by_what_chance_gives_and_a_wrong_one_by_more() -> None:
    rng = np.random.default_rng(2)
    scores = rng.random(20_000)
    right, wrong = (equal_mass(scores, rng.random(20_000) < p) for p in (scores, scores**2))
    assert calibration_error(right) == pytest.approx(error_by_chance(right), rel=0.5)
    # The mean of |s − s²| over 0..1.
    assert calibration_error(wrong) == pytest.approx(1 / 6, abs=0.01)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.arange(101) / 100
    expected = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected, abs=1e-6)
    assert mean_interval(values[:1]) is mean_interval(np.zeros(5)) is None


def test_pairs_by_hand() -> None:
    #                 won        tied       lost       no twin   none
    pair = np.array([1, 1, 2, 2, 3, 3, 4, 0, 0], np.uint64)
    harmful = np.array([1, 0, 1, 0, 0, 1, 1, 1, 0], bool)
    scores = np.array([0.9, 0.1, 0.5, 0.5, 0.6, 0.2, 0.9, 0.9, 0.1])
    found = pair_scores(scores, harmful, pair)
    assert found == PairScores(1, 1, 1)
    assert (found.n, found.value) == (3, 0.5)
    assert found.interval == pytest.approx(wilson(1.5, 3))
    # Paraphrases: 0.9 and 0.1 are 0.5 on average, and lose to 0.6.
    assert pair_scores(np.array([0.9, 0.1, 0.6]), np.array([True, True, False]), np.full(3, 5, np.uint64)).lost == 1
    assert pair_scores(scores, harmful, np.zeros(9, np.uint64)).n == 0


@settings(max_examples=examples(150))
@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_that_of_a_rate_and_takes_halves(of: tuple[int, int]) -> None:
    hits, n = of
    assert wilson(hits, n) == pytest.approx(Rate(hits, n).interval, abs=1e-12)
    low, high = wilson(hits / 2, n)
    assert 0 <= low <= hits / 2 / n <= high <= 1
