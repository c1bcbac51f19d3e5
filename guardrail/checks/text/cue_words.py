"""The words behind `cues`: names and what names are built from (``lists/given_names.txt``), and the words that stand
beside a name or show that none is meant (``lists/name_cues.txt``)."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

__all__ = [
    "BARE",
    "BESIDE",
    "CAPITAL",
    "CUED",
    "EITHER",
    "FIRST",
    "FULL",
    "SHAPED",
    "CueWords",
    "NameLists",
    "cue_words",
    "name_lists",
    "sections_of",
]

# What a name is worth with how much beside it. The shipped policies count from 0.50.
FULL, CUED, SHAPED, BARE = 0.70, 0.60, 0.55, 0.50

# What a word tells about where a name begins: here; one word before; up to two before or here; one before where there
# are capitals.
FIRST, BESIDE, EITHER, CAPITAL = 1, 2, 4, 8

Phrases = dict[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True, slots=True)
class CueWords:
    """``lists/name_cues.txt``; what each section holds is said there."""

    pictures: frozenset[str]
    doing: frozenset[str]
    placed: frozenset[str]
    asking: frozenset[str]
    titles: frozenset[str]
    addresses: frozenset[str]
    surely_addresses: frozenset[str]
    people: frozenset[str]
    between: frozenset[str]
    author: frozenset[str]
    style_before: frozenset[str]
    style_after: frozenset[str]
    art: frozenset[str]
    credits: frozenset[str]
    glue: frozenset[str]
    word_surnames: frozenset[str]
    shape_cues: frozenset[str]
    wearing: frozenset[str]
    person_pictures: frozenset[str]
    place_before: frozenset[str]
    native_cues: frozenset[str]
    no_names: frozenset[str]
    korean_surnames: frozenset[str]
    pinyin_surnames: frozenset[str]


@dataclass(frozen=True, slots=True)
class NameLists:
    """``lists/given_names.txt``, for scripts with spaces.

    Args:
        given: first names that are nothing else; `either`: those that mean somebody only with a surname; `common`:
            words, months, places and characters that are first names too.
        native: first names in Cyrillic, Arabic and Devanagari.
        not_people: by their first word, names of brands, places, characters and the long dead.
        artists: who is named for a style without a "by".
        heads: the words that a name begins at or stands beside, as FIRST, BESIDE, EITHER and CAPITAL.
        korean, pinyin: one or two romanised syllables of a name.
    """

    given: frozenset[str]
    either: frozenset[str]
    common: frozenset[str]
    native: frozenset[str]
    surnames: frozenset[str]
    places: frozenset[str]
    not_people: Phrases
    artists: frozenset[tuple[str, ...]]
    heads: dict[str, int]
    korean: re.Pattern[str]
    pinyin: re.Pattern[str]


def sections_of(name: str) -> dict[str, str]:
    """The sections of a list of words between spaces, without its comments."""
    sections: dict[str, str] = {}
    section = ""
    text = files("guardrail.checks.text").joinpath("lists", name).read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section and not line.startswith("#"):
            sections[section] = f"{sections.get(section, '')}{line}\n"
    return sections


@lru_cache(maxsize=1)
def cue_words() -> CueWords:
    """The shipped words, read once."""
    sections = sections_of("name_cues.txt")
    return CueWords(**{f.name: frozenset(sections[f.name].split()) for f in dataclasses.fields(CueWords)})


@lru_cache(maxsize=1)
def name_lists() -> NameLists:
    """The shipped names, read once."""
    sections = {name: frozenset(text.split()) for name, text in sections_of("given_names.txt").items()}
    phrases = sections_of("given_names.txt")
    cues = cue_words()
    native = sections["cyrillic-given"] | sections["arabic-given"] | sections["hindi-given"]
    first = sections["given"] | sections["given-either"] | sections["given-common"] | native
    heads: dict[str, int] = {}
    for kind, words in (
        (FIRST, first),
        (BESIDE, sections["surname"] - cues.word_surnames),
        (CAPITAL, sections["surname"] & cues.word_surnames),
        (EITHER, cues.korean_surnames | cues.pinyin_surnames),
    ):
        for word in words - cues.no_names:
            heads[word] = heads.get(word, 0) | kind
    not_people: Phrases = {}
    for phrase in _phrases(phrases["not-person"]):
        not_people[phrase[0]] = (*not_people.get(phrase[0], ()), phrase)
    return NameLists(
        given=sections["given"],
        either=sections["given-either"],
        common=sections["given-common"],
        native=native,
        surnames=sections["surname"],
        places=sections["place"],
        not_people=not_people,
        artists=frozenset(_phrases(phrases["artist"])),
        heads=heads,
        korean=_KOREAN,
        pinyin=_syllables(sections["pinyin"]),
    )


def _phrases(text: str) -> list[tuple[str, ...]]:
    return [tuple(phrase.split()) for phrase in re.split(r"[,\n]", text) if phrase.strip()]


# Spellings differ (Hyun, Hyeon, Hyeun), so a syllable is what can be one: Revised, McCune-Reischauer and plain habit.
_KOREAN = re.compile(
    r"(?:(?:kk|tt|pp|ss|jj|ch|gh|sh|[kgndtrlmbpsjhyw])?"
    r"(?:yeo|you|yoo|yae|weo|woo|wae|oeo|eui|heui|eou|ae|ai|ah|ya|ye|yo|yu|yi|ee|eo|eu|uh|ui|oo|ou|oe|oh|wa|we|wi|wo|wu|[aeiou])"
    r"(?:ng|ck|[nmlkgpbtrs](?![aeiouy]))?){1,2}"
)


def _syllables(syllables: frozenset[str]) -> re.Pattern[str]:
    one = "|".join(sorted(syllables, key=len, reverse=True))
    return re.compile(f"(?:{one}){{1,2}}")
