"""JSON Schema of the parts of a rule that signals and actions declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.decision import ActionKind, Param
from guardrail.policy import schema as tables
from guardrail.policy.schema import MAX_NAME, MAX_TEXT
from guardrail.signals import MOST_ITEMS, Choice, Flag, Items, Kind, Score, Stage, Vocabulary

__all__ = [
    "FLAG",
    "NAME",
    "TEXT",
    "Schema",
    "actions_with",
    "bare_actions",
    "condition",
    "given",
    "names",
    "numeric",
    "one_or_many",
    "ref",
    "says",
    "whole",
    "words",
]

Schema = dict[str, Any]

_NUMBER = f"(?:{tables._NUMBER.pattern})"
# A scalar is read as the text that stands there, so an editor that takes it for a number or a boolean is right too.
TEXT: Schema = {"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": MAX_TEXT}
NAME: Schema = {"type": "string", "pattern": f"^(?:{tables._NAME.pattern})$", "maxLength": MAX_NAME}
# As far as a pattern can say what is printed: no control characters, and not only blanks.
_PRINTED = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
FLAG: Schema = {"enum": [True, False, "true", "false"]}
_QUANTIFIERS = {
    "any": "At least one item passes all of these.",
    "all": "Every item passes all of these; an empty list does.",
    "none": "No item passes all of these.",
}


def condition(vocabulary: Vocabulary) -> Schema:
    several = {"type": "array", "minItems": 1, "items": ref("condition")}
    signals = {spec.name: says(_test(spec.kind), spec.doc) for spec in vocabulary.signals.values()}
    joins = {
        "any": says(several, "At least one of these holds."),
        "all": says(several, "All of these hold."),
        "not": says(ref("condition"), "This does not hold."),
    }
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": {**joins, **signals}}


def _test(kind: Kind) -> Schema:
    """What a signal, or a field of a list, is compared with."""
    if isinstance(kind, Score):
        number = r"(?:0*\.[0-9]+|0+(?:\.[0-9]*)?|1(?:\.0*)?)"
        return {
            "type": "string",
            "pattern": rf"^(?:>=|<=|>|<)\s*(?:{number}|{tables._NAME.pattern})$",
            "examples": [">= 0.5", "< 0.2"],
        }
    if isinstance(kind, Flag):
        return FLAG
    if isinstance(kind, Items):
        fields = {name: _test(field) for name, field in kind.fields.items()}
        body = {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": fields}
        quantified = {word: says(body, doc) for word, doc in _QUANTIFIERS.items()}
        return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": quantified}
    return one_or_many(words(kind.values) if isinstance(kind, Choice) else TEXT)


def given(vocabulary: Vocabulary) -> Schema:
    signals = {spec.name: says(_value(spec.kind), spec.doc) for spec in vocabulary.signals.values()}
    own = {
        "stage": words(s.value for s in Stage),
        "due": ref("stages"),
        "missing": one_or_many(words(vocabulary.signals)),
    }
    return {"type": "object", "additionalProperties": False, "required": ["stage"], "properties": {**own, **signals}}


def _value(kind: Kind) -> Schema:
    """What a test says that was found; null is missing."""
    if isinstance(kind, Items):
        fields = {name: _value(field) for name, field in kind.fields.items()}
        item = {"type": "object", "additionalProperties": False, "properties": fields}
        return {"anyOf": [{"type": "array", "maxItems": MOST_ITEMS, "items": item}, {"type": "null"}]}
    if isinstance(kind, Score):
        return {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, numeric(), {"type": "null"}]}
    if isinstance(kind, Flag):
        return {"enum": [*FLAG["enum"], None]}
    return {"enum": [*kind.values, None]} if isinstance(kind, Choice) else {"anyOf": [TEXT, {"type": "null"}]}


def bare_actions(actions: Mapping[str, ActionKind]) -> Schema:
    """Actions that need no parameter, by their name alone."""
    return words(kind.name for kind in actions.values() if not any(_needed(p) for p in kind.params))


def actions_with(actions: Mapping[str, ActionKind]) -> Schema:
    found: dict[str, Schema] = {}
    for kind in actions.values():
        body: Schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {p.name: says(_parameter(p), p.doc) for p in kind.params},
            "required": [p.name for p in kind.params if _needed(p)],
        }
        found[kind.name] = says(body if body["required"] else {"anyOf": [body, {"type": "null"}]}, kind.doc)
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": found}


def _needed(param: Param) -> bool:
    return param.default is None and not param.optional


def _parameter(param: Param) -> Schema:
    if param.type == "flag":
        return FLAG
    if param.type == "choice":
        return words(param.choices)
    if param.type == "word":
        return NAME
    if param.type == "text":
        return {**TEXT, "maxLength": int(param.maximum), "pattern": _PRINTED}
    number = {"type": param.type, "minimum": param.minimum, "maximum": param.maximum}
    return {"anyOf": [number, numeric()]}


def numeric() -> Schema:
    """A number in quotes, which the loader reads alike."""
    return {"type": "string", "pattern": f"^{_NUMBER}$"}


def whole(low: int, high: int) -> Schema:
    """A whole number; one in quotes is read alike."""
    return {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, numeric()]}


def names(one: Schema) -> Schema:
    """A word, a list of words, or ``{a, b}``, which is a set to YAML."""
    return {"anyOf": [one, {"type": "array", "items": one}, {"type": "object", "propertyNames": one}]}


def one_or_many(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}


def words(words: Any) -> Schema:
    return {"enum": list(words)}


def says(what: Schema, doc: str) -> Schema:
    return {**what, "description": doc} if doc else what


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
