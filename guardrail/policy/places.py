"""Where the leaves of a condition stand in their file. A loaded policy does not carry it: only reports need it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from guardrail.errors import PolicyError
from guardrail.policy.findings import Findings
from guardrail.policy.model import Policy, Rule
from guardrail.policy.nodes import Map, Node, Seq
from guardrail.policy.trace import leaves_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["leaf_places"]

_Place = tuple[int, int]


def leaf_places(policy: Policy) -> Mapping[str, tuple[_Place, ...]]:
    """Rule id → (line, column) of each of its leaves, as `leaves_of` counts them.

    The place of the rule stands for leaves that are not found: the file was changed since, or a layer overrides a part
    of the rule and the condition stands in another file.
    """
    roots: dict[str, Node | None] = {}
    found: dict[str, tuple[_Place, ...]] = {}
    for rule in policy.rules:
        path = rule.path or policy.path
        if path not in roots:
            roots[path] = _read(path)
        names = leaves_of(rule.when)
        places = tuple(_leaves(_when(roots[path], rule)))
        known = len(places) == len(names)
        found[rule.id] = places if known else ((rule.line, rule.column),) * len(names)
    return found


def _read(path: str) -> Node | None:
    from pathlib import Path

    from guardrail.policy.compose import MAX_BYTES, compose
    from guardrail.policy.files import read_bytes

    try:
        return compose(read_bytes(Path(path), MAX_BYTES), Findings(path))
    except PolicyError:  # gone since it was loaded
        return None


def _when(root: Node | None, rule: Rule) -> Node | None:
    """The condition of a rule: its mapping begins where the rule does, that of an override follows its key there."""
    place = rule.line, rule.column
    for node in _maps(root):
        if (node.line, node.column) == place and (when := _under(node, "when")):
            return when
        for key, value in node.entries:
            if (key.line, key.column) == place and isinstance(value, Map):
                return _under(value, "when")
    return None


def _under(node: Map, word: str) -> Node | None:
    return next((value for key, value in node.entries if key.text == word), None)


def _maps(node: Node | None) -> Iterator[Map]:
    if isinstance(node, Map):
        yield node
        for _, value in node.entries:
            yield from _maps(value)
    elif isinstance(node, Seq):
        for item in node.items:
            yield from _maps(item)


def _leaves(node: Node | None) -> Iterator[_Place]:
    """In the order in which `when` is read, see `ConditionReader`."""
    for key, value in node.entries if isinstance(node, Map) else ():
        if key.text in ("any", "all") and isinstance(value, Seq):
            for item in value.items:
                yield from _leaves(item)
        elif key.text == "not":
            yield from _leaves(value)
        elif isinstance(value, Map):
            for quantifier, body in value.entries:
                yield quantifier.line, quantifier.column
                fields = body.entries if isinstance(body, Map) else ()
                yield from ((name.line, name.column) for name, _ in fields)
        else:
            yield key.line, key.column
