"""Upside-down writing: letters that look like others turned by 180 degrees, in reverse order."""

from __future__ import annotations

import re

from guardrail.checks.text.views import View

__all__ = ["upside_down"]

# Only letters that no language here is written with: Turkish has ı, Azerbaijani ə.
_TURNED = dict(zip("ɐɔǝɟƃɓɥᴉɾʞɯɹʇʌʍʎɒ∀Ǝ⅄", "acefgghijkmrtvwyaaey", strict=True))
# Letters that are letters the other way up as well.
_BOTH = dict(zip("nupbdqwm", "undqpbmw", strict=True))
# Two of the first kind: one alone is a letter of some language.
_SEEN = re.compile(rf"[{''.join(_TURNED)}][\s\S]*?[{''.join(_TURNED)}]")


def upside_down(text: str) -> View | None:
    """`text` turned by 180 degrees, running backwards; ``None`` where it has no turned letters."""
    if text.isascii() or not _SEEN.search(text):
        return None
    turned = "".join(_BOTH.get(c) or _TURNED.get(c) or c for c in map(_small, reversed(text)))
    places = range(len(text) - 1, -1, -1)
    return View(turned, places, [i + 1 for i in places], ("upside-down",), backwards=True)


def _small(c: str) -> str:
    small = c.lower()
    return small if len(small) == 1 and c not in _TURNED else c
