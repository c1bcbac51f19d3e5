"""The shipped lists of names: public figures, characters, and who is long dead. Their heads say what stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

__all__ = ["Spelling", "famous_names", "public_figures", "unreal_figures"]


@dataclass(frozen=True, slots=True)
class Spelling:
    """One spelling of the name of a character or of somebody long dead."""

    name: str
    kind: Literal["fictional", "historic"]
    spelling: str


@lru_cache(maxsize=1)
def public_figures() -> tuple[tuple[str, str, str, bool], ...]:
    """The living as (name, field, spelling, sure) rows; `sure` is False for words that need context."""
    rows: list[tuple[str, str, str, bool]] = []
    for line in _lines("public_figures.tsv"):
        name, _country, field, aliases, mononyms, *_ = *line, "", ""
        for spelling in (name, *aliases.split(";")) if aliases else (name,):
            # A single Latin word is seldom somebody's whole name; other scripts have no spaces to tell by.
            rows.append((name, field, spelling, " " in spelling or not spelling.isascii()))
        if mononyms:
            rows.extend((name, field, m.removesuffix("!"), m.endswith("!")) for m in mononyms.split(";"))
    return tuple(rows)


@lru_cache(maxsize=1)
def famous_names() -> frozenset[str]:
    """The most depicted of the living."""
    return frozenset(line[0] for line in _lines("public_figures.tsv") if line[5:] == ["*"])


def unreal_figures() -> Iterator[Spelling]:
    """Characters and who is long dead, each in all its spellings."""
    for name, _source, *aliases in _lines("fictional_figures.tsv"):
        for spelling in (name, *aliases[0].split(";")) if aliases else (name,):
            yield Spelling(name, "fictional", spelling)
    for name, _died, _field, *aliases in _lines("historic_figures.tsv"):
        for spelling in (name, *aliases[0].split(";")) if aliases else (name,):
            yield Spelling(name, "historic", spelling)


def _lines(name: str) -> Iterator[list[str]]:
    """The columns of each line; the last ones may be left out there."""
    text = files("guardrail.checks.text").joinpath("lists", name).read_text("utf-8")
    return (line.split("\t") for line in text.splitlines() if line and line[0] != "#")
