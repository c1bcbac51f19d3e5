"""Why a condition in CEL holds or is unknown: its leaves, evaluated one by one. Runs only when a rule fires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from guardrail.decision import Leaf
from guardrail.policy.engines.cel_study import THRESHOLDS, Read
from guardrail.policy.engines.cel_words import Part, Token
from guardrail.policy.engines.present import Plain, missing_leaves
from guardrail.policy.probes import Outcome

__all__ = ["ReadyLeaf", "leaves_of", "plain_comparison"]

_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


class ReadyLeaf(NamedTuple):
    """A leaf for one set of due stages.

    Attributes:
        expression: None while it waits for a stage.
        op, limit, threshold: of a plain comparison such as ``prompt.sexual >= 0.4``; otherwise `op` is empty.
    """

    expression: Any
    reads: tuple[Read, ...]
    text: str = ""
    op: str = ""
    limit: float = 0.0
    threshold: str = ""


def plain_comparison(
    tokens: Sequence[Token], reads: Sequence[Read], thresholds: Mapping[str, Mapping[str, float]]
) -> tuple[str, float, str]:
    """Operator, limit and threshold of ``signal op number`` or ``signal op threshold``; ("", 0, "") for all else."""
    if (
        len(reads) != 1
        or len(tokens) < 5
        or tokens[3].text not in _OPPOSITE
        or f"{tokens[0].text}.{tokens[2].text}" != (reads[0].signal)
    ):
        return "", 0.0, ""
    op, rest = tokens[3].text, tokens[4:]
    if len(rest) == 1 and rest[0].kind == "number":
        return op, float(rest[0].text), ""
    if len(rest) == 5 and rest[0].text == THRESHOLDS:
        family, name = rest[2].text, rest[4].text
        return op, thresholds[family][name], f"{family}.{name}"
    return "", 0.0, ""


def leaves_of(
    part: Part, leaves: Mapping[Part, ReadyLeaf], holds: Outcome, activation: Any, values: Mapping[str, Plain]
) -> tuple[Leaf, ...]:
    """The leaves that account for `holds`: those that held for True, what was missing in them for None."""
    outcomes: dict[Part, Outcome] = {}
    for leaf, negated in part.leaves():
        outcome: Outcome = False  # one that waits never helps
        if leaves[leaf].expression is not None:
            value = leaves[leaf].expression.eval(activation).value()
            outcome = value is not negated if value is True or value is False else None
        outcomes[leaf] = outcome
    found: list[Leaf] = []
    for leaf, negated in _deciding(part, False, holds, outcomes):
        found += _held(leaves[leaf], negated, values) if holds else _missing(leaves[leaf], values)
    return tuple(dict.fromkeys(found))


def _outcome(part: Part, negated: bool, outcomes: Mapping[Part, Outcome]) -> Outcome:
    if part.kind == "leaf":
        return outcomes[part]
    if part.kind == "not":
        return _outcome(part.parts[0], not negated, outcomes)
    found = [_outcome(p, negated, outcomes) for p in part.parts]
    settles = (part.kind == "any") is not negated
    return settles if settles in found else None if None in found else not settles


def _deciding(part: Part, negated: bool, holds: Outcome, outcomes: Mapping[Part, Outcome]) -> list[tuple[Part, bool]]:
    """The leaves, with their negation, that have the outcome of the whole wherever it came about."""
    if part.kind == "leaf":
        return [(part, negated)]
    if part.kind == "not":
        return _deciding(part.parts[0], not negated, holds, outcomes)
    parts = [p for p in part.parts if _outcome(p, negated, outcomes) is holds]
    return [leaf for p in parts for leaf in _deciding(p, negated, holds, outcomes)]


def _missing(leaf: ReadyLeaf, values: Mapping[str, Plain]) -> list[Leaf]:
    fields: dict[str, list[str]] = {}
    for read in leaf.reads:
        fields.setdefault(read.signal, []).extend([read.field] if read.field else [])
    return [gone for signal, names in fields.items() for gone in missing_leaves(signal, names, values)]


def _held(leaf: ReadyLeaf, negated: bool, values: Mapping[str, Plain]) -> list[Leaf]:
    """The comparison with its numbers where it is a plain one, otherwise the text that was satisfied."""
    if leaf.op:
        (read,) = leaf.reads
        op = _OPPOSITE[leaf.op] if negated else leaf.op
        return [Leaf(read.signal, values[read.signal], op, leaf.limit, leaf.threshold)]  # type: ignore[arg-type]
    word, found = "does not satisfy" if negated else "satisfies", []
    for signal in dict.fromkeys(read.signal for read in leaf.reads):
        value = values.get(signal)  # absent where the rest of the leaf settled it
        found.append(Leaf(signal, len(value) if isinstance(value, list) else value, word, leaf.text[:200]))
    return found
