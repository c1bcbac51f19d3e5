"""Reading the rules: what each key of a rule says, and what the file says for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple, cast

from guardrail.decision import ActionKind
from guardrail.policy.findings import near, shown
from guardrail.policy.model import SEVERITIES, Rule, signals_of
from guardrail.policy.nodes import Hole, Node, Scalar
from guardrail.policy.schema import OVERRIDE, RULE, Fields, Reader
from guardrail.policy.then import read_actions
from guardrail.policy.when import ConditionReader
from guardrail.signals import Stage

__all__ = ["Defaults", "Mode", "RuleReader", "read_mode", "read_on_missing", "read_stages"]

Mode = Literal["enforce", "shadow"]
OnMissing = Literal["block", "ignore"]


class Defaults(NamedTuple):
    """What the file says for every rule that says nothing itself; None where it says nothing either."""

    mode: Mode | None = None
    on_missing: OnMissing | None = None


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
        said = self._said(fields, frozenset(), locked=False)
        if rule_id is None or not said["at"] or said["when"] is None or not said["then"]:
            return None
        defaults: dict[str, Any] = {"mode": "enforce", "on_missing": "block"}
        if not said.get("locked"):
            defaults |= {k: v for k, v in self._defaults._asdict().items() if v is not None}
        place = {"line": node.line, "column": node.column, "path": self._findings.path, "says": frozenset(fields)}
        return Rule(**{**defaults, **said, **place, "id": rule_id})

    def override(self, rule: Rule, node: Node) -> Rule:
        """An inherited rule with what an `override` of it says; what does not fit is noted and left as it was."""
        fields = self._reader.fields(node, OVERRIDE)
        if not fields:
            return rule
        said = self._said(fields, rule.at, locked=rule.locked)
        if "when" not in fields:
            self._reach(rule, said.get("at") or rule.at, fields)
        given = {k: v for k, v in said.items() if k in fields and v not in (None, (), frozenset())}
        given |= {"line": node.line, "column": node.column, "path": self._findings.path}
        return replace(rule, **given, says=rule.says | fields.keys())

    def _said(self, fields: Fields, at: frozenset[Stage], *, locked: bool) -> dict[str, Any]:
        """What the keys of a rule say; `at` are the stages of the rule that is overridden, if one is."""
        stages = read_stages(fields["at"].value, self._reader) if "at" in fields else at
        said: dict[str, Any] = {"at": stages, "when": None, "then": ()}
        if "when" in fields:
            said["when"] = self._conditions.read(fields["when"].value, stages)
        if "then" in fields:
            said["then"] = read_actions(fields["then"].value, stages, self._kinds, self._reader)
        if "locked" in fields:
            said["locked"] = bool(self._reader.flag(fields["locked"].value, "`locked`"))
        locked = locked or said.get("locked", False)
        if "mode" in fields:
            said["mode"] = self._mode(fields, locked)
        if "on_missing" in fields:
            said["on_missing"] = self._on_missing(fields, locked)
        if "severity" in fields:
            said["severity"] = self._reader.word(fields["severity"].value, "`severity`", SEVERITIES) or "medium"
        if "message" in fields:
            said["message"] = self._message(fields)
        if "refs" in fields:
            said["refs"] = self._refs(fields)
        return said

    def _reach(self, rule: Rule, at: frozenset[Stage], fields: Fields) -> None:
        """An override of `at` alone must leave the rule what its condition reads."""
        last = max(at, key=lambda stage: stage.position)
        for name in dict.fromkeys(signals_of(rule.when)):
            stage = self._conditions.stage_of(name)
            if stage is not None and stage.position > last.position and "at" in fields:
                self._findings.add(
                    "GP040",
                    fields["at"].value,
                    f"{name} is not known yet at {last}: it is measured at {stage}",
                    f"add {stage} to `at`, or override `when` as well",
                )

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
        mode = read_mode(fields, self._reader) or "enforce"
        if not locked:
            return mode
        if mode == "shadow":
            self._findings.add(
                "GP061", fields["mode"].value, "a locked rule always acts: it cannot be in shadow mode", "remove `mode`"
            )
        return "enforce"

    def _on_missing(self, fields: Fields, locked: bool) -> OnMissing:
        on_missing = read_on_missing(fields, self._reader) or "block"
        if not locked:
            return on_missing
        if on_missing == "ignore":
            self._findings.add(
                "GP060",
                fields["on_missing"].value,
                "a locked rule cannot ignore a missing signal",
                "remove `on_missing`",
            )
        return "block"

    def _message(self, fields: Fields) -> str:
        node = fields["message"].value
        key = self._reader.text(node, "`message`") or ""
        if key and key not in self._messages:
            self._findings.add(
                "GP063", node, f"the message {shown(key)} has no text under `messages`", near(key, self._messages)
            )
        return key

    def _refs(self, fields: Fields) -> tuple[str, ...]:
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


def read_mode(fields: Fields, reader: Reader) -> Mode | None:
    """`mode` of a rule or of the file; None where it does not say."""
    if "mode" not in fields:
        return None
    return cast(Mode | None, reader.word(fields["mode"].value, "`mode`", ("enforce", "shadow")))


def read_on_missing(fields: Fields, reader: Reader) -> OnMissing | None:
    """`on_missing` of a rule or of the file; None where it does not say."""
    if "on_missing" not in fields:
        return None
    return cast(OnMissing | None, reader.word(fields["on_missing"].value, "`on_missing`", ("block", "ignore")))
