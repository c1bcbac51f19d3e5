"""Running the cases: real prompts and pictures, real checks, a real pipeline."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrail.decision import Decision, Decisions, Stage
from guardrail.demo.cases import CASES, PROTECTED_NAMES, Case
from guardrail.demo.standin import standin_pipeline
from guardrail.files import verify
from guardrail.guard import Guard
from guardrail.guard.enrol import enrol

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["CaseResult", "DemoRun", "run_demo"]

SIDE = 512  # of reference pictures, long side; of outputs where a model was given
STEPS = 4  # of a model that was given; a look at the whole way, not at its art
STANDIN_STEPS = 16
STANDIN_GUIDANCE = 3.0
STANDIN_SIDE = 64  # short side of what the stand-in model draws
SEED = 7


@dataclass(slots=True)
class CaseResult:
    """What became of a case.

    Attributes:
        differences: how it differs from what was expected; empty when it is as expected.
        before, after: the reference picture as given and as the pipeline got it.
        outputs: what was returned, one per prompt.
        verified: what `guardrail.verify` says about each released output.
    """

    case: Case
    decisions: Decisions
    differences: list[str] = field(default_factory=list)
    before: Image | None = None
    after: Image | None = None
    outputs: list[Image] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.differences


@dataclass(slots=True)
class DemoRun:
    """All results, and what they were made with.

    Attributes:
        standin: no model was given, so that the stand-in model drew the pictures.
    """

    results: list[CaseResult]
    model: str
    standin: bool
    effective: Sequence[str]
    policy: str

    @property
    def ok(self) -> bool:
        return all(r.ok for r in self.results)


def run_demo(
    folder: Path, *, model: str = "", policy: str = "default", progress: Callable[[str], None] = lambda _: None
) -> DemoRun:
    """Run all cases.

    Args:
        folder: where the demo's own gallery and record go.
        model: a model id or folder for diffusers; by default the stand-in model, which draws simple things.
        progress: told the title of each case when it begins.

    Raises:
        ConfigurationError: something that the policy needs is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("gallery.sqlite", "audit.sqlite"):
        for old in folder.glob(f"{name}*"):
            old.unlink()
    text2img, img2img = _pipelines(model)
    with _one_thread(not model):
        return _run(folder, text2img, img2img, model, policy, progress)


def _run(
    folder: Path, text2img: Any, img2img: Any, model: str, policy: str, progress: Callable[[str], None]
) -> DemoRun:
    options: dict[str, Any] = {"names": PROTECTED_NAMES, "gallery": folder / "gallery.sqlite"}
    with Guard(policy, audit=folder / "audit.sqlite", threads=2, **options) as guard:
        guard.warmup()
        player = _Player(guard, text2img, img2img, standin=not model)
        results = []
        for case in CASES:
            progress(case.title)
            results.append(player.play(case))
        effective = [f"{e.name} {e.version}" for e in guard.effective()]
        ref = guard.policy
    return DemoRun(results, model or "the stand-in model", not model, effective, f"{ref.id} {ref.version}")


@contextlib.contextmanager
def _one_thread(wanted: bool) -> Iterator[None]:
    """The stand-in model runs fastest on one thread: on a busy machine two wait for each other."""
    import torch

    before = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _pipelines(model: str) -> tuple[Any, Any]:
    if not model:
        img2img = standin_pipeline("StableDiffusionImg2ImgPipeline")
        img2img.image_processor = _reducing(img2img)
        return standin_pipeline(), img2img
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForText2Image

    text2img = AutoPipelineForText2Image.from_pretrained(model)
    return text2img, AutoPipelineForImage2Image.from_pipe(text2img)


def _reducing(pipe: Any) -> Any:
    """An image processor that brings reference pictures to the stand-in model's size, after the guard has seen them."""
    from diffusers.image_processor import VaeImageProcessor

    class Reducing(VaeImageProcessor):  # type: ignore[misc]
        def preprocess(self, image: Any, height: int | None = None, width: int | None = None, **options: Any) -> Any:
            pictures = image if isinstance(image, list) else [image]
            return super().preprocess([_fitted(p, min, STANDIN_SIDE) for p in pictures], height, width, **options)

    return Reducing(vae_scale_factor=pipe.vae_scale_factor)


