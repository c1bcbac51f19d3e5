"""Intervals by resampling: against formulas, against simulated truth, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from guardrail.bench.bootstrap import by_groups, by_rows, rate_intervals
from guardrail.bench.ranking import Ranking
from guardrail.bench.statistics import area_under, wilson


def test_a_share_by_groups_of_one_size_is_as_wide_as_its_standard_error_says() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(200), 5)
    hit = rng.random(1_000) < np.repeat(rng.beta(2, 2, 200), 5)
    groups, (interval,) = rate_intervals([hit], group)
    assert groups == 200
    assert interval is not None
    # Groups of one size: the share is the mean of 200 independent means.
    means = hit.reshape(200, 5).mean(axis=1)
    error = means.std() / np.sqrt(200)
    assert interval == pytest.approx((hit.mean() - 1.96 * error, hit.mean() + 1.96 * error), abs=0.006)
    low, high = wilson(float(hit.sum()), 1_000)
    assert interval[1] - interval[0] > 1.2 * (high - low)


def test_rows_that_stand_alone_have_no_interval_by_groups() -> None:
    hit = np.array([True, False, True])
    assert rate_intervals([hit, ~hit], np.array([7, 3, 5])) == (3, [None, None])
    ranking = Ranking(np.array([0.9, 0.1, 0.5]), hit)
    assert by_groups(ranking, (), 2_000, np.arange(3)) == (3, [None, None, None])


@pytest.mark.parametrize("hits", [0, 40, 20])
def test_what_no_resample_varies_has_wilsons_interval_of_as_many_groups(hits: int) -> None:
    # Of 20 half, each of 20 groups of two has one.
    hit = np.arange(40) < hits if hits != 20 else np.arange(40) % 2 == 0
    _, (interval,) = rate_intervals([hit], np.arange(40) // 2)
    assert interval == pytest.approx(wilson(hits / 2, 20))


def test_few_hits_leave_no_narrower_an_interval_than_wilsons() -> None:
    group = np.arange(300) // 2
    _, (few, many) = rate_intervals([np.arange(300) < 1, np.arange(300) % 4 == 0], group)
    assert few is not None
    assert few == pytest.approx(wilson(150 / 300, 150), abs=0.001)
    assert few[1] > wilson(1, 300)[1]
    assert many is not None
    low, high = wilson(75, 300)
    assert many[0] <= low < high <= many[1]


def scored(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    truth = rng.random(n) < 0.4
    return rng.normal(truth * 1.2), truth


def test_the_area_by_rows_agrees_with_delong_and_each_time() -> None:
    scores, truth = scored(300)
    area = area_under(scores, truth)
    assert area is not None
    found = by_rows(Ranking(scores, truth), (0.1,), 2_000)
    assert found == by_rows(Ranking(scores, truth), (0.1,), 2_000)
    assert found[0] == pytest.approx((area.low, area.high), abs=0.01)
    before = np.random.get_state(legacy=False)
    by_rows(Ranking(scores, truth), (), 50)
    after = np.random.get_state(legacy=False)
    assert str(after) == str(before)


def test_fewer_steps_of_the_threshold_hardly_move_an_interval() -> None:
    scores, truth = scored(800)
    ranking, group = Ranking(scores, truth), np.arange(800) // 10
    assert len(np.unique(ranking.steps(200))) <= 202
    exact, coarse = (by_groups(ranking, (0.01,), most, group)[1] for most in (800, 200))
    for one, other in zip(exact, coarse, strict=True):
        assert one == pytest.approx(other, abs=0.01)


def test_rows_doubled_within_groups_add_nothing() -> None:
    scores, truth = scored(300)
    twice = Ranking(np.repeat(scores, 2), np.repeat(truth, 2))
    groups, doubled = by_groups(twice, (), 2_000, np.repeat(np.arange(300), 2))
    once = by_rows(Ranking(scores, truth), (), 2_000)
    assert groups == 300
    assert doubled[0] == pytest.approx(once[0], abs=0.012)
    naive = by_rows(twice, (), 2_000)[0]
    assert naive is not None
    assert doubled[0] is not None
    assert doubled[0][1] - doubled[0][0] > 1.25 * (naive[1] - naive[0])


def test_a_resample_without_one_of_the_kinds_is_left_out() -> None:
    found = by_rows(Ranking(np.array([0.9, 0.8, 0.1]), np.array([True, False, False])), (0.5,), 2_000)
    assert found[0] is None  # whenever the harmful row was drawn it was above all others
    assert len(found) == 4


@pytest.mark.nightly
def test_the_interval_by_groups_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = by_wilson = 0
    for _ in range(400):
        of = np.repeat(np.arange(100), rng.integers(5, 15, 100))
        hit = rng.random(len(of)) < rng.beta(4, 1, 100)[of]
        _, (interval,) = rate_intervals([hit], of)
        assert interval is not None
        covered += interval[0] <= 0.8 <= interval[1]
        low, high = wilson(float(hit.sum()), len(hit))
        by_wilson += low <= 0.8 <= high
    assert 0.91 <= covered / 400 <= 0.98
    assert by_wilson / 400 < 0.85
