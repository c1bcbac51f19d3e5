"""Prompt syntax taken out: emphasis, switching, alternation, names of LoRA files, embeddings and wildcards.

The notations are those of the AUTOMATIC1111 and ComfyUI front ends, InvokeAI and Dynamic Prompts. A choice between
texts has two readings, one with every first option and one with every last one.
"""

from __future__ import annotations

import re

from guardrail.checks.text.spellings import inner_words
from guardrail.checks.text.views import View, substitute, untouched

__all__ = ["unwrapped"]

# How deep choices are taken out of each other; deeper ones are read as words side by side.
_DEPTH = 3

_SIGNS = re.compile(r"[()\[\]{}<>\\]")
_WORDS = re.compile(r"AND|BREAK|[+]{2}|mbedding:|[_-][vV][0-9]")
# Every repeat is bounded or consumes what it has read, so that no text makes a search quadratic.
_NAMED = re.compile(
    r"<[a-zA-Z]{2,14}:([^<>:]{1,200})|(?<!\w)[eE]mbedding:([\w./-]{1,200})|(?<![\w-])([A-Za-z][\w-]{3,60}[_-][vV]\d)"
)
_FILE = re.compile(r"<[a-zA-Z]{2,14}:([^<>:]{1,200})[^<>]{0,40}>")
_SWITCH = re.compile(r"\[([^\[\]|:]*):(?:([^\[\]|:]*):)?[ ]{0,3}\d{0,4}\.?\d{0,4}[ ]{0,3}\]")
_CHOICE = re.compile(r"[\[{(](?:\d{1,2}\$\$)?([^\[\]{}()|]*(?:\|[^\[\]{}()|]*)+)[\]})]")
_WEIGHT = re.compile(
    r"(?<=[^\W\d]):{1,2}[ ]{0,3}-?\d{0,4}\.?\d{1,4}(?![\w:])"
    r"|(?<!\d)[ ]{0,3}:[ ]{0,3}-?\d{0,4}\.?\d{1,4}[ ]{0,3}(?=[)\]}])"
)
_BETWEEN = re.compile(r"[)\]}]\d{0,2}\.?\d{0,4}[({\[]")
_BRACKET = re.compile(r"\\?[()\[\]{}](?:(?<=\))\d{0,2}\.\d{1,4})?|[+]{2}|[<>]")
_KEYWORD = re.compile(r"(?<!\w)(?:AND|BREAK|ADDCOMM|ADDROW|ADDCOL)(?!\w)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")


def unwrapped(text: str | View, option: int) -> View | None:
    """`text` without prompt syntax, capitals and all; ``None`` where there is none.

    Args:
        text: as typed, or a reading of it that keeps capitals. It runs forwards.
        option: 0 for the first option of every choice, -1 for the last one.
    """
    start = untouched(text) if isinstance(text, str) else text
    if not _SIGNS.search(start.text) and not _WORDS.search(start.text):
        return None

    def switched(match: re.Match[str]) -> str:
        # "[a:0.3]" adds a at some step, "[a::0.3]" takes it away.
        return match[1] if not match[2] or option == 0 else match[2]

    def chosen(match: re.Match[str]) -> str:
        return match[1].split("|")[option]

    view = substitute(start, _NAMED, lambda m: inner_words(m[0]), "syntax") or start
    view = substitute(view, _FILE, lambda m: f" {m[1]} ", "syntax") or view
    for _ in range(_DEPTH):
        before = view
        view = substitute(view, _SWITCH, switched, "syntax") or view
        view = substitute(view, _CHOICE, chosen, "syntax") or view
        if view is before:
            break
    for pattern, instead in ((_WEIGHT, ""), (_BETWEEN, " "), (_BRACKET, ""), (_KEYWORD, " ")):
        view = substitute(view, pattern, lambda _, instead=instead: instead, "syntax") or view  # type: ignore[misc]
    if view is start:
        return None
    return substitute(view, _CAMEL, lambda _: " ", "syntax") or view
