"""Reading `tests`: what is given, filled up with benign signals, and what is expected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple, cast

from guardrail.policy.findings import near, shown
from guardrail.policy.model import Case, Expectation
from guardrail.policy.nodes import Map, Node, Scalar
from guardrail.policy.rules import read_stages
from guardrail.policy.schema import CASE, EXPECT, Reader
from guardrail.signals import Choice, Flag, Items, ItemValue, Kind, Score, SignalValue, Stage, Text, Vocabulary

__all__ = ["CaseReader"]


class _Given(NamedTuple):
    stage: Stage
    due: frozenset[Stage]
    signals: Mapping[str, SignalValue]


class CaseReader:
    """Reads tests; one with an error is left out, after the error was noted.

    Args:
        rules: ids of the rules of the policy.
        kinds: names of the actions.
    """

    def __init__(self, reader: Reader, vocabulary: Vocabulary, rules: Collection[str], kinds: Collection[str]) -> None:
        self._reader = reader
        self._findings = reader.findings
        self._vocabulary = vocabulary
        self._rules = rules
        self._kinds = kinds

    def read(self, node: Node) -> tuple[Case, ...]:
        """The tests in the order of the file."""
        cases = (self._case(item) for item in self._reader.sequence(node, "`tests`") or ())
        return tuple(c for c in cases if c is not None)

    def _case(self, node: Node) -> Case | None:
        fields = self._reader.fields(node, CASE)
        if fields is None:
            return None
        name = self._reader.text(fields["name"].value, "the name of a test") if "name" in fields else None
        todo = bool("todo" in fields and self._reader.flag(fields["todo"].value, "`todo`"))
        expect = self._expect(fields["expect"].value) if "expect" in fields else None
        media = [self._reader.text(fields[k].value, f"`{k}`") if k in fields else None for k in ("prompt", "image")]
        raw = "prompt" in fields or "image" in fields
        if raw == ("given" in fields):
            self._findings.add(
                "GP074",
                node,
                "a test has either `given` or `prompt` and `image`",
                "signals under `given`, or words and pictures",
            )
            return None
        given = None if raw else self._given(fields["given"].value)
        if name is None or expect is None or (given is None and media == [None, None]):
            return None
        case = Case(name, self._findings.path, node.line, expect, prompt=media[0], image=media[1], todo=todo)
        return case._replace(stage=given.stage, due=given.due, signals=given.signals) if given else case

    # ---- what is expected

    def _expect(self, node: Node) -> Expectation | None:
        fields = self._reader.fields(node, EXPECT)
        if fields is None or "decision" not in fields:
            return None
        decision = self._reader.word(
            fields["decision"].value, "the expected decision", ("allow", "alter", "block"), code="GP072"
        )
        rules: frozenset[str] | None = None
        if "rules" in fields:
            rules = frozenset(self._names(fields["rules"].value, "rule", self._rules, "GP070"))
        actions: tuple[str, ...] | None = None
        if "actions" in fields:
            actions = self._names(fields["actions"].value, "action", self._kinds, "GP050")
        ordered = "actions" in fields and not isinstance(fields["actions"].value, Map)
        missing = "because" in fields and bool(
            self._reader.word(fields["because"].value, "`because`", ("missing",), code="GP072")
        )
        if decision is None:
            return None
        return Expectation(cast(Literal["allow", "alter", "block"], decision), rules, actions, ordered, missing)

    def _names(self, node: Node, what: str, known: Collection[str], code: str) -> tuple[str, ...]:
        # {block, report} is a set to YAML: keys without values.
        items = [key for key, _ in node.entries] if isinstance(node, Map) else self._reader.one_or_many(node)
        found = []
        for item in items:
            text = self._reader.text(item, f"the name of a {what}")
            if text is not None and text not in known:
                self._findings.unknown(code, item, what, text, known)
            elif text is not None:
                found.append(text)
        return tuple(found)

    # ---- what is given

    def _given(self, node: Node) -> _Given | None:
        mapping = self._reader.mapping(node, "`given`")
        if mapping is None:
            return None
        entries = {key.text: (key, value) for key, value in mapping.entries}
        if "stage" not in entries:
            self._findings.add("GP022", mapping, "`given` has no `stage`", "add `stage:`")
            return None
        word = self._reader.word(entries.pop("stage")[1], "`stage`", [s.value for s in Stage], code="GP062")
        due = read_stages(entries.pop("due")[1], self._reader) if "due" in entries else None
        named: dict[str, SignalValue] = {}
        places: dict[str, Node] = {}
        if "missing" in entries:
            for item in self._reader.one_or_many(entries.pop("missing")[1]):
                text = self._reader.text(item, "the name of a signal")
                if text is not None and self._known(text, item):
                    named[text], places[text] = None, item
        for name, (key, value) in entries.items():
            if self._known(name, key):
                named[name] = self._value(value, name, self._vocabulary[name].kind)
                places[name] = key
        if word is None:
            return None
        stage = Stage(word)
        due = self._due(named, places, stage, due)
        benign = {s.name: s.kind.benign for s in self._vocabulary.signals.values() if s.stage is None or s.stage in due}
        return _Given(stage, due, {**benign, **named})

    def _known(self, name: str, at: Node) -> bool:
        if name not in self._vocabulary:
            self._findings.unknown("GP030", at, "signal", name, (*self._vocabulary, "stage", "missing", "due"))
        return name in self._vocabulary

    def _due(
        self, named: Mapping[str, object], places: Mapping[str, Node], stage: Stage, due: frozenset[Stage] | None
    ) -> frozenset[Stage]:
        """The stages that ran: those that are named, the prompt, and the stage of the test; or as `due` says."""
        ran = {Stage.PROMPT, stage}
        for name in named:
            of = self._vocabulary[name].stage
            if of is not None and (of.position > stage.position or (due is not None and of not in due)):
                reason = f"is measured at {of}, which has not run in this test"
                mend = "remove it, correct `stage`" + (f", or add {of} to `due`" if due is not None else "")
                self._findings.add("GP075", places[name], f"{name} {reason}", mend)
            if of is not None:
                ran.add(of)
        return frozenset(ran) if due is None else due

    def _value(self, node: Node, what: str, kind: Kind) -> SignalValue:
        if isinstance(node, Scalar) and node.is_null:
            return None
        if isinstance(kind, Items):
            items = self._reader.sequence(node, what) or ()
            return tuple(self._item(item, what, kind) for item in items)
        return self._single(node, what, kind)

    def _item(self, node: Node, what: str, kind: Items) -> ItemValue:
        values: dict[str, float | bool | str | None] = {name: k.benign for name, k in kind.fields.items()}
        mapping = self._reader.mapping(node, f"an item of {what}")
        for key, value in mapping.entries if mapping else ():
            if key.text not in kind.fields:
                self._findings.unknown("GP031", key, f"field of {what}:", key.text, kind.fields)
            elif isinstance(value, Scalar) and value.is_null:
                values[key.text] = None
            else:
                values[key.text] = self._single(value, f"{key.text} of {what}", kind.fields[key.text])
        return values

    def _single(self, node: Node, what: str, kind: Score | Flag | Choice | Text) -> float | bool | str | None:
        if isinstance(kind, Score):
            return self._reader.number(node, what, 0.0, 1.0)
        if isinstance(kind, Flag):
            return self._reader.flag(node, what)
        text = self._reader.text(node, what)
        if isinstance(kind, Choice) and text is not None and text not in kind.values:
            self._findings.add("GP036", node, f"{what} cannot be {shown(text)}", near(text, kind.values))
        return text
