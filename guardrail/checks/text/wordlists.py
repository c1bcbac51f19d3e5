"""Reading the word lists in ``lists/``: plain text files that people can edit.

The format is described at the head of ``lists/sexual.en.txt``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from guardrail.errors import ConfigurationError

__all__ = ["Section", "WordList", "common_words", "languages", "listed_words", "load_list"]

_HEADER = re.compile(r"\[(?P<name>[a-z-]+)(?P<rest>[^\]]*)\]")
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


def load_list(kind: str, language: str) -> WordList:
    """Read ``lists/<kind>.<language>.txt``.

    Raises:
        ConfigurationError: a line is not of the format; the message names file and line.
    """
    name = f"{kind}.{language}.txt"
    text = files("guardrail.checks.text").joinpath("lists", name).read_text("utf-8")
    return parse_list(name, text)


def parse_list(name: str, text: str) -> WordList:
    """Parse the text of a word list; `name` is for messages."""
    blocks: list[tuple[int, str, list[str]]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.rstrip("\n")
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("[") and _HEADER.fullmatch(line.strip()):
            blocks.append((number, line.strip(), []))
        elif not blocks:
            raise ConfigurationError(f"{name}:{number}: a term stands before the first [section]")
        else:
            blocks[-1][2].append(line)
    macros = {header[1:-1].split()[1]: "".join(lines) for _, header, lines in blocks if header.startswith("[macro ")}
    macros = {k: v + ")" if v.count("(") > v.count(")") else v for k, v in macros.items()}
    sections: list[Section] = []
    exempt: list[str] = []
    context: list[str] = []
    for number, header, lines in blocks:
        match = _HEADER.fullmatch(header)
        assert match is not None
        words = match["rest"].split()
        if match["name"] == "macro":
            continue
        if match["name"] == "exempt":
            exempt += [_expand_macros(p, macros, name, number) for p in lines]
        elif match["name"] == "context":
            context += lines
        else:
            sections.append(_section(match["name"], words, lines, macros, name, number))
    return WordList(name, tuple(sections), tuple(exempt), tuple(context), macros)


def _section(
    kind: str, words: Sequence[str], lines: Sequence[str], macros: dict[str, str], name: str, number: int
) -> Section:
    pattern = "pattern" in words
    try:
        weights = [float(w) for w in words if w != "pattern"]
    except ValueError:
        raise ConfigurationError(f"{name}:{number}: [{kind} …] takes numbers and the word pattern") from None
    if not weights or not all(0.0 < w <= 1.0 for w in weights):
        raise ConfigurationError(f"{name}:{number}: [{kind}] needs a weight over 0 and up to 1")
    expanded: Iterator[str] | list[str]
    if pattern:
        expanded = [_expand_macros(p, macros, name, number) for p in lines]
        for p in expanded:
            try:
                re.compile(p)
            except re.error as error:
                raise ConfigurationError(f"{name}:{number}: pattern {p!r}: {error}") from None
    else:
        expanded = itertools.chain.from_iterable(expand(line) for line in lines)
    return Section(kind, weights[0], weights[1] if len(weights) > 1 else weights[0], pattern, tuple(expanded))


def expand(term: str) -> list[str]:
    """``word(s)`` → word, words; ``wor(d|k)`` → word, work; ``word(|s|ed)`` → word, words, worded."""
    parts = _ALTERNATIVES.split(term)
    choices = [part.split("|") if "|" in part else ["", part] if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(c) for c in itertools.product(*choices)]


def _expand_macros(pattern: str, macros: dict[str, str], name: str, number: int) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[1] not in macros:
            raise ConfigurationError(f"{name}:{number}: no [macro {match[1]}] in this file")
        return macros[match[1]]

    return _MACRO.sub(replace, pattern)


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Ordinary English words, made by ``benchmarks/make_common_words.py`` from captions under open licences."""
    text = files("guardrail.checks.text").joinpath("lists", "common.en.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


@lru_cache(maxsize=1)
def listed_words() -> frozenset[str]:
    """Single Latin words of at least four letters in the explicit and suggestive sections of all languages."""
    words: set[str] = set()
    for language in languages("sexual"):
        for section in load_list("sexual", language).sections:
            if not section.pattern and section.weight >= 0.4:
                words.update(w for w in section.lines if w.isascii() and w.isalpha() and len(w) >= 4)
    return frozenset(words)
