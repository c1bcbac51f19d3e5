"""Decisions that every engine is asked for: three conditions, and requests drawn around their limits.

Scores lie on a grid of twentieths, so that some are exactly at a limit. Every fifth case lacks a signal that is due, as
if its check had failed: a policy must not fall silent there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from guardrail.signals import SignalValue

__all__ = ["CASES", "CONDITIONS", "Case", "Condition", "cases"]

CASES = 300
COMPLETE, MISSING = "complete", "missing"
SEXUAL, FACES, NUDITY = "prompt.sexual", "reference.faces", "reference.nudity"


@dataclass(frozen=True, slots=True)
class Condition:
    """The same condition in the languages of all engines.

    Args:
        when: of a rule file.
        cel: over the signals by their names.
        cedar: over a context with `sexual` and `nudity` in thousandths and `faces`, a set of answers about each face:
            Cedar has no fractions but its decimals and asks nothing of the members of a set.
        rego: the members of an `all_of` or `any_of`.
    """

    name: str
    reads: tuple[str, ...]
    when: str
    cel: str
    cedar: str
    rego: str


CONDITIONS = (
    Condition(
        "score",
        (SEXUAL,),
        '{prompt.sexual: "> 0.7"}',
        "prompt.sexual > 0.7",
        "context.sexual > 700",
        'three.above("prompt.sexual", 0.7)',
    ),
    Condition(
        "score and face",
        (SEXUAL, FACES),
        '{prompt.sexual: "> 0.7", reference.faces: {any: {real: "> 0.5", identifiable: true}}}',
        "prompt.sexual > 0.7 && reference.faces.exists(f, f.real > 0.5 && f.identifiable)",
        "context.sexual > 700 && context.faces.contains(true)",
        """three.all_of([
	three.above("prompt.sexual", 0.7),
	three.some_item("reference.faces", [["real", ">", 0.5], ["identifiable", "==", true]]),
])""",
    ),
    Condition(
        "either score",
        (SEXUAL, NUDITY),
        '{any: [{prompt.sexual: "> 0.7"}, {reference.nudity: "> 0.5"}]}',
        "prompt.sexual > 0.7 || reference.nudity > 0.5",
        "context.sexual > 700 || context.nudity > 500",
        'three.any_of([three.above("prompt.sexual", 0.7), three.above("reference.nudity", 0.5)])',
    ),
)


@dataclass(frozen=True, slots=True)
class Case:
    """Signals of an image-to-image request after its reference pictures were looked at.

    Args:
        condition: index into `CONDITIONS`.
        kind: ``complete``, or ``missing`` where a signal that the condition reads is None.
    """

    id: str
    condition: int
    kind: str
    signals: dict[str, SignalValue]


def cases(count: int = CASES, seed: int = 1) -> Iterator[Case]:
    """Drawn with a generator of its own; the first of many are those of fewer."""
    draw = random.Random(seed)  # noqa: S311 — cases of a benchmark, no secret
    for i in range(count):
        at = i % len(CONDITIONS)
        faces = tuple(
            {"real": draw.randrange(21) / 20, "identifiable": draw.random() < 0.5} for _ in range(draw.randrange(5))
        )
        # Around the limits, so that either answer is common.
        signals: dict[str, SignalValue] = {
            SEXUAL: draw.randrange(8, 21) / 20,
            FACES: faces,
            NUDITY: draw.randrange(4, 17) / 20,
        }
        kind = MISSING if i // len(CONDITIONS) % 5 == 4 else COMPLETE
        lost = draw.choice(CONDITIONS[at].reads)
        if kind == MISSING:
            signals[lost] = None
        yield Case(f"case-{i + 1}", at, kind, signals)
