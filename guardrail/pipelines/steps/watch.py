"""One run of a pipeline, looked at while it denoises: previews judged, and the run ended when nothing is left to make.

A preview that is refused blocks the one output that it belongs to; the others go on and come out as they would have.
When every output that the run is for is refused, the run ends by an exception of ours. A preview that cannot be made or
judged is no verdict: it is named in the coverage, and the output itself is still judged.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardrail.decision import Action, Coverage, Reason, Stage
from guardrail.errors import InputError, UnsupportedInput
from guardrail.guard.item import Item
from guardrail.guard.session import Session
from guardrail.media import ImageInput, Role
from guardrail.pipelines.steps.decoding import prepare, preview_frames
from guardrail.pipelines.steps.hosts import Host, hosts, makes_pixels
from guardrail.pipelines.steps.settings import PreviewSettings
from guardrail.pipelines.steps.tap import step_arguments, tapped
from guardrail.pipelines.steps.x0 import predicted_x0, proved
from guardrail.signals import Score

POLICY_LIMIT_S = 1.0

__all__ = ["GuardStop", "Watch"]


class GuardStop(Exception):
    """No error: how a run ends whose outputs are all refused. Never leaves the guarded call."""


@dataclass(slots=True, eq=False)
class _Course:
    """How far one scheduler has come. Holds it, so that its id is not given to another one."""

    scheduler: Any
    total: int
    due: frozenset[int]
    count: int = 0


@dataclass(slots=True, eq=False)
class Watch:
    """What is known of the outputs of one call from their previews.

    Args:
        outputs: for each row of the batch, which item it belongs to and which of its outputs it is.
        size: height and width in pixels of the outputs.

    Attributes:
        shown: output → its item, with what the newest preview said; blocked where that was refused.
        steps: steps taken and steps there would have been, of the scheduler whose step ended a run.
    """

    settings: PreviewSettings
    session: Session
    pipe: Any
    outputs: Sequence[tuple[int, int]]
    size: tuple[int, int]
    shown: dict[int, Item] = field(default_factory=dict)
    steps: tuple[int, int] | None = None
    _members: frozenset[int] = frozenset()
    _hosts: list[Host] = field(default_factory=list)
    _courses: dict[int, _Course] = field(default_factory=dict)
    _worth: dict[int, bool] = field(default_factory=dict)
    _stop: GuardStop | None = None

    @contextlib.contextmanager
    def run(self, items: Sequence[int]) -> Iterator[None]:
        """Look on while the block generates the outputs of these items.

        Raises:
            GuardStop: all of them were refused; `ended` says whether it was this run's.
        """
        self._members = frozenset(o for o, (item, _) in enumerate(self.outputs) if item in items)
        self._courses, self._stop = {}, None
        self._hosts = self._ready()
        with tapped([h.scheduler for h in self._hosts], self._look):
            yield

    def ended(self, error: GuardStop) -> bool:
        """Whether an exception is how the last run was ended."""
        return error is self._stop

    def known(self, index: int, made: int) -> Item | None:
        """What previews said of one of `made` outputs; ``None`` where nothing was seen.

        Where there are more or fewer outputs than rows were looked at, nobody can tell which was which: then all
        outputs of an item of which a preview was refused are.
        """
        if made == len(self.outputs):
            return self.shown.get(index)
        owner = min(index * len(self.session.items) // max(1, made), len(self.session.items) - 1)
        of_item = [shown for o, shown in self.shown.items() if self.outputs[o][0] == owner]
        return next((shown for shown in of_item if shown.blocked), of_item[0] if of_item else None)

    # ---- before a run

    def _ready(self) -> list[Host]:
        """The hosts that previews can be made of. What takes long is done here, before anything is on its way."""
        if not self._open():
            return []
        ready: list[Host] = []
        for host in hosts(self.pipe):
            if host.autoencoder is None and not makes_pixels(host.pipe):
                continue
            cause = proved(host.scheduler)
            if not cause:
                cause = self._prepared(host)
            if cause:
                self._missed(cause, self._open())
            else:
                ready.append(host)
        return ready

    def _prepared(self, host: Host) -> str:
        try:
            prepare(host, self.settings.decoder)
        except InputError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - no preview; what is generated is judged all the same
            return f"the autoencoder could not be measured: {type(error).__name__}"
        return ""

    def _open(self) -> list[int]:
        """Outputs of this run that a preview could still stop."""
        return [o for o in sorted(self._members) if not self._item(o).blocked and self._wanted(self.outputs[o][0])]

    def _item(self, output: int) -> Item:
        return self.shown.get(output) or self.session.items[self.outputs[output][0]]

    def _wanted(self, item: int) -> bool:
        if item not in self._worth:
            self._worth[item] = could_block(self.session, self.session.items[item])
        return self._worth[item]

    # ---- at a step

    def _look(self, scheduler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._stop is not None:
            # Somebody caught it and went on.
            raise self._stop
        course = self._courses.get(id(scheduler))
        if course is None or course.count >= course.total:
            given = step_arguments(scheduler, args, kwargs)
            total = _steps_left(scheduler, given.get("timestep"))
            course = _Course(scheduler, total, self.settings.calls(total))
            self._courses[id(scheduler)] = course
        course.count += 1
        if course.count in course.due:
            self._preview(course, step_arguments(scheduler, args, kwargs))

    def _preview(self, course: _Course, given: dict[str, Any]) -> None:
        rows = self._open()
        if not rows:
            return
        begun = time.perf_counter()
        try:
            frames = self._frames(course.scheduler, given, rows)
        except InputError as error:
            self._missed(str(error), rows)
            return
        except Exception as error:  # noqa: BLE001 - a failed preview is no verdict: the output is judged all the same
            self._missed(f"it could not be made: {type(error).__name__}", rows)
            return
        for output, frame in zip(rows, frames, strict=True):
            self._judge(output, frame, begun)
            begun = time.perf_counter()
        if all(self._item(o).blocked for o in self._members):
            self.steps = (course.count, course.total)
            self._stop = GuardStop(f"stopped at step {course.count} of {course.total}")
            raise self._stop

    def _frames(self, scheduler: Any, given: dict[str, Any], rows: Sequence[int]) -> list[Any]:
        import torch

        with torch.no_grad():
            x0 = predicted_x0(scheduler, given)
            if x0.shape[0] != len(self.outputs):
                raise UnsupportedInput(f"a step of {x0.shape[0]} where there are {len(self.outputs)} outputs")
            return preview_frames(self._host(scheduler), self.settings.decoder, x0[list(rows)], self.size)

    def _host(self, scheduler: Any) -> Host:
        """Of a copy, the host whose scheduler it is a copy of."""
        same = [h for h in self._hosts if h.scheduler is scheduler]
        same = same or [h for h in self._hosts if type(h.scheduler) is type(scheduler)]
        if not same:
            raise UnsupportedInput("a step of a scheduler that is not the pipeline's")
        return same[0]

    def _judge(self, output: int, frame: Any, begun: float) -> None:
        item, image = self.outputs[output]
        before = self.shown.get(output) or self.session.items[item].fork(image)
        shown = self.session.judge_preview(before, ImageInput((frame,), "preview", output, Role.PREVIEW))
        shown.took("step.preview", begun)
        if any(v is None for n, v in shown.signals.items() if n.startswith("step.") and n not in before.signals):
            before.coverage += [c for c in shown.coverage if c not in before.coverage]
            before.coverage.append(Coverage("preview", "step", "a check could not judge a preview"))
            self.shown[output] = before
        elif shown.blocked and self._sure(before, shown):
            self.shown[output] = shown
        else:
            self.shown[output] = _carried(before, shown)

    def _sure(self, before: Item, shown: Item) -> bool:
        """Whether a refusal is by the margin that is asked for, or for something that has none."""
        new = [r for r in shown.reasons[len(before.reasons) :] if r.effect is Action.BLOCK and not r.shadow]
        return not new or any(_margin(r) >= self.settings.margin for r in new)

    def _missed(self, cause: str, outputs: Sequence[int]) -> None:
        for output in outputs:
            item, image = self.outputs[output]
            known = self.shown.setdefault(output, self.session.items[item].fork(image))
            known.coverage.append(Coverage("preview", "step", cause))


def could_block(session: Session, item: Item) -> bool:
    """Whether the policy, as things stand, would refuse the worst preview there could be.

    Where it would not, none is made: what costs time and can change nothing.
    """
    judge = session.parts.judge
    worst: dict[str, Any] = {}
    for check in judge.runner.checks:
        for spec in check.gives:
            if spec.stage is Stage.STEP:
                # Other kinds than scores have no worst value: then a preview is made.
                worst[spec.name] = 1.0 if isinstance(spec.kind, Score) else None
    if not worst:
        return False
    if None in worst.values():
        return True
    due = item.due() | {Stage.STEP}
    try:
        verdict = judge.engine.evaluate(
            {**item.signals, **worst}, stage=Stage.STEP, due=due, deadline=time.monotonic() + POLICY_LIMIT_S
        )
    except Exception:  # noqa: BLE001 - an engine that cannot say is asked again with a preview, and refuses then
        return True
    return verdict.action is Action.BLOCK


def _carried(before: Item, shown: Item) -> Item:
    """The item with what a preview said, and without a block."""
    kept = shown.fork(before.image_index)
    if shown.blocked:
        kept.action, kept.stage, kept.reasons, kept.messages = before.action, before.stage, list(before.reasons), {}
    return kept


def _margin(reason: Reason) -> float:
    """By how much the preview's own score is over the limit; without one, there is nothing to be unsure of."""
    found = [leaf.margin for leaf in reason.leaves if leaf.signal.startswith("step.")]
    return max((m for m in found if m is not None), default=1.0)


def _steps_left(scheduler: Any, t: Any) -> int:
    """How many steps are left from the one at `t` on: pipelines that start from a picture skip the first ones."""
    times = scheduler.timesteps
    times = times.tolist() if hasattr(times, "tolist") else list(times)
    if t is None or (hasattr(t, "numel") and t.numel() != 1):
        return len(times)
    now = float(t)
    return len(times) - next((i for i, other in enumerate(times) if abs(float(other) - now) < 1e-6), 0)
