"""Reading the word lists in ``lists/``: plain text files that people can edit.

The format is described at the head of ``lists/sexual.en.txt``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from guardrail.errors import ConfigurationError

__all__ = [
    "Section",
    "WordList",
    "common_words",
    "expand",
    "languages",
    "listed_words",
    "load_list",
    "name_words",
    "own_list",
    "parse_list",
]

# A line with a number, for messages.
Line = tuple[int, str]

_HEADER = re.compile(r"\[(?P<name>[a-z-]+)(?P<rest>(?: [^\]]*)?)\]")
# What was surely meant as a header; patterns may begin with a bracket too.
_HEADERLIKE = re.compile(r"\[ ?[A-Za-z][^\]]*\]?")
_MACRO = re.compile(r"<([a-z]+)>")
_ALTERNATIVES = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Section:
    """A block of a word list: what its lines are and how much they weigh."""

    name: str
    weight: float
    lowered: float
    pattern: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WordList:
    """One file of ``lists/``."""

    name: str
    sections: tuple[Section, ...]
    exempt: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    macros: dict[str, str] = field(default_factory=dict)


def languages(kind: str) -> tuple[str, ...]:
    """Languages that have a list of this kind, e.g. ``("en", "es", …)`` for ``sexual``."""
    names = (entry.name for entry in files("guardrail.checks.text").joinpath("lists").iterdir())
    return tuple(sorted(n.split(".")[1] for n in names if n.startswith(f"{kind}.") and n.endswith(".txt")))


@lru_cache(maxsize=256)
def load_list(kind: str, language: str) -> WordList:
    """Read ``lists/<kind>.<language>.txt``, whose patterns a test compiles; here it would take half a second.

    Raises:
        ConfigurationError: a line is not of the format; the message names file and line.
    """
    name = f"{kind}.{language}.txt"
    text = files("guardrail.checks.text").joinpath("lists", name).read_text("utf-8")
    return _parsed(name, text, compiling=False)


def parse_list(name: str, text: str) -> WordList:
    """Parse the text of a word list; `name` is for messages. Its patterns are compiled once, to see that they can be.

    Raises:
        ConfigurationError: a line is not of the format; the message names file and line.
    """
    return _parsed(name, text, compiling=True)


def _parsed(name: str, text: str, *, compiling: bool) -> WordList:
    blocks: list[tuple[int, re.Match[str], list[Line]]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        header = _HEADER.fullmatch(line)
        if header:
            blocks.append((number, header, []))
        elif _HEADERLIKE.fullmatch(line):
            raise ConfigurationError(f"{name}:{number}: {line} is no section; one looks like [name 0.90] or [exempt]")
        elif not blocks:
            raise ConfigurationError(f"{name}:{number}: a term stands before the first [section]")
        else:
            blocks[-1][2].append((number, line))
    macros: dict[str, str] = {}
    for number, header, lines in blocks:
        if header["name"] == "macro":
            words = header["rest"].split()
            if len(words) != 1 or not re.fullmatch("[a-z]+", words[0]):
                raise ConfigurationError(f"{name}:{number}: [macro NAME] takes one name of small letters")
            macros[words[0]] = "".join(line for _, line in lines)
            if compiling:
                _compiled(macros[words[0]], name, number)
    sections: list[Section] = []
    exempt: list[str] = []
    context: list[str] = []
    for number, header, lines in blocks:
        if header["name"] == "exempt":
            exempt += _patterns(lines, macros, name, compiling)
        elif header["name"] == "context":
            context += [line for _, line in lines]
        elif header["name"] != "macro":
            terms = _patterns(lines, macros, name, compiling) if _is_pattern(header) else _terms(lines, name)
            sections.append(_section(header, terms, name, number))
    return WordList(name, tuple(sections), tuple(exempt), tuple(context), macros)


def own_list(words: Iterable[tuple[str, float]], exempt: Iterable[str]) -> WordList:
    """A list of a deployment's own phrases: plain texts, in which no sign has a meaning.

    Raises:
        ConfigurationError: a phrase has no letters.
    """
    from guardrail.checks.text.lexicon import token_pattern  # which imports this module

    terms = [(phrase, score) for phrase, score in words if _with_letters(phrase)]
    sections = tuple(Section("own", score, score, True, (token_pattern(phrase),)) for phrase, score in terms)
    return WordList("deployment", sections, tuple(token_pattern(phrase) for phrase in exempt if _with_letters(phrase)))


def _with_letters(phrase: str) -> bool:
    if not any(c.isalpha() for c in phrase):
        raise ConfigurationError(f"a phrase of the deployment has no letters ({len(phrase)} characters)")
    return True


def _is_pattern(header: re.Match[str]) -> bool:
    return "pattern" in header["rest"].split()


def _section(header: re.Match[str], terms: Iterable[str], name: str, number: int) -> Section:
    kind = header["name"]
    words = header["rest"].split()
    try:
        weights = [float(w) for w in words if w != "pattern"]
    except ValueError:
        raise ConfigurationError(f"{name}:{number}: [{kind} …] takes numbers and the word pattern") from None
    if not 1 <= len(weights) <= 2 or not all(0.0 < w <= 1.0 for w in weights) or weights[-1] > weights[0]:
        raise ConfigurationError(
            f"{name}:{number}: [{kind}] needs a weight over 0 and up to 1, and may have a second one that is lower"
        )
    return Section(kind, weights[0], weights[-1], _is_pattern(header), tuple(terms))


def _terms(lines: Iterable[Line], name: str) -> Iterator[str]:
    for number, line in lines:
        yield from _expanded(line, name, number) if "(" in line or ")" in line else (line,)


def _expanded(line: str, name: str, number: int) -> list[str]:
    if _ALTERNATIVES.sub("", line).count("(") or _ALTERNATIVES.sub("", line).count(")"):
        raise ConfigurationError(f"{name}:{number}: {line!r}: brackets in a term come in pairs and not in each other")
    return expand(line)


def expand(term: str) -> list[str]:
    """``word(s)`` → word, words; ``wor(d|k)`` → word, work; ``word(|s|ed)`` → word, words, worded."""
    parts = _ALTERNATIVES.split(term)
    choices = [part.split("|") if "|" in part else ["", part] if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(c) for c in itertools.product(*choices)]


def _patterns(lines: Iterable[Line], macros: dict[str, str], name: str, compiling: bool) -> list[str]:
    found: list[str] = []
    for number, line in lines:
        pattern = _with_macros(line, macros, name, number)
        if compiling:
            _compiled(pattern, name, number)
        found.append(pattern)
    return found


def _with_macros(pattern: str, macros: dict[str, str], name: str, number: int) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[1] not in macros:
            raise ConfigurationError(f"{name}:{number}: no [macro {match[1]}] in this file")
        return macros[match[1]]

    # (?<name>…) is no Python syntax, so every <name> is a macro.
    return _MACRO.sub(replace, pattern)


def _compiled(pattern: str, name: str, number: int) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(f"{name}:{number}: pattern {pattern[:60]!r}: {error}") from None


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Ordinary English words, made by ``benchmarks/make_common_words.py`` from captions under open licences."""
    text = files("guardrail.checks.text").joinpath("lists", "common.en.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


@lru_cache(maxsize=1)
def name_words() -> frozenset[str]:
    """Latin words of at least four letters in the names of public figures: where spaced letters may be cut."""
    text = files("guardrail.checks.text").joinpath("lists", "public_figures.tsv").read_text("utf-8")
    names = (line.split("\t")[0].lower() for line in text.splitlines() if not line.startswith("#"))
    return frozenset(w for name in names for w in re.findall(r"(?<![^\W_])[a-z]{4,}(?![^\W_])", name))


@lru_cache(maxsize=1)
def listed_words() -> frozenset[str]:
    """Single Latin words of at least four letters in the explicit and suggestive sections of all languages."""
    words: set[str] = set()
    for language in languages("sexual"):
        for section in load_list("sexual", language).sections:
            if not section.pattern and section.weight >= 0.4:
                words.update(w for w in section.lines if w.isascii() and w.isalpha() and len(w) >= 4)
    return frozenset(words)
