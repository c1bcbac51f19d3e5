"""The words that diffusers itself puts around a prompt: literals of the source of a pipeline, and chat templates.

Only diffusers' own source counts. A subclass that somebody wrote may have any words in it.
"""

from __future__ import annotations

import ast
import functools
import html
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["is_template", "normal", "parts_of"]

# Marks of a chat and places to fill in: where one literal ends and the next begins.
_SEAM = re.compile(r"<\|?[^<>|\s]{1,40}\|?>|\[/?[A-Z_]{2,20}\]|\{[\w.!:]*\}|%s")
_JINJA = re.compile(r"\{[%{#].*?[%}#]\}", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
# What a chat says of who speaks.
_ROLES = frozenset({"system", "user", "assistant", "model", "developer"})
_EDGES = " \t\n.,:;|\"'-*#"


def normal(text: str) -> str:
    """A text as the cleaning of diffusers and the case folding of tokenizers leave it: for comparing only."""
    return " ".join(html.unescape(html.unescape(text)).casefold().split())


def parts_of(text: str, *, jinja: bool = False, marks: frozenset[str] | None = None) -> frozenset[str]:
    """The parts of a text between the marks of a chat or the places of a template; normal, without edges or roles.

    Args:
        jinja: it is a chat template: the literals in its statements are parts as well.
        marks: only these, normal, separate parts: for texts that are no templates, where brackets may hold anything.
    """
    if jinja:
        quoted = " <|> ".join(a or b for a, b in _QUOTED.findall(" ".join(_JINJA.findall(text))))
        text = _JINJA.sub("<|->", text) + "<|->" + quoted
    parts: set[str] = set()
    seam = _SEAM if marks is None else _between(marks)
    for piece in seam.split(text):
        words = normal(piece).strip(_EDGES)
        first, _, rest = words.partition(" ")
        words = rest.strip(_EDGES) if first.strip(_EDGES) in _ROLES else words
        if words.strip(_EDGES):
            parts.add(words)
    return frozenset(parts)


@functools.lru_cache(maxsize=64)
def _between(marks: frozenset[str]) -> re.Pattern[str]:
    # Without marks: a pattern that is nowhere.
    return re.compile("|".join(re.escape(m) for m in sorted(marks, key=len, reverse=True)) or r"(?!)")


def is_template(pipe: Any, part: str) -> bool:
    """Whether a part, as `parts_of` gives it, is one of a literal in the source of a pipeline or of its blocks.

    What stands beside their modules is read as well: families keep the prompts of their rewriters in a file of its own.
    """
    own = dict.fromkeys(_modules(pipe))
    return any(part in _literals(m) for m in own) or any(part in _literals(b) for m in own for b in _beside(m))


def _modules(pipe: Any) -> Iterator[str]:
    todo = [pipe, getattr(pipe, "_blocks", None)]
    while todo:
        one = todo.pop()
        if one is None:
            continue
        yield from (kind.__module__ for kind in type(one).__mro__ if kind.__module__.startswith("diffusers."))
        todo += getattr(one, "sub_blocks", {}).values()


def _beside(module: str) -> tuple[str, ...]:
    """Modules of the same folder, one of a family, that are loaded."""
    folder = module.rpartition(".")[0]
    if folder.count(".") < 2:
        return ()
    return tuple(name for name in list(sys.modules) if name.rpartition(".")[0] == folder)


@functools.lru_cache(maxsize=256)
def _literals(module: str) -> frozenset[str]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, SyntaxError, TypeError):
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= parts_of(node.value)
    return frozenset(found)
