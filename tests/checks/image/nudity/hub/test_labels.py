"""What labels mean: by the model's own names, and never by a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.nudity.hub.labels import Labels, label_names, meaning
from guardrail.errors import ConfigurationError


@pytest.mark.parametrize(
    ("names", "library", "levels"),
    [
        (("normal", "nsfw"), "transformers", ("harmless", "explicit")),
        (("sfw", "nsfw"), "transformers", ("harmless", "explicit")),
        (("NSFW", "SFW"), "timm", ("explicit", "harmless")),
        (("neutral", "low", "medium", "high"), "timm", ("harmless", "suggestive", "partial", "explicit")),
    ],
)
def test_known_models_are_known_by_their_names(names: Sequence[str], library: Any, levels: Sequence[str]) -> None:
    assert meaning(names, library, {}, "it").levels == tuple(levels)


@pytest.mark.parametrize(
    ("names", "library", "says"),
    [
        # Swapped: what is nude would be called normal.
        (("nsfw", "normal"), "transformers", "has them as normal, nsfw"),
        (("SFW", "NSFW"), "timm", "has them as nsfw, sfw"),
        (("nsfw", "sfw"), "transformers", "has them as sfw, nsfw"),
        (("high", "medium", "low", "neutral"), "timm", "has them as neutral, low, medium, high"),
        (("neutral", "medium", "low", "high"), "timm", "has them as neutral, low, medium, high"),
        # Unknown.
        (("LABEL_0", "LABEL_1"), "transformers", "those of no known model"),
        (("cat", "dog"), "transformers", "those of no known model"),
        (("normal", "nsfw"), "timm", "those of no known model"),
        (("normal", "nsfw", "other"), "transformers", "those of no known model"),
        (("nsfw",), "transformers", "those of no known model"),
    ],
)
def test_swapped_or_unknown_names_are_an_error(names: Sequence[str], library: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        meaning(names, library, {}, "the model")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"a": "harmless"}, "must name each of a, b"),
        ({"a": "harmless", "b": "explicit", "c": "explicit"}, "must name each of a, b"),
        ({"a": "harmless", "b": "rude"}, "a label means one of harmless, suggestive, partial, explicit, not rude"),
        ({"a": "harmless", "b": "partial"}, "at least one label must be harmless, and one explicit"),
        ({"a": "explicit", "b": "explicit"}, "at least one label must be harmless, and one explicit"),
    ],
)
def test_what_the_user_says_of_them_must_be_whole(given: Mapping[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        meaning(("a", "b"), "transformers", given, "it")


def test_the_user_may_say_what_unknown_labels_mean() -> None:
    assert meaning(("a", "b"), "transformers", {"b": "harmless", "a": "explicit"}, "it").levels == (
        "explicit",
        "harmless",
    )


@pytest.mark.parametrize(
    ("probabilities", "score"),
    [
        ((1.0, 0.0, 0.0, 0.0), 0.0),
        ((0.0, 1.0, 0.0, 0.0), 0.30),
        ((0.0, 0.0, 1.0, 0.0), 0.60),
        ((0.0, 0.0, 0.0, 1.0), 1.0),
        ((0.2, 0.0, 0.0, 0.8), 0.8),
        # Half partial, half explicit: it is at least partial.
        ((0.0, 0.0, 0.5, 0.5), 0.60),
        ((0.1, 0.0, 0.5, 0.4), 0.54),
        ((0.5, 0.5, 0.0, 0.0), 0.15),
    ],
)
def test_levels_reach_as_far_as_their_place(probabilities: Sequence[float], score: float) -> None:
    graded = Labels(("harmless", "suggestive", "partial", "explicit"))
    assert graded.score(np.array(probabilities)) == pytest.approx(score)


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"id2label": {"0": "normal", "1": "nsfw"}, "label2id": {"normal": 0, "nsfw": 1}}, ("normal", "nsfw")),
        ({"id2label": {"1": "nsfw", "0": "normal"}}, ("normal", "nsfw")),
        ({"label_names": ["NSFW", "SFW"]}, ("NSFW", "SFW")),
        ({"pretrained_cfg": {"label_names": ["NSFW", "SFW"]}}, ("NSFW", "SFW")),
    ],
)
def test_names_come_from_the_configuration(config: Mapping[str, Any], names: tuple[str, ...]) -> None:
    assert label_names(config, 2, "it") == names


@pytest.mark.parametrize("config", [{}, {"id2label": None}, {"label_names": []}])
def test_names_that_the_configuration_leaves_out_mean_nothing_by_themselves(config: Mapping[str, Any]) -> None:
    names = label_names(config, 2, "it")
    assert names == ("LABEL_0", "LABEL_1")
    with pytest.raises(ConfigurationError, match="those of no known model"):
        meaning(names, "timm", {}, "it")
    assert meaning(names, "timm", {"LABEL_0": "harmless", "LABEL_1": "explicit"}, "it").levels[1] == "explicit"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        # Two lists that say the opposite of each other.
        ({"id2label": {"0": "normal", "1": "nsfw"}, "label2id": {"normal": 1, "nsfw": 0}}, "contradicts itself"),
        ({"label_names": ["NSFW", "SFW"], "pretrained_cfg": {"label_names": ["SFW", "NSFW"]}}, "contradicts itself"),
        ({"id2label": {"1": "normal", "2": "nsfw"}}, "cannot be read"),
        ({"id2label": ["normal", "nsfw"]}, "cannot be read"),
        ({"label2id": {"normal": 0, "nsfw": 0}}, "cannot be read"),
        ({"id2label": {"0": "normal", "1": "nsfw", "2": "more"}}, "one name for each"),
        ({"label_names": ["NSFW", "nsfw"]}, "one name for each"),
    ],
)
def test_a_configuration_that_is_not_clear_is_an_error(config: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        label_names(config, 2, "the model")
