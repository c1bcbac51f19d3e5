"""A policy as a value: rules, conditions, thresholds, messages, tests. Nothing here reads a file or decides.

Conditions are NamedTuples and not frozen dataclasses: they are as immutable and cost a fifth of the time to import.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from guardrail.decision import ActionKind, ActionSpec, PolicyRef
from guardrail.signals import SignalValue, Stage, Vocabulary

__all__ = [
    "SEVERITIES",
    "AllOf",
    "Always",
    "AnyOf",
    "Case",
    "Compare",
    "Condition",
    "Expectation",
    "FlagTest",
    "ListTest",
    "Not",
    "Policy",
    "Quantifier",
    "Rule",
    "ScoreTest",
    "Terms",
    "Test",
    "Video",
    "WordTest",
    "limits_of",
    "signals_of",
]

SEVERITIES = ("info", "low", "medium", "high", "critical")
"""From least to most severe. Severity orders reports and reasons; it never changes a decision."""

Quantifier = Literal["any", "all", "none"]


class ScoreTest(NamedTuple):
    """A score compared with a limit in 0..1. `threshold` is ``family.name`` when the limit came from one."""

    op: Literal[">=", ">", "<=", "<"]
    limit: float
    threshold: str = ""


class FlagTest(NamedTuple):
    """A flag that has this value."""

    value: bool


class WordTest(NamedTuple):
    """A word that is one of these."""

    words: tuple[str, ...]


Test = ScoreTest | FlagTest | WordTest


class Compare(NamedTuple):
    """A leaf: one signal, one test."""

    signal: str
    test: Test


class ListTest(NamedTuple):
    """A leaf on a list signal: how many of its items pass every one of the tests."""

    signal: str
    quantifier: Quantifier
    fields: tuple[tuple[str, Test], ...]


class AllOf(NamedTuple):
    """Holds when every part holds."""

    parts: tuple[Condition, ...]
    word: str = "all"  # tuples of the same content are equal, whatever their class: this tells the two apart


class AnyOf(NamedTuple):
    """Holds when at least one part holds."""

    parts: tuple[Condition, ...]
    word: str = "any"


class Not(NamedTuple):
    """Holds when the part does not."""

    part: Condition


class Always(NamedTuple):
    """Holds."""


Condition = AllOf | AnyOf | Not | Compare | ListTest | Always


def signals_of(condition: Condition) -> Iterator[str]:
    """The signals that a condition reads, in its order, as often as it reads them."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from signals_of(part)
    elif isinstance(condition, Not):
        yield from signals_of(condition.part)
    elif not isinstance(condition, Always):
        yield condition.signal


def limits_of(condition: Condition) -> Iterator[tuple[str, float]]:
    """The named thresholds that a condition compares with, as (``family.name``, value)."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from limits_of(part)
    elif isinstance(condition, Not):
        yield from limits_of(condition.part)
    elif isinstance(condition, Compare | ListTest):
        tests = [condition.test] if isinstance(condition, Compare) else [test for _, test in condition.fields]
        yield from ((t.threshold, t.limit) for t in tests if isinstance(t, ScoreTest) and t.threshold)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, with what the file says for all rules already worked in.

    Attributes:
        at: the stages at which it is looked at.
        mode: ``shadow`` only watches. Always ``enforce`` when locked.
        on_missing: what an unknown condition amounts to when the rule alters or blocks. Always ``block`` when locked.
        message: key into the policy's messages, or empty.
        line, column: where it begins in the file `path`, or where that file overrides it.
        says: the keys that stand in the file for this rule; the others have the value that the file gives to all.
    """

    id: str
    at: frozenset[Stage]
    when: Condition
    then: tuple[ActionSpec, ...]
    locked: bool = False
    severity: str = "medium"
    mode: Literal["enforce", "shadow"] = "enforce"
    on_missing: Literal["block", "ignore"] = "block"
    message: str = ""
    refs: tuple[str, ...] = ()
    line: int = 0
    column: int = 0
    path: str = ""
    says: frozenset[str] = frozenset()

    @property
    def shadow(self) -> bool:
        return self.mode == "shadow"


