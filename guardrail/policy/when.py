"""Reading `when`: conditions, checked against the vocabulary, the thresholds and the stages of the rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from guardrail.policy.findings import near, shown
from guardrail.policy.model import (
    AllOf,
    Always,
    AnyOf,
    Compare,
    Condition,
    FlagTest,
    ListTest,
    Not,
    Quantifier,
    ScoreTest,
    Test,
    WordTest,
)
from guardrail.policy.nodes import Hole, Map, Node, Scalar, Seq
from guardrail.policy.schema import Reader, number_of
from guardrail.signals import Choice, Flag, Items, Score, Stage, Text, Vocabulary

__all__ = ["ConditionReader"]

_COMPARISON = re.compile(r"(>=|<=|>|<)\s*([^\s<>=]+)")
_TURNED = re.compile(r"=>?=?\s*([^\s<>=]{1,60})")
_QUANTIFIERS = ("any", "all", "none")


class ConditionReader:
    """Reads conditions; what does not fit is noted and read as None."""

    def __init__(self, reader: Reader, vocabulary: Vocabulary, thresholds: Mapping[str, Mapping[str, float]]) -> None:
        self._reader = reader
        self._findings = reader.findings
        self._vocabulary = vocabulary
        self._thresholds = thresholds
        self._last = Stage.OUTPUT

    def read(self, node: Node, at: frozenset[Stage]) -> Condition | None:
        """The condition of a rule that is looked at in the stages `at`."""
        # A rule sees the signals of all stages up to its last one.
        self._last = max(at, key=lambda stage: stage.position, default=Stage.OUTPUT)
        if isinstance(node, Scalar) and node.text == "always":
            return Always()
        return self._condition(node)

    def stage_of(self, signal: str) -> Stage | None:
        """The stage at which a known signal is measured; None for what is known from the start."""
        return self._vocabulary[signal].stage

    def _condition(self, node: Node) -> Condition | None:
        if isinstance(node, Seq):
            self._findings.add(
                "GP041",
                node,
                "a list of conditions does not say how they belong together",
                "write `any:` or `all:` before it",
            )
            return None
        if isinstance(node, Scalar):
            mend = (
                "`always` stands alone after `when:`"
                if node.text == "always"
                else 'write a signal, such as `prompt.sexual: ">= 0.4"`'
            )
            self._findings.add("GP041", node, f"{shown(node.text)} is not a condition", mend)
            return None
        if not isinstance(node, Map):
            return None
        if not node.entries:
            self._empty(node)
            return None
        parts = [self._entry(key, value) for key, value in node.entries]
        good = tuple(p for p in parts if p is not None)
        if len(good) < len(parts):
            return None
        return good[0] if len(good) == 1 else AllOf(good)

    def _entry(self, key: Scalar, value: Node) -> Condition | None:
        if key.text in ("any", "all"):
            return self._parts(key.text, value)
        if key.text == "not":
            part = self._condition(value)
            return None if part is None else Not(part)
        return self._leaf(key, value)

    def _parts(self, word: str, node: Node) -> Condition | None:
        items = self._reader.sequence(node, f"`{word}`")
        if items is None:
            return None
        if not items:
            self._empty(node)
        parts = tuple(p for p in map(self._condition, items) if p is not None)
        if len(parts) < len(items) or not parts:
            return None
        return AnyOf(parts) if word == "any" else AllOf(parts)

    def _leaf(self, key: Scalar, value: Node) -> Condition | None:
        name = key.text
        if name in ("or", "and"):
            word = "any" if name == "or" else "all"
            self._findings.add("GP041", key, f"{shown(name)} joins no conditions", f"write `{word}:` before their list")
            return None
        if name not in self._vocabulary:
            self._findings.unknown("GP030", key, "signal", name, self._vocabulary)
            return None
        spec = self._vocabulary[name]
        if spec.stage is not None and spec.stage.position > self._last.position:
            self._findings.add(
                "GP040",
                key,
                f"{name} is not known yet at {self._last}: it is measured at {spec.stage}",
                f"add {spec.stage} to `at`, or use a signal of an earlier stage",
            )
        if isinstance(spec.kind, Items):
            return self._list(name, spec.kind, value)
        test = self._test(value, name, spec.kind)
        return None if test is None else Compare(name, test)

    def _list(self, name: str, kind: Items, node: Node) -> Condition | None:
        example = f"{name}: {{any: {{{next(iter(kind.fields), 'field')}: …}}}}"
        if isinstance(node, Hole):
            return None
        if not isinstance(node, Map) or any(key.text not in _QUANTIFIERS for key, _ in node.entries):
            self._findings.add(
                "GP038", node, f"{name} is a list", f"say any, all or none of its items, such as `{example}`"
            )
            return None
        if not node.entries:
            self._empty(node)
        parts: list[Condition | None] = []
        for key, body in node.entries:
            fields = self._fields(name, kind, body)
            parts.append(ListTest(name, cast(Quantifier, key.text), fields) if fields else None)
        good = tuple(p for p in parts if p is not None)
        if len(good) < len(parts) or not good:
            return None
        return good[0] if len(good) == 1 else AllOf(good)

    def _fields(self, name: str, kind: Items, node: Node) -> tuple[tuple[str, Test], ...] | None:
        body = self._reader.mapping(node, f"what the items of {name} are compared with")
        if body is None:
            return None
        if not body.entries:
            self._empty(body)
        tests: list[tuple[str, Test]] = []
        for key, value in body.entries:
            if key.text not in kind.fields:
                self._findings.unknown("GP031", key, f"field of {name}:", key.text, kind.fields)
                continue
            test = self._test(value, f"{key.text} of {name}", kind.fields[key.text])
            if test is not None:
                tests.append((key.text, test))
        return tuple(tests) if tests and len(tests) == len(body.entries) else None

    def _test(self, node: Node, what: str, kind: Score | Flag | Choice | Text) -> Test | None:
        if isinstance(kind, Score):
            return self._score(node, what, kind.family)
        if isinstance(kind, Flag):
            flag = self._reader.flag(node, what)
            return None if flag is None else FlagTest(flag)
        items = self._reader.one_or_many(node)
        if not items:
            self._empty(node)
        if isinstance(kind, Choice):
            words = [self._reader.word(n, what, kind.values, code="GP036") for n in items]
        else:
            words = [self._reader.text(n, what) for n in items]
        good = tuple(dict.fromkeys(w for w in words if w is not None))
        return WordTest(good) if good and None not in words else None

    def _score(self, node: Node, what: str, family: str) -> ScoreTest | None:
        names = self._thresholds.get(family, {})
        text = node.text if isinstance(node, Scalar) else ""
        match = _COMPARISON.fullmatch(text)
        if match is None:
            if not isinstance(node, Hole):
                example = f">= {next(iter(names), '0.5')}"
                got = (
                    shown(text)
                    if isinstance(node, Scalar)
                    else "a list"
                    if isinstance(node, Seq)
                    else "`key: value` entries"
                )
                turned = _TURNED.fullmatch(text)
                mend = f'did you mean ">= {turned[1]}"?' if turned else f'write it in quotes, such as "{example}"'
                self._findings.add("GP035", node, f"{what} is a score and needs a comparison, got {got}", mend)
            return None
        op, word = match[1], match[2]
        if word in names:
            return ScoreTest(op, names[word], f"{family}.{word}")  # type: ignore[arg-type]
        limit = number_of(word)
        if limit is None:
            mend = (
                near(word, names)
                if names
                else f"define it under `thresholds: {{{family}: …}}` or write a number from 0 to 1"
            )
            self._findings.add("GP032", node, f"unknown threshold {shown(word)} of {family}", mend)
            return None
        if not 0.0 <= limit <= 1.0:
            self._reader.outside(node, what, limit, 0.0, 1.0)
            return None
        return ScoreTest(op, limit)  # type: ignore[arg-type]

    def _empty(self, node: Node) -> None:
        self._findings.add("GP039", node, "this condition is empty", "write at least one comparison, or remove it")
