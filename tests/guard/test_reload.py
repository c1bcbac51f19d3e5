"""Rules change under a running guard: whole or not at all, proven first, and seen by what the files hold."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail import Guard
from guardrail.decision import Action, Decision
from guardrail.errors import ConfigurationError, PolicyError, SignalUnavailable
from guardrail.policy.watching import Watch
from tests.budget import examples
from tests.scripted import ScriptedFaces, ScriptedNudity, install

# Two policies whose halves contradict each other: what one only labels at the prompt the other blocks in the picture,
# each by a check that the other has not, and with its own words.
NUDITY = """
policy: {id: by-nudity, version: 1.0.0}
rules:
  - {id: n-prompt, at: prompt, when: always, then: {label: {likeness: true}}}
  - {id: n-picture, at: reference, when: {reference.nudity: '>= 0.5'}, then: block, message: n}
messages: {n: {en: By nudity.}}
"""
FACES = """
policy: {id: by-faces, version: 1.0.0}
rules:
  - {id: f-prompt, at: prompt, when: always, then: {label: {likeness: true}}}
  - {id: f-picture, at: reference, when: {reference.faces: {any: {real: '>= 0.5'}}}, then: block, message: f}
messages: {f: {en: By faces.}}
"""
OF_ONE_PIECE = {
    "by-nudity": (("n-prompt", "n-picture"), ["nudity"], "By nudity."),
    "by-faces": (("f-prompt", "f-picture"), ["faces"], "By faces."),
}
SIMPLE = """
policy: {{id: p, version: {version}}}
rules: [{{id: r, at: prompt, when: {{prompt.sexual: '>= {limit}'}}, then: block}}]
"""
TESTS = "tests: [{name: explicit, given: {stage: prompt, prompt.sexual: 0.9}, expect: {decision: block}}]\n"
PIXELS = np.zeros((64, 64, 3), np.uint8)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"real": 0.9, "identifiable": True, "match": 0.0, "gallery": "none", "consent": "yes"}
    install(monkeypatch, ScriptedNudity, ScriptedFaces)
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(lambda image: [((8.0, 8.0, 16.0, 16.0), fields)]))


@pytest.fixture
def rules(tmp_path: Path) -> Callable[..., Path]:
    """`rules(text, name)`: a rule file, written over when it is there."""

    def write(text: str, name: str = "p.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def simple(version: str = "1.0.0", limit: float = 0.5) -> str:
    return SIMPLE.format(version=version, limit=limit)


def piece(decision: Decision) -> tuple[tuple[str, ...], list[str], str]:
    said = decision.message().partition(" (")[0]
    return decision.rules, [e.name for e in decision.effective], said


# ---- whole


def test_no_call_sees_half_of_two_policies(scripted: None, rules: Callable[..., Path]) -> None:
    files = [rules(NUDITY, "n.yaml"), rules(FACES, "f.yaml")]
    turns = examples(40)
    seen: list[Decision] = []
    end = threading.Event()

    with Guard(files[0], audit=None, gallery=None) as guard:

        def hammer() -> None:
            while not end.is_set():
                seen.append(guard.check_request(prompt="a house", images=[PIXELS]))

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(1, turns + 1):
            before = len(seen)
            guard.reload(files[turn % 2])
            while len(seen) < before + 4:  # every policy gets to decide
                threads[0].join(0.001)
        end.set()
        for thread in threads:
            thread.join()
    assert {d.policy.id for d in seen} == set(OF_ONE_PIECE)
    for decision in seen:
        assert decision.blocked
        assert piece(decision) == OF_ONE_PIECE[decision.policy.id]


@pytest.mark.parametrize(("first", "second", "hook"), [(NUDITY, FACES, ScriptedNudity), (FACES, NUDITY, ScriptedFaces)])
def test_a_reload_in_the_middle_of_a_call_waits_for_the_next_one(
    scripted: None, rules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, first: str, second: str, hook: type
) -> None:
    """The check itself reloads, so that the swap lies between the stages for sure."""
    other = rules(second, "second.yaml")
    answer, done = hook.judge, []  # type: ignore[attr-defined]

    def reloading(image: Any) -> Any:
        if not done:
            done.append(guard.reload(other))
        return answer(image)

    with Guard(rules(first), audit=None, gallery=None) as guard:
        monkeypatch.setattr(hook, "judge", staticmethod(reloading))
        during = guard.check_request(prompt="a house", images=[PIXELS])
        after = guard.check_request(prompt="a house", images=[PIXELS])
    assert during.policy.id != after.policy.id
    for decision in (during, after):
        assert piece(decision) == OF_ONE_PIECE[decision.policy.id]


def test_the_new_checks_are_made_and_warm_before_the_swap(
    scripted: None, rules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_force: list[tuple[str, str]] = []

    class Watched(ScriptedFaces):
        def __init__(self, settings: Any) -> None:
            in_force.append(("made", guard.policy.id))

        def warmup(self) -> None:
            in_force.append(("warm", guard.policy.id))

    monkeypatch.setattr(sys.modules["tests.scripted"], "ScriptedFaces", Watched)
    with Guard(rules(NUDITY), audit=None, gallery=None) as guard:
        guard.reload(rules(FACES, "f.yaml"))
        assert in_force == [("made", "by-nudity"), ("warm", "by-nudity")]
        assert [e.name for e in guard.effective()] == ["faces"]


def test_what_the_new_policy_needs_and_the_old_one_did_not_measure_blocks(
    scripted: None, rules: Callable[..., Path]
) -> None:
    words = (
        "policy: {id: w, version: 1.0.0}\nrules: [{id: w, at: prompt, when: {prompt.sexual: '>= 0.5'}, then: block}]"
    )
    later = (
        "policy: {id: l, version: 1.0.0}\nrules: [{id: l, at: output, "
        "when: {all: [{prompt.minor: '>= 0.5'}, {output.nudity: '>= 0.5'}]}, then: block}]"
    )
    with Guard(rules(words), audit=None, gallery=None) as guard:
        asked = guard.check_prompt("a house")
        guard.reload(rules(later, "l.yaml"))
        made = guard.check_output(PIXELS, after=asked)
    assert asked.action is Action.ALLOW
    assert (made.blocked, made.reasons[0].kind, made.reasons[0].leaves[0].signal) == (True, "missing", "prompt.minor")


# ---- or not at all


def broken_check(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    class Broken(ScriptedFaces):
        def warmup(self) -> None:
            raise error

    monkeypatch.setattr(sys.modules["tests.scripted"], "ScriptedFaces", Broken)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (simple().replace("prompt.sexual", "prompt.sexul"), PolicyError, "did you mean 'prompt.sexual'"),
        ("policy: [", PolicyError, "GP001"),
        (simple(limit=0.95) + TESTS, ConfigurationError, "1 of its 1 tests fails"),
        (simple().replace("at: prompt", "at: output").replace("prompt.sexual", "output.minor"),
         SignalUnavailable, "output.minor"),
        (FACES, ConfigurationError, "making what the policy needs failed: ZeroDivisionError"),
    ],
)  # fmt: skip
def test_what_is_refused_leaves_the_old_policy_and_says_so(
    scripted: None,
    rules: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    text: str,
    error: type[Exception],
    says: str,
) -> None:
    broken_check(monkeypatch, ZeroDivisionError("canary"))
    path = rules(simple())
    with Guard(path, audit=None, gallery=None) as guard:
        before = guard.policy
        assert guard.reload_error is None
        rules(text)
        with pytest.raises(error, match=says.replace("(", r"\(")):
            guard.reload()
        assert guard.policy == before
        assert guard.check_prompt("explicit nude porn").rules == ("r",)
        assert says in str(guard.reload_error)
        (warning,) = (r for r in caplog.records if r.levelno == logging.WARNING and "not reloaded" in r.message)
        assert f"p 1.0.0 stays in force: {guard.reload_error}" in warning.message
        assert "canary" not in caplog.text
        rules(simple("1.1.0"))
        assert guard.reload().version == guard.policy.version == "1.1.0"
        assert guard.reload_error is None


def test_the_test_file_beside_the_rules_counts(rules: Callable[..., Path]) -> None:
    path = rules(simple())
    with Guard(path, audit=None, gallery=None) as guard:
        rules(TESTS.replace("block", "allow"), "p.test.yaml")
        with pytest.raises(ConfigurationError, match="expected decision allow, got block"):
            guard.reload()


def test_a_policy_that_was_given_as_an_object_is_reloaded_only_by_name(rules: Callable[..., Path]) -> None:
    from guardrail.policy import BuiltinEngine, load_policy

    path = rules(simple())
    engine = BuiltinEngine(load_policy(path))
    with Guard(engine, audit=None, gallery=None) as guard:
        with pytest.raises(ConfigurationError, match="say which one"):
            guard.reload()
        rules(simple("2.0.0"))
        assert guard.reload(path).version == "2.0.0"
        rules(simple("2.1.0"))
        assert guard.reload().version == "2.1.0"
    with pytest.raises(ConfigurationError, match="only a policy from a file can be watched"):
        Guard(engine, audit=None, gallery=None, reload=True)


@pytest.mark.parametrize("reload", [0, -1, float("nan"), float("inf"), "often", None])
def test_a_pace_that_makes_no_sense_is_refused(rules: Callable[..., Path], reload: Any) -> None:
    with pytest.raises(ConfigurationError, match="reload is False, True, or seconds"):
        Guard(rules(simple()), audit=None, gallery=None, reload=reload)


def test_a_reloaded_guard_travels_with_the_policy_in_force(rules: Callable[..., Path]) -> None:
    with Guard(rules(simple()), audit=None, gallery=None) as guard:
        guard.reload(rules(simple("3.0.0"), "other.yaml"))
        with pickle.loads(pickle.dumps(guard)) as copy:
            assert copy.policy == guard.policy


# ---- seen by what the files hold


@pytest.fixture
def watched(rules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A guard whose watch looks when the test says so: `look()`."""
    monkeypatch.setattr(Watch, "start", lambda self: None)
    guard = Guard(rules(simple()), audit=None, gallery=None, reload=True)
    watch = guard._keeper._watch
    assert watch is not None

    def look(times: int = 2) -> str:
        for _ in range(times):
            if watch.look():
                try:
                    guard.reload()
                except ConfigurationError:
                    return "refused"
                return guard.policy.version
        return ""

    yield look, guard
    guard.close()


