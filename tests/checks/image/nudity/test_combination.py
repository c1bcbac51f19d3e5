"""The cascade: when a second opinion is asked, and what it may do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.nudity import Combination
from guardrail.errors import CheckError, ConfigurationError

from .scripted import Opinion

PICTURE = np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("ask", "rule", "first", "doubtful", "second", "score", "asked"),
    [
        # Nothing there, nothing doubtful: not asked.
        ("grey", "stricter", 0.0, False, 0.9, 0.0, False),
        # Nothing counts, but bare skin or a rejected part was seen.
        ("grey", "stricter", 0.0, True, 0.9, 0.9, True),
        ("grey", "stricter", 0.4, False, 0.9, 0.9, True),
        # It may raise, and lowers nothing unless the user says so.
        ("grey", "stricter", 0.4, False, 0.1, 0.4, True),
        ("grey", "second", 0.4, False, 0.1, 0.1, True),
        ("grey", "second", 0.4, False, 0.9, 0.9, True),
        # What is sure is neither asked about nor lowered.
        ("grey", "second", 0.65, False, 0.1, 0.65, False),
        ("grey", "stricter", 0.8, True, 0.1, 0.8, False),
        ("always", "second", 0.65, False, 0.1, 0.65, True),
        ("always", "second", 0.65, False, 0.9, 0.9, True),
        ("always", "stricter", 0.0, False, 0.5, 0.5, True),
        ("always", "second", 0.0, False, 0.5, 0.5, True),
        ("always", "second", 0.3, False, 0.1, 0.1, True),
    ],
)
def test_the_cascade(
    ask: Any, rule: Any, first: float, doubtful: bool, second: float, score: float, asked: bool
) -> None:
    opinion = Opinion(second)
    assert Combination(ask, rule).score(PICTURE, first, doubtful=doubtful, opinions=[opinion]) == score
    assert bool(opinion.asked) is asked


@pytest.mark.parametrize("rule", ["stricter", "second"])
def test_of_several_opinions_the_strictest_counts(rule: Any) -> None:
    opinions = [Opinion(0.2), Opinion(0.7), Opinion(0.1)]
    assert Combination("grey", rule).score(PICTURE, 0.3, doubtful=False, opinions=opinions) == 0.7


def test_without_opinions_the_detector_has_the_last_word() -> None:
    assert Combination("always").score(PICTURE, 0.3, doubtful=True, opinions=[]) == 0.3


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1, float("inf")])
def test_an_opinion_that_is_no_number_is_an_error(bad: float) -> None:
    with pytest.raises(CheckError, match="second gave a value that is no number"):
        Combination().score(PICTURE, 0.4, doubtful=False, opinions=[Opinion(0.2), Opinion(bad)])


@pytest.mark.parametrize("wrong", [{"ask": "never"}, {"rule": "milder"}, {"sure": 0.0}, {"sure": 1.2}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Combination(**wrong)
