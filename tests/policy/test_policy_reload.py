"""Proving a policy before it is taken, and noticing changed files; in a running guard: `tests/guard/test_reload`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardrail.errors import ConfigurationError, PolicyError
from guardrail.policy import BuiltinEngine, load_policy
from guardrail.policy.reload import Keeper, load_watched, prove
from guardrail.policy.watching import DEFAULT_POLL_S, Watch, files_of, fingerprint, seconds_between

Write = Callable[..., Path]
RULE = "rules: [{id: r, at: prompt, when: {prompt.sexual: '>= 0.5'}, then: block}]\n"
CASE = "tests: [{{name: t, given: {{stage: prompt, prompt.sexual: 0.9}}, expect: {{decision: {}}}}}]\n"


def load(path: Any) -> BuiltinEngine:
    return BuiltinEngine(load_policy(path))


def proven(path: Path) -> None:
    policy = load_policy(path)
    prove(policy, BuiltinEngine(policy))


# ---- proving


def test_a_policy_with_remarks_only_is_taken(write: Write) -> None:
    proven(write(RULE))


def test_a_failing_test_is_told_with_what_came_out_and_why(write: Write) -> None:
    path = write(RULE + CASE.format("allow"))
    with pytest.raises(ConfigurationError) as caught:
        proven(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 1 of its 1 tests fails"
    assert lines[1] == f"FAIL {path}:3 t"
    assert "expected decision allow, got block" in lines[2]
    assert "prompt.sexual 0.9: >= 0.5" in lines[-1]


def test_a_wrong_test_file_is_an_error_with_its_place(write: Write) -> None:
    path = write(RULE)
    write(CASE.format("blokc"), "my.test.yaml")
    with pytest.raises(PolicyError, match=r"my\.test\.yaml:1:.*did you mean 'block'"):
        proven(path)


def test_tests_that_need_checks_or_are_to_do_do_not_count(write: Write) -> None:
    more = "  - {name: raw, prompt: a house, expect: {decision: block}}\n"
    todo = "  - {name: later, todo: true, given: {stage: prompt}, expect: {decision: block}}\n"
    proven(write(RULE + "tests:\n" + more + todo))


# ---- which files, and which bytes


def test_the_files_are_the_policy_what_it_extends_and_the_tests_beside(write: Write, tmp_path: Path) -> None:
    write("policy: {id: base, version: 1.0.0}\n" + RULE, "base.yaml")
    policy = load_policy(write("policy: {id: my, version: 1.0.0}\nextends: [base]\n"))
    assert {path.name for path in files_of(policy)} == {"my.yaml", "base.yaml", "my.test.yaml"}
    assert files_of(policy)[0] == tmp_path / "my.yaml"


def test_a_fingerprint_is_of_the_bytes_and_empty_where_there_are_none(tmp_path: Path) -> None:
    file, folder, none = tmp_path / "a", tmp_path, tmp_path / "b"
    file.write_text("abc")
    found = fingerprint([file, folder, none, Path("a\0b")])
    assert found[file] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert [found[p] for p in (folder, none, Path("a\0b"))] == ["", "", ""]


def test_what_was_loaded_has_the_fingerprint_that_was_taken_before(write: Write) -> None:
    """Of files that are found by loading, too: they are looked at, and then loaded again."""
    base = write("policy: {id: base, version: 1.0.0}\n" + RULE, "base.yaml")
    child = write("policy: {id: my, version: 1.0.0}\nextends: [base]\n")
    loads: list[str] = []

    def counting(source: Any) -> BuiltinEngine:
        loads.append(fingerprint([base])[base])
        return load(source)

    loaded = load_watched(child, counting, ())
    assert loaded.error is None
    assert loaded.seen[base] == loads[-1]
    assert set(loaded.seen) == set(files_of(load_policy(child)))
    assert len(loads) == 2
    assert load_watched(child, counting, loaded.seen).seen == loaded.seen
    assert len(loads) == 3, "what is known already is loaded once"


def test_a_file_that_is_named_by_a_finding_is_watched(write: Write) -> None:
    broken = write("policy: [", "broken.yaml")
    child = write("policy: {id: my, version: 1.0.0}\nextends: [broken]\n")
    loaded = load_watched(child, load, (child,))
    assert isinstance(loaded.error, PolicyError)
    assert loaded.engine is None
    assert broken in loaded.seen
    assert child in loaded.seen


# ---- keeping


def test_what_is_made_of_an_engine_is_swapped_with_it(write: Write) -> None:
    path = write(RULE)
    keeper: Keeper[list[str]] = Keeper(path, load)
    order: list[str] = []
    keeper.begin(lambda engine: [engine.ref.sha256], lambda value: order.append(keeper.value[0] + ">" + value[0]))
    old = keeper.value
    write(RULE.replace("0.5", "0.4"))
    ref = keeper.reload()
    assert keeper.value == [ref.sha256] != old
    assert order == [f"{old[0]}>{ref.sha256}"], "made ready while the old one was in force"


def test_reloads_from_several_threads_take_turns(write: Write) -> None:
    keeper: Keeper[str] = Keeper(write(RULE), load)
    inside, most = [0], [0]
    gate = threading.Barrier(4)

    def finish(engine: Any) -> str:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        threading.Event().wait(0.01)
        inside[0] -= 1
        return str(engine.ref.sha256)

    def reload() -> None:
        gate.wait()
        keeper.reload()

    keeper.begin(finish)
    threads = [threading.Thread(target=reload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


@pytest.mark.parametrize(("said", "seconds"), [(False, None), (True, DEFAULT_POLL_S), (5, 5.0), (0.25, 0.25)])
def test_how_often_is_looked(said: Any, seconds: float | None) -> None:
    assert seconds_between(said) == seconds


# ---- looking


class Owner:
    def __init__(self, *files: Path) -> None:
        self.paths = files
        self.calls = 0

    def files(self) -> tuple[Path, ...]:
        return self.paths

    def changed(self) -> None:
        self.calls += 1


def test_an_owner_that_is_gone_is_not_looked_for(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "a")
    watch = Watch(owner.files, owner.changed, 60.0)
    (tmp_path / "a").write_text("a")
    assert [watch.look(), watch.look()] == [False, True]
    del owner
    (tmp_path / "a").write_text("b")
    assert [watch.look(), watch.look()] == [False, False]


def test_stopping_twice_or_before_the_start_is_harmless_and_a_stopped_watch_stays_so(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "a")
    watch = Watch(owner.files, owner.changed, 60.0)
    watch.stop()
    watch.start()
    watch.stop()
    assert not [t for t in threading.enumerate() if t.name == "guardrail-reload"]
    other = Watch(owner.files, owner.changed, 60.0)
    other.start()
    other.start()
    assert len([t for t in threading.enumerate() if t.name == "guardrail-reload"]) == 1
    other.stop()
    other.stop()
    assert not [t for t in threading.enumerate() if t.name == "guardrail-reload"]


def test_a_watch_can_be_stopped_by_what_it_calls(tmp_path: Path) -> None:
    ended = threading.Event()

    class Stopping(Owner):
        def changed(self) -> None:
            watch.stop()
            ended.set()

    owner = Stopping(tmp_path / "a")
    watch = Watch(owner.files, owner.changed, 0.005)
    watch.take(fingerprint(owner.paths))
    watch.start()
    (tmp_path / "a").write_text("a")
    assert ended.wait(10)
