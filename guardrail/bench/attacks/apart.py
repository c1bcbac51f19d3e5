"""Words taken apart, run together, or put inside other letters."""

from __future__ import annotations

from random import Random

from guardrail.bench.attacks.family import LATIN, LONG, each, joined

__all__ = ["affixed", "dotted", "emoji_between", "glued", "hyphen", "punctuation", "spaced", "split"]

_EMOJI = "🔥💦🍑🍆✨💋👀❤🌸😈"


def _cut(text: str, rng: Random, mark: str) -> str:
    def change(word: str) -> str:
        at = rng.randint(1, len(word) - 1) if len(word) < 4 else rng.randint(2, len(word) - 2)
        return word[:at] + mark + word[at:]

    return each(LONG, text, change)


def spaced(text: str, rng: Random) -> str:
    """A space between all letters; between words one space as well, or three."""
    gap = rng.choice((" ", "   "))
    return gap.join(" ".join(word) for word in text.split())


def dotted(text: str, rng: Random) -> str:
    """A dot between all letters."""
    return joined(text, lambda: ".")


def punctuation(text: str, rng: Random) -> str:
    """Changing punctuation between all letters."""
    return joined(text, lambda: rng.choice(".,;'`^~_-/|"))


def emoji_between(text: str, rng: Random) -> str:
    """An emoji between all letters."""
    return joined(text, lambda: rng.choice(_EMOJI))


def split(text: str, rng: Random) -> str:
    """Every longer word in two, by a space, a comma, a slash or a new line."""
    return each(LONG, text, lambda w: _cut(w, rng, rng.choice((" ", ", ", "/", "\n"))))


def hyphen(text: str, rng: Random) -> str:
    """Every longer word in two, by a hyphen."""
    return _cut(text, rng, "-")


def glued(text: str, rng: Random) -> str:
    """All words in one, as tags are."""
    return "".join(text.split())


def affixed(text: str, rng: Random) -> str:
    """Every longer word inside junk letters."""

    def change(word: str) -> str:
        junk = rng.choice(("x", "xx", "z", "qq"))
        return junk + word + junk

    return each(LATIN, text, lambda w: change(w) if len(w) >= 4 else w)
