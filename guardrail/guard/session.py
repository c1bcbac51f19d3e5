"""One call through the stages: from requests to decisions, with alterations carried out and outputs marked.

Used by `Guard` for single checks and by the pipelines room for whole calls. A session holds the items of one call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guardrail.actions.redact import targets
from guardrail.decision import Action, ActionSpec, Alteration, Decision, Reason, Stage
from guardrail.errors import ActionError, InputError
from guardrail.guard.item import Item
from guardrail.guard.judge import REDACTIONS, Judge
from guardrail.guard.records import Recorder
from guardrail.keys import Keyring
from guardrail.marks.stack import MarkStack
from guardrail.media import ImageInput, Limits, Request
from guardrail.policy import PolicyEngine

__all__ = ["Output", "Parts", "Session"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a session works with; shared by all sessions of a guard."""

    engine: PolicyEngine
    judge: Judge
    recorder: Recorder
    keyring: Keyring
    marks: MarkStack
    limits: Limits


@dataclass(slots=True)
class Output:
    """One output on its way out.

    Args:
        item: its state.
        image: the pixels to release; ``None`` where they are blocked or not pixels (latents).
        changed: True where the pixels differ from what the pipeline made.
        regenerated: number of the attempt that passed, 0 for the first output.
    """

    item: Item
    image: ImageInput | None
    changed: bool = False
    regenerated: int = 0


