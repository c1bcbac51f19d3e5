"""Bytes → nodes: YAML without the parts that make a rule file mean something else than it seems to.

Refused are duplicate keys (YAML keeps the last one in silence), anchors and aliases (a rule would change from afar),
tags, several documents, anything but UTF-8, and sizes that no author writes. The parser is asked for events only:
nothing is constructed, no scalar is converted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml import events as ev

from guardrail.policy.findings import Findings, shown
from guardrail.policy.nodes import Hole, Map, Node, Scalar, Seq

__all__ = ["MAX_BYTES", "compose"]

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 50_000  # the shipped policy has under 1,000; bounds the time that a hostile megabyte can take

# Outside the printable set of YAML 1.1, section 5.1. Checked here because the two parsers count positions differently.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BARE_COMPARISON = re.compile(r":\s+[<>]")


class _Stop(Exception):
    """Nothing after this point can be read."""


def compose(raw: bytes, findings: Findings) -> Node | None:
    """The root node, or None when nothing could be read; what is wrong is noted in `findings`."""
    try:
        text = _decode(raw, findings)
        return _Composer(_events(text), findings).document()
    except _Stop:
        return None
    except yaml.MarkedYAMLError as error:
        _syntax(error, findings)
    except (yaml.YAMLError, ValueError, OverflowError):
        # The pure parser lets chr() and int() raise on impossible escapes and version numbers.
        findings.add("GP001", None, "this is not valid YAML", "an escape sequence or a directive is malformed")
    return None


def _decode(raw: bytes, findings: Findings) -> str:
    if len(raw) > MAX_BYTES:
        findings.add("GP003", None, "the file is larger than 1 MB", "a rule file holds rules, not word lists or images")
        raise _Stop
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")  # some editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        start = before.rfind(b"\n") + 1
        place = Node(before.count(b"\n") + 1, len(before[start:].decode("utf-8")) + 1)
        findings.add("GP002", place, "the file is not UTF-8", "save it with the encoding UTF-8")
        raise _Stop from None
    findings.text = text
    if bad := _UNPRINTABLE.search(text):
        before_text = text[: bad.start()]
        place = Node(before_text.count("\n") + 1, bad.start() - before_text.rfind("\n"))
        findings.add("GP001", place, f"this is not valid YAML: control character {shown(bad[0])}", "remove it")
        raise _Stop
    # Outside of remarks a tab is refused wherever it stands: of the two parsers that PyYAML may have, one takes some of
    # them for a space and the other does not, and a file must mean the same on every machine.
    for number, line in enumerate(text.splitlines(), 1) if "\t" in text else ():
        column = line.partition("#")[0].find("\t") + 1
        if column:
            mend = "indent with spaces, not with tabs" if not line[: column - 1].strip() else "write spaces, not tabs"
            findings.add("GP001", Node(number, column), "this is not valid YAML: a tab", mend)
            raise _Stop
    return text


def _events(text: str) -> Iterator[Any]:
    # The C parser is ten times faster; both give the same events and marks.
    return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _syntax(error: yaml.MarkedYAMLError, findings: Findings) -> None:
    mark = error.problem_mark or error.context_mark
    place = Node(mark.line + 1, mark.column + 1) if mark else None
    context = (error.context or "") + " " + (error.problem or "")
    lines = findings.text.splitlines()
    source = lines[mark.line] if mark and mark.line < len(lines) else ""
    if source[: len(source) - len(source.lstrip())].count("\t"):
        mend = "indent with spaces, not with tabs"
    elif _BARE_COMPARISON.search(source):
        mend = 'put a comparison in quotes, such as ">= explicit"'
    elif "quoted" in context:
        mend = "a quotation mark is not closed, or a backslash stands inside double quotes"
    elif "flow" in context:
        mend = "every [ needs its ] and every { its }, with commas between the entries"
    elif "mapping values" in context:
        mend = "put quotes around a text that contains a colon, or check the indentation"
    elif "block" in context or "simple key" in context:
        mend = "check the indentation: what belongs together starts in the same column"
    else:
        mend = "put quotes around the text here"
    findings.add("GP001", place, "this is not valid YAML", mend)


class _Composer:
    """Turns the parser's events into nodes and notes what is refused."""

    def __init__(self, events: Iterator[Any], findings: Findings) -> None:
        self._events = events
        self._findings = findings
        self._count = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, ev.DocumentStartEvent) and root is not None:
                self._stop("GP007", event, "a second document begins here", "one file, one policy: remove the `---`")
            if isinstance(event, ev.NodeEvent):
                root = self._node(event, 1)
        if root is None:
            self._findings.add("GP022", None, "the file is empty")
        return root

    def _node(self, event: Any, depth: int) -> Node:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        self._count += 1
        if self._count > MAX_NODES:
            self._stop("GP009", event, f"the file has more than {MAX_NODES:,} entries", "split it or shorten its lists")
        if depth > MAX_DEPTH:
            self._stop("GP004", event, f"nested deeper than {MAX_DEPTH} levels", "flatten the condition")
        if isinstance(event, ev.AliasEvent) or event.anchor is not None:
            sign = "*" if isinstance(event, ev.AliasEvent) else "&"
            self._findings.add(
                "GP005",
                Node(line, column),
                f"anchors and aliases are refused: {shown(sign + event.anchor)}",
                "write the value out where it is used; quote a text that begins with & or *",
            )
            if isinstance(event, ev.AliasEvent):
                return Hole(line, column)
        if event.tag is not None:
            self._findings.add(
                "GP006",
                Node(line, column),
                f"tags are refused: {shown(event.tag)}",
                "remove it; quote a text that begins with !",
            )
        if isinstance(event, ev.ScalarEvent):
            return Scalar(line, column, event.value, bool(event.implicit[0]))
        if isinstance(event, ev.SequenceStartEvent):
            return Seq(line, column, self._items(depth))
        return Map(line, column, self._entries(depth))

    def _items(self, depth: int) -> list[Node]:
        items = []
        while not isinstance(event := next(self._events), ev.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _entries(self, depth: int) -> list[tuple[Scalar, Node]]:
        entries: list[tuple[Scalar, Node]] = []
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), ev.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar):
                if not isinstance(key, Hole):
                    self._findings.add("GP010", key, "a key must be a word", "a list or a mapping cannot be a key")
            elif key.text in lines:
                self._findings.add(
                    "GP008",
                    key,
                    f"{shown(key.text)} stands here twice",
                    f"the first is in line {lines[key.text]}; keep one of them",
                )
            else:
                lines[key.text] = key.line
                entries.append((key, value))
        return entries

    def _stop(self, code: str, event: Any, message: str, mend: str) -> None:
        self._findings.add(code, Node(event.start_mark.line + 1, event.start_mark.column + 1), message, mend)
        raise _Stop
