"""Whom a name does not mean: places, brands, artists named for a style or as the author."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from guardrail.checks.text.cue_words import cue_words, name_lists
from guardrail.checks.text.wordlists import common_words

__all__ = ["not_meant"]

_LOOKS = frozenset({"look", "looks", "looking", "looked", "exactly", "face", "body", "somebody", "someone"})
_MOST_BACK = 40  # words that an enumeration of artists is followed back


def not_meant(words: Sequence[str], start: int, end: int, asked: bool) -> Literal["place", "style"] | None:
    """What the name ``words[start:end]`` stands for instead of somebody: a place or thing, or a style or author.

    Args:
        asked: the words before it ask for a picture of somebody, so that an artist is a person here.
    """
    lists, cues = name_lists(), cue_words()
    after = words[end] if end < len(words) else ","
    if after in lists.places:
        return "place"
    if after in cues.style_after:
        return "style"
    # "Somebody's moody aesthetic"
    if after == "s" and not cues.style_after.isdisjoint(words[end + 1 : end + 4]):
        return "style"
    if tuple(words[start:end]) in lists.artists or tuple(words[start : end + 1]) in lists.artists:
        return "style" if not asked and cues.wearing.isdisjoint(words[end : end + 2]) else None
    before = words[start - 1] if start else ","
    if before in cues.place_before:
        return "place"
    if before in cues.art or before in ("art", "artwork", "detail"):
        return "style"
    return "style" if _credited(words, start) or _tag(words, start, end) else None


def _credited(words: Sequence[str], start: int) -> bool:
    """Whether "by" or "style of" stands before the name or before the enumeration that it is part of."""
    lists, cues = name_lists(), cue_words()
    letters = ordinary = 0
    for at in range(start - 1, max(-1, start - _MOST_BACK), -1):
        word = words[at]
        if word in cues.author:
            # "an astronaut that looks like somebody" has that face.
            return word != "like" or at == 0 or words[at - 1] not in _LOOKS
        if word in ("of", "from"):
            return at > 0 and words[at - 1] in cues.style_before
        if word in cues.glue:
            letters = ordinary = 0
            continue
        if word in cues.credits:
            continue
        letters += 1
        ordinary += word in common_words() and word not in lists.surnames
        # An enumeration of names, not a sentence.
        if letters > 7 or ordinary > 1 or word in cues.no_names or word in cues.doing:
            return False
    return False


def _tag(words: Sequence[str], start: int, end: int) -> bool:
    """Whether the name is a tag of its own behind the subject, as artists are named: ", somebody, artstation"."""
    cues = cue_words()
    if start == 0 or words[start - 1] not in cues.glue:
        return False
    if end < len(words) and words[end] not in cues.glue:
        return False
    return not cues.art.isdisjoint(words)
