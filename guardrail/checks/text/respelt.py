"""Words written so that no list has them: misspelt, written together, cut in two, turned around, rotated."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from guardrail.checks.text.english import english, is_english
from guardrail.checks.text.spellings import backwards, found, ordinary, rot13
from guardrail.checks.text.views import View, substitute

__all__ = ["Words"]

_WORD = re.compile("[a-z]+")
_PAIR = re.compile(r"(?<![^\W_])([a-z]{1,12})([^a-z0-9]{1,3})(?=([a-z]{1,12})(?![^\W_]))")


class Words:
    """The Latin words of a reading, and what they may be.

    Args:
        view: the reading; it runs forwards.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._words = _WORD.findall(view.text)
        self._ordinary = ordinary()
        self._unknown = set(self._words) - self._ordinary
        self._found = {word: hit for word in self._unknown if (hit := found(word)) is not None}
        distinct = set(self._words)
        # Else it is English, whatever else its words may be.
        self._foreign = 2 * len(self._unknown) >= len(distinct)
        self._longer = {word for word in distinct if len(word) >= 3} if self._foreign else set()

    @property
    def odd(self) -> bool:
        """Whether there is anything to look at: one word that is no ordinary one."""
        return bool(self._unknown)

    def rejoined(self) -> View | None:
        """Words cut in two by a mark or a line ("na, ked"), where the pieces are not both words; by a space where the
        whole text is cut like that, as the lexicon looks for single strong words in pieces itself."""
        unknown, ordinary = self._unknown, self._ordinary
        whole = {
            (a, b)
            for a, b in itertools.pairwise(self._words)
            if (a + b in ordinary or is_english(a + b)) and len(a) + len(b) >= 4 and (a in unknown or b in unknown)
        }
        if not whole:
            return None
        by_space = len(whole) >= 3 and 8 * len(whole) >= len(self._words)

        def change(match: re.Match[str]) -> str | None:
            # The first piece takes the mark with it, the second one stays where it is.
            meant = (match[1], match[3]) in whole and (by_space or not match[2].isspace() or "\n" in match[2])
            return match[1] if meant else None

        return substitute(self._view, _PAIR, change, "split")

    def respelt(self) -> View | None:
        """Single words that are a strong word misspelt, or have one in them."""
        view = self._view
        for undone in ("misspelt", "glued"):
            new = {word: hit[1] for word, hit in self._found.items() if hit[0] == undone}
            if new:
                view = substitute(view, _WORD, lambda m, new=new: new.get(m[0]), undone) or view  # type: ignore[misc]
        return view if view is not self._view else None

    def respellings(self) -> Iterator[View]:
        """All other readings that there are."""
        if self._found or self._foreign:
            for one in (self.respelt(), self.rotated(), self.reversed_words(), self.reversed_text()):
                if one is not None:
                    yield one

    def rotated(self) -> View | None:
        """Letters rotated by thirteen places, where that gives a strong word or turns the text into English."""
        return self._by_word("rot13", rot13)

    def reversed_words(self) -> View | None:
        """Words turned around in their places, where that gives a strong word or turns the text into English."""
        return self._by_word("reversed", backwards)

    def reversed_text(self) -> View | None:
        """The whole text turned around, where that turns it into English."""
        if not self._turns_into_english("reversed"):
            return None
        view = self._view
        undone = (*view.undone, "reversed")
        return View(view.text[::-1], view.origin[::-1], view.end[::-1], undone, backwards=True)

    def _by_word(self, undone: str, change: Callable[[str], str]) -> View | None:
        whole = self._turns_into_english(undone)
        if not whole and not any(hit[0] == undone for hit in self._found.values()):
            return None

        def one(match: re.Match[str]) -> str | None:
            return change(match[0]) if whole or match[0] in self._unknown else None

        return substitute(self._view, _WORD, one, undone)

    def _turns_into_english(self, undone: str) -> bool:
        """Whether most words are no ordinary ones, and most are when changed."""
        # Names and rare words are in no list; half of the words are not English by chance.
        return self._foreign and len(self._longer) >= 2 and 2 * len(self._longer & _english(undone)) > len(self._longer)


@lru_cache(maxsize=2)
def _english(undone: str) -> frozenset[str]:
    """English and listed words, rotated or turned around."""
    change = rot13 if undone == "rot13" else backwards
    return frozenset(map(change, english()))
