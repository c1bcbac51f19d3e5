"""A check that fails, hangs or talks nonsense is a missing signal and nothing else."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from guardrail.checks.base import Failure, SignalValues
from guardrail.decision import EffectiveCheck
from guardrail.errors import CheckError
from guardrail.guard import pool as pool_module
from guardrail.guard.runner import Runner
from guardrail.media import ImageInput, Request, TextInput
from guardrail.signals import CORE, SignalSpec, Stage


class Scripted:
    """A text check that answers as `answer` says."""

    version = "test"
    stages = frozenset({Stage.PROMPT})

    def __init__(
        self,
        answer: Callable[[Sequence[Request]], Any],
        *,
        name: str = "scripted",
        gives: tuple[SignalSpec, ...] = (CORE["prompt.sexual"],),
        needs: Sequence[str] = (),
        inline: bool = False,
        timeout_s: float = 5.0,
    ) -> None:
        self.answer = answer
        self.name = name
        self.gives = gives
        self.needs = frozenset(needs)
        self.inline = inline
        self.timeout_s = timeout_s
        self.warm = 0

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return self.answer(batch)  # type: ignore[no-any-return]

    def warmup(self) -> None:
        self.warm += 1

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version)


def request(*texts: str) -> Request:
    return Request(tuple(TextInput(t) for t in texts))


def scores(*values: float) -> Callable[[Sequence[Request]], Any]:
    return lambda batch: [SignalValues({"prompt.sexual": v}) for _, v in zip(batch, values, strict=True)]


@pytest.mark.parametrize("inline", [True, False])
def test_answers_reach_the_request_they_are_about(inline: bool) -> None:
    found = Runner([Scripted(scores(0.1, 0.9), inline=inline)]).run([request("a"), request("b")], Stage.PROMPT)
    assert [f.signals for f in found] == [{"prompt.sexual": 0.1}, {"prompt.sexual": 0.9}]
    assert all(f.ran == ["scripted"] and not f.failures for f in found)
    assert all(f.timings_ms["scripted"] >= 0 for f in found)


def test_a_request_without_media_of_the_stage_is_not_looked_at() -> None:
    asked: list[int] = []

    def answer(batch: Sequence[Request]) -> Any:
        asked.append(len(batch))
        return [SignalValues({"prompt.sexual": 0.5}) for _ in batch]

    found = Runner([Scripted(answer)]).run([Request(), request("a")], Stage.PROMPT)
    assert asked == [1]
    assert found[0].signals == {}
    assert found[1].signals == {"prompt.sexual": 0.5}


@pytest.mark.parametrize("inline", [True, False])
def test_an_error_is_a_missing_signal_and_its_text_stays_behind(inline: bool) -> None:
    def answer(batch: Sequence[Request]) -> Any:
        raise RuntimeError(f"cannot read {batch[0].texts[0].text}")

    (found,) = Runner([Scripted(answer, inline=inline)]).run([request("canary")], Stage.PROMPT)
    assert found.signals == {"prompt.sexual": None}
    assert found.failures == {"scripted": "RuntimeError"}
    assert found.ran == []


def test_the_text_of_a_check_error_is_kept() -> None:
    def answer(batch: Sequence[Request]) -> Any:
        raise CheckError("the model gave NaN")

    (found,) = Runner([Scripted(answer)]).run([request("a")], Stage.PROMPT)
    assert found.failures == {"scripted": "CheckError: the model gave NaN"}


@pytest.mark.parametrize("answers", [None, True, iter(())])
def test_an_answer_that_is_no_list_is_an_error_at_once(answers: Any) -> None:
    begun = time.perf_counter()
    (found,) = Runner([Scripted(lambda batch: answers)]).run([request("a")], Stage.PROMPT)
    assert found.failures == {"scripted": "TypeError"}
    assert time.perf_counter() - begun < 2.0


@pytest.mark.parametrize("answers", [[], [SignalValues({"prompt.sexual": 0.0})] * 3])
def test_the_wrong_number_of_answers_answers_for_nobody(answers: list[Any]) -> None:
    found = Runner([Scripted(lambda batch: answers)]).run([request("a"), request("b")], Stage.PROMPT)
    assert [f.signals for f in found] == [{"prompt.sexual": None}] * 2
    assert all("answers for 2 requests" in f.failures["scripted"] for f in found)


@pytest.mark.parametrize("answer", [None, 0.0, {"prompt.sexual": 0.0}])
def test_an_answer_of_another_type_is_a_missing_signal(answer: Any) -> None:
    (found,) = Runner([Scripted(lambda batch: [answer])]).run([request("a")], Stage.PROMPT)
    assert found.signals == {"prompt.sexual": None}
    assert type(answer).__name__ in found.failures["scripted"]


def test_a_failure_for_one_request_is_not_one_for_the_others() -> None:
    answers = [Failure("unreadable"), SignalValues({"prompt.sexual": 0.0})]
    found = Runner([Scripted(lambda batch: answers)]).run([request("a"), request("b")], Stage.PROMPT)
    assert found[0].failures == {"scripted": "unreadable"}
    assert found[1].signals == {"prompt.sexual": 0.0}


def test_a_signal_that_was_declared_but_not_given_is_missing() -> None:
    (found,) = Runner([Scripted(lambda batch: [SignalValues({})])]).run([request("a")], Stage.PROMPT)
    assert found.signals == {"prompt.sexual": None}


def test_a_signal_that_was_not_declared_is_not_taken() -> None:
    answer = SignalValues({"prompt.sexual": 0.0, "prompt.minor": 0.0})
    (found,) = Runner([Scripted(lambda batch: [answer])]).run([request("a")], Stage.PROMPT)
    assert found.signals == {"prompt.sexual": 0.0}


@pytest.mark.parametrize(
    "faces",
    [
        [{"real": 0.9}],
        ({"real": 1.9},),
        ({"real": float("nan")},),
        ({"real": 0.9, "name": "canary"},),
        ({"gallery": "elsewhere"},),
        ("face",),
        ({},) * 65,
    ],
)
def test_a_list_that_is_not_as_declared_is_missing_and_not_recorded(faces: Any) -> None:
    check = Scripted(lambda batch: [SignalValues({"output.faces": faces})], gives=(CORE["output.faces"],))
    check.stages = frozenset({Stage.OUTPUT})
    seen = Request(outputs=(ImageInput((np.zeros((8, 8, 3), np.uint8),)),))
    (found,) = Runner([check]).run([seen], Stage.OUTPUT)
    assert found.signals == {"output.faces": None}
    assert found.failures == {"scripted": "gave no valid output.faces, or more than 64 items"}


@pytest.mark.parametrize(("one", "other", "merged"), [(0.2, 0.7, 0.7), (0.7, 0.2, 0.7), (0.2, None, None)])
def test_two_checks_that_give_one_signal_the_stricter_counts(one: float, other: float | None, merged: Any) -> None:
    checks = [
        Scripted(lambda batch: [SignalValues({"prompt.sexual": one})], name="one"),
        Scripted(lambda batch: [SignalValues({"prompt.sexual": other})], name="other"),
    ]
    (found,) = Runner(checks).run([request("a")], Stage.PROMPT)
    assert found.signals == {"prompt.sexual": merged}


def test_a_check_runs_after_what_it_needs() -> None:
    order: list[str] = []

    def saying(name: str, signal: str) -> Callable[[Sequence[Request]], Any]:
        def answer(batch: Sequence[Request]) -> Any:
            time.sleep(0.02 if name == "first" else 0.0)
            order.append(name)
            return [SignalValues({signal: 0.0})]

        return answer

    second = Scripted(
        saying("second", "prompt.minor"), name="second", gives=(CORE["prompt.minor"],), needs=["prompt.sexual"]
    )
    first = Scripted(saying("first", "prompt.sexual"), name="first")
    Runner([first, second]).run([request("a")], Stage.PROMPT)
    assert order == ["first", "second"]


def test_a_check_that_hangs_is_missing_after_its_limit() -> None:
    let_go = threading.Event()

    def hang(batch: Sequence[Request]) -> Any:
        let_go.wait(20)
        return [SignalValues({"prompt.sexual": 0.0})]

    (found,) = Runner([Scripted(hang, timeout_s=0.05)]).run([request("a")], Stage.PROMPT)
    let_go.set()
    assert found.signals == {"prompt.sexual": None}
    assert found.failures == {"scripted": "timed out after 0.05 s"}


def test_after_too_many_hung_calls_a_check_is_out_of_service_and_comes_back_when_they_do() -> None:
    let_go = threading.Event()
    hanging = True

    def answer(batch: Sequence[Request]) -> Any:
        if hanging:
            let_go.wait(20)
        return [SignalValues({"prompt.sexual": 0.0})]

    runner = Runner([Scripted(answer, timeout_s=0.02)])
    for _ in range(pool_module.MOST_HUNG_CALLS):
        runner.run([request("a")], Stage.PROMPT)
    begun = time.perf_counter()
    (found,) = runner.run([request("a")], Stage.PROMPT)
    assert "out of service" in found.failures["scripted"]
    assert found.signals == {"prompt.sexual": None}
    # It did not even wait for the limit: an outage of one check must not cost every request its time limit.
    assert time.perf_counter() - begun < 1.0

    hanging = False
    let_go.set()
    for _ in range(200):
        (found,) = runner.run([request("a")], Stage.PROMPT)
        if not found.failures:
            break
        time.sleep(0.02)
    assert found.signals == {"prompt.sexual": 0.0}


def test_a_call_that_comes_back_when_its_caller_gives_up_is_no_hung_one() -> None:
    """The answer arrives after the time was up and before the caller could say so."""
    pool = pool_module.Pool("late")
    for _ in range(2 * pool_module.MOST_HUNG_CALLS):
        job = pool.submit(lambda: [Failure("late")])
        assert job.finished.wait(5)
        pool.give_up(job, 0.1)
        assert (job.wait(0.1), job.cause) == ([Failure("late")], "")
    assert sum(t.name == "guardrail-late" for t in threading.enumerate()) == pool_module.WORKERS_PER_CHECK


def test_a_call_that_was_given_up_gives_nothing_afterwards() -> None:
    let_go = threading.Event()
    pool = pool_module.Pool("slow")
    job = pool.submit(lambda: [Failure("slow")] if let_go.wait(20) else [])
    assert job.wait(0.01) is None
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "guardrail-slow":
            thread.join(5)
    assert (job.wait(0.01), job.cause) == (None, "timed out after 0.01 s")
    assert pool.submit(lambda: [Failure("next")]).wait(5) == [Failure("next")]


def test_a_call_whose_caller_was_interrupted_counts_as_hung_until_it_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = threading.Event()
    pool = pool_module.Pool("left")
    for _ in range(pool_module.MOST_HUNG_CALLS):
        begun = threading.Event()

        def work(begun: threading.Event = begun) -> list[SignalValues | Failure]:
            begun.set()
            let_go.wait(20)
            return []

        job = pool.submit(work)
        assert begun.wait(5)

        def interrupted(seconds: float) -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr(job.finished, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            job.wait(5)
    assert "out of service" in pool.submit(list).cause
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "guardrail-left":
            thread.join(5)
    assert pool.submit(lambda: [Failure("next")]).wait(5) == [Failure("next")]


def test_hung_threads_are_bounded() -> None:
    let_go = threading.Event()
    before = threading.active_count()
    runner = Runner([Scripted(lambda batch: [let_go.wait(20)], timeout_s=0.01)])
    for _ in range(30):
        runner.run([request("a")], Stage.PROMPT)
    grown = threading.active_count() - before
    let_go.set()
    assert grown <= pool_module.MOST_HUNG_CALLS + pool_module.WORKERS_PER_CHECK


def test_a_panic_in_native_code_does_not_take_the_worker_with_it() -> None:
    class PanicException(BaseException):  # what Rust extensions raise
        pass

    calls = 0

    def answer(batch: Sequence[Request]) -> Any:
        nonlocal calls
        calls += 1
        if calls <= 2 * pool_module.WORKERS_PER_CHECK:
            raise PanicException
        return [SignalValues({"prompt.sexual": 0.0})]

    runner = Runner([Scripted(answer)])
    found = [runner.run([request("a")], Stage.PROMPT)[0] for _ in range(2 * pool_module.WORKERS_PER_CHECK + 1)]
    assert all(f.failures == {"scripted": "PanicException"} for f in found[:-1])
    assert found[-1].signals == {"prompt.sexual": 0.0}


def test_the_limit_grows_with_the_batch() -> None:
    def slow(batch: Sequence[Request]) -> Any:
        time.sleep(0.1 * len(batch))
        return [SignalValues({"prompt.sexual": 0.0}) for _ in batch]

    found = Runner([Scripted(slow, timeout_s=0.4)]).run([request("a")] * 8, Stage.PROMPT)
    assert all(f.signals == {"prompt.sexual": 0.0} for f in found)


def test_concurrent_calls_each_get_their_own_answers() -> None:
    def answer(batch: Sequence[Request]) -> Any:
        time.sleep(0.001)
        return [SignalValues({"prompt.sexual": float(r.texts[0].text)}) for r in batch]

    runner = Runner([Scripted(answer)])
    wrong: list[float] = []

    def call(value: float) -> None:
        for _ in range(20):
            (found,) = runner.run([request(str(value))], Stage.PROMPT)
            if found.signals["prompt.sexual"] != value:
                wrong.append(value)

    threads = [threading.Thread(target=call, args=(i / 10,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_warmup_reaches_every_check() -> None:
    checks = [Scripted(scores(0.0), name=n) for n in "ab"]
    Runner(checks).warmup()
    assert [c.warm for c in checks] == [1, 1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.5, "0.9", None])
def test_no_value_that_is_no_score_passes_a_policy(
    value: Any, make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = make_guard("rules: [{id: r, at: prompt, when: {prompt.sexual: '>= 0.5'}, then: block}]")
    (check,) = (c for c in guard._parts.judge.runner.checks if c.name == "sexual-text")
    monkeypatch.setattr(
        type(check), "check", lambda self, batch, stage: [SignalValues({"prompt.sexual": value}) for _ in batch]
    )
    decision = guard.check_prompt("a house")
    assert decision.blocked
    assert decision.reasons[0].kind == "missing"
    assert decision.reasons[0].describe() == "missing: prompt.sexual"
