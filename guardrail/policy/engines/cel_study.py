"""What can be said about a condition in CEL without a request: the signals that it reads, and every mistake.

CEL checks names and types. It cannot check the fields of an item (to CEL it is a map), and it has ways of its own to
take "missing" for "does not hold": `has()`, `"real" in face`, comparing with `null`, comparing whole items, and NaN out
of a division, which every comparison calls false. These are refused, so that whatever is missing ends as an error value
of CEL, and never as an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from guardrail.policy.engines.cel_words import Token
from guardrail.policy.findings import near, shown
from guardrail.signals import Choice, Items, Kind, Score, SignalSpec, Stage, Vocabulary

__all__ = ["THRESHOLDS", "Read", "Study", "study"]

THRESHOLDS = "threshold"
"""`threshold.sexual.explicit` is the number that the file gives it."""
MACROS = ("exists", "all", "exists_one")
METHODS = (*MACROS, "size", "contains", "startsWith", "endsWith", "matches")
_ORDER = frozenset({"<", "<=", ">", ">=", "==", "!="})
_WRITTEN = re.compile(r"^[bBrR]*(\"{3}|'{3}|[\"'])|(\"{3}|'{3}|[\"'])$")  # the prefix and the quotes of a literal
_ARITHMETIC = frozenset({"+", "-", "*"})
_EQUAL = frozenset({"==", "!="})

Note = Callable[[str, int, str, str], None]  # code, offset, message, mend


class Read(NamedTuple):
    """One mention of a signal, or of a field of its items.

    Attributes:
        first, last: indices of its tokens.
    """

    signal: str
    field: str
    kind: Kind
    first: int
    last: int


class Study(NamedTuple):
    reads: tuple[Read, ...]
    thresholds: tuple[str, ...]


class _Item(NamedTuple):
    """A variable of a macro: an item of that signal, up to that token."""

    spec: SignalSpec
    until: int


def study(
    tokens: Sequence[Token],
    vocabulary: Vocabulary,
    thresholds: Mapping[str, Mapping[str, float]],
    last: Stage,
    note: Note,
) -> Study:
    """Walk the tokens of an expression that CEL's parser took; what is wrong goes to `note`."""
    return _Walk(tokens, vocabulary, thresholds, last, note).walk()


