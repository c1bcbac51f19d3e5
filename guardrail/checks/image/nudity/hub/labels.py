"""What the labels of a classifier mean, by the model's own names. A swapped label fails open, so nothing is guessed.

The models that are known publish these names in this order. It was looked up: Falconsai/nsfw_image_detection's,
AdamCodd's and Marqo's in their ``config.json``, Freepik's in the code on its model card. The same names in another
order are an error, for the weights were trained with the published one; so is every other set of names, unless the user
says what each of them means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import ConfigurationError

__all__ = ["LEVELS", "Labels", "label_names", "meaning"]

Library = Literal["transformers", "timm"]

# The highest score that a level alone can reach: suggestive stays under the shipped threshold of partial nudity (0.35),
# partial between it and the one of explicit nudity (0.65).
LEVELS: Mapping[str, float] = {"harmless": 0.0, "suggestive": 0.30, "partial": 0.60, "explicit": 1.0}

_PUBLISHED: tuple[tuple[str, Library, tuple[tuple[str, str], ...]], ...] = (
    ("Falconsai/nsfw_image_detection", "transformers", (("normal", "harmless"), ("nsfw", "explicit"))),
    ("AdamCodd/vit-base-nsfw-detector", "transformers", (("sfw", "harmless"), ("nsfw", "explicit"))),
    ("Marqo/nsfw-image-detection-384", "timm", (("nsfw", "explicit"), ("sfw", "harmless"))),
    (
        "Freepik/nsfw_image_detector",
        "timm",
        (("neutral", "harmless"), ("low", "suggestive"), ("medium", "partial"), ("high", "explicit")),
    ),
)


@dataclass(frozen=True, slots=True)
class Labels:
    """What each output of a classifier means: one key of `LEVELS` for each index."""

    levels: tuple[str, ...]

    def score(self, probabilities: NDArray[np.float64]) -> float:
        """0..1 from the probabilities, which add up to 1: of every level at least, times what it can reach."""
        caps = np.array([LEVELS[level] for level in self.levels])
        return max(float(cap * probabilities[caps >= cap].sum()) for cap in caps)


def label_names(config: Mapping[str, Any], outputs: int, where: str) -> tuple[str, ...]:
    """The names of a ``config.json`` in the order of the outputs; ``LABEL_0``, ``LABEL_1`` … where it has none, as
    transformers calls them (and leaves away when it saves them).

    Args:
        config: transformers' ``id2label`` and ``label2id``, or timm's ``label_names``; wherever it has several of them,
            all must say the same.
        outputs: of the model.

    Raises:
        ConfigurationError: there are not as many as outputs, two are the same, or two lists contradict each other.
    """
    pretrained = config.get("pretrained_cfg")
    said: list[tuple[str, ...]] = []
    try:
        for names in (
            config.get("label_names"),
            pretrained.get("label_names") if isinstance(pretrained, dict) else None,
        ):
            if names:
                said.append(tuple(str(n) for n in names))
        if config.get("id2label"):
            by_id = {int(i): str(n) for i, n in config["id2label"].items()}
            said.append(tuple(by_id[i] for i in range(len(by_id))))
        if config.get("label2id"):
            by_name = {int(i): str(n) for n, i in config["label2id"].items()}
            said.append(tuple(by_name[i] for i in range(len(config["label2id"]))))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ConfigurationError(f"{where}: its labels cannot be read: id2label must name 0, 1, 2 … in turn") from None
    if not said:
        return tuple(f"LABEL_{i}" for i in range(outputs))
    names = said[0]
    if any(other != names for other in said[1:]):
        raise ConfigurationError(
            f"{where} contradicts itself: {' / '.join(', '.join(s) for s in said)}; with swapped labels it would let "
            "through what it finds"
        )
    if len(names) != outputs or len({n.lower() for n in names}) != len(names):
        raise ConfigurationError(f"{where} has {outputs} outputs and the labels {', '.join(names)}: one name for each")
    return names


def meaning(names: Sequence[str], library: Library, given: Mapping[str, str], where: str) -> Labels:
    """What the labels mean: as the user says, else as the known model with exactly these names has them.

    Raises:
        ConfigurationError: an unknown set of names, a known one in another order, or a mapping that leaves names out,
            has others, or finds nothing.
    """
    has = ", ".join(names)
    if given:
        return _as_given(names, given, where)
    lower = tuple(n.lower() for n in names)
    for published, of, labels in _PUBLISHED:
        if of == library and lower == tuple(n for n, _ in labels):
            return Labels(tuple(level for _, level in labels))
        if of == library and sorted(lower) == sorted(n for n, _ in labels):
            order = ", ".join(n for n, _ in labels)
            raise ConfigurationError(
                f"{where} has the labels {has}, and {published} has them as {order}: with swapped labels it would let "
                "through what it finds; if it was trained so, say what each means: labels={…}"
            )
    grades = ", ".join(LEVELS)
    raise ConfigurationError(
        f"{where} has the labels {has}, which are those of no known model; say what each means ({grades}): labels={{…}}"
    )


def _as_given(names: Sequence[str], given: Mapping[str, str], where: str) -> Labels:
    if set(given) != set(names):
        raise ConfigurationError(f"{where}: labels must name each of {', '.join(names)}, and no other")
    unknown = sorted(str(level) for level in given.values() if level not in LEVELS)
    if unknown:
        raise ConfigurationError(f"{where}: a label means one of {', '.join(LEVELS)}, not {', '.join(unknown)}")
    if not {"harmless", "explicit"} <= set(given.values()):
        raise ConfigurationError(f"{where}: at least one label must be harmless, and one explicit")
    return Labels(tuple(given[name] for name in names))
