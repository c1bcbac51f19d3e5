"""Names that stand on no list: first names beside surnames, titles and names, handles, and who they are not.

Nothing is learned here. A first name alone says little, so a finding needs what people write around a name: a surname,
a capital, a title, "portrait of", "selfie", a verb that only people do. `match` grows with the evidence, 0.5 to 0.7.
Artists named for a style or as the author are said to be that, and places, brands and things named like people are left
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardrail.checks.text.cue_exclusions import not_meant
from guardrail.checks.text.cue_first_names import doubtful, listed, unknown
from guardrail.checks.text.cue_other_orders import native, romanised
from guardrail.checks.text.cue_scripts import names_in_characters
from guardrail.checks.text.cue_sentence import Sentence
from guardrail.checks.text.cue_words import BARE, BESIDE, CAPITAL, CUED, EITHER, FIRST, cue_words, name_lists
from guardrail.checks.text.found import UNREAL_MATCH, NameMatch
from guardrail.checks.text.lexicon import TokenText
from guardrail.checks.text.wordlists import common_words

__all__ = ["NameCues"]

_HANDLE_OF = re.compile(
    r"(?:instagram|insta|\big|tiktok|twitter|snapchat|facebook|\bfb|onlyfans|reddit|threads|weibo|인스타(?:그램)?|틱톡|트위터|"
    r"インスタ(?:グラム)?|ティックトック|抖音|微博|小红书|微信)(?:\.com)?"
    r"(?:[ :/@の의的]|user(?:name)?|account|handle|profile|girl|아이디|계정|アカウント|id|号)*"
    r"[ :/@]([a-z](?=[\w.]*[._0-9])[a-z0-9._]{3,29})(?![\w@])"
)
# A handle, "@jane.doe_99": begins with a letter, has three in a row; no e-mail address, no "@50mm".
_HANDLE = re.compile(r"(?<![\w@.])@(?=[\w.]*[a-z]{3})[a-z_][\w.]{2,29}")


class NameCues:
    """Finds names of people that stand on no list, in one reading of a text."""

    def __init__(self) -> None:
        self._lists, self._cues = name_lists(), cue_words()
        self._near = frozenset(self._lists.heads) | self._cues.shape_cues

    def find(self, tokens: TokenText, original: str) -> Iterator[NameMatch]:
        """Names in one reading of a text."""
        view = tokens.view
        starts = self._starts(tokens.words, not original.islower())
        if starts:
            yield from self._in_words(Sentence(tokens, original), starts)
        if tokens.unspaced:
            for start, end, match in names_in_characters(view):
                yield NameMatch(start, end, match, "private", "cue", view.undone)
        if "@" in original and not view.undone:
            for handle in _HANDLE.finditer(view.text):
                yield NameMatch(*view.original(*handle.span()), CUED, "private", "handle")
        if "_" in original or "." in original:
            for handle in _HANDLE_OF.finditer(view.text):
                yield NameMatch(*view.original(*handle.span(1)), CUED, "private", "handle", view.undone)

    def load(self) -> None:
        """Make whatever is made lazily."""
        common_words()

    def _starts(self, words: Sequence[str], capitals: bool) -> list[int]:
        """Where a name may begin."""
        if self._near.isdisjoint(words):
            return []
        heads = self._lists.heads
        found: set[int] = set()
        for i, word in enumerate(words):
            kind = heads.get(word, 0)
            if kind & FIRST:
                found.add(i)
            if kind & BESIDE:
                found.add(i - 1)
            if kind & CAPITAL and capitals:
                found.add(i - 1)
            if kind & EITHER:
                found.update((i - 2, i - 1, i))
            if not kind and word in self._cues.shape_cues:
                # The name comes after "portrait of", "selfie of a", "named", or stands before "wearing".
                found.update((i - 2, i + 1, i + 2, i + 3))
        return sorted(i for i in found if 0 <= i < len(words))

    def _in_words(self, sentence: Sentence, starts: Sequence[int]) -> Iterator[NameMatch]:
        view, spans, words = sentence.tokens.view, sentence.tokens.spans, sentence.words
        # What a disguise was undone for must be surer: parting at capitals gives "Health Park".
        least = CUED if view.undone else BARE
        done = 0
        for i in starts:
            if i < done:
                continue
            found = _at(sentence, i)
            if found is None:
                continue
            last, match = found
            if match >= least:
                meant = not_meant(words, i, last, sentence.asked(i))
                start, end = view.original(spans[i][0], spans[last - 1][1])
                if meant == "style":
                    yield NameMatch(start, end, UNREAL_MATCH, "style", "cue", view.undone)
                elif meant is None:
                    titled = i > 0 and words[i - 1] in self._cues.addresses
                    yield NameMatch(start, end, match, "private", "title" if titled else "cue", view.undone)
            if match or last > i + 1:
                done = last


def _at(sentence: Sentence, i: int) -> tuple[int, float] | None:
    """Where the name that begins here ends, and how sure it is."""
    word, lists = sentence.words[i], sentence.lists
    if word == "," or not word[0].isalpha() or len(word) < 2:
        return None
    for phrase in lists.not_people.get(word, ()):
        if tuple(sentence.words[i : i + len(phrase)]) == phrase:
            return i + len(phrase), 0.0
    if word in sentence.cues.place_before and word not in lists.given:
        return None
    if word in lists.native:
        return native(sentence, i)
    found = romanised(sentence, i)
    if found is not None:
        return found
    if word in lists.given or word in lists.either:
        return listed(sentence, i)
    return doubtful(sentence, i) if word in lists.common else unknown(sentence, i)
