"""Whom a name does not mean: places, brands, artists named for a style or as the author."""

from __future__ import annotations

from collections.abc import Sequence

from guardrail.checks.text.cue_words import cue_words, name_lists
from guardrail.checks.text.wordlists import common_words

__all__ = ["not_meant"]

_MOST_BACK = 40  # words that an enumeration of artists is followed back


def not_meant(words: Sequence[str], start: int, end: int, asked: bool) -> bool:
    """Whether the name ``words[start:end]`` stands for a place, a brand, a style or the author of something.

    Args:
        asked: the words before it ask for a picture of somebody, so that an artist is a person here.
    """
    lists, cues = name_lists(), cue_words()
    after = words[end] if end < len(words) else ","
    if after in lists.places or after in cues.style_after:
        return True
    # "Somebody's moody aesthetic"
    if after == "s" and not cues.style_after.isdisjoint(words[end + 1 : end + 4]):
        return True
    if tuple(words[start:end]) in lists.artists or tuple(words[start : end + 1]) in lists.artists:
        return not asked and cues.wearing.isdisjoint(words[end : end + 2])
    before = words[start - 1] if start else ","
    if before in cues.place_before or before in cues.art or before in ("art", "artwork", "detail"):
        return True
    return _credited(words, start) or _tag(words, start, end)


def _credited(words: Sequence[str], start: int) -> bool:
    """Whether "by" or "style of" stands before the name or before the enumeration that it is part of."""
    lists, cues = name_lists(), cue_words()
    letters = ordinary = 0
    for at in range(start - 1, max(-1, start - _MOST_BACK), -1):
        word = words[at]
        if word in cues.author:
            return True
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
