"""Names that stand on no list: first names beside surnames, titles and names, handles, and who they are not.

Nothing is learned here. A first name alone says little, so a finding needs what people write around a name: a surname,
a capital, a title, "portrait of", "selfie", a verb that only people do. `match` grows with the evidence, 0.5 to 0.7.
Artists named for a style or as the author are left out, and so are places, brands and characters named like people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardrail.checks.text.cue_exclusions import not_meant
from guardrail.checks.text.cue_scripts import names_in_characters
from guardrail.checks.text.cue_words import BESIDE, CAPITAL, EITHER, FIRST, CueWords, NameLists, cue_words, name_lists
from guardrail.checks.text.lexicon import TokenText
from guardrail.checks.text.wordlists import common_words

__all__ = ["NameCues"]

# What a name is worth with how much beside it. The shipped policies count from 0.50.
FULL, CUED, SHAPED, BARE = 0.70, 0.60, 0.55, 0.50

_REACH = 6  # words between a name and a sign of a person
_SUFFIX_VERB = re.compile(r"(?:ing|ly|ed|ness|tion|ous|ful|less|able|ist|ism)$")
# Endings of professions and of other words that describe: "Software Engineer" is nobody.
_WORDLIKE = re.compile(
    r"(?:ers?|ors?|ists?|ians?|ants?|ents?|eers?|man|men|yst|ress|ive|ary|ics?|al|ate|ion|ing|ic|ty|ous|ful|less|ness|"
    r"ment|ism|ble|ship|ogy|ure|ware|work|ed|ly|age|hood|punk|core)$"
)
# Endings that only surnames have: Kovačević, Tkachenko, Kapanadze, Papadopoulos, Svensson.
_SURNAME_END = re.compile(
    r"\w{2}(?:ovic|evic|kovic|enko|chuk|czyk|wski|wska|vskiy|nsky|ska|shvili|adze|ntyan|osyan|ryan|opoulos|akis|sson|dottir|"
    r"escu|oglu|[lnrstkmdbz]ov|[lnrstkmdbz]ova|[lnrstkm]yev|eyeva|aitis|iene|zadeh|nejad|uddin)$"
)
_SLAVIC_SURNAME = re.compile(
    r"(?:ова?|ева?|ёва?|ина?|ын|ына|ская|ский|ской|енко|чук|ук|юк|ян|дзе|швили|ич)(?:а|у|ой|ым|ы)?$"
)
_HANDLE_OF = re.compile(
    r"(?:instagram|insta|\big|tiktok|twitter|snapchat|facebook|\bfb|onlyfans|reddit|threads|weibo|인스타(?:그램)?|틱톡|트위터|"
    r"インスタ(?:グラム)?|ティックトック|抖音|微博|小红书|微信)(?:\.com)?"
    r"(?:[ :/@の의的]|user(?:name)?|account|handle|profile|girl|아이디|계정|アカウント|id|号)*"
    r"[ :/@]([a-z](?=[\w.]*[._0-9])[a-z0-9._]{3,29})(?![\w@])"
)


class NameCues:
    """Finds names of people that stand on no list, in one reading of a text."""

    def __init__(self) -> None:
        self._lists, self._cues = name_lists(), cue_words()
        self._near = frozenset(self._lists.heads) | self._cues.shape_cues

    def find(self, tokens: TokenText, original: str) -> Iterator[tuple[int, int, float]]:
        """Ranges of the original text with how surely each is the name of a person, 0.5..0.7."""
        starts = self._starts(tokens.words, not original.islower())
        if starts:
            # What a disguise was undone for must be surer: parting at capitals gives "Health Park".
            least = CUED if tokens.view.undone else BARE
            yield from _Reading(self._lists, self._cues, tokens, original).names(starts, least)
        if tokens.unspaced:
            yield from names_in_characters(tokens.view)
        if "_" in original or "." in original:
            for match in _HANDLE_OF.finditer(tokens.view.text):
                yield *tokens.view.original(*match.span(1)), CUED

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


class _Reading:
    """One text in which names are looked for."""

    def __init__(self, lists: NameLists, cues: CueWords, tokens: TokenText, original: str) -> None:
        self.lists = lists
        self.cues = cues
        self.words = words = tokens.words
        self.tokens = tokens
        if original.islower():
            self.upper = [False] * len(words)
            self.telling = False
        else:
            origin = tokens.view.origin
            self.upper = [original[origin[a]].isupper() for a, _ in tokens.spans]
            # Capitals tell something only where most words have none.
            letters = sum(w[0].isalpha() for w in words)
            self.telling = letters > 1 and sum(self.upper) <= 0.6 * letters + 1

    def names(self, starts: Sequence[int], least: float) -> Iterator[tuple[int, int, float]]:
        done = 0
        for i in starts:
            if i < done:
                continue
            found = self._at(i)
            if found is None:
                continue
            last, match = found
            if match >= least and not not_meant(self.words, i, last, self._asked(i)):
                a, b = self.tokens.spans[i][0], self.tokens.spans[last - 1][1]
                yield *self.tokens.view.original(a, b), match
            if match or last > i + 1:
                done = last

    def _at(self, i: int) -> tuple[int, float] | None:
        """Where the name that begins here ends, and how sure it is."""
        word, lists = self.words[i], self.lists
        if word == "," or not word[0].isalpha() or len(word) < 2:
            return None
        for phrase in lists.not_people.get(word, ()):
            if tuple(self.words[i : i + len(phrase)]) == phrase:
                return i + len(phrase), 0.0
        if word in self.cues.place_before and word not in lists.given:
            return None
        if word in lists.native:
            return self._native(i)
        found = self._asian(i)
        if found is not None:
            return found
        if word in lists.given or word in lists.either:
            return self._listed(i)
        return self._doubtful(i) if word in lists.common else self._unknown(i)

    def _listed(self, i: int) -> tuple[int, float]:
        """A first name that is one wherever a surname follows."""
        last, shape = self._surname(i + 1)
        cue = self._near(i, last)
        if shape == "known":
            return last, FULL if cue else CUED
        if shape == "capital":
            return last, CUED
        if shape == "ordinary" and self._capital(i):
            return last, SHAPED
        if shape == "unknown" and (cue or self._acting(last)):
            return last, SHAPED if cue else BARE
        return (last if shape == "unknown" else i + 1), self._alone(i, self.words[i] in self.lists.given)

    def _doubtful(self, i: int) -> tuple[int, float]:
        """A first name that is a word, a month, a place or a character too."""
        last, shape = self._surname(i + 1)
        cue, capital = self._near(i, last), self._capital(i)
        if shape == "known":
            both = capital and self.upper[last - 1]
            if both and cue:
                return last, CUED
            if self._ordinary(last - 1):
                return last, 0.0
            return last, SHAPED if both else BARE if cue else 0.0
        if shape == "capital" and capital:
            return last, BARE if cue and not _WORDLIKE.search(self.words[last - 1]) else 0.0
        if shape == "ordinary" and capital and not _WORDLIKE.search(self.words[last - 1]):
            return last, BARE if cue and self._asked(i) else 0.0
        return i + 1, self._alone(i, False)

    def _capital(self, i: int) -> bool:
        return self.telling and self.upper[i]

    def _ordinary(self, j: int) -> bool:
        """Whether this surname is an ordinary word too."""
        return self._plain(j) or self.words[j] in self.cues.word_surnames

    def _acting(self, end: int) -> bool:
        """Whether what follows is what a person does or where one is."""
        after = self.words[end : end + 1]
        return not after or after[0] in self.cues.doing or after[0] in self.cues.placed or after[0] == ","

    def _plain(self, j: int) -> bool:
        return self.words[j] in common_words()

    def _surname(self, j: int) -> tuple[int, str]:
        """Where the surname that may begin here ends, and what speaks for it."""
        words = self.words
        middle = 0
        while middle < 3 and self._inside(j):
            j += 1
            middle += 1
        if middle and j < len(words) and words[j] in self.cues.between | {","}:
            return j, ""
        shape = self._surname_shape(j)
        if not middle and shape in ("", "unknown", "capital", "known") and j < len(words):
            # A second first name: "maria jose garcia", "Anna Lena Berg".
            if words[j] in self.lists.given or shape == "known":
                further = self._surname_shape(j + 1)
                if further in ("known", "capital") and (further == "known" or self.upper[j]) and not self._plain(j + 1):
                    return j + 2, further
            if words[j] in self.lists.given:
                return j + 1, "known"
        elif (
            middle
            and shape == "unknown"
            and words[j - 1] in self.cues.between
            and words[j - 1] not in ("mc", "von", "van", "bin")
        ):
            shape = ""
        return (j + 1, shape) if shape else (j, "")

    def _inside(self, j: int) -> bool:
        """Whether this word stands between first name and surname: "john f kennedy", "theo van den berg"."""
        words = self.words
        if j >= len(words):
            return False
        if len(words[j]) == 1 and words[j].isalpha() and words[j] not in "sax":
            return True
        return words[j] in self.cues.between and words[j + 1 : j + 2] not in ([], [","])

    def _surname_shape(self, j: int) -> str:
        if j >= len(self.words):
            return ""
        word = self.words[j]
        cues, capital, plain_word = self.cues, self._capital(j), word in common_words()
        surname = word in self.lists.surnames or (not plain_word and _SURNAME_END.search(word) is not None)
        if word in self.lists.places or word in cues.glue or len(word) < 2 or not (word.isascii() and word.isalpha()):
            return "known" if surname and capital else ""
        if surname:
            return "known" if capital or not plain_word or self._ends(j) else ""
        if capital:
            return "ordinary" if plain_word else "capital"
        if plain_word or len(word) < 4 or word in cues.no_names or word in cues.doing or word in cues.placed:
            return ""
        return "" if _SUFFIX_VERB.search(word) else "unknown"

    def _ends(self, j: int) -> bool:
        """Whether a phrase ends after this word, or what follows is what a person does: "jane brook smiling"."""
        after = self.words[j + 1 : j + 2]
        return not after or after[0] in self.cues.doing or after[0] in self.cues.placed or after[0] in (",", "and")

    def _near(self, start: int, end: int) -> bool:
        before, after = self.words[max(0, start - _REACH) : start], self.words[end : end + _REACH]
        return not (
            self.cues.pictures.isdisjoint(before)
            and self.cues.doing.isdisjoint(after)
            and self.cues.placed.isdisjoint(after[:1])
            and self.cues.titles.isdisjoint(before[-1:])
            and self.cues.asking.isdisjoint(before[-1:])
        )

    def _asked(self, i: int) -> bool:
        """Whether the words right before ask for a picture of who is named here."""
        before = self.words[max(0, i - 4) : i]
        while before and before[-1] in ("a", "the", "my", "young", "beautiful", "cute", "sexy", "hot", "naked", "nude"):
            before = before[:-1]
        if before[-1:] == ["of"] or before[-1:] == ["de"]:
            return not self.cues.pictures.isdisjoint(before[-3:-1])
        if before[-1:] in (["named"], ["called"], ["llamada"]):
            return not self.cues.people.isdisjoint(before)
        return before[-1:] != [] and (before[-1] in self.cues.asking or before[-1] in self.cues.titles)

    def _alone(self, i: int, given: bool) -> float:
        """A first name with no surname."""
        if i + 1 < len(self.words) and self.words[i + 1] in self.lists.places:
            return 0.0
        before = self.words[i - 1] if i else ""
        titled = before in self.cues.titles
        if not given:
            return BARE if titled and self.telling and self.upper[i] else 0.0
        if titled or self._asked(i):
            return SHAPED
        if before not in ("", ",", "and", "to", "with", "for"):
            return 0.0
        after = self.words[i + 1 : i + 3]
        if (
            after[:1] == ["s"]
            and after[1:]
            and after[1] in ("body", "face", "breasts", "naked", "nude", "nudes", "selfie")
        ):
            return SHAPED
        return BARE if after and (after[0] in self.cues.doing or after[0] in self.cues.placed) else 0.0

    def _unknown(self, i: int) -> tuple[int, float] | None:
        """A first name that is on no list, by its surname or its capitals."""
        word, words = self.words[i], self.words
        if word in common_words() or word in self.cues.no_names or word in self.lists.places or not word.isascii():
            return None
        if i + 1 >= len(words) or len(word) < 3:
            return None
        titled = i > 0 and words[i - 1] in self.cues.addresses
        if titled and self._capital(i) and word in self.lists.surnames:
            return i + 1, CUED
        wordlike = _WORDLIKE.search(word) is not None
        last, match = self._with_unknown(i, wordlike)
        if match:
            return last, match
        if titled and self._capital(i) and (words[i - 1] in self.cues.surely_addresses or not wordlike):
            return i + 1, BARE
        return None

    def _with_unknown(self, i: int, wordlike: bool) -> tuple[int, float]:
        """What the word after an unknown one says about it."""
        words = self.words
        last, shape = self._surname(i + 1)
        if last != i + 2:
            last, shape = i + 2, self._surname_shape(i + 1)
        both = self._capital(i) and self.upper[i + 1]
        after_wordlike = _WORDLIKE.search(words[i + 1]) is not None
        if shape == "known" and words[i] not in self.cues.doing:
            ordinary, cue = self._ordinary(i + 1), self._near(i, last)
            if both and not (wordlike and after_wordlike):
                return last, CUED if cue and not ordinary else BARE if cue or not ordinary else 0.0
            if not ordinary and not wordlike and self._asked(i):
                return last, BARE
        # "Radio Host Weekly" is a title.
        if shape == "capital" and both and not wordlike and not after_wordlike and not any(self.upper[last : last + 1]):
            worn = words[last : last + 1] and words[last] in self.cues.wearing
            if worn or (self._asked(i) and self._person_picture(i)):
                return last, SHAPED
        return last, 0.0

    def _person_picture(self, i: int) -> bool:
        before = self.words[max(0, i - 4) : i]
        return not self.cues.person_pictures.isdisjoint(before)

    def _asian(self, i: int) -> tuple[int, float] | None:
        """Romanised Korean and Chinese names: a surname and one or two syllables, in either order."""
        words, lists = self.words, self.lists
        for surnames, syllables in (
            (self.cues.korean_surnames, lists.korean),
            (self.cues.pinyin_surnames, lists.pinyin),
        ):
            for at, parts in ((i, (i + 1, i + 2)), (i + 1, (i,)), (i + 2, (i, i + 1))):
                if at >= len(words) or parts[0] >= len(words) or words[at] not in surnames:
                    continue
                name = [words[p] for p in parts if p < len(words)]
                last = max(at, parts[0] + len(name) - 1) + 1
                if len(name) == 2 and at == i and not _built(name, syllables, 2):
                    name, last = name[:1], i + 2
                if len(name) < len(parts) and at > i:
                    continue
                if not _built(name, syllables, len(name)) or "".join(name) in common_words():
                    continue
                if any(w in common_words() or w in lists.places for w in name) and not all(self.upper[i:last]):
                    continue
                joined = "".join(name)
                capitals = self.telling and all(self.upper[i : last : max(1, last - i - 1)])
                if len(joined) < 5 and not capitals:
                    continue
                if any(w in self.cues.no_names for w in name):
                    continue
                cue = self._near(i, last)
                worded = words[at] in common_words() or words[at] in self.cues.word_surnames
                if (cue and not (worded and len(joined) < 6 and len(name) == 1)) or capitals:
                    return last, FULL if cue and capitals else CUED if capitals else SHAPED
        return None

    def _native(self, i: int) -> tuple[int, float]:
        """First names in Cyrillic, Arabic and Devanagari with a surname behind them."""
        after = self.words[i + 1] if i + 1 < len(self.words) else ","
        if after != "," and (_SLAVIC_SURNAME.search(after) or "\u0600" <= after[0] <= "\u0dff") and len(after) > 2:
            return i + 2, CUED
        return i + 1, SHAPED if i and self.words[i - 1] in self.cues.native_cues else 0.0


def _built(parts: Sequence[str], syllables: re.Pattern[str], most: int) -> bool:
    """Whether the parts are syllables: one each, or two written together."""
    if len(parts) == 2:
        return most == 2 and all(2 <= len(p) <= 6 and syllables.fullmatch(p) for p in parts)
    return len(parts[0]) >= 3 and syllables.fullmatch(parts[0]) is not None
