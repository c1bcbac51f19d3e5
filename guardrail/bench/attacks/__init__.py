"""Disguises at full strength, one function a family: `family(text, rng)` rewrites every word that it can.

    from guardrail.bench.attacks import FAMILIES
    FAMILIES["homoglyph"]("a red house", random.Random(1))

Used to measure what the reader of guardrail/checks/text undoes, and to augment training rows: apply a family to benign
rows as well, or a model learns that noise is unsafe. Nothing here imports the rest of guardrail, so a fault in a table
of it does not hide itself. The same text and seed give the same result. A family leaves alone what it has no letters
for: ask `text != family(text, rng)` before counting a row. A family whose `keeps` is False changes what is asked for:
its rows are told apart. Initial-consonant writing of Korean (ㄴㅊ) is left out: people themselves read it only where
they know what is meant.
"""

from guardrail.bench.attacks.families import FAMILIES
from guardrail.bench.attacks.family import Family

__all__ = ["FAMILIES", "Family"]