def test_nothing_is_reloaded_while_the_bytes_are_the_same(watched: Any, rules: Callable[..., Path]) -> None:
    look, _ = watched
    path = rules(simple())
    os.utime(path, (1, 1))
    assert look(4) == ""


def test_a_change_is_found_though_time_and_length_are_the_same(watched: Any, rules: Callable[..., Path]) -> None:
    look, _ = watched
    path = rules(simple())
    kept = path.stat()
    rules(simple("1.0.9"))
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert path.stat().st_size == kept.st_size
    assert look() == "1.0.9"
    assert look(4) == ""


def test_a_file_is_taken_when_it_has_settled(watched: Any, rules: Callable[..., Path]) -> None:
    look, _ = watched
    for version in ("1.0.1", "1.0.2", "1.0.3"):  # written to again between every two looks
        rules(simple(version))
        assert look(1) == ""
    assert look(1) == "1.0.3"


def test_a_wrong_file_is_tried_once_and_its_mending_is_seen(watched: Any, rules: Callable[..., Path]) -> None:
    look, guard = watched
    rules("policy: [")
    assert look() == "refused"
    assert look(4) == ""
    rules(simple("1.2.0"))
    assert look() == "1.2.0"
    assert guard.reload_error is None


def test_a_file_that_vanishes_keeps_the_policy_until_it_is_back(watched: Any, rules: Callable[..., Path]) -> None:
    look, guard = watched
    rules(simple()).unlink()
    assert look() == "refused"
    assert guard.policy.version == "1.0.0"
    rules(simple())
    assert look() == "1.0.0"
    assert guard.reload_error is None


