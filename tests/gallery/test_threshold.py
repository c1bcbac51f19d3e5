"""Thresholds that shrink with the gallery, by what was measured with the embedder."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import ndtr

from guardrail.checks.image.backends.dlib_embedding import DlibEmbedding
from guardrail.errors import ConfigurationError
from guardrail.gallery.threshold import CONSENT_RATE, PROTECT_RATE, score, thresholds

Rates = tuple[tuple[float, float], ...]
# Distances of unrelated faces as dlib's are: 0.8, spread 0.077.
POINTS: Rates = tuple((float(ndtr((d - 0.8) / 0.077)), d) for d in (0.5, 0.55, 0.6, 0.62, 0.7))


@dataclass(frozen=True)
class Measured:
    same: float = 0.62
    consent: float = 0.55
    margin: float = 0.05
    far: float = 1.1
    rates: Rates = POINTS

    def score(self, distance: float) -> float:
        if distance <= self.same:
            return 1.0 - 0.5 * distance / self.same
        return max(0.0, 0.5 * (self.far - distance) / (self.far - self.same))


SCALE = Measured()


@pytest.mark.parametrize("count", [0, 1, 5, 10**6])
def test_without_measured_rates_nothing_is_known_and_nothing_changes(count: int) -> None:
    found = thresholds(replace(SCALE, rates=()), protected=count, consented=count)
    assert (found.protect, found.same, found.consent, found.margin) == (0.62, 0.62, 0.55, 0.05)
    assert math.isnan(found.expected)


@pytest.mark.parametrize("count", [1, 2, 10, 100])
def test_one_search_of_the_protected_list_has_the_stated_rate(count: int) -> None:
    found = thresholds(SCALE, protected=count, consented=0)
    # The rate of a pair at this threshold, from the distances' own distribution.
    pair = float(ndtr((found.protect - 0.8) / 0.077))
    assert 1 - (1 - pair) ** count <= PROTECT_RATE * 1.02
    assert found.expected == pytest.approx(count * pair, rel=0.02)


@pytest.mark.parametrize("count", [1, 10, 1000, 10**6])
def test_one_search_of_the_consented_list_has_the_stated_rate_however_large(count: int) -> None:
    found = thresholds(SCALE, protected=0, consented=count)
    assert count * float(ndtr((found.consent - 0.8) / 0.077)) <= CONSENT_RATE * 1.02


def test_thresholds_never_grow_and_consent_is_never_the_looser() -> None:
    rows = [thresholds(SCALE, protected=n, consented=n) for n in (0, 1, 2, 3, 10, 100, 10**4, 10**6, 10**9)]
    for before, after in pairwise(rows):
        assert after.protect <= before.protect
        assert after.same <= before.same
        assert after.consent <= before.consent
    assert all(r.consent <= r.same <= SCALE.same and r.consent <= SCALE.consent for r in rows)
    assert rows[0].protect > rows[-1].protect
    assert rows[0].consent > rows[-1].consent


def test_protection_goes_no_farther_than_was_measured_and_says_what_that_costs() -> None:
    found = thresholds(SCALE, protected=10**6, consented=1)
    assert found.protect == 0.5
    assert found.expected == pytest.approx(10**6 * POINTS[0][0])
    # A large list of consents does not make protection stricter.
    assert (
        thresholds(SCALE, protected=1, consented=10**6).protect == thresholds(SCALE, protected=1, consented=0).protect
    )


@pytest.mark.parametrize("scale", [SCALE, DlibEmbedding.scale], ids=["toy", "embedded"])
@pytest.mark.parametrize("protected", [0, 1, 30, 70, 10**6])
@pytest.mark.parametrize("consented", [0, 1, 70, 10**6])
def test_consent_is_never_looser_than_protection(scale: Measured, protected: int, consented: int) -> None:
    found = thresholds(scale, protected=protected, consented=consented)
    assert found.consent <= found.protect
    assert found.consent <= found.same


@pytest.mark.parametrize(
    "rates",
    [
        ((0.01, 0.6),),
        ((0.01, 0.6), (0.001, 0.7)),
        ((0.01, 0.6), (0.1, 0.6)),
        ((0.0, 0.5), (0.1, 0.6)),
        ((0.1, 0.5), (1.0, 0.6)),
    ],
    ids=["one", "rates-fall", "distances-stand", "zero", "all"],
)
def test_rates_that_cannot_be(rates: Rates) -> None:
    with pytest.raises(ConfigurationError, match="rates of a scale"):
        thresholds(replace(SCALE, rates=rates), protected=1, consented=1)


@pytest.mark.parametrize("threshold", [0.62, 0.5, 0.4])
def test_the_score_is_a_half_at_the_threshold_in_force(threshold: float) -> None:
    assert score(SCALE, 0.0, threshold) == 1.0
    assert score(SCALE, threshold, threshold) == pytest.approx(0.5)
    falling = [score(SCALE, d, threshold) for d in np.linspace(0, 1.5, 200)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == 0.0
    assert score(SCALE, np.nextafter(threshold, 1), threshold) < 0.5


# Where an N-th of the rate is one that was measured: 1 % and 0.1 % of a pair, and the nearest of 6,909 pairs.
@pytest.mark.parametrize(("people", "protect"), [(1, 0.639), (10, 0.596), (69, 0.532), (70, 0.532), (10**6, 0.532)])
def test_protection_with_the_embedded_embedder(people: int, protect: float) -> None:
    assert thresholds(DlibEmbedding.scale, protected=people, consented=0).protect == pytest.approx(protect, abs=1e-3)


@pytest.mark.parametrize(("people", "least", "most"), [(1, 0.55, 0.55), (7, 0.53, 0.532), (10**6, 0.2, 0.3)])
def test_consent_with_the_embedded_embedder(people: int, least: float, most: float) -> None:
    assert least <= thresholds(DlibEmbedding.scale, protected=0, consented=people).consent <= most
