"""Guarded pipelines whose parts break on demand: the guard, what can go wrong on the way of a call, what it did there.

A `World` knows what must come of a call: which outputs the scripts refuse (`bad`, `refused`), which ones a fault took
the verdict from (`lost`), and which errors have to reach the caller (`must`) or may (`may`).
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import functools
import inspect
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import guardrail
from guardrail.checks.base import Failure, SignalValues
from guardrail.errors import AuditError, MarkError
from guardrail.media import ImageInput, Request, Role
from guardrail.pipelines.steps import GuardStop
from guardrail.signals import CORE, Stage
from tests.guard.test_faults import ANSWERS, SECRET, Panic
from tests.pipelines.test_transparent import generator
from tests.pipelines.tiny import BUILDERS, MODULAR, call_arguments, denoiser
from tests.scripted import ScriptedNudity, install

PACKAGE = str(Path(guardrail.__file__).parent)
PROMPTS = ("a small red fox", "a lighthouse at dusk", "two boats on a lake")
REFUSED = "a thing that is refused"
RULES = """
policy: {id: faults, version: 1.0.0}
rules:
  - {id: words, at: prompt, when: {prompt.sexual: ">= 0.5"}, then: block}
  - {id: given, at: reference, when: {reference.nudity: ">= 0.5"}, then: block}
  - {id: early, at: step, when: {step.nudity: ">= 0.5"}, then: block}
  - {id: late, at: output, when: {output.nudity: ">= 0.5"}, then: block}
  - {id: marks, at: output, when: always, then: {label: {watermark: invisible}}}
