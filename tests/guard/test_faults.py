"""Whatever breaks, nothing gets looser: faults in every part on a request's way. GUARDRAIL_NIGHTLY=1 tries 10,000."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail import Guard
from guardrail.checks.base import Failure, SignalValues
from guardrail.decision import Action, Decision
from guardrail.errors import AuditUnavailable, CheckError, MarkError
from guardrail.marks.stack import MarkStack
from guardrail.marks.tileline import TileLine
from guardrail.media import Request, Role
from guardrail.signals import Stage
from tests.scripted import ScriptedFaces, ScriptedNudity, install

NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"
CASES = settings(max_examples=10_000 if NIGHTLY else 100, deadline=None, derandomize=not NIGHTLY, database=None)
SECRET = "the-prompt-in-an-error"
FACE = (8.0, 8.0, 48.0, 48.0)
REALS = {"photograph": 0.9, "drawing": 0.1}

# Words of the shipped lists, from harmless to what every policy refuses; see the demo for the same.
PROMPTS = ("a castle at dusk", "boudoir portrait in lingerie", "a nude woman", "my classmate in a park")


class Panic(BaseException):
    """What native code raises when it gives up: no Exception."""


class Thorns(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError(SECRET)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError(SECRET)

    def __len__(self) -> int:
        return 1


def raising(error: BaseException) -> Callable[..., Any]:
    def call(answers: Any) -> Any:
        raise error

    return call


def value(replace: Callable[[Any], Any]) -> Callable[[list[Any]], Any]:
    """A fault in the values of an answer that is otherwise in order."""

    def call(answers: list[Any]) -> Any:
        return [SignalValues({k: replace(v) for k, v in a.signals.items()}, a.spans, a.regions) for a in answers]

    return call


def number(wrong: Any) -> Callable[[list[Any]], Any]:
    def swap(old: Any) -> Any:
        if isinstance(old, tuple):
            return tuple({k: wrong if isinstance(v, float) else v for k, v in item.items()} for item in old) or None
        return wrong

    return value(swap)


ANSWERS: dict[str, Callable[[list[Any]], Any]] = {
    "raises": raising(RuntimeError(SECRET)),
    "check error": raising(CheckError("out of order")),
    "no memory": raising(MemoryError()),
    "panics": raising(Panic(SECRET)),
    "nothing": lambda answers: None,
    "no answers": lambda answers: [],
    "too many": lambda answers: [*answers, *answers],
    "a failure": lambda answers: [Failure("out of order") for _ in answers],
    "no signals": lambda answers: [SignalValues({}) for _ in answers],
    "another type": lambda answers: ["fine" for _ in answers],
    "None": value(lambda old: None),
    "NaN": number(math.nan),
    "infinity": number(math.inf),
    "below": number(-0.1),
    "above": number(1.1),
    "text": number("0.0"),
    "an array": number(np.zeros(3)),
    "a list": value(lambda old: [old]),
    "thorns": value(lambda old: (Thorns(),)),
}
WORST = {
    "faces": {"real": 1.0, "identifiable": True, "match": 1.0, "gallery": "protected"},
    "person-names": {"match": 1.0, "kind": "private"},
    "known-images": {"list": "reported", "by": "pixels"},
}
CHECKS = ("sexual-text", "minor-words", "person-names", "faces", "nudity", "known-images", "edit-request")


def at_worst(broken: str) -> Callable[[list[Any]], Any]:
    def swap(old: Any) -> Any:
        if isinstance(old, tuple):
            return (WORST[broken],)
        return True if isinstance(old, bool) else 1.0

    return value(swap)


class World:
    """A guard of the default policy whose parts break on demand."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.checks = {c.name: c for c in guard._parts.judge.runner.checks}
        assert set(self.checks) == set(CHECKS)
        self.broken = ""
        self.how: Callable[[list[Any]], Any] | None = None
        self.fired = 0
        for check in self.checks.values():
            # A check that reads what others found is asked another way.
            way = "check_found" if hasattr(check, "check_found") else "check"
            setattr(check, way, self._through(check.name, getattr(check, way)))

    def _through(self, name: str, call: Callable[..., list[Any]]) -> Callable[..., Any]:
        def check(batch: Sequence[Request], stage: Stage, *found: Any) -> Any:
            answers = call(batch, stage, *found)
            if self.broken != name or self.how is None:
                return answers
            self.fired += 1
            return self.how(answers)

        return check

    def decide(self, prompt: str, real: float, nudity: float) -> Decision:
        """The stricter of the decisions on the request and on its output."""
        ScriptedFaces.judge = staticmethod(lambda image: [(FACE, face(real, image.role))])  # type: ignore[method-assign]
        ScriptedNudity.judge = staticmethod(lambda image: nudity)  # type: ignore[method-assign]
        picture = np.full((96, 96, 3), 120, np.uint8)
        before = self.guard.check_request(prompt=prompt, images=[picture])
        if before.blocked:
            return before
        after = self.guard.check_output(picture, after=before)
        strict = max(before, after, key=lambda d: d.action.rank)
        return strict.copy(coverage=(*before.coverage, *after.coverage))