class _Player:
    def __init__(self, guard: Guard, text2img: Any, img2img: Any, *, standin: bool) -> None:
        from guardrail.pipelines import wrap

        self.guard = guard
        self.bare = text2img
        self.text2img = wrap(text2img, guard=guard)
        self.img2img = wrap(img2img, guard=guard)
        self._enrolled = ""
        self._common: dict[str, Any] = {"num_inference_steps": STEPS}
        self._size = {"height": SIDE, "width": SIDE}
        if standin:
            self._common = {"num_inference_steps": STANDIN_STEPS, "guidance_scale": STANDIN_GUIDANCE}
            self._size = {"height": STANDIN_SIDE, "width": STANDIN_SIDE}

    def play(self, case: Case) -> CaseResult:
        if case.signals:
            return self._judge_signals(case)
        self._set_consent(case)
        with self.guard.context(locale=case.locale):
            return self._generate(case)

    def _generate(self, case: Case) -> CaseResult:
        import torch

        generators = [torch.Generator().manual_seed(SEED + i) for i in range(len(case.prompts))]
        common = {**self._common, "generator": generators}
        prompts = list(case.prompts)
        if case.image is None:
            out = self.text2img(prompts, **self._size, **common)
            result = CaseResult(case, out.guardrail, outputs=list(out.images))
        else:
            before = _fitted(case.image(), max, SIDE)
            out = self.img2img(prompts, image=before, strength=0.75, **common)
            result = CaseResult(case, out.guardrail, before=before, outputs=list(out.images))
            result.after = _after(before, out.guardrail[0])
        self._compare(result)
        if case.compare:
            self._compare_with_unguarded(result)
        return result

    def _set_consent(self, case: Case) -> None:
        """Consent of the portrait's person, as the case wants it."""
        if case.consented and not self._enrolled:
            assert case.image is not None
            faces = next(c for c in self.guard.session().parts.judge.runner.checks if c.name == "faces")
            photo = case.image()
            identity = enrol(faces, self.guard.gallery, [photo], list="consented", label="demo")  # type: ignore[arg-type]
            self._enrolled = identity.id
        elif not case.consented and self._enrolled:
            self.guard.gallery.revoke(self._enrolled)
            self._enrolled = ""

    def _judge_signals(self, case: Case) -> CaseResult:
        """The policy's answer to given signals, through the engine that the guard uses."""
        engine = self.guard.session().parts.engine
        signals: dict[str, Any] = {
            "request.unverified": (),
            "request.adapters": (),
            "context.purpose": "",
            "context.locale": "en",
            **case.signals,
        }
        verdict = engine.evaluate(signals, stage=Stage.PROMPT, due=frozenset({Stage.PROMPT}))
        decision = Decision(
            "signals-only",
            verdict.action,
            Stage.PROMPT,
            engine.ref,
            reasons=verdict.reasons,
            signals=dict(case.signals),
            messages=engine.messages(verdict.reasons),
        )
        result = CaseResult(case, Decisions([decision]))
        self._compare(result)
        queues = [str(spec.params["queue"]) for spec in verdict.specs if spec.kind == "report"]
        if not queues:
            result.differences.append("expected a report, got none")
        result.notes.append(
            f"judged on signals alone; the verdict asks for a report to: {', '.join(queues) or 'nobody'}"
        )
        return result

    def _compare(self, result: CaseResult) -> None:
        case = result.case
        got = tuple(d.action.value for d in result.decisions)
        if got != case.expect:
            result.differences.append(f"expected {', '.join(case.expect)}, got {', '.join(got)}")
        fired = {rule for d in result.decisions for rule in d.rules}
        if missing := case.rules - fired:
            result.differences.append(
                f"expected the rule {', '.join(sorted(missing))}; fired: {', '.join(sorted(fired))}"
            )
        if case.faces:
            judged = {_realness(item) for d in result.decisions for item in _faces(d)}
            result.notes.append(f"faces judged: {', '.join(sorted(judged)) or 'none found'}")
            if judged != {case.faces}:
                result.differences.append(
                    f"expected faces judged {case.faces}, got {', '.join(sorted(judged)) or 'none'}"
                )
        self._compare_outputs(result)

    def _compare_outputs(self, result: CaseResult) -> None:
        case = result.case
        for decision, image in zip(result.decisions, result.outputs, strict=False):
            if decision.blocked:
                result.verified.append("blocked: nothing to verify")
                continue
            found = verify(image, keyring=self.guard.keyring)
            layers = [f"{layer.name} {layer.verdict}" for layer in found.layers]
            rate = found.layers[0].false_positive_rate or 0.0
            result.verified.append(f"{'; '.join(layers)}; chance of error {rate:.0e}")
            if found.mark_id != decision.mark_id or not decision.mark_id:
                result.differences.append("a released output does not verify")
            if case.likeness and not decision.labels.get("likeness"):
                result.differences.append("expected the label of a likeness")
            for alteration in decision.alterations:
                result.notes.append(f"{alteration.kind}: {alteration.status}, {alteration.detail}")
            if case.steered and not any(a.kind == "guide" and a.status == "active" for a in decision.alterations):
                result.differences.append("expected active steering")

    def _compare_with_unguarded(self, result: CaseResult) -> None:
        """The allowed items of a batch against a bare run with the same seeds, by the hash before marking."""
        import torch

        from guardrail.pipelines.outputs import Result

        generators = [torch.Generator().manual_seed(SEED + i) for i in range(len(result.case.prompts))]
        harmless = [p if e == "allow" else "" for p, e in zip(result.case.prompts, result.case.expect, strict=True)]
        out = self.bare(harmless, **self._size, **self._common, generator=generators)
        bare = Result.open(out, latent=False)
        same = [bare.sha256(i) == d.pixels_sha256 for i, d in enumerate(result.decisions) if not d.blocked]
        result.notes.append(
            f"{sum(same)} of {len(same)} released outputs bit-identical to the unguarded run, before marking"
        )
        if not all(same):
            result.differences.append("a neighbour of the blocked item is not bit-identical to the unguarded run")


def _fitted(image: Image, which: Callable[[tuple[int, int]], int], side: int) -> Image:
    """The picture with its long (`max`) or short (`min`) side at `side`, both a multiple of 8 as autoencoders want."""
    factor = side / which(image.size)
    width, height = (max(8, round(length * factor / 8) * 8) for length in image.size)
    return image.resize((width, height))


def _after(before: Image, decision: Decision) -> Image:
    """The reference picture as the pipeline got it."""
    from PIL.Image import fromarray

    altered = [a.pixels for a in decision.alterations if a.stage is Stage.REFERENCE and a.pixels is not None]
    return fromarray(altered[-1][0][..., :3]) if altered else before


def _faces(decision: Decision) -> Sequence[Any]:
    faces = decision.signals.get("reference.faces")
    return faces if isinstance(faces, tuple) else ()


def _realness(face: Any) -> str:
    return "depiction" if float(face["real"]) < 0.5 else "unsure"