class _Walk:
    def __init__(
        self,
        tokens: Sequence[Token],
        vocabulary: Vocabulary,
        thresholds: Mapping[str, Mapping[str, float]],
        last: Stage,
        note: Note,
    ) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.thresholds = thresholds
        self.last = last
        self.note = note
        self.roots = {name.partition(".")[0] for name in vocabulary} | {THRESHOLDS}
        self.items: dict[str, _Item] = {}
        self.reads: list[Read] = []
        self.used: list[str] = []

    def walk(self) -> Study:
        at = 0
        while at < len(self.tokens):
            token = self.tokens[at]
            self.items = {name: item for name, item in self.items.items() if at < item.until}
            if token.kind == "name" and self.text(at - 1) != ".":
                at = self.name(at)
            else:
                self.sign(at)
            at += 1
        return Study(tuple(self.reads), tuple(dict.fromkeys(self.used)))

    def text(self, at: int) -> str:
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    def refuse(self, at: int, message: str, mend: str, code: str = "GP204") -> None:
        self.note(code, self.tokens[min(at, len(self.tokens) - 1)].start, message, mend)

    def sign(self, at: int) -> None:
        """What stands between names: a method, a division, a dot that begins a name."""
        token, before = self.tokens[at], self.tokens[at - 1] if at else None
        if token.kind == "name":  # after a dot, and no part of a signal's name
            if self.text(at + 1) != "(":
                self.refuse(at, f"{shown(token.text)}: only signals and items have fields", "use a signal")
            elif token.text not in METHODS:
                mend = f"{near(token.text, METHODS)}"
                self.refuse(at, f"{shown(token.text)} cannot be used in a condition", mend)
        elif token.kind == "sign" and token.text in ("/", "%"):
            self.refuse(at, "a division can give NaN, which every comparison calls false", "multiply the other side")
        elif (
            token.kind == "sign"
            and token.text == "."
            and (before is None or (before.kind == "sign" and before.text not in (")", "]")))
        ):
            self.refuse(at, "a name cannot begin with a dot", "remove the dot")

    def name(self, at: int) -> int:
        """A name at the head of what it names; returns the index of its last token."""
        word = self.text(at)
        if word in ("true", "false", "in"):
            return at
        if word == "null":
            self.refuse(at, "nothing is null: what is missing is unknown", "say `on_missing:` what that amounts to")
        elif word in self.items:
            return self.item(at, self.items[word])
        elif word == THRESHOLDS and self.text(at + 1) == ".":
            return self.threshold(at)
        elif self.text(at + 1) == "(":
            self.function(at)
        elif word in self.roots and self.text(at + 1) == ".":
            return self.signal(at)
        else:
            mend = "write `true` for a rule that always holds" if word == "always" else near(word, self.vocabulary)
            self.note("GP030", self.tokens[at].start, f"unknown signal {shown(word)}", mend)
        return at

    def function(self, at: int) -> None:
        word = self.text(at)
        if word == "has":
            message = "has() takes what is missing for something that does not hold"
            self.refuse(at, message, "compare the field itself; `on_missing:` says what a missing one amounts to")
        elif word != "size":
            self.refuse(at, f"{word}() cannot be used in a condition", f"known: size, {', '.join(METHODS)}")

    def threshold(self, at: int) -> int:
        family, name = self.text(at + 2), self.text(at + 4)
        known = [f"{f}.{n}" for f, names in self.thresholds.items() for n in names]
        if self.text(at + 3) != "." or f"{family}.{name}" not in known:
            start = self.tokens[at].start
            self.note("GP032", start, f"unknown threshold {shown(f'{family}.{name}')}", near(f"{family}.{name}", known))
        else:
            self.used.append(f"{family}.{name}")
        return min(at + 4, len(self.tokens) - 1) if self.text(at + 3) == "." else min(at + 2, len(self.tokens) - 1)

    def signal(self, at: int) -> int:
        name = f"{self.text(at)}.{self.text(at + 2)}"
        if name not in self.vocabulary:
            start = self.tokens[at].start
            self.note("GP030", start, f"unknown signal {shown(name)}", near(name, self.vocabulary))
            return min(at + 2, len(self.tokens) - 1)
        spec = self.vocabulary[name]
        if spec.stage is not None and spec.stage.position > self.last.position:
            message = f"{name} is not known yet at {self.last}: it is measured at {spec.stage}"
            mend = f"add {spec.stage} to `at`, or use a signal of an earlier stage"
            self.note("GP040", self.tokens[at].start, message, mend)
        read = Read(name, "", spec.kind, at, at + 2)
        self.reads.append(read)
        if isinstance(spec.kind, Items):
            self.list_signal(read, spec)
        else:
            self.compared(read)
        return at + 2

    def list_signal(self, read: Read, spec: SignalSpec) -> None:
        method = self.text(read.last + 2) if self.text(read.last + 1) == "." else ""
        counted = self.text(read.first - 2) == "size" and self.text(read.first - 1) == "("
        if method == "size" or (counted and self.text(read.last + 1) == ")"):
            return
        if method not in MACROS:
            mend = f"write {spec.name}.exists(x, …), .all(x, …), .exists_one(x, …) or .size()"
            self.refuse(read.first, f"{spec.name} is a list: its items are judged one by one, or counted", mend)
            return
        variable = self.text(read.last + 4)
        if variable in self.roots or variable in self.items or variable == "size":
            message = f"{shown(variable)} cannot name an item: it means something else already"
            self.refuse(read.last + 4, message, "take another name, such as `f`")
        self.items.setdefault(variable, _Item(spec, self.closing(read.last + 3)))

    def closing(self, at: int) -> int:
        depth = 0
        for i in range(at, len(self.tokens)):
            if self.tokens[i].kind == "sign":
                depth += (self.text(i) in "([{") - (self.text(i) in ")]}")
            if depth == 0:
                return i
        return len(self.tokens)

    def item(self, at: int, item: _Item) -> int:
        word, kind = self.text(at), item.spec.kind
        assert isinstance(kind, Items)
        if self.text(at - 1) == "(" and self.text(at + 1) == "," and self.text(at - 2) in MACROS:
            return at  # where the macro names it
        field = self.text(at + 2)
        if self.text(at + 1) != "." or (field not in kind.fields and self.text(at + 3) == "("):
            mend = f"write {word}.{next(iter(kind.fields), 'field')}"
            self.refuse(at, f"{word} is an item of {item.spec.name}: only its fields can be compared", mend)
            return at
        if field not in kind.fields:
            message = f"unknown field of {item.spec.name}: {shown(field)}"
            self.note("GP031", self.tokens[min(at + 2, len(self.tokens) - 1)].start, message, near(field, kind.fields))
            return min(at + 2, len(self.tokens) - 1)
        read = Read(item.spec.name, field, kind.fields[field], at, at + 2)
        self.reads.append(read)
        self.compared(read)
        return at + 2

    def compared(self, read: Read) -> None:
        """Whether the literal that it is compared with can be its value at all."""
        after, before = self.text(read.last + 1), self.text(read.first - 1)
        if after in _ARITHMETIC or before in _ARITHMETIC:
            return  # a sum is no score
        literals = []
        if after in _ORDER:
            literals.append(read.last + 2)
        if before in _ORDER:
            literals.append(read.first - 2)
        if after == "in" and self.text(read.last + 2) == "[":
            literals += range(read.last + 3, self.closing(read.last + 2), 2)
        for at in literals:
            if 0 <= at < len(self.tokens):
                self.literal(at, read, after in _EQUAL or before in _EQUAL or after == "in")

    def literal(self, at: int, read: Read, equality: bool) -> None:
        token, what = self.tokens[at], f"{read.field} of {read.signal}" if read.field else read.signal
        if isinstance(read.kind, Score) and token.kind == "number":
            number = float(int(token.text, 16)) if token.text[:2] in ("0x", "0X") else float(token.text.rstrip("uU"))
            if not number <= 1:
                mend = f"did you mean {number / 100:g}?" if number <= 100 else "write a number from 0.0 to 1.0"
                self.note("GP034", token.start, f"{what}: {number:g} is outside 0..1", mend)
        elif isinstance(read.kind, Choice) and token.kind == "string" and equality:
            word = _WRITTEN.sub("", token.text)
            if word not in read.kind.values and "\\" not in word:
                self.note("GP036", token.start, f"{what} cannot be {shown(word)}", near(word, read.kind.values))
