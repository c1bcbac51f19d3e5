"""Reading the rules: what each key of a rule says, and what the file says for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, cast

from guardrail.decision import ActionKind
from guardrail.policy.findings import near, shown
from guardrail.policy.model import SEVERITIES, Rule
from guardrail.policy.nodes import Hole, Node, Scalar
from guardrail.policy.schema import RULE, Fields, Reader
from guardrail.policy.then import read_actions
from guardrail.policy.when import ConditionReader
from guardrail.signals import Stage

__all__ = ["Defaults", "RuleReader", "read_mode", "read_on_missing", "read_stages"]

Mode = Literal["enforce", "shadow"]
OnMissing = Literal["block", "ignore"]


class Defaults(NamedTuple):
    """What the file says for every rule that says nothing itself."""

    mode: Mode = "enforce"
    on_missing: OnMissing = "block"


class RuleReader:
    """Reads rules; a rule with an error is left out, after the error was noted.

    Attributes:
        ids: the id of every rule in the file, broken ones too, with the line where it stands.
    """

    def __init__(
        self,
        reader: Reader,
        conditions: ConditionReader,
        kinds: Mapping[str, ActionKind],
        messages: Mapping[str, object],
        defaults: Defaults,
    ) -> None:
        self.ids: dict[str, int] = {}
        self._reader = reader
        self._findings = reader.findings
        self._conditions = conditions
        self._kinds = kinds
        self._messages = messages
        self._defaults = defaults

    def read(self, node: Node) -> tuple[Rule, ...]:
        """The rules in the order of the file."""
        items = self._reader.sequence(node, "`rules`")
        if items is not None and not items:
            self._findings.add(
                "GP022", node, "`rules` has no rule", "a policy without rules allows everything; write one"
            )
        rules = (self._rule(item) for item in items or ())
        return tuple(r for r in rules if r is not None)

    def _rule(self, node: Node) -> Rule | None:
        fields = self._reader.fields(node, RULE)
        if fields is None:
            return None
        rule_id = self._id(fields)
        at = read_stages(fields["at"].value, self._reader) if "at" in fields else frozenset[Stage]()
        when = self._conditions.read(fields["when"].value, at) if "when" in fields else None
        then = read_actions(fields["then"].value, at, self._kinds, self._reader) if "then" in fields else ()
        locked = bool("locked" in fields and self._reader.flag(fields["locked"].value, "`locked`"))
        mode = self._mode(fields, locked)
        on_missing = self._on_missing(fields, locked)
        severity = "medium"
        if "severity" in fields:
            severity = self._reader.word(fields["severity"].value, "`severity`", SEVERITIES) or severity
        message = self._message(fields)
        refs = self._refs(fields)
        if rule_id is None or not at or when is None or not then:
            return None
        return Rule(rule_id, at, when, then, locked, severity, mode, on_missing, message, refs, node.line, node.column)

    def _id(self, fields: Fields) -> str | None:
        if "id" not in fields:
            return None
        node = fields["id"].value
        rule_id = self._reader.name(node, "the id of a rule")
        if rule_id is None:
            return None
        if rule_id in self.ids:
            where = f"the first is in line {self.ids[rule_id]}"
            self._findings.add("GP027", node, f"two rules have the id {shown(rule_id)}", f"{where}; rename one of them")
        self.ids.setdefault(rule_id, node.line)
        return rule_id

    def _mode(self, fields: Fields, locked: bool) -> Mode:
        mode = read_mode(fields, self._reader, self._defaults.mode)
        if not locked:
            return mode
        if mode == "shadow" and "mode" in fields:
            self._findings.add(
                "GP061", fields["mode"].value, "a locked rule always acts: it cannot be in shadow mode", "remove `mode`"
            )
        return "enforce"

    def _on_missing(self, fields: Fields, locked: bool) -> OnMissing:
        on_missing = read_on_missing(fields, self._reader, self._defaults.on_missing)
        if not locked:
            return on_missing
        if on_missing == "ignore" and "on_missing" in fields:
            self._findings.add(
                "GP060",
                fields["on_missing"].value,
                "a locked rule cannot ignore a missing signal",
                "remove `on_missing`",
            )
        return "block"

    def _message(self, fields: Fields) -> str:
        if "message" not in fields:
            return ""
        node = fields["message"].value
        key = self._reader.text(node, "`message`") or ""
        if key and key not in self._messages:
            self._findings.add(
                "GP063", node, f"the message {shown(key)} has no text under `messages`", near(key, self._messages)
            )
        return key

    def _refs(self, fields: Fields) -> tuple[str, ...]:
        if "refs" not in fields:
            return ()
        words = (self._reader.text(n, "a reference") for n in self._reader.one_or_many(fields["refs"].value))
        return tuple(w for w in words if w)


def read_stages(node: Node, reader: Reader) -> frozenset[Stage]:
    """The stages that a word or a list of words names."""
    names = [s.value for s in Stage]
    items = reader.one_or_many(node)
    if not items:
        reader.findings.add("GP062", node, "no stage is named", f"known: {', '.join(names)}")
    stages: set[Stage] = set()
    for item in items:
        if isinstance(item, Scalar) and item.text not in names:
            reader.findings.unknown("GP062", item, "stage", item.text, names)
        elif isinstance(item, Scalar):
            stages.add(Stage(item.text))
        elif not isinstance(item, Hole):
            reader.text(item, "a stage")
    return frozenset(stages)


def read_mode(fields: Fields, reader: Reader, default: Mode) -> Mode:
    """`mode` of a rule or of the file."""
    if "mode" not in fields:
        return default
    return cast(Mode, reader.word(fields["mode"].value, "`mode`", ("enforce", "shadow")) or default)


def read_on_missing(fields: Fields, reader: Reader, default: OnMissing) -> OnMissing:
    """`on_missing` of a rule or of the file."""
    if "on_missing" not in fields:
        return default
    return cast(OnMissing, reader.word(fields["on_missing"].value, "`on_missing`", ("block", "ignore")) or default)
