"""The grammar of rule files as JSON Schema (draft 2020-12), for completion and checking in an editor.

It is made from the tables that the loader itself reads by: keys from `schema`, signals from the vocabulary, actions
from their declarations. A key without an entry in `_values` is a KeyError here, which a test finds before an author.

What a schema cannot say stays with `guardrail policy lint`: whether a threshold's name is defined, whether a signal is
known yet at a rule's stages, whether ids are unique.
"""

from __future__ import annotations

from collections.abc import Mapping

from guardrail.decision import CORE_ACTIONS, ActionKind
from guardrail.policy import schema as tables
from guardrail.policy.jsonkinds import (
    FLAG,
    NAME,
    TEXT,
    Schema,
    actions_with,
    bare_actions,
    condition,
    given,
    names,
    numeric,
    one_or_many,
    ref,
    says,
    whole,
    words,
)
from guardrail.policy.loader import _PACK_KEYS
from guardrail.policy.model import SEVERITIES
from guardrail.policy.schema import Keys
from guardrail.policy.sections import _LANGUAGE, _REQUIREMENT, _VERSION
from guardrail.policy.video import MOST_APART, WINDOW
from guardrail.signals import CORE, Stage, Vocabulary

__all__ = ["json_schema"]


def json_schema(vocabulary: Vocabulary = CORE, actions: Mapping[str, ActionKind] = CORE_ACTIONS) -> Schema:
    """The schema of rule files, of the test files beside them, and of deployment files."""
    values = _values(vocabulary)
    definitions = {
        "policy": {**_mapping(tables.FILE, values), **_FILE},
        "tests-beside": _mapping(tables.TEST_FILE, values),
        "deployment": _mapping(tables.DEPLOYMENT, {**values, "policy": says(TEXT, "The policy deployed: acme@0.3.")}),
        "rule": {**_mapping(tables.RULE, values), **_LOCKED},
        "override": {**_mapping(tables.OVERRIDE, values), "minProperties": 1},
        "test": {**_mapping(tables.CASE, values), **_CASE},
        "expect": _mapping(tables.EXPECT, {**values, "rules": names(NAME), "actions": names(words(actions))}),
        "given": given(vocabulary),
        "condition": condition(vocabulary),
        "action": {"anyOf": [bare_actions(actions), actions_with(actions)]},
        "stages": one_or_many(words(s.value for s in Stage)),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guardrail rule file",
        # An empty file is a policy about to be written, so that is what stands in `else`.
        "if": {"required": ["tests"], "properties": {"policy": False, "rules": False, "extends": False}},
        "then": ref("tests-beside"),
        "else": {
            "if": {"required": ["policy"], "properties": {"policy": {"type": "string"}}},
            "then": ref("deployment"),
            "else": ref("policy"),
        },
        "$defs": definitions,
    }


# What the grammar says between keys.
_FILE: Schema = {
    "anyOf": [{"required": ["rules"]}, {"required": ["extends"]}],
    "if": {"properties": {"policy": {"required": ["kind"], "properties": {"kind": {"const": "pack"}}}}},
    "then": {"properties": dict.fromkeys(_PACK_KEYS, False)},
}
_CASE: Schema = {
    "if": {"required": ["given"]},
    "then": {"properties": {"prompt": False, "image": False}},
    "else": {"anyOf": [{"required": ["prompt"]}, {"required": ["image"]}]},
}
_LOCKED: Schema = {
    "if": {"required": ["locked"], "properties": {"locked": {"enum": [True, "true"]}}},
    "then": {"properties": {"mode": {"not": {"const": "shadow"}}, "on_missing": {"not": {"const": "ignore"}}}},
}