"""
# A check that hangs is given up after so long; one that does not hang is never given up on a slow machine.
HANG_S, PATIENT_S = 0.03, 120.0
# How many lines of the guard's own code run in a call, and for each output of it, about: where a thread can be
# interrupted. Counted on Stable Diffusion: 3,200 for one output, 6,900 for three, a fifth more with a preview.
LINES, LINES_AN_OUTPUT = 1500, 2000
NOTHING: frozenset[int] = frozenset()


class Interrupted(KeyboardInterrupt):
    """What is raised in a thread that is interrupted."""


class Words(ScriptedNudity):
    """A check of prompts that runs in the calling thread, as the shipped ones do."""

    name = "sexual-text"
    stages = frozenset({Stage.PROMPT})
    gives = (CORE["prompt.sexual"],)
    inline = True

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [SignalValues({"prompt.sexual": float(any(REFUSED in t.text for t in r.texts))}) for r in batch]


# ---- pipelines


@dataclass(eq=False)
class Place:
    """One guarded pipeline.

    Args:
        spots: where a fault can strike on its way.
        callback: its argument for a callback of the user's own, if it has one.
        state: its `condition` when nothing has happened.
    """

    family: str
    pipe: Any
    guarded: Any
    on_block: str
    spots: tuple[str, ...]
    callback: str = ""
    state: dict[str, Any] = field(default_factory=dict)


def arguments(family: str, count: int, refused: frozenset[int] = NOTHING, **more: Any) -> dict[str, Any]:
    """A call for so many outputs, from a generator in the same state each time."""
    prompts = [REFUSED if i in refused else PROMPTS[i] for i in range(count)]
    more |= {"output": "images"} if family in MODULAR else {}
    return call_arguments(family, prompts if count > 1 else prompts[0], generator=generator(), **more)


def condition(pipe: Any) -> dict[str, Any]:
    """What a fault must leave as it was: the classes of the parts, and what hooks they have."""
    found: dict[str, Any] = {"class": type(pipe), "interrupt": bool(vars(pipe).get("_interrupt"))}
    for name, part in vars(pipe).items():
        if not name.startswith("_"):
            found[name] = type(part)
        if isinstance(part, torch.nn.Module):
            for inner, module in part.named_modules():
                found[f"{name}.{inner}"] = (
                    *module._forward_hooks,
                    *module._forward_pre_hooks,
                    "forward" in vars(module),
                )
    return found


# ---- faults


@functools.cache
def _lines(path: str) -> tuple[frozenset[int], frozenset[int]]:
    """Lines of a file that no interruption comes at, and those of its ``finally`` blocks.

    Python looks for signals after calls and at jumps back, a trace function is called at every line: also on the way
    out of a ``with``, where its lock would stay locked, and between an error and the first line that treats it.
    """
    never: set[int] = set()
    finals: set[int] = set()
    for node in ast.walk(ast.parse(Path(path).read_text("utf-8"))):
        if isinstance(node, ast.With):
            never |= set(range(node.lineno, node.body[0].lineno))
        elif isinstance(node, ast.ExceptHandler):
            never |= {node.lineno, node.body[0].lineno}
        elif isinstance(node, ast.Try) and node.finalbody:
            finals |= set(range(node.finalbody[0].lineno, (node.finalbody[-1].end_lineno or 0) + 1))
    return frozenset(never), frozenset(finals)


def can_be_interrupted(frame: Any) -> bool:
    """Whether an interruption at this line is one that the guard answers for.

    It does not for a second one that comes while it clears up after the first: no ``finally`` of Python's can.
    """
    if frame.f_lineno in _lines(frame.f_code.co_filename)[0]:
        return False
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(PACKAGE) and frame.f_lineno in _lines(path)[1]:
            return False
        frame = frame.f_back
    return True


@dataclass
class Fault:
    """Something that goes wrong when a call comes by `spot` for the `nth` time."""

    spot: str
    how: str
    nth: int = 1
    error: BaseException | None = None


# How an answer of a check goes wrong, besides `ANSWERS`: signals that it did not promise, none for the last of a batch,
# too late, its model file gone, a signal to the calling thread that waits for it, an exception into that thread.
OWN_ANSWERS = ("unpromised", "half", "hangs", "model gone", "signal", "stopped")
ERRORS: tuple[type[BaseException], ...] = (RuntimeError, MemoryError, Interrupted, Panic)


def draw(rng: random.Random, place: Place, count: int) -> Fault:
    """A fault that a call for so many outputs can meet."""
    spot = rng.choice(place.spots)
    if spot in ("prompt", "reference", "step", "output"):
        # A check that runs in the calling thread cannot be given up.
        hows = (*ANSWERS, *OWN_ANSWERS[:2]) if spot == "prompt" else (*ANSWERS, *OWN_ANSWERS * 3)
        return Fault(spot, rng.choice(hows), rng.randint(1, count) if spot in ("step", "output") else 1)
    if spot == "record":
        errors: tuple[BaseException, ...] = (OSError(28, "no space"), Interrupted(), RuntimeError(SECRET))
        return Fault(spot, rng.choice(("read-only", "full", "raises")), error=rng.choice(errors))
    if spot == "mark":
        # The text of a MarkError goes into the decision: it holds no content, by contract.
        errors = (MarkError("not readable"), *(kind(SECRET) for kind in ERRORS))
        return Fault(spot, "raises", rng.randint(1, count), rng.choice(errors))
    if spot == "line":
        return Fault(spot, "interrupted", rng.randint(1, LINES + LINES_AN_OUTPUT * count), Interrupted())
    kinds = (*ERRORS, SystemExit, GuardStop) if spot == "callback" else ERRORS
    return Fault(
        spot, "raises", rng.randint(1, 2) if spot in ("callback", "denoiser") else 1, rng.choice(kinds)(SECRET)
    )


@dataclass(eq=False)
class World:
    """A guard, the faults of the case at hand, and what they did."""

    guard: Any
    weights: Path
    caller: int = field(default_factory=threading.get_ident)
    places: list[Place] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    where: str = ""
    # Of one case:
    count: int = 1
    armed: Sequence[Fault] = ()
    refused: frozenset[int] = NOTHING
    bad: frozenset[int] = NOTHING
    lost: set[int] = field(default_factory=set)
    must: list[BaseException] = field(default_factory=list)
    may: list[BaseException] = field(default_factory=list)
    unsure: bool = False
    struck: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    _current: int = 0
    _signalled: bool = False
    _busy: int = 0
    _let_go: threading.Event = field(default_factory=threading.Event)

    # ---- a case

    def begin(
        self,
        count: int = 1,
        faults: Sequence[Fault] = (),
        refused: frozenset[int] = NOTHING,
        bad: frozenset[int] = NOTHING,
    ) -> None:
        """From now on the next call meets these faults. Waits until what hung in the last case has come back."""
        self.armed = ()
        self._let_go.set()
        runner = self.guard._parts.judge.runner
        until = time.monotonic() + PATIENT_S
        while self._busy or any(p._hung or p._jobs.qsize() for p in runner._pools.values()):
            assert time.monotonic() < until
            time.sleep(0.001)
        self._let_go.clear()
        self.weights.touch()
        hangs = any(f.how == "hangs" for f in faults)
        for check in runner.checks:
            check.timeout_s = HANG_S if hangs else PATIENT_S
        self.count, self.armed, self.refused, self.bad = count, tuple(faults), refused, bad
        self.lost, self.must, self.may, self.struck, self.passed, self.where = set(), [], [], 0, Counter(), ""
        self._signalled = False
        # Then a verdict may be late that was none of the faults', or an error may have been a missing verdict.
        self.unsure = hangs or any(f.spot == "line" for f in faults)

    @property
    def due(self) -> set[int]:
        """The outputs that must not come out."""
        return {*self.refused, *self.bad, *self.lost}

    @contextlib.contextmanager
    def interrupted(self) -> Iterator[None]:
        """The thread is interrupted in the block, where there is a fault that says at which line."""
        if any(f.spot == "line" for f in self.armed):
            sys.settrace(lambda frame, *_: self._line if frame.f_code.co_filename.startswith(PACKAGE) else None)
        try:
            yield
        finally:
            sys.settrace(None)

    def _line(self, frame: Any, event: str, arg: Any) -> Any:
        if event != "line":
            return self._line
        self.passed["line"] += 1
        fault = next((f for f in self.armed if f.spot == "line" and f.nth <= self.passed["line"]), None)
        if fault is not None and fault.error is not None and can_be_interrupted(frame):
            sys.settrace(None)
            self.struck += 1
            self.fired["line: interrupted"] += 1
            self.where = f"{frame.f_code.co_filename[len(PACKAGE) :]}:{frame.f_lineno}"
            self.may.append(fault.error)
            raise fault.error
        return self._line

    def signalled(self, *_: Any) -> None:
        """The handler of the signal."""
        if not self._signalled:
            self._signalled = True
            self.may.append(Interrupted())
            raise self.may[-1]

    def _interrupt_caller(self) -> None:
        # A signal that comes the moment before the thread begins to wait does not wake it: then another one does.
        while not self._signalled and not self._let_go.is_set():
            signal.pthread_kill(self.caller, signal.SIGUSR1)
            self._let_go.wait(0.02)

    # ---- spots

    def _due(self, spot: str) -> Fault | None:
        self.passed[spot] += 1
        fault = next((f for f in self.armed if f.spot == spot and f.nth == self.passed[spot]), None)
        if fault is not None:
            self.struck += 1
            self.fired[f"{spot}: {fault.how}"] += 1
        return fault

    def strike(self, spot: str) -> None:
        """Raise what is to be raised here: it must reach the caller."""
        fault = self._due(spot)
        if fault is not None and fault.error is not None:
            self.must.append(fault.error)
            raise fault.error

    def checked(self, plain: Callable[..., Any], batch: Sequence[Request], stage: Stage) -> Any:
        """The answers of a check, or what a fault makes of them."""
        self._busy += 1
        try:
            rows = self._rows(batch, stage)
            fault = self._due(stage.value)
            if stage is not Stage.STEP:
                self.lost |= set(rows)
            if fault is not None and fault.how == "model gone":
                self.weights.unlink(missing_ok=True)
            answers = plain(batch, stage)
            if fault is not None and fault.how in ANSWERS:
                return ANSWERS[fault.how](answers)
            if fault is not None and fault.how in ("hangs", "signal"):
                if fault.how == "signal":
                    self._interrupt_caller()
                self._let_go.wait(60)
                return answers
            self.lost -= set(rows)
            if fault is not None and fault.how == "half":
                self.lost |= {rows[-1]} if stage is not Stage.STEP else set()
                return [*answers[:-1], SignalValues({})]
            if fault is not None and fault.how == "unpromised":
                return [SignalValues({**a.signals, "output.faces": (), "prompt.minor": 0.0}) for a in answers]
            if fault is not None and fault.how == "stopped":
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.caller), ctypes.py_object(Interrupted))
            return answers
        finally:
            self._busy -= 1

    def _rows(self, batch: Sequence[Request], stage: Stage) -> list[int]:
        """Which outputs a batch of a check is about."""
        if stage in (Stage.STEP, Stage.OUTPUT):
            self._current = int(batch[0].media(stage)[0].index)
            return [self._current]
        gone = self.refused | self.lost if stage is Stage.REFERENCE else set()
        rows = [i for i in range(self.count) if i not in gone]
        assert len(rows) == len(batch)
        return rows

    def score(self, image: ImageInput) -> float:
        """What the check of pictures says. It reads its model file each time."""
        self.weights.read_bytes()
        return 0.9 if image.role in (Role.OUTPUT, Role.PREVIEW) and image.index in self.bad else 0.0

    def marked(self, pixels: Any, mark_id: str, *, tag: int) -> Any:
        """In the place of the watermark, which noise of 64 pixels does not always hold: the id as grey pixels."""
        fault = self._due("mark")
        if fault is not None and fault.error is not None:
            if isinstance(fault.error, MarkError):
                self.lost.add(self._current)
            else:
                self.must.append(fault.error)
            raise fault.error
        marked = np.array(pixels)
        grey = np.array(digits(mark_id), np.uint8)[:, None]
        marked[0, : len(grey)] = grey if marked.dtype == np.uint8 else grey / np.float32(255)
        return marked

    def recorded(self, plain: Callable[..., Any], events: Any) -> Any:
        """The record, whose file is read-only or whose disk is full where a fault says so."""
        fault, store = self._due("record"), self.guard.audit.store
        if fault is not None and fault.how == "raises" and fault.error is not None:
            self.must.append(fault.error)
            raise fault.error
        if fault is not None:
            store.rows("PRAGMA query_only = 1" if fault.how == "read-only" else "PRAGMA max_page_count = 1")
        try:
            return plain(events)
        except AuditError:
            # A full disk may have had room for this one record.
            self.lost |= set(range(self.count))
            raise
        finally:
            if fault is not None:
                store.close()


def digits(mark_id: str) -> list[int]:
    """A mark id, 10 hex digits, as values of pixels."""
    return [int(d, 16) * 17 for d in mark_id]


def breakable(world: World, family: str) -> Any:
    """A pipeline of its own whose parts pass by the spots where faults strike."""
    pipe = (BUILDERS | MODULAR)[family]()
    denoiser(pipe).register_forward_pre_hook(lambda *_: world.strike("denoiser"))
    if getattr(pipe, "text_encoder", None) is not None:
        pipe.text_encoder.register_forward_pre_hook(lambda *_: world.strike("text encoder"))
    if getattr(pipe, "vae", None) is not None:
        decode = pipe.vae.decode

        def struck(*args: Any, **kwargs: Any) -> Any:
            world.strike("decoder")
            return decode(*args, **kwargs)

        pipe.vae.decode = struck
    return pipe


def places(world: World, families: Sequence[str]) -> list[Place]:
    """Every family wrapped in three ways and installed, with previews and without."""
    made: list[Place] = []
    for family in families:
        wrapped, installed = breakable(world, family), breakable(world, family)
        names = inspect.signature(type(wrapped).__call__).parameters
        callback = next((n for n in ("callback_on_step_end", "callback") if n in names), "")
        spots = ["output", "output", "output", "record", "mark", "denoiser", "line"]
        spots += ["prompt", "text encoder"] if hasattr(wrapped, "text_encoder") else []
        spots += ["decoder"] if hasattr(wrapped, "vae") else []
        spots += ["callback"] if callback else []
        spots += ["reference"] * 3 if family == "img2img" else []
        for on_block, previews in (("placeholder", False), ("raise", "auto"), ("none", False)):
            guarded = guardrail.wrap(wrapped, guard=world.guard, on_block=on_block, previews=previews)
            more = ["step"] * 3 if previews else []
            made.append(Place(family, wrapped, guarded, on_block, (*spots, *more), callback))
        guardrail.install(installed, guard=world.guard, previews="auto")
        made.append(Place(family, installed, installed, "placeholder", (*spots, *["step"] * 3), callback))
    return made


@contextlib.contextmanager
def a_world(folder: Path, families: Sequence[str]) -> Iterator[World]:
    """A world in a folder; the signal of its faults is caught while it is there."""
    weights = folder / "model.onnx"
    (folder / "rules.yaml").write_text(RULES, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUARDRAIL_HOME", str(folder))
        install(patch, Words, ScriptedNudity)
        with guardrail.Guard(folder / "rules.yaml", gallery=None, audit=folder / "audit.db") as guard:
            world = World(guard, weights)
            patch.setattr(ScriptedNudity, "judge", staticmethod(world.score))
            for check in guard._parts.judge.runner.checks:
                patch.setattr(check, "check", functools.partial(world.checked, check.check), raising=False)
            patch.setattr(guard.marks, "embed", world.marked)
            patch.setattr(guard.audit, "append_many", functools.partial(world.recorded, guard.audit.append_many))
            world.places = places(world, families)
            before = signal.signal(signal.SIGUSR1, world.signalled)
            try:
                yield world
            finally:
                world.begin()
                signal.signal(signal.SIGUSR1, before)
