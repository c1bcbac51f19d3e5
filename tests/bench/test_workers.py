"""Questions to several processes: answered in order, a few at a time, and with a message where one ends."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from guardrail.bench.workers import Crew, WorkerError, one_core, peak_mib
from guardrail.errors import ConfigurationError
from tests.bench.answering import Counting, refusing


def test_answers_come_in_order_from_all_of_them_and_questions_are_taken_as_they_are_needed() -> None:
    texts = ["x" * (1 + i % 50) for i in range(2_000)]
    texts[3] = "long " * 40_000
    taken = 0

    def questions() -> Iterator[tuple[int, str]]:
        nonlocal taken
        for taken, text in enumerate(texts, 1):
            yield taken - 1, text

    with Crew(Counting, 2) as crew:
        processes = {told["process"] for told in crew.ready()}
        answered = []
        for i, (length, process) in crew.ask(questions()):
            answered.append((i, length))
            assert process in processes
            assert taken - i <= 2 * 8 * 32 + 1
        spent = [of["counting"] for of in crew.spent]
    assert answered == [(i, len(text)) for i, text in enumerate(texts)]
    assert sum(spent) == len(texts)
    assert min(spent) > 0
    assert os.getpid() not in processes


def test_a_crew_of_one_is_this_process() -> None:
    with Crew(Counting, 1) as crew:
        assert crew.ready()[0]["process"] == os.getpid()
        assert [key for key, _ in crew.ask([("a", "x"), ("b", "y")])] == ["a", "b"]
    assert crew.spent == [{"counting": 2.0}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("die", r"exit code 7.*goes on from what was measured"),
        pytest.param("raise", r"failed \(ValueError\)", marks=pytest.mark.nightly),  # half a second for processes
    ],
)
def test_a_process_that_ends_or_fails_is_an_error_and_what_came_before_stays(text: str, says: str) -> None:
    answered: list[int] = []
    questions = ((i, text if i == 100 else "x") for i in range(400))
    with Crew(Counting, 2) as crew:
        crew.ready()
        with pytest.raises(WorkerError, match=says):
            answered += (i for i, _ in crew.ask(questions))
    assert answered == list(range(len(answered)))


def test_what_cannot_be_made_in_a_process_is_refused_as_it_would_be_here() -> None:
    with Crew(refusing, 2) as crew, pytest.raises(ConfigurationError, match="there is no model: pull it"):
        crew.ready()


def test_one_core_is_given_back_and_memory_is_told_in_mebibytes() -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system has no affinity of processes to cores")
    before = os.sched_getaffinity(0)
    with one_core() as held:
        assert not held or len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
    peak = peak_mib()
    assert peak is None or 10 < peak < 100_000