@dataclass(slots=True)
class Session:
    """The items of one call."""

    parts: Parts
    items: list[Item] = field(default_factory=list)

    # ---- in

    def open(self, requests: Sequence[Request]) -> None:
        """Take the requests in: what is known from the start, and what is too large or unreadable."""
        down = self.parts.recorder.ready()
        for index, request in enumerate(requests):
            item = Item(request, request, self.parts.engine.ref, prompt_index=index)
            item.signals.update(
                {
                    "context.purpose": request.context.purpose,
                    "context.locale": request.context.locale,
                    "request.unverified": tuple({"kind": u.kind} for u in request.unverified),
                    "request.adapters": tuple({"kind": kind} for kind in request.adapters),
                }
            )
            self.items.append(item)
            if down:
                cause = f"the record cannot be written: {down}"
                item.block(Stage.PROMPT, Reason("audit", "", Stage.PROMPT, Action.BLOCK, "critical", cause))
                continue
            try:
                for text in request.texts:
                    text.within(self.parts.limits)
            except InputError as error:
                self.refuse(item, error)
                continue
            item.inputs = self._hashes(request)
            if request.context.user:
                item.user_hash = self.parts.keyring.fingerprint(request.context.user.encode())

    def refuse(self, item: Item, error: InputError, stage: Stage = Stage.PROMPT, which: str = "") -> None:
        """Block an item whose input cannot be read; the cause names the limit or the fault, never content.

        Args:
            stage: of the input; nothing is judged there.
            which: which of several inputs it is.
        """
        cause = f"{error.code}: {error}" + (f" ({which})" if which else "")
        item.block(stage, Reason("input", "", stage, Action.BLOCK, "medium", cause))

    def judge_inputs(self) -> None:
        """The prompt and reference stages of every item that is not blocked yet."""
        for stage in (Stage.PROMPT, Stage.REFERENCE):
            open_items = [i for i in self.items if not i.blocked]
            if stage is Stage.REFERENCE:
                open_items = [i for i in open_items if i.current.images]
            if not open_items:
                continue
            judged = self.parts.judge.stage(open_items, stage)
            for item, (verdict, found) in zip(open_items, judged, strict=True):
                if not item.blocked:
                    self.parts.judge.alter_inputs(item, verdict, found, stage)

    def judge_preview(self, item: Item, image: ImageInput) -> Item:
        """The step stage for one preview."""
        shown = item.fork(item.image_index)
        shown.current = replace(item.current, previews=(image,))
        self.parts.judge.stage([shown], Stage.STEP)
        return shown

    # ---- out

    def judge_output(
        self,
        item: Item,
        image: ImageInput,
        image_index: int,
        *,
        markable: str = "",
        again: Callable[[int], ImageInput | None] | None = None,
    ) -> Output:
        """The output stage for one image, with the alterations that the policy asks for.

        Args:
            image: the decoded output (for latents a private decode).
            markable: one of the words of ``output.markable``; by default from the size.
            again: makes another image for attempt 1, 2, …, or ``None`` when it cannot.
        """
        first = self._look(item, image, image_index, markable)
        item_out, verdict, found = first
        if item_out.blocked:
            return Output(item_out, None)
        specs = {s.kind: s for s in verdict.specs}
        if "regenerate" in specs:
            better = self._regenerate(item, item_out, specs["regenerate"], image_index, markable, again)
            if better is not None:
                return better
        redactions = [s for s in verdict.specs if s.kind in REDACTIONS]
        if redactions and markable != "latent":
            return self._redact(item_out, redactions, found.regions)
        if redactions or "regenerate" in specs:
            cause = "regenerate: no attempt passed" if "regenerate" in specs else "latents cannot be covered"
            item_out.block(Stage.OUTPUT, Reason("action", "", Stage.OUTPUT, Action.BLOCK, cause=cause))
            return Output(item_out, None)
        return Output(item_out, image)

    def _look(self, item: Item, image: ImageInput, image_index: int, markable: str) -> Any:
        fork = item.fork(image_index)
        fork.current = fork.current.with_output(image)
        fork.signals["output.markable"] = markable or self.parts.marks.grade(*image.size)
        ((verdict, found),) = self.parts.judge.stage([fork], Stage.OUTPUT)
        return fork, verdict, found

    def _regenerate(
        self,
        item: Item,
        refused: Item,
        spec: ActionSpec,
        image_index: int,
        markable: str,
        again: Callable[[int], ImageInput | None] | None,
    ) -> Output | None:
        attempts = int(spec.params.get("max", 1)) if again is not None else 0
        for attempt in range(1, attempts + 1):
            image = again(attempt) if again is not None else None
            if image is None:
                break
            fork, verdict, _ = self._look(item, image, image_index, markable)
            # Reports of an attempt stay, though its picture is thrown away.
            fork.reports = refused.reports = list(dict.fromkeys([*refused.reports, *fork.reports]))
            if fork.blocked or any(s.kind in REDACTIONS or s.kind == "regenerate" for s in verdict.specs):
                continue
            detail = f"attempt {attempt} of {attempts} passed"
            fork.reasons = [*refused.reasons, *(r for r in fork.reasons if r not in refused.reasons)]
            fork.alterations.append(Alteration("regenerate", Stage.OUTPUT, "applied", detail, params=dict(spec.params)))
            fork.action = Action.ALTER
            fork.messages = refused.messages
            return Output(fork, image, changed=True, regenerated=attempt)
        detail = "no attempt passed" if attempts else "the caller cannot generate again"
        refused.alterations.append(Alteration("regenerate", Stage.OUTPUT, "failed", detail, params=dict(spec.params)))
        return None

    def _redact(self, item: Item, specs: Sequence[ActionSpec], regions: Any) -> Output:
        judge = self.parts.judge
        try:
            for spec in specs:
                if not targets(regions, str(spec.params.get("target", ""))):
                    raise ActionError("what is to be covered could not be located")
                action = judge.actions[spec.kind]
                item.current, done = judge.redact(item.current, action, spec, regions, Stage.OUTPUT, item)
                item.alterations += done
        except ActionError as error:
            item.block(Stage.OUTPUT, Reason("action", "", Stage.OUTPUT, Action.BLOCK, cause=str(error)))
            return Output(item, None)
        return Output(item, item.current.outputs[0], changed=True)

    # ---- on record

    def close(self, outputs: Sequence[tuple[Item, str, str]]) -> tuple[list[Decision], bool]:
        """Turn (item, mark id, pixel hash) into decisions on record; blocks where the record cannot be written."""
        decisions = [item.decision(mark_id=mark, pixels_sha256=sha) for item, mark, sha in outputs]
        begun = time.perf_counter()
        written, ok = self.parts.recorder.write(decisions, [item.reports for item, _, _ in outputs])
        spent = (time.perf_counter() - begun) * 1e3
        for d in written:
            d.timings_ms = {**d.timings_ms, "audit": spent}
        return written, ok

    def _hashes(self, request: Request) -> dict[str, tuple[str, ...]]:
        fingerprint = self.parts.keyring.fingerprint
        hashes: dict[str, tuple[str, ...]] = {}
        if request.texts:
            hashes["text_hashes"] = tuple(fingerprint(t.text.encode("utf-8", "surrogatepass")) for t in request.texts)
        if request.images:
            hashes["image_hashes"] = tuple(fingerprint(i.digest()) for i in request.images)
        return hashes