class Expectation(NamedTuple):
    """What a test expects; None means that it does not say.

    `actions` is compared in order when `ordered`, else as a set.
    """

    decision: Literal["allow", "alter", "block"]
    rules: frozenset[str] | None = None
    actions: tuple[str, ...] | None = None
    ordered: bool = False
    missing: bool = False


class Case(NamedTuple):
    """One test of a rule file: signals as given at a stage, or a prompt or an image that real checks have to read.

    `due` and `signals` are complete: what the author did not name is benign.
    """

    name: str
    path: str
    line: int
    expect: Expectation
    stage: Stage = Stage.PROMPT
    due: frozenset[Stage] = frozenset()
    signals: Mapping[str, SignalValue] = {}
    prompt: str | None = None
    image: str | None = None
    todo: bool = False

    @property
    def needs_checks(self) -> bool:
        return self.prompt is not None or self.image is not None


class Terms(NamedTuple):
    """What a deployment adds to the word lists: data, not rules.

    Attributes:
        names: people to protect.
        words: phrases that ask for something sexual, with the score that they give.
        exempt: phrases that are harmless here, such as a brand. No locked rule is told of them.
    """

    names: tuple[str, ...] = ()
    words: tuple[tuple[str, float], ...] = ()
    exempt: tuple[str, ...] = ()


class Video(NamedTuple):
    """What a policy says about videos that are made; ``None`` where no file of it says anything.

    Attributes:
        every: each how-manieth frame is looked at, at least; 1 is all of them, which is what ``None`` means too.
        over: frames of the window over which scores are smoothed; 0 is none, which is what ``None`` means too.
    """

    every: int | None = None
    over: int | None = None


@dataclass(frozen=True)
class Policy:
    """A rule file that loaded, with everything that it extends worked in.

    Attributes:
        ref: id, version, mode, and the sha256 of the bytes of the file (of all files where it is made of several).
        thresholds: family → name → number in 0..1.
        messages: key → language → text.
        cases: the tests that stand in the file itself.
        vocabulary, actions: what the names in it were checked against.
        path: the file as the author named it.
        places: where things stand in the file, as ``thresholds.sexual.explicit`` → (line, column).
        kind: a `pack` only adds to other policies; a `deployment` only sets thresholds, mode and terms of one.
        sources: every file that it is made of, its own first.
    """

    ref: PolicyRef
    rules: tuple[Rule, ...]
    thresholds: Mapping[str, Mapping[str, float]]
    messages: Mapping[str, Mapping[str, str]]
    cases: tuple[Case, ...]
    vocabulary: Vocabulary
    actions: Mapping[str, ActionKind]
    path: str
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    kind: Literal["policy", "pack", "deployment"] = "policy"
    sources: tuple[str, ...] = ()
    terms: Terms = field(default_factory=Terms)
    video: Video = field(default_factory=Video)

    @property
    def id(self) -> str:
        return self.ref.id

    @property
    def version(self) -> str:
        return self.ref.version

    @property
    def own_rules(self) -> tuple[Rule, ...]:
        """The rules that stand in the file itself or are overridden there."""
        return tuple(rule for rule in self.rules if rule.path in ("", self.path))

    @property
    def signing_rules(self) -> tuple[str, ...]:
        """Ids of the rules that act and ask for signed files: only a guard with a signer can carry them out."""
        asking = (rule for rule in self.rules if any(spec.params.get("signed") is True for spec in rule.then))
        return tuple(rule.id for rule in asking if not rule.shadow)

    def rule(self, rule_id: str) -> Rule:
        """The rule of that id.

        Raises:
            KeyError: no rule has it.
        """
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)
