"""Every statistic against scipy, a published value or a count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from guardrail.bench.statistics import (
    Rate,
    area_difference,
    area_under,
    brier,
    curve,
    paired,
    unpaired,
    wilson,
)


@pytest.mark.parametrize(("hits", "of"), [(0, 1), (0, 20), (1, 20), (10, 20), (19, 20), (20, 20), (3, 1_000)])
def test_the_interval_of_a_rate_is_wilsons(hits: int, of: int) -> None:
    expected = stats.binomtest(hits, of).proportion_ci(0.95, method="wilson")
    assert Rate(hits, of).interval == pytest.approx((expected.low, expected.high), abs=1e-6)


def random_scores(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    # Rounded, so that there are many ties.
    return np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1), 1), truth


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_mann_whitneys_with_ties_half(seed: int) -> None:
    scores, truth = random_scores(seed)
    area, roc = area_under(scores, truth), curve(scores, truth)
    assert area is not None
    assert roc is not None
    u = stats.mannwhitneyu(scores[truth], scores[~truth]).statistic
    assert area.value == pytest.approx(u / truth.sum() / (~truth).sum(), abs=1e-12)
    # The trapezoids below the curve are the same area, before and after points on straight lines are left out.
    assert np.trapezoid(roc.true, roc.false) == pytest.approx(area.value, abs=1e-12)
    assert area.low < area.value < area.high


def test_the_interval_of_the_area_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    true_area = float(stats.norm.cdf(1 / np.sqrt(2)))
    truth = np.arange(120) < 40
    covered = 0
    for _ in range(400):
        area = area_under(rng.normal(truth * 1.0, 1.0), truth)
        assert area is not None
        covered += area.low <= true_area <= area.high
    assert 0.92 <= covered / 400 <= 0.975


def test_a_curve_by_hand() -> None:
    #        threshold: .9    .8          .5 (a tie)            .1
    scores = np.array([0.9, 0.8, 0.5, 0.5, 0.1])
    truth = np.array([True, False, True, False, False])
    roc = curve(scores, truth)
    assert roc is not None
    points = list(zip(roc.threshold.tolist(), roc.false.tolist(), roc.true.tolist(), strict=True))
    expected = [(np.inf, 0, 0), (0.9, 0, 1 / 2), (0.8, 1 / 3, 1 / 2), (0.5, 2 / 3, 1), (0.1, 1, 1)]
    assert [p[0] for p in points] == [e[0] for e in expected]
    assert [v for p in points for v in p[1:]] == pytest.approx([v for e in expected for v in e[1:]])


def test_a_thinned_curve_keeps_its_ends_and_lies_on_the_old_one() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(5_000) < 0.4
    roc = curve(rng.normal(truth * 1.0), truth)
    assert roc is not None
    thin = roc.thinned(50)
    assert len(thin.false) <= 50 < len(roc.false)
    assert (thin.false[0], thin.true[0], thin.false[-1], thin.true[-1]) == (0, 0, 1, 1)
    assert set(zip(thin.false, thin.true, strict=True)) <= set(zip(roc.false, roc.true, strict=True))
    assert np.trapezoid(thin.true, thin.false) == pytest.approx(np.trapezoid(roc.true, roc.false), abs=0.005)


@pytest.mark.parametrize("truth", [[True, True], [False, False], []])
def test_one_kind_alone_has_no_curve(truth: list[bool]) -> None:
    scores, of = np.linspace(0, 1, len(truth)), np.array(truth, dtype=bool)
    assert curve(scores, of) is area_under(scores, of) is area_difference(scores, scores, of) is None


def test_the_difference_of_two_areas_agrees_with_a_bootstrap() -> None:
    seed = 1
    before, truth = random_scores(seed, 400)
    after = np.clip(before + np.random.default_rng(seed + 50).normal(0.08 * truth, 0.15), 0, 1)
    found = area_difference(before, after, truth)
    assert found is not None
    rng = np.random.default_rng(99)
    draws = []
    for _ in range(300):
        at = np.concatenate([rng.choice(np.flatnonzero(kind), kind.sum()) for kind in (truth, ~truth)])
        a, b = area_under(before[at], truth[at]), area_under(after[at], truth[at])
        assert a is not None
        assert b is not None
        draws.append(b.value - a.value)
    low, high = np.percentile(draws, (2.5, 97.5))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.015)


def test_the_same_scores_have_no_difference() -> None:
    scores, truth = random_scores(1)
    found = area_difference(scores, scores, truth)
    assert found is not None
    assert (found.value, found.p) == (0, 1)


def test_brier_by_hand() -> None:
    scores, truth = np.array([0.0, 0.05, 0.95, 1.0]), np.array([False, True, True, True])
    assert brier(scores, truth) == pytest.approx((0 + 0.95**2 + 0.05**2 + 0) / 4)
    assert brier(scores[:0], truth[:0]) is None


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (0, 5), (1, 8), (6, 6), (12, 3)])
def test_paired_rows_are_tested_by_the_exact_mcnemar_test(lost: int, gained: int) -> None:
    before = np.array([True] * lost + [False] * gained + [True] * 10 + [False] * 10)
    after = np.array([False] * lost + [True] * gained + [True] * 10 + [False] * 10)
    found = paired(before, after)
    n, moved = len(before), lost + gained
    # The binomial tail by hand: twice the smaller side, at most 1.
    tail = stats.binom.cdf(min(lost, gained), moved, 0.5)
    assert found.p == pytest.approx(min(1.0, 2 * tail))
    assert found.value == pytest.approx((gained - lost) / n)
    assert found.low < found.value < found.high


def test_two_samples_give_newcombes_published_example() -> None:
    # Newcombe 1998 (Statistics in Medicine 17, 873), table II, example (a), method 10: 56/70 against 48/80.
    found = unpaired(Rate(48, 80), Rate(56, 70))
    assert (found.value, found.low, found.high) == pytest.approx((0.2000, 0.0524, 0.3339), abs=5e-5)
    assert found.p == pytest.approx(stats.fisher_exact([[48, 32], [56, 14]]).pvalue)


@pytest.mark.parametrize("better", [True, False])
def test_an_area_of_separated_kinds_still_has_an_interval(better: bool) -> None:
    # DeLong's variance is 0 here; 5 rows cannot show that no harmless one lies above them.
    truth = np.array([better] * 5 + [not better] * 20)
    area = area_under(np.where(truth == better, 0.9, 0.1), truth)
    assert area is not None
    assert area == pytest.approx((1, *wilson(5, 5)) if better else (0, *wilson(0, 5)))
