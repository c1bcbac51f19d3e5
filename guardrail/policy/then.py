"""Reading `then`: actions with their parameters, checked against the action kinds and the stages of the rule."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from guardrail.decision import REFUSED_ACTIONS, ActionKind, ActionSpec, Param
from guardrail.policy.findings import shown
from guardrail.policy.nodes import Map, Node, Scalar
from guardrail.policy.schema import Reader
from guardrail.signals import Stage

__all__ = ["read_actions"]


def read_actions(
    node: Node, at: frozenset[Stage], kinds: Mapping[str, ActionKind], reader: Reader
) -> tuple[ActionSpec, ...]:
    """The actions of a rule with every default filled in; what does not fit is noted and left out."""
    entries: list[tuple[Scalar, Node | None]] = []
    items = reader.one_or_many(node)
    for item in items:
        if isinstance(item, Map):
            entries += item.entries
        elif isinstance(item, Scalar):
            entries += [] if item.is_null else [(item, None)]
        else:
            reader.mapping(item, "an action")
    if not entries and all(isinstance(item, Map | Scalar) for item in items):
        reader.findings.add("GP056", node, "`then` names no action", f"write one of {', '.join(sorted(kinds))}")
    specs = (_action(name, body, at, kinds, reader) for name, body in entries)
    return tuple(s for s in specs if s is not None)


def _action(
    name: Scalar, body: Node | None, at: frozenset[Stage], kinds: Mapping[str, ActionKind], reader: Reader
) -> ActionSpec | None:
    findings = reader.findings
    if name.text == "allow":
        findings.add(
            "GP055",
            name,
            "'allow' is not an action: what no rule stops is allowed, and nothing a rule says can loosen another rule",
            "to make an exception, narrow the condition of the rule that fires",
        )
        return None
    kind = kinds.get(name.text)
    if kind is None and (refused := _refused(name.text)):
        findings.add("GP050", name, f"unknown action {shown(name.text)}: {refused[0]}", refused[1])
        return None
    if kind is None:
        findings.unknown("GP050", name, "action", name.text, kinds)
        return None
    if at and not at & kind.stages:
        where = _stages(kind.stages)
        findings.add(
            "GP054", name, f"{kind.name} cannot act at {_stages(at)}: it acts at {where}", f"add one of {where} to `at`"
        )
    return ActionSpec(kind.name, MappingProxyType(_params(name, body, kind, reader)))


def _params(name: Scalar, body: Node | None, kind: ActionKind, reader: Reader) -> dict[str, float | bool | str]:
    declared = {p.name: p for p in kind.params}
    given: dict[str, Node] = {}
    if body is not None and not (isinstance(body, Scalar) and body.is_null):
        mapping = reader.mapping(body, f"what follows {kind.name}")
        for key, node in mapping.entries if mapping else ():
            if key.text in declared:
                given[key.text] = node
            else:
                reader.findings.unknown("GP051", key, f"parameter of {kind.name}:", key.text, declared)
    values: dict[str, float | bool | str] = {}
    for param in kind.params:
        if param.name in given:
            value = _value(given[param.name], param, f"{param.name} of {kind.name}", reader)
            if value is not None:
                values[param.name] = value
        elif param.default is not None:
            values[param.name] = param.default
        elif not param.optional:
            choices = f": one of {', '.join(param.choices)}" if param.choices else ""
            reader.findings.add("GP053", name, f"{kind.name} needs `{param.name}`", f"add it{choices}")
    return values


def _value(node: Node, param: Param, what: str, reader: Reader) -> float | bool | str | None:
    if param.type == "flag":
        return reader.flag(node, what)
    if param.name == "target" and isinstance(node, Scalar) and (refused := _refused(node.text)):
        reader.findings.add("GP052", node, f"{what} cannot be {shown(node.text)}: {refused[0]}", refused[1])
        return None
    if param.type == "choice":
        return reader.word(node, what, param.choices, code="GP052")
    if param.type == "word":
        return reader.name(node, what)
    if param.type == "text":
        return reader.line(node, what, int(param.maximum), code="GP052")
    number = reader.number(node, what, param.minimum, param.maximum)
    if number is None or param.type == "number":
        return number
    if number != int(number):
        reader.findings.add("GP052", node, f"{what} must be a whole number, got {shown(f'{number:g}')}", "round it")
        return None
    return int(number)


def _refused(word: str) -> tuple[str, str] | None:
    return REFUSED_ACTIONS.get("-".join(word.lower().replace("_", " ").replace("-", " ").split()))


def _stages(stages: frozenset[Stage]) -> str:
    return ", ".join(s.value for s in Stage if s in stages)
