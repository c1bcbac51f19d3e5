"""One guarded call of a pipeline: judge what goes in, generate, and hand what comes out to the release."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from guardrail.decision import Coverage, Decision, Decisions
from guardrail.errors import Blocked
from guardrail.guard import Guard
from guardrail.guard.item import Item
from guardrail.guard.session import Session
from guardrail.media import ImageInput
from guardrail.pipelines import hints
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.evidence import Judged, judge_call
from guardrail.pipelines.inputs import CallInputs
from guardrail.pipelines.kinds import Kind
from guardrail.pipelines.latents import decode_latents
from guardrail.pipelines.outputs import Result
from guardrail.pipelines.placeholders import (
    COUNTS,
    empty_result,
    flagged,
    output_size,
    outputs_per_prompt,
    placeholder,
)
from guardrail.pipelines.provenance import Origin, ledger_of
from guardrail.pipelines.release import Release
from guardrail.pipelines.rewriters import Rewriting
from guardrail.pipelines.steering import steered
from guardrail.pipelines.steps import GuardStop, PreviewSettings, Watch
from guardrail.pipelines.steps.settling import settle

__all__ = ["GuardedCall", "OnBlock", "last_decisions", "note_decisions"]

OnBlock = Literal["placeholder", "raise", "none"]
_last: ContextVar[Decisions | None] = ContextVar("guardrail_last_decisions", default=None)


def note_decisions(verdicts: Decisions) -> None:
    """Make `verdicts` the last decisions of this thread or task."""
    _last.set(verdicts)


def last_decisions() -> Decisions | None:
    """The decisions of the last guarded call of this thread or task; for callers that ask for tuples."""
    return _last.get()


@dataclass(slots=True)
class GuardedCall:
    """The state of one call.

    Args:
        call: the pipeline's own ``__call__``, unbound.
        previews: when to look at what is being made, and through what.
        standing: what an earlier call of another entry (`invert`) left in the pipeline.
        swapped: parts of the pipeline that are others than when it was put under the guard.
    """

    guard: Guard
    pipe: Any
    call: Callable[..., Any]
    on_block: OnBlock
    previews: PreviewSettings = field(default_factory=lambda: PreviewSettings(()))
    standing: Origin | None = None
    swapped: Sequence[Coverage] = ()
    judged: Judged = field(init=False)
    watch: Watch | None = field(init=False, default=None)
    rewriting: Rewriting | None = field(init=False, default=None)

    def __call__(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Run the call.

        Raises:
            Blocked: with ``on_block="raise"``, if anything is blocked; nothing is generated if it was the input.
            TypeError: as calling the pipeline would.
        """
        self.judged = judge_call(
            self.guard, self.pipe, self.call, args, kwargs, standing=self.standing, swapped=self.swapped
        )
        blocked = [i for i, item in enumerate(self.items) if item.blocked]
        if blocked and self.on_block == "raise":
            self._refuse(self.items)
        if len(blocked) == len(self.items):
            return self._nothing()
        begun = time.perf_counter()
        result = self._generate(blocked)
        for item in self._tracked:
            item.took("generate", begun)
        if result is None:
            if self.on_block == "raise":
                self._refuse(self.items)
            return self._nothing()
        return self._release(result)

    @property
    def arguments(self) -> Arguments:
        return self.judged.arguments

    @property
    def inputs(self) -> CallInputs:
        return self.judged.inputs

    @property
    def session(self) -> Session:
        return self.judged.session

    @property
    def items(self) -> list[Item]:
        return self.session.items

    @property
    def _tracked(self) -> list[Item]:
        """The items, and what previews made of each output."""
        return [*self.items, *(self.watch.shown.values() if self.watch is not None else ())]

    @property
    def latent(self) -> bool:
        return self.arguments.get("output_type") in ("latent", "latents")

    # ---- generating

    def _run(self, arguments: Arguments) -> Result:
        return Result.open(self.call(self.pipe, **arguments.values), latent=self.latent, call=self.call)

    def _run_followed(self, arguments: Arguments, members: Sequence[int], *, previews: bool = True) -> Result | None:
        """The same for the outputs of `members`, with what the pipeline makes of their prompts judged on the way."""
        if self.rewriting is None:
            self.rewriting = Rewriting(self.pipe, self.session)
        try:
            with self.rewriting.run(arguments, members):
                return self._run_watched(arguments, members) if previews else self._run(arguments)
        except GuardStop as stop:
            if not self.rewriting.ended(stop):
                raise
            settle(self.pipe)
            return None

    def _run_watched(self, arguments: Arguments, members: Sequence[int]) -> Result | None:
        """The same for the outputs of `members`, with previews; ``None`` where all of them were refused on the way."""
        if not self.previews.fractions:
            return self._run(arguments)
        if self.watch is None:
            each = outputs_per_prompt(self.arguments)
            outputs = [(i, k) for i in range(len(self.items)) for k in range(each)]
            size = output_size(self.pipe, self.arguments, self.inputs)
            self.watch = Watch(self.previews, self.session, self.pipe, outputs, size)
        try:
            with self.watch.run(members):
                return self._run(arguments)
        except GuardStop as stop:
            if not self.watch.ended(stop):
                raise
            settle(self.pipe)
            return None

    def _generate(self, blocked: Sequence[int]) -> Result | None:
        """Generate all items that are not blocked. Steered and unsteered items do not share a run.

        A negative prompt for one item can change its neighbours (an empty one is not the same as none to every
        pipeline), so each group has a run of its own over the whole batch, from the same random state. ``None`` where
        previews ended every run.
        """
        plan = hints.Hints(self.pipe, self.arguments, self.items)
        state = hints.RandomState(self.arguments, self.pipe) if len(plan.groups) > 1 else None
        merged: Result | None = None
        for number, (wish, members) in enumerate(plan.groups.items()):
            if number and state is not None:
                state.restore()
            others = [i for i in range(len(self.items)) if i not in members]
            arguments = self.inputs.altered(self.items, blanked=sorted({*blocked, *others}))
            with plan.steered(arguments, wish, self.inputs.count) as changed:
                result = self._run_followed(changed, members)
            merged = self._merged(merged, result, members) if result is not None else merged
        for item in self._tracked:
            plan.report(item)
        return merged

    def _merged(self, merged: Result | None, result: Result, members: Sequence[int]) -> Result:
        if merged is None:
            return result
        for index in range(len(result)):
            if self._owner(index, len(result)) in members:
                merged.put_native(index, result.media[index])
        return merged

    def _owner(self, index: int, outputs: int) -> int:
        """Which prompt an output belongs to: diffusers orders its outputs by prompt."""
        return min(index * len(self.items) // max(1, outputs), len(self.items) - 1)

    def _again(self, item_index: int, sha: str, attempt: int) -> tuple[Any, ImageInput | None]:
        """Another attempt at one output, with a seed of its own, steered away from what was refused where it can be.

        Without a picture where the attempt was refused on the way.
        """
        with hints.untouched(self.arguments, self.pipe):
            arguments = self.inputs.single(self.items, item_index)
            for name in COUNTS:
                if arguments.accepts(name):
                    arguments.values[name] = 1
            arguments.values["generator"] = hints.new_generator(self.arguments, sha, attempt)
            wish = hints.wish_again(self.pipe, arguments, self.items[item_index])
            with steered(self.pipe, arguments, wish, 1) as (changed, _):
                result = self._run_followed(changed, [item_index], previews=False)
        return (result.media[0], self._picture(result, 0)) if result is not None else (None, None)

    def _picture(self, result: Result, index: int) -> ImageInput:
        if result.form != "latent":
            return result.image(index)
        height, width = output_size(self.pipe, self.arguments, self.inputs)
        return decode_latents(self.pipe, result.media[index], height, width)

    # ---- releasing

    def _release(self, result: Result) -> Any:
        release = Release(
            self.guard, self.session, result, type(self.pipe).__name__, self._picture, self._again, self._known
        )
        decisions = release.all([self._owner(i, len(result)) for i in range(len(result))])
        for index, decision in enumerate(decisions):
            if decision.blocked:
                self._hide(result, index)
            elif result.form == "latent" and all(u.kind == Kind.LATENT for u in self.inputs.unverified):
                # Under the same guard they are known from now on, as what they were made from.
                origin = self._origin(self._owner(index, len(result)))
                ledger_of(self.guard).add(result.media[index], [origin] * len(result.media[index]))
        verdicts = Decisions(decisions)
        note_decisions(verdicts)
        if self.on_block == "raise" and any(d.blocked for d in decisions):
            raise Blocked(_first_message(decisions), verdicts)
        value = result.close([i for i, d in enumerate(decisions) if d.blocked])
        return _with_decisions(flagged(value, [d.blocked for d in decisions], self.call), verdicts)

    def _known(self, index: int, made: int) -> Item | None:
        if self.watch is None or self.items[self._owner(index, made)].blocked:
            return None
        return self.watch.known(index, made)

    def _origin(self, index: int) -> Origin:
        """What the outputs of an item were made from, with what the pipeline made of its prompt."""
        origin = self.judged.origins[index]
        return self.rewriting.origin(index, origin) if self.rewriting is not None else origin

    def _hide(self, result: Result, index: int) -> None:
        """Neutral pixels, or nothing, in the place of a blocked output."""
        if result.form == "latent":
            result.put_native(index, result.media[index] * 0)
        elif self.on_block == "none" and result.form == "pil":
            result.put_native(index, None)
        else:
            frames = result.frames(index)
            result.put(index, [placeholder(*f.shape[:2]) for f in frames])

    # ---- when nothing is generated

    def _close_blocked(self, items: Sequence[Item]) -> Decisions:
        each = outputs_per_prompt(self.arguments)
        made = each * len(items)
        forks = [(self._known(i * each + k, made) or item).fork(k) for i, item in enumerate(items) for k in range(each)]
        decisions, _ = self.session.close([(fork, "", "") for fork in forks])
        verdicts = Decisions(decisions)
        note_decisions(verdicts)
        return verdicts

    def _refuse(self, items: Sequence[Item]) -> None:
        verdicts = self._close_blocked(items)
        raise Blocked(_first_message(tuple(verdicts)), verdicts)

    def _nothing(self) -> Any:
        """The answer to a call that is blocked as a whole. The pipeline does not run, but where only it knows the form
        of its output: then it runs one step on nothing, and the result is blanked."""
        verdicts = self._close_blocked(self.items)
        value = empty_result(self.pipe, self.call, self.arguments, self.inputs)
        if value is None:
            value = self._dry_run()
        elif self.on_block == "none":
            opened = Result.open(value, latent=False)
            for index in range(len(opened)) if opened.form == "pil" else ():
                opened.put_native(index, None)
            value = opened.close()
        return _with_decisions(value, verdicts)

    def _dry_run(self) -> Any:
        with hints.untouched(self.arguments, self.pipe):
            arguments = self.inputs.altered(self.items, blanked=range(len(self.items)))
            for text in self.inputs.texts:
                arguments.replace(text.leaf.path, "")
            for name, value in (("num_inference_steps", 1), ("timesteps", None), ("sigmas", None)):
                if arguments.accepts(name):
                    arguments.values[name] = value
            arguments.values["generator"] = hints.new_generator(self.arguments, "", 0)
            result = self._run(arguments)
        for index in range(len(result)):
            self._hide(result, index)
        return result.close()


def _with_decisions(value: Any, verdicts: Decisions) -> Any:
    """``value.guardrail``, where the value can carry it; its fields and its tuple form stay as they are."""
    if not isinstance(value, tuple | list) and hasattr(value, "__dict__"):
        object.__setattr__(value, "guardrail", verdicts)
    return value


def _first_message(decisions: Sequence[Decision]) -> str:
    return next((d.message() for d in decisions if d.blocked), "blocked")
