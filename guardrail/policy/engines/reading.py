"""Nodes → a policy whose conditions are in another language: head, thresholds, rules and messages as in a rule file."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from guardrail.decision import ActionKind, PolicyRef
from guardrail.policy.cases import CaseReader
from guardrail.policy.files import locate
from guardrail.policy.findings import Findings
from guardrail.policy.model import Always, Case, Condition, Policy
from guardrail.policy.nodes import Map, Node, Scalar, Seq
from guardrail.policy.rules import Defaults, RuleReader, read_mode, read_on_missing
from guardrail.policy.schema import Keys, Reader
from guardrail.policy.sections import Places, read_head, read_messages, read_thresholds
from guardrail.policy.when import ConditionReader
from guardrail.signals import Stage, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ForeignConditions", "nodes_of", "read_policy", "shipped_file"]

# Layers are not for other languages: that a locked rule was only tightened is a proof over the built-in grammar.
_FILE = Keys(
    "a policy in another language",
    ("policy", "mode", "on_missing", "thresholds", "rules", "messages", "tests"),
    ("policy", "rules"),
)
_LAYERS = ("extends", "packs", "override")


class ForeignConditions(ConditionReader):
    """Reads `when` as something that this room does not judge: to the model, such a rule has no condition.

    Should such a policy reach the built-in engine after all, its rules always hold: that is the strict side.
    """

    def __init__(self, reader: Reader, vocabulary: Vocabulary, thresholds: Mapping[str, Mapping[str, float]]) -> None:
        super().__init__(reader, vocabulary, thresholds)
        self.reader = reader
        self.vocabulary = vocabulary
        self.thresholds = thresholds

    def read(self, node: Node, at: frozenset[Stage]) -> Condition | None:
        return Always()


def read_policy(
    root: Node,
    raw: bytes,
    findings: Findings,
    vocabulary: Vocabulary,
    actions: Mapping[str, ActionKind],
    conditions: type[ForeignConditions] = ForeignConditions,
) -> Policy | None:
    """The policy; what does not fit is noted in `findings`, and None means that nothing could be read."""
    reader = Reader(findings)
    if isinstance(root, Map):
        root = Map(root.line, root.column, [e for e in root.entries if not _is_layer(e[0], findings)])
    fields = reader.fields(root, _FILE)
    if fields is None:
        return None
    places: Places = {}
    head = read_head(fields["policy"].value, reader) if "policy" in fields else None
    if head is not None and head.kind != "policy":
        findings.add(
            "GP201", fields["policy"].value, f"a {head.kind} is a rule file of the built-in engine", "remove `kind`"
        )
    defaults = Defaults(read_mode(fields, reader), read_on_missing(fields, reader))
    thresholds = read_thresholds(fields, reader, vocabulary.families(), places)
    messages = read_messages(fields, reader, places)
    rule_reader = RuleReader(reader, conditions(reader, vocabulary, thresholds), actions, messages, defaults)
    rules = rule_reader.read(fields["rules"].value) if "rules" in fields else ()
    cases: tuple[Case, ...] = ()
    if "tests" in fields:
        cases = CaseReader(reader, vocabulary, rule_reader.ids, actions).read(fields["tests"].value)
    if head is None or findings.any_error:
        return None
    from hashlib import sha256

    ref = PolicyRef(head.id, head.version, sha256(raw).hexdigest(), defaults.mode or "enforce")
    frozen = MappingProxyType({key: MappingProxyType(texts) for key, texts in messages.items()})
    return Policy(ref, rules, thresholds, frozen, cases, vocabulary, actions, findings.path, places)


def _is_layer(key: Scalar, findings: Findings) -> bool:
    if key.text not in _LAYERS:
        return False
    message = f"'{key.text}' works with rule files of the built-in engine only: no other language can be compared"
    findings.add("GP201", key, message, "write the rules out here")
    return True


def shipped_file(source: str | PathLike[str], shipped: Path | None, suffix: str) -> Path:
    """The file that `source` means; a bare name is one in `shipped`/engines."""
    bare = isinstance(source, str) and not any(sign in source for sign in "/\\.")
    if bare and shipped is not None and (path := shipped / "engines" / f"{source}{suffix}").is_file():
        return path
    return locate(source, shipped)


def nodes_of(value: Any, depth: int = 0) -> Node:
    """A JSON value as the nodes that a file with the same content has, without places.

    Raises:
        ValueError: nested deeper than 32 levels.
    """
    if depth > 32:
        raise ValueError("nested deeper than 32 levels")
    if isinstance(value, dict):
        return Map(0, 0, [(Scalar(0, 0, str(k), False), nodes_of(v, depth + 1)) for k, v in value.items()])
    if isinstance(value, list):
        return Seq(0, 0, [nodes_of(v, depth + 1) for v in value])
    if isinstance(value, bool):
        return Scalar(0, 0, str(value).lower(), True)
    return Scalar(0, 0, "" if value is None else str(value), value is None)
