"""Documents in Rego (https://www.openpolicyagent.org/docs/policy-language), evaluated in process by `regopy`.

    pip install "guardrail-diffusion[rego]"       # regopy: Python around rego-cpp, MIT, no dependencies

A policy is one file with `manifest` and `decision` in its package; `answers` says what they hold, `three.rego` beside
this module has the comparisons that know "missing" and is loaded with it as ``data.guardrail.three``. The same two
documents work on a server: see `opa`.

What regopy 1.5 does not do well, and what is done about it: numbers reach it as text (as values it keeps six digits)
and are rounded to twelve decimals; a text with quotation marks, backslashes or control characters counts as missing (it
compares their escapes); a path that is not there, or a conflict, is an answer that is not ok, which blocks. An
evaluation cannot be interrupted: the deadline is kept while waiting for a turn, and an answer that comes after it is a
block.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from guardrail.decision import CORE_ACTIONS, ActionKind
from guardrail.errors import MissingExtra
from guardrail.policy.compose import MAX_BYTES
from guardrail.policy.engines.answers import DocumentEngine, read_json, read_manifest
from guardrail.policy.engines.base import Refusal
from guardrail.policy.engines.native import regopy_module
from guardrail.policy.engines.present import Plain
from guardrail.policy.engines.reading import shipped_file
from guardrail.policy.files import read_bytes
from guardrail.policy.findings import Findings
from guardrail.policy.nodes import Node
from guardrail.signals import CORE, Vocabulary

__all__ = ["LIBRARY", "Documents", "RegoEngine", "load_rego"]

LIBRARY = Path(__file__).with_name("three.rego")
_PACKAGE = re.compile(r"^package[ \t]+([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)[ \t]*$", re.MULTILINE)
_FAULT = re.compile(r"\(error \d+:([^|]*)\|(\d+)\|\d+\s*\(errormsg \d+:([^\n]*?)\)\s*\(errorast")
# Texts in the document that look like the name of a signal.
_SIGNAL = re.compile(r'"((?:context|request|prompt|reference|step|output)\.[a-z_]+)"')
_UNSAFE = re.compile(r'["\\\x00-\x1f]')
DECIMALS = 12


class Documents:
    """Modules in Rego, compiled, and asked one at a time.

    Args:
        modules: name → source.
        entrypoints: paths such as ``guardrail/mine/decision``.

    Raises:
        MissingExtra: regopy is not installed.
        RegoError: a module does not compile.
    """

    def __init__(self, modules: Mapping[str, str], entrypoints: tuple[str, ...]) -> None:
        regopy = regopy_module()
        self._lock = Lock()
        self._interpreter = regopy.Interpreter()
        self._interpreter.log_level = regopy.LogLevel.NONE  # it writes to the terminal of the process
        for name, source in modules.items():
            self._interpreter.add_module(name, source)
        self._bundle = self._interpreter.build(None, entrypoints)

    def ask(self, entrypoint: str, given: Mapping[str, Any], deadline: float | None = None) -> Any:
        """The value of a document, or None when it is undefined.

        Raises:
            Refusal: it cannot be evaluated, or the deadline passes before its turn.
        """
        wait = -1.0 if deadline is None else deadline - monotonic()
        if deadline is not None and not (wait > 0 and self._lock.acquire(timeout=min(wait, 3_600.0))):
            raise Refusal("deadline passed")
        if deadline is None:
            self._lock.acquire()
        try:
            if not self._bundle.ok():
                raise Refusal("the documents do not compile")
            self._interpreter.set_input_term(json.dumps(given, ensure_ascii=False))
            output = self._interpreter.query_bundle_entrypoint(self._bundle, entrypoint)
            ok, text = output.ok(), str(output)
        finally:
            self._lock.release()
        if text == "undefined":
            return None
        if not ok:
            raise Refusal("the documents cannot be evaluated")
        answer = read_json(text)
        expressions = answer.get("expressions") if isinstance(answer, dict) else None
        if not isinstance(expressions, list) or len(expressions) != 1:
            raise Refusal("malformed answer: not one value")
        return expressions[0]


def load_rego(
    source: str | PathLike[str],
    *,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
    shipped: Path | None = None,
) -> RegoEngine:
    """The engine for a file in Rego: a path, or the bare name of one in `shipped`/engines.

    Raises:
        PolicyError: it does not load: it does not compile, its manifest is wrong, or it fails when it is tried.
        MissingExtra: regopy is not installed.
    """
    path = shipped_file(source, shipped, ".rego")
    findings = Findings(str(path))
    text = _text(path, findings)
    package = _PACKAGE.search(text)
    if package is None:
        mend = "write `package` and a name such as guardrail.mine, in a line of its own"
        findings.add("GP210", None, "the file names no package", mend)
    findings.refuse()
    assert package is not None
    root = package[1].replace(".", "/")
    documents = _compiled(text, (f"{root}/manifest", f"{root}/decision"), findings)
    for match in _SIGNAL.finditer(_without_comments(text)):
        if match[1] not in vocabulary:
            findings.unknown("GP030", _place(text, match.start(1)), "signal", match[1], vocabulary)
    findings.refuse()
    try:
        manifest = documents.ask(f"{root}/manifest", {})
    except Refusal as refusal:
        findings.add("GP211", None, f"the manifest: {refusal}", "")
        findings.refuse()
        raise
    policy, reads = read_manifest(manifest, findings, vocabulary, actions)
    engine = RegoEngine(policy, reads, manifest, documents, f"{root}/decision")
    engine.try_out(findings)
    findings.refuse()
    return engine


class RegoEngine(DocumentEngine):
    """Asks documents in process. Safe to share between threads, which take turns."""

    def __init__(
        self,
        policy: Any,
        reads: Mapping[str, tuple[str, ...]],
        manifest: Mapping[str, Any],
        documents: Documents,
        entrypoint: str,
    ) -> None:
        super().__init__(policy, reads, manifest)
        self._documents = documents
        self._entrypoint = entrypoint

    def _sendable(self, values: Mapping[str, Plain]) -> dict[str, Plain]:
        return {name: _safe(value) for name, value in values.items() if not _unsafe(value)}

    def _ask(self, given: Mapping[str, Any], deadline: float | None) -> Any:
        return self._documents.ask(self._entrypoint, given, deadline)


def _unsafe(value: Any) -> bool:
    return isinstance(value, str) and _UNSAFE.search(value) is not None


def _safe(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, list):
        return [{name: _safe(field) for name, field in item.items() if not _unsafe(field)} for item in value]
    return value


def _text(path: Path, findings: Findings) -> str:
    raw = read_bytes(path, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        findings.add("GP003", None, "the file is larger than 1 MB", "documents hold rules, not word lists or images")
        return ""
    try:
        findings.text = raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        findings.add("GP002", None, "the file is not UTF-8", "save it with the encoding UTF-8")
    return findings.text


def _compiled(text: str, entrypoints: tuple[str, ...], findings: Findings) -> Documents:
    try:
        return Documents({"three.rego": LIBRARY.read_text("utf-8"), "policy.rego": text}, entrypoints)
    except MissingExtra:
        raise
    except Exception as error:
        for name, offset, message in list(dict.fromkeys(_FAULT.findall(str(error))))[:10]:
            before = text.encode()[: int(offset)].decode(errors="ignore")
            place = _place(text, len(before)) if name == "policy.rego" else None
            findings.add("GP210", place, f"this is not valid Rego: {message.strip()}", "")
        if not findings.any_error:
            findings.add("GP210", None, "this is not valid Rego", "check it with: opa check --strict")
        findings.refuse()
        raise


def _place(text: str, offset: int) -> Node:
    before = text[:offset]
    return Node(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def _without_comments(text: str) -> str:
    """The same text with comment lines blanked, so that offsets stay."""
    return "".join(_blank(line) for line in text.splitlines(keepends=True))


def _blank(line: str) -> str:
    return "".join("\n" if c == "\n" else " " for c in line) if line.lstrip().startswith("#") else line
