"""One question after another to several processes, answered in the order in which they were put.

Each process makes what answers anew and is kept on one core. Only a few questions are under way at a time, so that
memory does not grow with the data; and a process ends when this one does, even where that was killed.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Protocol, TypeVar

from guardrail.bench.process import one_core, peak_mib
from guardrail.errors import ConfigurationError, GuardrailError

__all__ = ["Asked", "Crew", "WorkerError", "one_core", "peak_mib"]

K = TypeVar("K")

_ROWS, _CHARACTERS = 32, 64_000  # of a chunk, at most; one long text is a chunk by itself
_AHEAD = 2  # chunks that a process has been given and not answered: the next one is there when it is done
_WINDOW = 8  # chunks a process that may be under way or wait for an earlier one; it bounds memory


class WorkerError(GuardrailError):
    """A process of a benchmark ended or failed; the message says which and what to do, and holds no text."""


class Asked(Protocol):
    """What answers: made once in each process."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the asker wants to know before the first question; picklable."""
        ...

    @property
    def spent(self) -> dict[str, float]:
        """Milliseconds so far by part; each process counts its own."""
        ...

    def ask(self, text: str) -> Any:
        """The answer; picklable, and small."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Worker:
    """One process, seen from here."""

    process: Any
    pipe: Connection
    given: deque[int] = field(default_factory=deque)  # numbers of chunks, the oldest first


@dataclass(slots=True)
class _Chunk:
    keys: list[Any]
    answers: list[Any] | None = None


class Crew:
    """Processes that answer; with one worker there is no other process, and this one answers itself.

    They begin at once to make what answers; `ready` waits for it.

    Args:
        open_: makes what answers; picklable where there are several workers.
        workers: how many.
    """

    def __init__(self, open_: Callable[[], Asked], workers: int) -> None:
        self.spent: list[dict[str, float]] = [{} for _ in range(workers)]
        self.peaks: list[float | None] = [None] * (workers if workers > 1 else 0)
        self._open = open_
        self._own: Asked | None = None
        self._workers: list[_Worker] = []
        self._stack = ExitStack()
        if workers > 1:
            try:
                self._start(workers)
            except BaseException:
                self._end(0.0)
                raise

    def _start(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        for number in range(workers):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(self._open, number, there), daemon=True)
            self._workers.append(_Worker(process, here))
            process.start()
            there.close()

    def ready(self) -> list[dict[str, Any]]:
        """The facts of each worker; to be called once, before the first question.

        Raises:
            GuardrailError: what `open_` raised in any of them, or `WorkerError`.
        """
        if self._workers:
            facts = []
            for at, worker in enumerate(self._workers):
                told, self.peaks[at] = self._received(worker)
                facts.append(told)
            return facts
        held = self._stack.enter_context(one_core())
        self._own = self._open()
        self._stack.callback(self._own.close)
        return [{**self._own.facts, "one_core": held}]

    def ask(self, questions: Iterable[tuple[K, str]]) -> Generator[tuple[K, Any], None, None]:
        """(key, answer) for each (key, text), in order; questions are taken as they are needed.

        Raises:
            WorkerError: a process ended, or failed at a question.
        """
        if self._own is not None:
            for key, text in questions:
                yield key, self._own.ask(text)
            self.spent[0] = self._own.spent
            return
        yield from self._spread(questions)

    def _spread(self, questions: Iterable[tuple[K, str]]) -> Iterator[tuple[K, Any]]:
        chunks = enumerate(_chunks(questions))
        under_way: dict[int, _Chunk] = {}
        following, more = 0, True
        while True:
            while more and len(under_way) < _WINDOW * len(self._workers):
                worker = min(self._workers, key=lambda w: len(w.given))
                if len(worker.given) >= _AHEAD:
                    break
                chunk = next(chunks, None)
                if chunk is None:
                    more = False
                    break
                number, (keys, texts) = chunk
                under_way[number] = _Chunk(keys)
                worker.given.append(number)
                self._sent(worker, texts)
            while (done := under_way.get(following)) is not None and done.answers is not None:
                yield from zip(done.keys, done.answers, strict=True)
                del under_way[following]
                following += 1
            if not under_way and not more:
                return
            busy = [w for w in self._workers if w.given]
            for pipe in wait([w.pipe for w in busy]) if busy else ():
                worker = next(w for w in busy if w.pipe is pipe)
                answers, spent, peak = self._received(worker)
                under_way[worker.given.popleft()].answers = answers
                at = self._workers.index(worker)
                self.spent[at], self.peaks[at] = spent, peak

    def _sent(self, worker: _Worker, texts: list[str]) -> None:
        try:
            worker.pipe.send(texts)
        except (OSError, ValueError):
            self._ended(worker)

    def _received(self, worker: _Worker) -> Any:
        try:
            kind, answer = worker.pipe.recv()
        except (EOFError, OSError):
            self._ended(worker)
        if kind == "refused":
            raise answer
        if kind == "failed":
            raise WorkerError(f"a worker failed ({answer}): run again with --workers 1 to see where")
        return answer

    def _ended(self, worker: _Worker) -> None:
        worker.process.join(5)
        code = worker.process.exitcode
        raise WorkerError(
            f"a worker ended (exit code {code}), perhaps for want of memory: the same command goes on from what was "
            "measured; try fewer --workers"
        )

    def _end(self, patience_s: float) -> None:
        """End the processes; those that have not ended by themselves in that time are killed."""
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            if worker.process.pid is None:
                continue
            worker.process.join(patience_s)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()
        self._stack.close()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(2.0 if kind is None else 0.0)


def _chunks(questions: Iterable[tuple[K, str]]) -> Iterator[tuple[list[K], list[str]]]:
    keys: list[K] = []
    texts: list[str] = []
    characters = 0
    for key, text in questions:
        if keys and characters + len(text) > _CHARACTERS:
            yield keys, texts
            keys, texts, characters = [], [], 0
        keys.append(key)
        texts.append(text)
        characters += len(text)
        if len(keys) == _ROWS:
            yield keys, texts
            keys, texts, characters = [], [], 0
    if keys:
        yield keys, texts


def _serve(open_: Callable[[], Asked], number: int, pipe: Connection) -> None:
    """A process's whole life: it ends when the other end of the pipe is gone."""
    with suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of the group; the first process ends the rest
    with one_core(number) as held:
        try:
            asked = open_()
        except GuardrailError as error:
            pipe.send(("refused", _plain(error)))
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, the asker has to know; a text may hold content
            pipe.send(("failed", type(error).__name__))
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            pipe.send(("told", ({**asked.facts, "one_core": held}, peak_mib())))
            while True:
                try:
                    texts = pipe.recv()
                except (EOFError, OSError):
                    break
                try:
                    answers = [asked.ask(text) for text in texts]
                except Exception as error:  # noqa: BLE001 - as above
                    pipe.send(("failed", type(error).__name__))
                    break
                pipe.send(("told", (answers, asked.spent, peak_mib())))
        asked.close()


def _plain(error: GuardrailError) -> GuardrailError:
    """One that can be pickled, whatever its own class takes."""
    return ConfigurationError(str(error))
