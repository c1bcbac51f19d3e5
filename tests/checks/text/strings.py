"""Strings that a regular expression matches, drawn at random from its parse tree."""

from __future__ import annotations

import importlib
import string
from collections.abc import Sequence
from random import Random
from typing import Any

# Python's own parser. It has no public name; only these tests depend on it.
_parser: Any = importlib.import_module("re._parser")
_LETTERS = string.ascii_lowercase + "ня가을の的ก"


def drawn(pattern: str, rng: Random) -> str:
    """A string that `pattern` may match: what it looks for before and behind itself is not heeded."""
    return _drawn(_parser.parse(pattern), rng, {})


def least_width(pattern: str) -> int:
    """The length of the shortest string that `pattern` matches."""
    return int(_parser.parse(pattern).getwidth()[0])


def _drawn(nodes: Any, rng: Random, groups: dict[int, str]) -> str:
    return "".join(_one(str(op), value, rng, groups) for op, value in nodes)


def _one(op: str, value: Any, rng: Random, groups: dict[int, str]) -> str:
    if op == "LITERAL":
        return chr(value)
    if op == "NOT_LITERAL":
        return rng.choice([c for c in _LETTERS if ord(c) != value])
    if op == "ANY":
        return rng.choice(_LETTERS)
    if op == "IN":
        return _member(value, rng)
    if op == "BRANCH":
        return _drawn(rng.choice(value[1]), rng, groups)
    if op == "SUBPATTERN":
        return _drawn(value[-1], rng, groups)
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, inner = value
        times = rng.randint(low, min(int(high), low + 3))
        return "".join(_drawn(inner, rng, groups) for _ in range(times))
    if op in ("ASSERT", "ASSERT_NOT", "AT"):
        return ""
    raise AssertionError(f"no list has used {op} yet")


def _member(items: Sequence[tuple[Any, Any]], rng: Random) -> str:
    if str(items[0][0]) == "NEGATE":
        taken = {chr(value) for op, value in items[1:] if str(op) == "LITERAL"}
        return rng.choice([c for c in _LETTERS if c not in taken])
    op, value = rng.choice(items)
    if str(op) == "LITERAL":
        return chr(value)
    if str(op) == "RANGE":
        return chr(rng.randint(value[0], value[1]))
    return {"CATEGORY_DIGIT": "7", "CATEGORY_SPACE": " "}.get(str(value), rng.choice(_LETTERS))
