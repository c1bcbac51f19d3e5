"""What stands around a name in a sentence: signs of a picture, of somebody doing something, of a request."""

from __future__ import annotations

from guardrail.checks.text.cue_words import CueWords, NameLists, cue_words, name_lists
from guardrail.checks.text.lexicon import TokenText
from guardrail.checks.text.wordlists import common_words

__all__ = ["Sentence"]

_REACH = 6  # words between a name and a sign of a person
# Between "portrait of" and a name.
_QUALITIES = frozenset({"a", "the", "my", "young", "beautiful", "cute", "sexy", "hot", "naked", "nude"})


class Sentence:
    """The words of one reading, with their capitals.

    Attributes:
        upper: whether each word begins with a capital.
        telling: whether capitals tell something here: they do where most words have none.
    """

    def __init__(self, tokens: TokenText, original: str) -> None:
        self.lists: NameLists = name_lists()
        self.cues: CueWords = cue_words()
        self.tokens = tokens
        self.words = words = tokens.words
        if original.islower():
            self.upper = [False] * len(words)
            self.telling = False
        else:
            origin = tokens.view.origin
            self.upper = [original[origin[a]].isupper() for a, _ in tokens.spans]
            letters = sum(w[0].isalpha() for w in words)
            self.telling = letters > 1 and sum(self.upper) <= 0.6 * letters + 1

    def capital(self, i: int) -> bool:
        return self.telling and self.upper[i]

    def ordinary(self, j: int) -> bool:
        """Whether this surname is an ordinary word too."""
        return self.plain(j) or self.words[j] in self.cues.word_surnames

    def acting(self, end: int) -> bool:
        """Whether what follows is what a person does or where one is."""
        after = self.words[end : end + 1]
        return not after or after[0] in self.cues.doing or after[0] in self.cues.placed or after[0] == ","

    def plain(self, j: int) -> bool:
        return self.words[j] in common_words()

    def ends(self, j: int) -> bool:
        """Whether a phrase ends after this word, or what follows is what a person does: "jane brook smiling"."""
        after = self.words[j + 1 : j + 2]
        return not after or after[0] in self.cues.doing or after[0] in self.cues.placed or after[0] in (",", "and")

    def near(self, start: int, end: int) -> bool:
        before, after = self.words[max(0, start - _REACH) : start], self.words[end : end + _REACH]
        return not (
            self.cues.pictures.isdisjoint(before)
            and self.cues.doing.isdisjoint(after)
            and self.cues.placed.isdisjoint(after[:1])
            and self.cues.titles.isdisjoint(before[-1:])
            and self.cues.asking.isdisjoint(before[-1:])
        )

    def asked(self, i: int) -> bool:
        """Whether the words right before ask for a picture of who is named here."""
        before = self.words[max(0, i - 4) : i]
        while before and before[-1] in _QUALITIES:
            before = before[:-1]
        if before[-1:] == ["of"] or before[-1:] == ["de"]:
            return not self.cues.pictures.isdisjoint(before[-3:-1])
        if before[-1:] in (["named"], ["called"], ["llamada"]):
            return not self.cues.people.isdisjoint(before)
        return before[-1:] != [] and (before[-1] in self.cues.asking or before[-1] in self.cues.titles)

    def person_picture(self, i: int) -> bool:
        before = self.words[max(0, i - 4) : i]
        return not self.cues.person_pictures.isdisjoint(before)