def face(real: float, role: Role) -> dict[str, Any]:
    found = {"real": real, "identifiable": True, "match": 0.0, "gallery": "none"}
    return found if role is Role.OUTPUT else {**found, "consent": "no"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    patch = pytest.MonkeyPatch()
    patch.setenv("GUARDRAIL_HOME", str(tmp_path_factory.mktemp("faults")))
    install(patch, ScriptedNudity, ScriptedFaces)
    judges = ScriptedFaces.judge, ScriptedNudity.judge
    try:
        with Guard("default", gallery=None) as guard:
            world = World(guard)
            # Without a fault the requests do end in every way: where all were blocked nothing could get looser.
            ends = {world.decide(p, r, n).action for p in PROMPTS for r in REALS.values() for n in (0.0, 0.4, 0.9)}
            assert ends == {Action.ALLOW, Action.ALTER, Action.BLOCK}
            yield world
    finally:
        ScriptedFaces.judge, ScriptedNudity.judge = map(staticmethod, judges)  # type: ignore[method-assign]
        patch.undo()


REQUESTS = st.tuples(
    st.sampled_from(PROMPTS), st.sampled_from(sorted(REALS.values())), st.sampled_from([0.0, 0.4, 0.9])
)


@CASES
@given(REQUESTS, st.sampled_from(CHECKS), st.sampled_from(sorted(ANSWERS)))
def test_a_check_that_breaks_never_loosens(
    world: World, request_: tuple[str, float, float], broken: str, how: str
) -> None:
    sound = world.decide(*request_)
    world.broken, world.how, world.fired = broken, ANSWERS[how], 0
    try:
        found = world.decide(*request_)
    finally:
        world.how = None
    assert found.action.rank >= sound.action.rank
    if world.fired and not found.blocked:
        # The one way past: no rule needed the answer to decide. Then the decision says that it was not there.
        assert broken in {c.argument for c in found.coverage if c.what == "check-failed"}
    assert SECRET not in str(found.to_json())
    # Nothing sticks: the next request is judged as if nothing had happened.
    assert world.decide(*request_).action is sound.action


@CASES
@given(REQUESTS, st.sampled_from(CHECKS))
def test_a_missing_answer_that_a_rule_needs_blocks(
    world: World, request_: tuple[str, float, float], broken: str
) -> None:
    """Said by the three states alone: were the missing values at their worst, would the decision be another?"""
    sound = world.decide(*request_)
    world.broken, world.fired = broken, 0
    try:
        world.how = at_worst(broken)
        changed = world.decide(*request_).action is not sound.action
        world.how = ANSWERS["raises"]
        found = world.decide(*request_)
    finally:
        world.how = None
    if changed and sound.action.rank < Action.BLOCK.rank and broken != "person-names":
        # A rule that only labels is passed over (a public figure's label): the one exception, for names.
        assert found.blocked


def shown(decision: Decision, picture: np.ndarray) -> np.ndarray:
    """What is released of an output: the covered picture, where it was covered."""
    covered = [a.pixels[0] for a in decision.alterations if a.pixels is not None]
    return covered[-1] if covered else picture


PARTS = ("engine", "record", "mark", "read back")


@CASES
@given(
    REQUESTS,
    st.sampled_from(PARTS),
    st.sampled_from(
        [RuntimeError(SECRET), MemoryError(), ValueError(SECRET), OSError(28, "no space"), KeyError(SECRET)]
    ),
)
def test_a_part_that_breaks_releases_nothing(
    world: World, request_: tuple[str, float, float], part: str, error: Exception
) -> None:
    sound = world.decide(*request_)
    guard = world.guard
    with pytest.MonkeyPatch.context() as patch:

        def broken(*_: Any, **__: Any) -> Any:
            raise AuditUnavailable("the disk is full") if part == "record" else error

        if part == "engine":
            patch.setattr(type(guard._parts.engine), "evaluate", broken)
            assert world.decide(*request_).blocked
        elif part == "record":
            patch.setattr(type(guard.audit), "append_many", broken)
            patch.setattr(type(guard.audit), "probe", broken)
            assert world.decide(*request_).blocked
        elif not sound.blocked:
            picture = np.full((96, 96, 3), 120, np.uint8)
            judged = guard.check_output(picture)
            assert judged.blocked or guard.mark(shown(judged, picture), after=judged)
            patch.setattr(*((MarkStack, "embed") if part == "mark" else (TileLine, "detect")), broken)
            with pytest.raises(MarkError if judged.blocked else type(error)):
                guard.mark(shown(judged, picture), after=judged)
    assert world.decide(*request_).action is sound.action