def test_tests_that_appear_beside_the_rules_are_run(watched: Any, rules: Callable[..., Path]) -> None:
    look, _ = watched
    rules(TESTS.replace("block", "allow"), "p.test.yaml")
    assert look() == "refused"
    rules(TESTS, "p.test.yaml")
    assert look() == "1.0.0"


def test_what_a_policy_extends_is_watched_and_so_is_a_parent_that_was_wrong(
    watched: Any, rules: Callable[..., Path]
) -> None:
    look, guard = watched
    child = "policy: {{id: p, version: {version}}}\nextends: [{parent}]\n"
    rules(simple("1.0.0").replace("id: p", "id: base"), "base.yaml")
    rules(child.format(version="2.0.0", parent="base"))
    assert look() == "2.0.0"
    before = guard.policy.sha256
    rules(simple("1.0.0", limit=0.4).replace("id: p", "id: base"), "base.yaml")
    assert look() == "2.0.0"
    assert guard.policy.sha256 != before
    rules("policy: [", "broken.yaml")
    rules(child.format(version="3.0.0", parent="broken"))
    assert look() == "refused"
    rules(simple().replace("id: p", "id: broken"), "broken.yaml")
    assert look() == "3.0.0"


def test_a_change_while_it_is_loaded_is_a_change(
    watched: Any, rules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    look, guard = watched
    load = guard._keeper._load

    def late(source: Any) -> Any:
        engine = load(source)
        rules(simple("1.5.0"))
        return engine

    rules(simple("1.4.0"))
    monkeypatch.setattr(guard._keeper, "_load", late)
    assert look() == "1.4.0"
    monkeypatch.setattr(guard._keeper, "_load", load)
    assert look() == "1.5.0"


# ---- the thread


def watching() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "guardrail-reload"]


