"""Loading a rule file: from a path or a shipped name to a checked policy, or to every finding at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from guardrail.decision import CORE_ACTIONS, ActionKind, PolicyRef
from guardrail.policy.cases import CaseReader
from guardrail.policy.files import locate, read_bytes, tests_beside
from guardrail.policy.findings import Findings, shown
from guardrail.policy.model import Case, Policy
from guardrail.policy.nodes import Node
from guardrail.policy.rules import Defaults, RuleReader, read_mode, read_on_missing
from guardrail.policy.schema import FILE, HEAD, TEST_FILE, Fields, Reader
from guardrail.policy.when import ConditionReader
from guardrail.signals import CORE, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_cases", "load_policy"]

# https://semver.org, with the parts that name a pre-release or a build
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){2}(-[0-9A-Za-z.-]{1,32})?(\+[0-9A-Za-z.-]{1,32})?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # a BCP 47 tag

_V = TypeVar("_V")
_Places = dict[str, tuple[int, int]]


def load_policy(
    source: str | PathLike[str],
    *,
    shipped: Path | None = None,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
) -> Policy:
    """Load and check a rule file.

    Args:
        source: a path, or the name of a policy in `shipped` such as ``"default"``.
        shipped: the folder with the shipped policies.
        vocabulary: the signals that rules may name.
        actions: the actions that rules may ask for, by name.

    Raises:
        PolicyError: the file cannot be read or is wrong; it carries every finding of the file.
    """
    path = locate(source, shipped)
    findings = Findings(str(path))
    root, raw = _compose(path, findings)
    policy = _policy(root, raw, findings, vocabulary, actions) if root else None
    findings.refuse()
    assert policy is not None
    return policy


def load_cases(policy: Policy) -> tuple[Case, ...]:
    """The tests in the policy's file and in `<name>.test.yaml` beside it.

    Raises:
        PolicyError: the test file is wrong.
    """
    from pathlib import Path

    beside = tests_beside(Path(policy.path))
    if not beside.is_file():
        return policy.cases
    findings = Findings(str(beside))
    reader = Reader(findings)
    root, _ = _compose(beside, findings)
    fields = reader.fields(root, TEST_FILE) if root else None
    cases: tuple[Case, ...] = ()
    if fields and "tests" in fields:
        ids = [rule.id for rule in policy.rules]
        cases = CaseReader(reader, policy.vocabulary, ids, policy.actions).read(fields["tests"].value)
    findings.refuse()
    return policy.cases + cases


def _compose(path: Path, findings: Findings) -> tuple[Node | None, bytes]:
    # The parser takes 12 ms to import, which evaluating a loaded policy does not need.
    from guardrail.policy.compose import MAX_BYTES, compose

    raw = read_bytes(path, MAX_BYTES + 1)
    return compose(raw, findings), raw


def _policy(
    root: Node, raw: bytes, findings: Findings, vocabulary: Vocabulary, actions: Mapping[str, ActionKind]
) -> Policy | None:
    reader = Reader(findings)
    fields = reader.fields(root, FILE)
    if fields is None:
        return None
    places: _Places = {}
    name, version = _head(fields, reader)
    defaults = Defaults(read_mode(fields, reader, "enforce"), read_on_missing(fields, reader, "block"))
    thresholds = _thresholds(fields, reader, vocabulary.families(), places)
    messages = _messages(fields, reader, places)
    conditions = ConditionReader(reader, vocabulary, thresholds)
    rule_reader = RuleReader(reader, conditions, actions, messages, defaults)
    rules = rule_reader.read(fields["rules"].value) if "rules" in fields else ()
    cases: tuple[Case, ...] = ()
    if "tests" in fields:
        cases = CaseReader(reader, vocabulary, rule_reader.ids, actions).read(fields["tests"].value)
    from hashlib import sha256  # 3 ms to import, see above

    ref = PolicyRef(name, version, sha256(raw).hexdigest(), defaults.mode)
    return Policy(ref, rules, _frozen(thresholds), _frozen(messages), cases, vocabulary, actions, findings.path, places)


def _head(fields: Fields, reader: Reader) -> tuple[str, str]:
    head = reader.fields(fields["policy"].value, HEAD) if "policy" in fields else None
    if not head:
        return "", ""
    name = reader.name(head["id"].value, "the id of a policy") if "id" in head else None
    version = reader.text(head["version"].value, "`version`") if "version" in head else None
    if version is not None and not _VERSION.fullmatch(version):
        mend = "write three numbers, such as 1.0.0 (semantic versioning)"
        reader.findings.add("GP025", head["version"].value, f"{shown(version)} is not a version", mend)
    return name or "", version or ""


def _thresholds(
    fields: Fields, reader: Reader, families: frozenset[str], places: _Places
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    if "thresholds" not in fields:
        return found
    mapping = reader.mapping(fields["thresholds"].value, "`thresholds`")
    for family, body in mapping.entries if mapping else ():
        if family.text not in families:
            reader.findings.unknown("GP033", family, "threshold family", family.text, families)
            continue
        names = reader.mapping(body, f"the thresholds of {family.text}")
        for key, value in names.entries if names else ():
            name = reader.name(key, "the name of a threshold")
            number = reader.number(value, f"{family.text}.{key.text}", 0.0, 1.0)
            if name is not None:
                # A number that is wrong was noted: 0.0 keeps its uses from being called unknown as well.
                found.setdefault(family.text, {})[name] = number or 0.0
                places[f"thresholds.{family.text}.{name}"] = key.line, key.column
    return found


def _messages(fields: Fields, reader: Reader, places: _Places) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    if "messages" not in fields:
        return found
    mapping = reader.mapping(fields["messages"].value, "`messages`")
    for key, body in mapping.entries if mapping else ():
        reader.name(key, "the name of a message")
        found[key.text] = {}
        places[f"messages.{key.text}"] = key.line, key.column
        texts = reader.mapping(body, f"the message {key.text}")
        if texts is not None and not texts.entries:
            reader.findings.add(
                "GP028", body, f"the message {shown(key.text)} has no text", 'add one, such as `en: "…"`'
            )
        for language, node in texts.entries if texts else ():
            if not _LANGUAGE.fullmatch(language.text):
                message = f"{shown(language.text)} is not a language code"
                reader.findings.add("GP028", language, message, "write its short code, such as en, ko or pt-BR")
            text = reader.text(node, f"the text of {key.text}")
            if text is not None:
                found[key.text][language.text] = text
    return found


def _frozen(table: Mapping[str, Mapping[str, _V]]) -> Mapping[str, Mapping[str, _V]]:
    return MappingProxyType({key: MappingProxyType(dict(inner)) for key, inner in table.items()})
