"""One stage: run the checks, ask the policy, carry out what it says about the inputs, and check that it holds.

Signals keep what was said about the request as it came in: a later stage still knows that somebody was named or shown,
though the name was taken out and the face covered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from guardrail.actions import PlannedAction
from guardrail.actions.base import PlanInput
from guardrail.actions.redact import STRENGTHS, targets
from guardrail.decision import (
    CORE_ACTIONS,
    Action,
    ActionSpec,
    Alteration,
    Coverage,
    EffectiveCheck,
    Reason,
    Stage,
    Verdict,
)
from guardrail.errors import ActionError, CheckError, GalleryError
from guardrail.guard.attribution import attributed
from guardrail.guard.frames.first_look import FirstLook
from guardrail.guard.frames.following import between
from guardrail.guard.item import Item
from guardrail.guard.runner import Runner, StageFindings
from guardrail.media import ImageInput, Region, Request, Span
from guardrail.media.types import Frame
from guardrail.policy import PolicyEngine
from guardrail.policy.merge import stricter
from guardrail.signals import SignalValue

__all__ = ["Judge"]

POLICY_LIMIT_S = 1.0
REDACTIONS = frozenset({"blur", "pixelate", "fill", "replace"})
# What the guard hands on instead of carrying it out on the inputs.
NOTES = frozenset({"guide", "regenerate"})
_LABEL = {param.name: param for param in CORE_ACTIONS["label"].params}


@runtime_checkable
class _Recogniser(Protocol):
    def recognisable(self, before: Frame, after: Frame, region: Region) -> bool:
        """Whether anybody can tell the face of `region` in any rendering of `after`, (H, W, 3 or 4) as `before`."""
        ...


class Judge:
    """Evaluates stages with a fixed policy, fixed checks and fixed actions. Holds no state of a request."""

    def __init__(self, engine: PolicyEngine, runner: Runner, actions: Mapping[str, PlannedAction]) -> None:
        self.engine = engine
        self.runner = runner
        self.actions = actions
        self._effective = {c.name: c.effective() for c in runner.checks}
        self._first = FirstLook.of(engine)

    # ---- a stage

    def stage(self, items: Sequence[Item], stage: Stage) -> list[tuple[Verdict, StageFindings]]:
        """Run the checks of `stage` for all items and note what the policy says. Alters nothing yet."""
        if any(self._by_sample(item, stage) for item in items):
            return [self._looked(item, stage) for item in items]
        findings = self.runner.run([i.current for i in items], stage, [i.signals for i in items])
        return [(self._evaluate(item, found, stage), found) for item, found in zip(items, findings, strict=True)]

    def _by_sample(self, item: Item, stage: Stage) -> bool:
        """Whether the policy lets a sample of the frames do, if nothing is in it."""
        return item.action.rank < Action.ALTER.rank and self._first.samples(item.current, stage, item.signals)

    def _looked(self, item: Item, stage: Stage) -> tuple[Verdict, StageFindings]:
        if not self._by_sample(item, stage):
            (judged,) = self.stage([item], stage)
            return judged
        probe = item.fork(item.image_index)
        probe.ran.add(stage)

        def ask(signals: Mapping[str, SignalValue]) -> Verdict:
            return self._ask(probe, {**item.signals, **signals}, stage)

        found, coverage = self._first.look(self.runner, item.current, stage, item.signals, ask)
        item.coverage += coverage
        return self._evaluate(item, found, stage), found

    def _evaluate(self, item: Item, found: StageFindings, stage: Stage) -> Verdict:
        item.signals.update(found.signals)
        item.ran.add(stage)
        for name in found.ran:
            item.effective[name] = self._effective.get(name, EffectiveCheck(name, ""))
        for name, cause in found.failures.items():
            item.coverage.append(Coverage("check-failed", name, cause))
        for name, ms in found.timings_ms.items():
            step = f"{stage.value}.{name}"
            item.timings_ms[step] = item.timings_ms.get(step, 0.0) + ms
        begun = time.perf_counter()
        verdict = self._ask(item, item.signals, stage)
        item.took(f"{stage.value}.policy", begun)
        item.note(verdict, stage)
        for spec in verdict.specs:
            _keep_note(item, spec)
        if item.blocked or verdict.action is Action.ALTER:
            item.messages = self.engine.messages(item.reasons)
        return verdict

    def _ask(self, item: Item, signals: Mapping[str, object], stage: Stage) -> Verdict:
        deadline = time.monotonic() + POLICY_LIMIT_S
        try:
            verdict = self.engine.evaluate(signals, stage=stage, due=item.due(), deadline=deadline)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - whatever an engine raises, the answer is no
            return _refused(f"engine error: {type(error).__name__}", stage)
        if time.monotonic() > deadline:
            return _refused("the policy engine took too long", stage)
        return verdict

    # ---- alterations of the inputs

    def alter_inputs(self, item: Item, verdict: Verdict, found: StageFindings, stage: Stage) -> None:
        """Carry out what the verdict asks for at the prompt and reference stages; block where it does not hold."""
        for number, spec in enumerate(verdict.specs, 1):
            if item.blocked:
                return
            later = [s.to_json() for s in verdict.specs[number:] if s.kind == spec.kind]
            try:
                found = self._alter(item, spec, found, stage, later)
            except ActionError as error:
                item.block(stage, Reason("action", "", stage, Action.BLOCK, cause=f"{spec.kind}: {error}"))

    def _alter(
        self, item: Item, spec: ActionSpec, found: StageFindings, stage: Stage, later: Sequence[object]
    ) -> StageFindings:
        """Carry one action out. What was found in the texts moves with them: the next action needs it anew."""
        action = self.actions[spec.kind]
        if spec.kind in REDACTIONS:
            item.current, done = self.redact(item.current, action, spec, found.regions, stage, item)
            item.alterations += done
            return found
        spans = [*found.spans, *self._sentences(item, spec)]
        planned = action.plan(PlanInput(item.current, stage, spans, found.regions), spec.params)
        if action.spec.effect is not Action.ALTER:
            return found
        item.alterations += planned
        if spec.kind in NOTES:
            return found
        item.current = _with_changes(item.current, planned, stage)
        if any(p.text is not None for p in planned):
            found = replace(found, spans=self._require_text_holds(item, spec, later).spans)
        for p in planned:
            p.status = "applied"
        return found

    def _sentences(self, item: Item, spec: ActionSpec) -> list[Span]:
        """What is to be rewritten though no word of it is on a list. Dozens of model runs, so only where it is needed.

        Raises:
            ActionError: a check could not say.
        """
        if spec.kind != "rewrite" or spec.params.get("drop") != "sexual":
            return []
        spans, failures = attributed(self.runner.checks, item.current)
        for name, cause in failures.items():
            raise ActionError(f"{name}: {cause}")
        # Where it is the sentence and no words of it, there is nothing to take out.
        return [s for s in spans if s.label == "classifier"]

    def _require_text_holds(self, item: Item, spec: ActionSpec, later: Sequence[object]) -> StageFindings:
        """A rewritten prompt must pass: the same checks, the same rules, nothing left to rewrite or to block.

        Args:
            later: actions of the same kind that are still to come (persons first, then what is sexual).
        """
        (again,) = self.runner.run([item.current], Stage.PROMPT)
        verdict = self._ask(item, {**item.signals, **again.signals}, Stage.PROMPT)
        if verdict.action is Action.BLOCK or any(
            s.kind == spec.kind and s.to_json() not in later for s in verdict.specs
        ):
            raise ActionError("the changed prompt is still refused by the policy")
        return again

    # ---- covering faces and body parts

    def redact(
        self,
        request: Request,
        action: PlannedAction,
        spec: ActionSpec,
        regions: Sequence[Region],
        stage: Stage,
        item: Item,
    ) -> tuple[Request, list[Alteration]]:
        """Cover the targets, stronger each time, until it holds; in a video also between the frames that show them.

        Raises:
            ActionError: even the strongest redaction does not hold, or there is no way to tell.
        """
        target = str(spec.params.get("target", ""))
        chosen = targets(regions, target)
        everywhere = [*regions, *between(regions, request, stage)]
        for strength in range(STRENGTHS):
            planned = action.plan(PlanInput(request, stage, (), everywhere), spec.params, strength=strength)
            if not planned:
                raise ActionError("what is to be covered could not be located")
            altered = _with_changes(request, planned, stage)
            if self._redaction_holds(request, altered, chosen, target, spec, stage, item):
                for p in planned:
                    p.status = "applied"
                return altered, planned
        raise ActionError(f"{target} could not be covered so that it holds")

    def _redaction_holds(
        self,
        before: Request,
        after: Request,
        chosen: Sequence[Region],
        target: str,
        spec: ActionSpec,
        stage: Stage,
        item: Item,
    ) -> bool:
        if target == "nudity":
            (again,) = self.runner.run([after], stage)
            if again.failures:
                return False
            nudity = {k: v for k, v in again.signals.items() if k.endswith(".nudity")}
            verdict = self._ask(item, {**item.signals, **nudity}, stage)
            asked = any(s.kind == spec.kind and s.params.get("target") == target for s in verdict.specs)
            return verdict.action is not Action.BLOCK and not asked
        recogniser = next((c for c in self.runner.checks if isinstance(c, _Recogniser)), None)
        if recogniser is None:
            raise ActionError("no installed check can tell whether a covered face is still recognised")
        try:
            return not any(
                recogniser.recognisable(_pixels(before, stage, r), _pixels(after, stage, r), r) for r in chosen
            )
        except (CheckError, GalleryError) as error:
            raise ActionError(str(error)) from None


def _keep_note(item: Item, spec: ActionSpec) -> None:
    """Labels and reports add up over the stages. What blocks is reported too."""
    if spec.kind == "label":
        for name, value in spec.params.items():
            if value not in (False, "none"):
                known, param = item.labels.get(name), _LABEL.get(name)
                item.labels[name] = value if known is None or param is None else stricter(param, known, value)
    elif spec.kind == "report":
        rules = [r for r in item.reasons if r.kind == "rule" and not r.shadow]
        strictest = max(rules, key=lambda r: r.effect.rank, default=None)
        rule, severity = (strictest.rule, strictest.severity) if strictest else ("", "medium")
        item.reports.append((str(spec.params.get("queue", "review")), rule, severity))


def _refused(cause: str, stage: Stage) -> Verdict:
    return Verdict(Action.BLOCK, (ActionSpec("block"),), (Reason("engine", "", stage, Action.BLOCK, cause=cause),))


def _pixels(request: Request, stage: Stage, region: Region) -> Frame:
    """With its transparency: a face may be drawn in that alone."""
    image = request.media(stage)[region.image]
    assert isinstance(image, ImageInput)
    return image.frames[region.frame]


def _with_changes(request: Request, planned: Sequence[Alteration], stage: Stage) -> Request:
    """The request with new texts and new pixels in place of the old ones."""
    texts = list(request.texts)
    images = list(request.outputs if stage is Stage.OUTPUT else request.images)
    for change in planned:
        if change.text is not None:
            texts[change.index] = replace(texts[change.index], text=change.text)
        if change.pixels is not None:
            images[change.index] = replace(images[change.index], frames=tuple(change.pixels))
    if stage is Stage.OUTPUT:
        return replace(request, outputs=tuple(images))
    return replace(request, texts=tuple(texts), images=tuple(images))
