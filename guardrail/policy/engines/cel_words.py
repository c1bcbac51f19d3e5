"""CEL as words: the tokens of an expression, its logical skeleton, and where its offsets stand in the YAML file.

CEL itself compiles and evaluates the whole expression. The skeleton (which parts `&&`, `||` and `!` join) is needed for
what CEL has no notion of: a part that is not due takes no part, and a reason names the parts that held. Lexis and
precedence: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from guardrail.policy.nodes import Node, Scalar

__all__ = ["Part", "Token", "place_of", "skeleton", "tokens_of"]

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>[bB]?[rR][bB]?(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:\"{3}(?:\\[\s\S]|[^\\])*?\"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}
                |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[uU]?)
    |(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
    |(?P<sign>&&|\|\||[=!<>]=|[<>!?:+\-*/%()\[\]{}.,])""",
    re.VERBOSE,
)
_OPEN, _CLOSE = "([{", ")]}"
# Whatever binds looser than `!` and tighter than `&&`: a part with one of these at its surface is a leaf.
_WITHIN = frozenset({"==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "in"})


class Token(NamedTuple):
    kind: Literal["string", "number", "name", "sign"]
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Part(NamedTuple):
    """A node of the skeleton, with the span of its text.

    Attributes:
        parts: none for a leaf, one for ``not``.
    """

    kind: Literal["any", "all", "not", "leaf"]
    start: int
    end: int
    parts: tuple[Part, ...] = ()

    def leaves(self, negated: bool = False) -> Iterator[tuple[Part, bool]]:
        """Every leaf, and whether it stands under an odd number of negations."""
        if self.kind == "leaf":
            yield self, negated
        for part in self.parts:
            yield from part.leaves(negated is not (self.kind == "not"))


def tokens_of(text: str) -> list[Token] | int:
    """The tokens, or the offset of the first sign that is none."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return at
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match[0], at))  # type: ignore[arg-type]
        at = match.end()
    return found


def skeleton(tokens: Sequence[Token]) -> Part:
    """The skeleton of an expression that CEL compiled: its brackets match, and it is nested 32 deep at most."""
    words = _surface(tokens)
    if "?" not in words:  # the ternary binds loosest: with one at the surface, all of it is a leaf
        for sign, kind in (("||", "any"), ("&&", "all")):
            cuts = [i for i, word in enumerate(words) if word == sign]
            if cuts:
                edges = zip([-1, *cuts], [*cuts, len(tokens)], strict=True)
                parts = tuple(skeleton(tokens[low + 1 : high]) for low, high in edges)
                return Part(kind, tokens[0].start, tokens[-1].end, parts)  # type: ignore[arg-type]
        bangs = next((i for i, token in enumerate(tokens) if token.text != "!"), len(tokens))
        if bangs and not _WITHIN & set(words):
            inner = skeleton(tokens[bangs:])
            return Part("not", tokens[0].start, tokens[-1].end, (inner,)) if bangs % 2 else inner
        if tokens[0].text == "(" and _closes(tokens) == len(tokens) - 1:
            return skeleton(tokens[1:-1])
    return Part("leaf", tokens[0].start, tokens[-1].end)


def _surface(tokens: Sequence[Token]) -> list[str]:
    """The tokens outside of all brackets; those within are empty. Strings and names keep to themselves."""
    words: list[str] = []
    depth = 0
    for token in tokens:
        depth -= token.kind == "sign" and token.text in _CLOSE
        words.append(token.text if depth == 0 and (token.kind == "sign" or token.text == "in") else "")
        depth += token.kind == "sign" and token.text in _OPEN
    return words


def _closes(tokens: Sequence[Token]) -> int:
    """Index of the bracket that closes the first token's."""
    depth = 0
    for i, token in enumerate(tokens):
        if token.kind == "sign":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth == 0:
            return i
    return len(tokens)


def place_of(scalar: Scalar, offset: int, source: str) -> Node:
    """Where a character of a scalar's text stands in the file.

    YAML folds lines and undoes quotes: both texts are walked side by side, since neither changes a character that is no
    space. Where they part (an escape such as ``\\x41``), the beginning of the scalar is named.
    """
    lines = source.splitlines(keepends=True)
    if not 0 < scalar.line <= len(lines):
        return scalar
    raw = "".join(lines[scalar.line - 1 :])
    at = scalar.column - 1
    if not scalar.plain and raw[at : at + 1] in ("|", ">"):
        at = raw.find("\n", at) + 1
    elif not scalar.plain:
        at += 1
    for wanted in (c for c in scalar.text[: offset + 1] if not c.isspace()):
        while at < len(raw) and raw[at].isspace():
            at += 1
        if raw[at : at + 2] in ("''", '\\"', "\\\\", "\\/") and raw[at + 1] == wanted and not scalar.plain:
            at += 1
        if raw[at : at + 1] != wanted:
            return scalar
        at += 1
    before = raw[: max(at - 1, 0)]
    line_start = before.rfind("\n") + 1
    return Node(scalar.line + before.count("\n"), len(before) - line_start + 1)
