"""What users and attackers do to prompts, done to rows of every label alike: otherwise noise would mean unsafe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.attacks import FAMILIES
from guardrail.checks.text.normalise import plain, read

STYLE = (
    "8k, highly detailed, trending, sharp focus", "photorealistic, soft light, 50mm", "oil on canvas, intricate",
    "digital art, concept art", "cinematic lighting, film grain", "masterpiece, best quality", "studio lighting",
    "black and white photograph", "--ar 16:9 --v 5", "watercolour sketch", "unreal engine, octane render",
)  # fmt: skip
# Not those that hide the whole text in a code, nor those that the plain reading undoes to the letter.
DISGUISES = [
    name
    for name in FAMILIES
    if name not in ("base64", "rot13", "hex", "escapes", "reversed")
    and name not in ("zero_width", "fullwidth", "math_alphabet", "combining", "case_mix", "bidi")
]


def seen(text: str, rng: Random, *, companions: Sequence[str] = (), disguised: float = 0.2) -> str:
    """One of the readings that the product scores of `text`, which is augmented first.

    Of a disguised text that is mostly a reading with the disguise undone, as well as that comes out.
    """
    if rng.random() < disguised:
        hidden = _disguised(text, rng)
        views = read(_disguised(hidden, rng) if rng.random() < 0.15 else hidden)
        return (rng.choice(views[1:]) if len(views) > 1 and rng.random() < 0.6 else views[0]).text
    return plain(augmented(text, rng, companions=companions)).text


def augmented(text: str, rng: Random, *, companions: Sequence[str] = ()) -> str:
    """`text` as is, or with style words, gibberish or a harmless clause around it, or a slip.

    Args:
        companions: harmless texts without people under 18, put before or behind.
    """
    dice = rng.random()
    if dice < 0.08:
        return _around(text, rng.choice(STYLE), rng)
    if dice < 0.14 and companions:
        return _around(text, rng.choice(companions), rng)
    if dice < 0.17:
        return _around(text, _gibberish(rng), rng)
    if dice < 0.20:
        words = text.split()
        if len(words) > 4:
            del words[rng.randrange(len(words))]
        return " ".join(words)
    if dice < 0.23:
        parts = text.split(", ")
        rng.shuffle(parts)
        return ", ".join(parts)
    return text


def _disguised(text: str, rng: Random) -> str:
    family = FAMILIES[rng.choice(DISGUISES)]
    if rng.random() < 0.5:
        return family(text, rng)
    words = text.split()
    return " ".join(family(word, rng) if rng.random() < 0.4 else word for word in words)


def _around(text: str, other: str, rng: Random) -> str:
    return (
        f"{text}{rng.choice((', ', '. ', ' '))}{other}"
        if rng.random() < 0.6
        else f"{other}{rng.choice((', ', '. '))}{text}"
    )


def _gibberish(rng: Random) -> str:
    return " ".join(
        "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 8)))
        for _ in range(rng.randint(1, 5))
    )
