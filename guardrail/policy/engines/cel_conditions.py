"""Reading `when` as an expression in CEL: compiled, studied, and tried on made-up values before the policy loads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from guardrail.policy.engines.cel_study import THRESHOLDS, Read, Study, study
from guardrail.policy.engines.cel_words import Part, Token, place_of, skeleton, tokens_of
from guardrail.policy.engines.native import cel_module
from guardrail.policy.engines.present import Plain, Single
from guardrail.policy.engines.reading import ForeignConditions
from guardrail.policy.model import Always, Condition
from guardrail.policy.nodes import Node, Scalar
from guardrail.policy.schema import Reader
from guardrail.signals import MOST_ITEMS, Choice, Flag, Items, Kind, Score, SignalSpec, Stage, Text, Vocabulary

__all__ = ["CelCondition", "CelConditions", "declare", "environment"]

_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


class CelCondition(Always):
    """A condition in CEL that compiled. To whoever only knows rule files it is one that always holds."""

    text: str
    tokens: list[Token]
    study: Study
    part: Part

    # Equal as a tuple is every other condition in CEL, too.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, CelCondition) and other.text == self.text

    def __ne__(self, other: object) -> bool:  # a tuple has one of its own
        return not self == other

    def __hash__(self) -> int:
        return hash(self.text)

    def reads(self, part: Part | None = None) -> tuple[Read, ...]:
        """The mentions of signals in it, or in one part of it."""
        if part is None:
            return self.study.reads
        return tuple(r for r in self.study.reads if part.start <= self.tokens[r.first].start < part.end)


class _Fault(NamedTuple):
    code: str
    offset: int
    message: str
    mend: str


def environment(variables: Mapping[str, Any]) -> Any:
    """A CEL environment with these variables."""
    return cel_module().NewEnv(variables=dict(variables))


def declare(specs: Iterable[SignalSpec]) -> dict[str, Any]:
    """Signals as CEL variables; a name that CEL cannot write is left out."""
    cel = cel_module()
    plain = {Score: cel.Type.DOUBLE, Flag: cel.Type.BOOL, Choice: cel.Type.STRING, Text: cel.Type.STRING}
    # Items are maps with values of any type: CEL knows record types from protobuf only.
    items = cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN))
    return {s.name: plain.get(type(s.kind), items) for s in specs if _NAME.fullmatch(s.name)}


class CelConditions(ForeignConditions):
    """Reads and checks conditions; what is wrong is noted with the place in the YAML file."""

    def __init__(self, reader: Reader, vocabulary: Vocabulary, thresholds: Mapping[str, Mapping[str, float]]) -> None:
        super().__init__(reader, vocabulary, thresholds)
        self._signals = declare(vocabulary.signals.values())
        self._limits = {f"{THRESHOLDS}.{f}.{n}": v for f, names in thresholds.items() for n, v in names.items()}
        self._env = environment({**self._signals, **dict.fromkeys(self._limits, cel_module().Type.DOUBLE)})

    def read(self, node: Node, at: frozenset[Stage]) -> Condition | None:
        text = self.reader.text(node, "`when`")
        if text is None or not isinstance(node, Scalar):
            return None
        faults: list[_Fault] = []
        condition = self._read(text, at, lambda *fault: faults.append(_Fault(*fault)))
        for fault in faults:
            place = place_of(node, fault.offset, self.reader.findings.text)
            self.reader.findings.add(fault.code, place, fault.message, fault.mend)
        return None if faults else condition

    def _read(self, text: str, at: frozenset[Stage], note: Callable[[str, int, str, str], None]) -> CelCondition | None:
        tokens = tokens_of(text)
        if isinstance(tokens, int):
            note("GP202", tokens, "this is not valid CEL", "a quotation mark is not closed, or a sign is none of CEL's")
            return None
        errors = list(self._compile(text))
        if any(error.code == "GP202" for error in errors):
            note(*next(error for error in errors if error.code == "GP202"))
            return None
        last = max(at, key=lambda stage: stage.position, default=Stage.OUTPUT)
        known: list[_Fault] = []
        found = study(tokens, self.vocabulary, self.thresholds, last, lambda *fault: known.append(_Fault(*fault)))
        # What the study says of a name or a field says more than CEL's own message about the same place.
        for fault in known or errors:
            note(*fault)
        if known or errors:
            return None
        condition = CelCondition()
        condition.text, condition.tokens, condition.study = text, tokens, found
        condition.part = skeleton(tokens)
        self._try(condition, note)
        return condition

    def _compile(self, text: str) -> Iterator[_Fault]:
        """What CEL itself objects to."""
        try:
            result = self._env.compile(text).return_type()
        except Exception as error:  # noqa: BLE001 — the package raises bare RuntimeErrors
            found = _ERROR.findall(str(error))
            for line, column, message in found:
                before = sum(len(row) for row in text.splitlines(keepends=True)[: int(line) - 1])
                yield _worded(message, min(before + int(column) - 1, max(len(text) - 1, 0)))
            if not found:
                limit = "recursion limit" in str(error)
                yield _Fault(
                    "GP202", 0, "nested too deeply for CEL" if limit else "this is not valid CEL", "shorten it"
                )
            return
        if result != cel_module().Type.BOOL:
            message = f"a condition is true or false, this is of type {result.name().lower()}"
            yield _Fault("GP203", 0, message, "compare it, such as `prompt.sexual >= 0.4`")

    def _try(self, condition: CelCondition, note: Callable[[str, int, str, str], None]) -> None:
        """With every signal there, every part must have an answer: CEL checks the types of items only here."""
        for leaf, _ in condition.part.leaves():
            expression = self._env.compile(condition.text[leaf.start : leaf.end])
            for values in _trials([self.vocabulary[r.signal] for r in condition.reads(leaf)]):
                try:
                    result = expression.eval(data={**values, **self._limits}).value()
                    problem = "" if result is True or result is False else str(result)
                except Exception as error:  # noqa: BLE001 — as above
                    problem = str(error)
                if problem:
                    budget = "budget" in problem
                    mend = (
                        f"lists have up to {MOST_ITEMS} items: take one loop less"
                        if budget
                        else "compare like with like"
                    )
                    short = "it exceeds the iterations that CEL allows" if budget else problem.partition(": ")[2]
                    note("GP205", leaf.start, f"this fails although nothing is missing: {short[:120]}", mend)
                    break


def _worded(message: str, offset: int) -> _Fault:
    """CEL's message with a code and a mend."""
    if message.startswith("Syntax error") or "Invalid" in message:
        return _Fault("GP202", offset, f"this is not valid CEL: {message.partition(' expecting ')[0]}", "")
    ints = "(double, int)" in message or "(int, double)" in message
    return _Fault(
        "GP203", offset, message, "a score is compared with a number with a point, such as 1.0" if ints else ""
    )


def _trials(specs: Iterable[SignalSpec]) -> Iterator[dict[str, Plain]]:
    """Values for the signals: harmless, the opposite, long lists of either, and no items."""
    specs = list(specs)
    for high in (False, True):
        for count in (1, MOST_ITEMS):
            yield {s.name: _value(s.kind, high, count) for s in specs}
    yield {s.name: _value(s.kind, True, 0) for s in specs}


def _value(kind: Kind, high: bool, count: int) -> Plain:
    if isinstance(kind, Items):
        return [{name: _single(k, high) for name, k in kind.fields.items()}] * count
    return _single(kind, high)


def _single(kind: Score | Flag | Choice | Text, high: bool) -> Single:
    if isinstance(kind, Score):
        return 1.0 if high else 0.0
    if isinstance(kind, Flag):
        return high
    if isinstance(kind, Choice):
        return next((v for v in kind.values if v != kind.benign), kind.benign) if high else kind.benign
    return "word" if high else kind.benign
