"""Characters read as others: traditional Chinese as simplified, emoji as words.

The tables are ``lists/han_variants.txt`` and ``lists/emoji.txt``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from guardrail.checks.text.views import View, substitute

__all__ = ["emoji", "han_variants", "simplified"]


_HAN = re.compile("[\u4e00-\u9fff]")
_KANA = re.compile("[\u3041-\u30fc]")
_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


def _lines(name: str) -> list[str]:
    text = files("guardrail.checks.text").joinpath("lists", name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@lru_cache(maxsize=1)
def han_variants() -> dict[str, str]:
    """Traditional and variant characters with their simplified one."""
    return {pair[0]: pair[1] for line in _lines("han_variants.txt") for pair in line.split()}


@lru_cache(maxsize=1)
def _variant() -> re.Pattern[str]:
    return re.compile(f"[{''.join(han_variants())}]")


@lru_cache(maxsize=1)
def _emoji_names() -> dict[str, str]:
    return {sign: name for sign, name in (line.split() for line in _lines("emoji.txt"))}  # noqa: C416 - typed pairs


@lru_cache(maxsize=1)
def _emoji() -> re.Pattern[str]:
    longest_first = sorted(_emoji_names(), key=len, reverse=True)
    return re.compile(f"(?:{'|'.join(longest_first)})[{_TONES}]?")


@lru_cache(maxsize=1)
def _emoji_begins() -> re.Pattern[str]:
    return re.compile(f"[{''.join(sorted({sign[0] for sign in _emoji_names()}))}]")


def simplified(view: View) -> View | None:
    """Traditional characters as simplified ones, so that one word stands for both in the lists.

    Japanese stays as it is, or its own exemptions would no longer be found: where a sixth of the characters are kana.
    """
    if view.text.isascii() or not _variant().search(view.text):
        return None
    han, kana = len(_HAN.findall(view.text)), len(_KANA.findall(view.text))
    if 6 * kana >= han + kana:
        return None
    table = han_variants()
    return substitute(view, _variant(), lambda m: table[m[0]], "traditional")


def emoji(view: View) -> View | None:
    """Emoji that are used as words, named: 👗 becomes "emoji dress", which patterns of the lists look for."""
    if view.text.isascii() or not _emoji_begins().search(view.text):
        return None
    names = _emoji_names()
    return substitute(view, _emoji(), lambda m: f" emoji {names[m[0].rstrip(_TONES)]} ", "emoji")
