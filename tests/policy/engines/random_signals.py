"""Random signal sets for the default policy: what checks say, what they fail to say, and what is no value at all."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from guardrail.signals import CORE, Choice, Flag, Items, Kind, Score, Stage

STAGES = list(Stage)
# Every threshold of the default policy, its neighbours, and the ends.
SCORES = [0.0, 0.19, 0.2, 0.349999, 0.35, 0.39, 0.4, 0.45, 0.499999, 0.5, 0.64, 0.65, 0.7, 0.700001, 0.9, 1.0]
# A check of another kind, a broken one, a hostile one.
NO_SCORE = [None, math.nan, math.inf, -math.inf, -0.1, 1.000001, 70, 10**400, True, "0.9", b"", object(), [0.5]]

# The signals that the default policy compares.
READ = [
    "prompt.sexual",
    "prompt.minor",
    "prompt.persons",
    "request.unverified",
    "reference.faces",
    "reference.nudity",
    "reference.hash_match",
    "reference.edit",
    "step.nudity",
    "output.nudity",
    "output.faces",
    "output.hash_match",
    "output.markable",
]
# Of these, the ones that change a picture when they come alone: drawn more often, since with others they mostly block.
ALTERS = ("prompt.sexual", "reference.faces", "output.nudity")


class Given(NamedTuple):
    signals: dict[str, Any]
    stage: Stage
    due: frozenset[Stage]


def given(count: int, seed: int = 20_261_118) -> Iterator[Given]:
    """`count` random sets; the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        # Mostly sound, then again full of holes.
        spoilt = rng.choice([0.0, 0.0, 0.02, 0.1, 0.3])
        stage = rng.choice(STAGES)
        hot = unusual(rng, stage)
        signals = {}
        for spec in CORE.signals.values():
            if rng.random() >= spoilt * 0.5:
                signals[spec.name] = value(rng, spec.kind, spoilt, 0.7 if spec.name in hot else 0.0)
        yield Given(signals, stage, due(rng, stage))


def unusual(rng: random.Random, stage: Stage) -> set[str]:
    """What is not harmless: often one thing that the stage is about. If everything always were, all would block."""
    about = [name for name in READ if CORE[name].stage is stage for _ in range(3 if name in ALTERS else 1)]
    if about and rng.random() < 0.5:
        return {rng.choice(about)}
    return set(rng.sample(READ, rng.choice([0, 1, 2, 3, len(READ)])))


def due(rng: random.Random, stage: Stage) -> frozenset[Stage]:
    """What a request leads to, most of the time; sometimes any subset, the stage itself left out too."""
    if rng.random() < 0.2:
        return frozenset(s for s in STAGES if rng.random() < 0.5)
    ran = STAGES[: stage.position + 1]
    return frozenset(s for s in ran if s in (Stage.PROMPT, stage) or rng.random() < 0.7)


def value(rng: random.Random, kind: Kind, spoilt: float, risky: float) -> Any:
    if rng.random() < spoilt:
        return rng.choice([*NO_SCORE, "no such word", ({},) * 65, {"match": 1}])
    if isinstance(kind, Items):
        return tuple(item(rng, kind, spoilt, risky) for _ in range(rng.choice([0, 0, 1, 1, 2, 3])))
    return single(rng, kind, risky)


def item(rng: random.Random, kind: Items, spoilt: float, risky: float) -> Any:
    if rng.random() < spoilt * 0.1:
        return rng.choice([None, 3, "face", ()])
    fields = {}
    for name, field in kind.fields.items():
        if rng.random() < spoilt:
            if rng.random() < 0.5:
                fields[name] = rng.choice([*NO_SCORE, "no such word"])
        else:
            fields[name] = single(rng, field, risky)
    return fields


def single(rng: random.Random, kind: Kind, risky: float) -> Any:
    if rng.random() >= risky and not isinstance(kind, Items):
        return kind.benign
    if isinstance(kind, Score):
        return rng.choice(SCORES) if rng.random() < 0.8 else round(rng.random(), 6)
    if isinstance(kind, Flag):
        return rng.random() < 0.5
    return rng.choice(kind.values) if isinstance(kind, Choice) else rng.choice(["film", "art", "뉴스", ""])
