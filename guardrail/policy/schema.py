"""Which keys may stand where, and reading a node as what the grammar expects there.

Every reader returns None when the node is something else, after noting what was expected; a `Hole` was noted before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from guardrail.decision import is_one_line
from guardrail.policy.findings import Findings, near, shown
from guardrail.policy.nodes import Hole, Map, Node, Scalar, Seq

__all__ = [
    "CASE",
    "DEPLOYMENT",
    "EVERY",
    "EXPECT",
    "FILE",
    "HEAD",
    "OVER",
    "OVERRIDE",
    "RULE",
    "TEST_FILE",
    "VIDEO",
    "WORDS",
    "Entry",
    "Fields",
    "Keys",
    "Reader",
]

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?|\.[0-9]{1,20}")
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
MAX_NAME = 64
MAX_TEXT = 2_000


class Keys(NamedTuple):
    """The keys of one kind of mapping."""

    where: str
    allowed: tuple[str, ...]
    required: tuple[str, ...] = ()


FILE = Keys(
    "the file",
    (
        "policy",
        "extends",
        "packs",
        "mode",
        "on_missing",
        "video",
        "thresholds",
        "rules",
        "override",
        "messages",
        "tests",
    ),
    ("policy",),
)
DEPLOYMENT = Keys(
    "a deployment file", ("policy", "mode", "video", "thresholds", "names", "words", "exempt"), ("policy",)
)
WORDS = Keys("`words`", ("explicit", "suggestive"))
VIDEO = Keys("`video`", ("frames", "smoothing"))
EVERY = Keys("`frames`", ("every",), ("every",))
OVER = Keys("`smoothing`", ("over",), ("over",))
HEAD = Keys("`policy`", ("id", "version", "kind", "engine", "changelog"), ("id", "version"))
RULE = Keys(
    "a rule",
    ("id", "at", "when", "then", "locked", "severity", "mode", "on_missing", "message", "refs"),
    ("id", "at", "when", "then"),
)
OVERRIDE = Keys("an override", tuple(key for key in RULE.allowed if key != "id"))
TEST_FILE = Keys("a test file", ("tests",), ("tests",))
CASE = Keys("a test", ("name", "given", "prompt", "image", "expect", "todo"), ("name", "expect"))
EXPECT = Keys("`expect`", ("decision", "rules", "actions", "because"), ("decision",))


class Entry(NamedTuple):
    """A key with its value."""

    key: Scalar
    value: Node


Fields = dict[str, Entry]


class Reader:
    """Reads nodes and notes in `findings` what does not fit."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def fields(self, node: Node, keys: Keys) -> Fields | None:
        """The entries of a mapping whose keys are known; unknown and missing ones are noted."""
        mapping = self.mapping(node, keys.where)
        if mapping is None:
            return None
        found: Fields = {}
        for key, value in mapping.entries:
            if key.text in keys.allowed:
                found[key.text] = Entry(key, value)
            else:
                self.findings.unknown("GP020", key, f"key in {keys.where}:", key.text, keys.allowed)
        for name in keys.required:
            if name not in found:
                self.findings.add("GP022", mapping, f"{keys.where} has no `{name}`", f"add `{name}:`")
        return found

    def mapping(self, node: Node, what: str) -> Map | None:
        if isinstance(node, Map):
            return node
        self._wrong(node, what, "`key: value` entries")
        return None

    def sequence(self, node: Node, what: str) -> list[Node] | None:
        if isinstance(node, Seq):
            return node.items
        self._wrong(node, what, "a list: one entry a line, each after `- `")
        return None

    def one_or_many(self, node: Node) -> list[Node]:
        """A list as it is, anything else as a list of one."""
        return node.items if isinstance(node, Seq) else [node]

    def text(self, node: Node, what: str) -> str | None:
        """A text that is not empty, of at most 2,000 characters."""
        if not isinstance(node, Scalar) or node.is_null:
            self._wrong(node, what, "a text")
            return None
        if len(node.text) > MAX_TEXT:
            self.findings.add("GP023", node, f"{what} is longer than {MAX_TEXT:,} characters", "shorten it")
            return None
        return node.text

    def line(self, node: Node, what: str, longest: int, *, code: str = "GP023") -> str | None:
        """A text in one line, of at most `longest` characters that can be printed."""
        text = self.text(node, what)
        if text is None:
            return None
        if len(text) > longest:
            self.findings.add(code, node, f"{what} is longer than {longest} characters", "shorten it")
        elif not is_one_line(text):
            message = f"{what} is empty, or holds what is not printed, such as the end of a line"
            self.findings.add(code, node, message, "write one line of printable characters")
        else:
            return text
        return None

    def name(self, node: Node, what: str) -> str | None:
        """An identifier: small letters, digits and hyphens, at most 64 characters."""
        text = self.text(node, what)
        if text is None or (len(text) <= MAX_NAME and _NAME.fullmatch(text)):
            return text
        self.findings.add(
            "GP026",
            node,
            f"{what} cannot be {shown(text)}",
            "use small letters, digits and hyphens, beginning with a letter",
        )
        return None

    def word(self, node: Node, what: str, words: Iterable[str], *, code: str = "GP024") -> str | None:
        """One of a closed list of words."""
        text = self.text(node, what)
        if text is None or text in words:
            return text
        self.findings.add(code, node, f"{what} cannot be {shown(text)}", near(text, words))
        return None

    def flag(self, node: Node, what: str) -> bool | None:
        """`true` or `false`; not `yes`, `no`, `on`, `off`, which other readers of YAML take for words."""
        if isinstance(node, Scalar) and node.text in ("true", "false"):
            return node.text == "true"
        if isinstance(node, Scalar):
            self.findings.add("GP037", node, f"{what} is true or false, got {shown(node.text)}", "write true or false")
        else:
            self._wrong(node, what, "true or false")
        return None

    def number(self, node: Node, what: str, low: float, high: float) -> float | None:
        """A number such as 0.4 in low..high."""
        text = self.text(node, what)
        if text is None:
            return None
        value = number_of(text)
        if value is None:
            mend = f"write a number from {low:g} to {high:g}"
            percent = number_of(text.removesuffix("%").strip()) if text.endswith("%") else None
            if percent is not None and high == 1.0 and percent <= 100.0:
                mend = f"did you mean {percent / 100:g}?"
            self.findings.add("GP034", node, f"{what}: {shown(text)} is not a number", mend)
        elif not low <= value <= high:
            self.outside(node, what, value, low, high)
            return None
        return value

    def outside(self, node: Node, what: str, value: float, low: float, high: float) -> None:
        """Note a number that is out of range; 70 where 0..1 is meant is most likely a percentage."""
        percent = high == 1.0 and 1.0 < value <= 100.0
        mend = f"did you mean {value / 100:g}?" if percent else f"write a number from {low:g} to {high:g}"
        self.findings.add("GP034", node, f"{what}: {value:g} is outside {low:g}..{high:g}", mend)

    def _wrong(self, node: Node, what: str, expected: str) -> None:
        if isinstance(node, Hole):
            return
        got = {Map: "`key: value` entries", Seq: "a list"}.get(type(node), "")
        if isinstance(node, Scalar):
            got = "nothing" if node.is_null else shown(node.text)
        self.findings.add("GP023", node, f"{what} must be {expected}; got {got}")


def number_of(text: str) -> float | None:
    """The number that a text spells in plain decimal digits; no exponents, no signs, no `inf`."""
    return float(text) if _NUMBER.fullmatch(text) else None
