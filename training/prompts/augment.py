"""What users and attackers do to prompts, done to rows of every label alike: otherwise noise would mean unsafe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.attacks import FAMILIES

STYLE = (
    "8k, highly detailed, trending, sharp focus", "photorealistic, soft light, 50mm", "oil on canvas, intricate",
    "digital art, concept art", "cinematic lighting, film grain", "masterpiece, best quality", "studio lighting",
    "black and white photograph", "--ar 16:9 --v 5", "watercolour sketch", "unreal engine, octane render",
)  # fmt: skip
DISGUISES = [name for name in FAMILIES if name not in ("base64", "rot13", "hex", "escapes", "reversed")]


def augmented(text: str, rng: Random, *, companions: Sequence[str] = (), disguised: float = 0.12) -> str:
    """`text` as is, or with a disguise, with style words, gibberish or a harmless clause around it, or a slip.

    Args:
        companions: harmless texts without people under 18, put before or behind.
        disguised: share of texts that get a disguise on some or all words.
    """
    dice = rng.random()
    if dice < disguised:
        return _disguised(text, rng)
    if dice < disguised + 0.08:
        return _around(text, rng.choice(STYLE), rng)
    if dice < disguised + 0.14 and companions:
        return _around(text, rng.choice(companions), rng)
    if dice < disguised + 0.17:
        return _around(text, _gibberish(rng), rng)
    if dice < disguised + 0.20:
        words = text.split()
        if len(words) > 4:
            del words[rng.randrange(len(words))]
        return " ".join(words)
    if dice < disguised + 0.23:
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