def _values(vocabulary: Vocabulary) -> dict[str, Schema]:
    """What may stand under each key of the tables."""
    levels = {
        "type": "object",
        "propertyNames": NAME,
        "additionalProperties": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, numeric()]},
    }
    texts = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^(?:{_LANGUAGE.pattern})$"},
        "additionalProperties": TEXT,
    }
    phrases = _mapping(tables.WORDS, dict.fromkeys(tables.WORDS.allowed, one_or_many(TEXT)))
    version = {"type": "string", "pattern": f"^(?:{_VERSION.pattern})$"}
    video = {
        "frames": says(
            {"anyOf": [{"const": "all"}, _mapping(tables.EVERY, {"every": whole(2, MOST_APART)})]},
            "all, or {every: k}: at least each k-th frame, and all of them as soon as one shows something.",
        ),
        "smoothing": says(
            {"anyOf": [{"const": "none"}, _mapping(tables.OVER, {"over": whole(*WINDOW)})]},
            "none, or {over: n}: scores that last over n frames are raised.",
        ),
    }
    wanted = rf"{_REQUIREMENT.pattern}(?:,{_REQUIREMENT.pattern})*"
    head = {
        "id": says(NAME, "Name of the policy."),
        "version": says(version, "Semantic version: looser = first number, tighter = second, texts and tests = third."),
        "kind": says(words(("policy", "pack")), "A pack only adds rules to the policies that name it."),
        "engine": says(
            {"type": "string", "pattern": f"^(?:{wanted})$"},
            'Versions of the language that can read it, such as ">=1,<2".',
        ),
        "changelog": TEXT,
    }
    return {
        "policy": _mapping(tables.HEAD, head),
        "extends": says(one_or_many(TEXT), "Policies that this one is built on: default, default@1, a path."),
        "packs": says(one_or_many(TEXT), "Packs whose rules are added."),
        "mode": says(words(("enforce", "shadow")), "shadow: watch and report, never act. Locked rules act anyway."),
        "on_missing": says(words(("block", "ignore")), "What a rule does when it cannot know."),
        "video": says(_mapping(tables.VIDEO, video), "How closely videos are looked at; all frames by default."),
        "thresholds": {
            "description": "Family, name, number from 0 to 1. Lower is stricter.",
            "type": "object",
            "additionalProperties": False,
            "properties": dict.fromkeys(sorted(vocabulary.families()), levels),
        },
        "rules": {"type": "array", "minItems": 1, "items": ref("rule")},
        "override": {"type": "object", "propertyNames": NAME, "additionalProperties": ref("override")},
        "messages": {"type": "object", "propertyNames": NAME, "additionalProperties": texts},
        "tests": {"type": "array", "items": ref("test")},
        "id": says(NAME, "Its name in reports."),
        "at": says(ref("stages"), "The stages at which the rule is looked at; it sees those before them too."),
        "when": {"anyOf": [{"const": "always"}, ref("condition")], "description": "The condition."},
        "then": says(one_or_many(ref("action")), "What happens when the condition holds."),
        "locked": says(FLAG, "No other file can loosen the rule, and no mode switches it off."),
        "severity": says(words(SEVERITIES), "Orders reports; it never changes a decision."),
        "message": says(TEXT, "What the end user reads: a name under `messages`."),
        "refs": says(one_or_many(TEXT), "Laws and duties that the rule serves."),
        "names": says(one_or_many(TEXT), "People to protect."),
        "words": says(phrases, "Phrases that ask for something sexual."),
        "exempt": says(one_or_many(TEXT), "Phrases that are harmless here; locked rules are not told of them."),
        "name": TEXT,
        "given": ref("given"),
        "prompt": says(TEXT, "Words that the real checks read."),
        "image": says(TEXT, "A picture that the real checks look at."),
        "expect": ref("expect"),
        "todo": says(FLAG, "The test is known to fail; it does not count."),
        "decision": words(("allow", "alter", "block")),
        "because": {"const": "missing"},
    }


def _mapping(keys: Keys, values: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(keys.required),
        "properties": {key: values[key] for key in keys.allowed},
    }