def until(condition: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if condition():
            return
        threading.Event().wait(0.005)
    pytest.fail("waited for ten seconds in vain")


def test_a_watching_guard_reloads_by_itself_until_it_is_closed(rules: Callable[..., Path]) -> None:
    path = rules(simple())
    with Guard(path, audit=None, gallery=None, reload=0.01) as guard:
        assert len(watching()) == 1
        rules(simple("1.1.0", limit=0.95))
        until(lambda: guard.policy.version == "1.1.0")
        rules("policy: [")
        until(lambda: guard.reload_error is not None)
        assert guard.policy.version == "1.1.0"
        rules(simple("1.2.0"))
        until(lambda: guard.policy.version == "1.2.0")
    assert watching() == []


def test_a_watch_that_meets_an_unknown_fault_goes_on(
    rules: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = rules(simple())
    with Guard(path, audit=None, gallery=None, reload=0.01) as guard:
        load = guard._keeper._load
        monkeypatch.setattr(guard._keeper, "_load", lambda source: 1 / 0)
        rules(simple("1.1.0"))
        until(lambda: "ZeroDivisionError" in str(guard.reload_error))
        monkeypatch.setattr(guard._keeper, "_load", load)
        rules(simple("1.2.0"))
        until(lambda: guard.policy.version == "1.2.0")


def test_a_guard_that_nobody_closes_takes_its_watch_with_it(rules: Callable[..., Path]) -> None:
    guard = Guard(rules(simple()), audit=None, gallery=None, reload=0.01)
    gone = weakref.ref(guard)
    del guard
    until(lambda: gc.collect() >= 0 and gone() is None and watching() == [])


def test_without_being_asked_to_a_guard_does_not_watch(rules: Callable[..., Path]) -> None:
    with Guard(rules(simple()), audit=None, gallery=None):
        assert watching() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_watches_for_itself(rules: Callable[..., Path]) -> None:
    path = rules(simple())
    with Guard(path, audit=None, gallery=None, reload=0.01) as guard:
        child = os.fork()
        if child == 0:  # no assertion in here: it would be another pytest that reports it
            code = 1
            try:
                guard.check_prompt("a house")  # the first call begins the watch
                rules(simple("1.1.0"))
                until(lambda: guard.policy.version == "1.1.0")
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        until(lambda: guard.policy.version == "1.1.0")
