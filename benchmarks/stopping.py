"""Stopping early on the stand-in model: what it saves, how often it is right, and what a step costs.

    python benchmarks/stopping.py [--prompts 500] [--tuning 100] [--decoder linear|vae] [--out FILE]
    python benchmarks/stopping.py --cost

Prompts that ask for the forbidden shape and as many that do not. Each picture is made to its end once, with previews at
many fractions written down beside the verdict on the picture itself; the judge of previews and that of pictures were
trained apart. Which fractions and which margin are used is chosen on prompts of their own (`--tuning`), and measured on
the others. A part of these is then made again by a guarded pipeline that does stop: the steps it takes must be the ones
that were worked out. Numbers only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set
import torch  # noqa: E402

import guardrail  # noqa: E402
from guardrail.checks import registry  # noqa: E402
from guardrail.checks.base import CheckSettings, SignalValues  # noqa: E402
from guardrail.decision import EffectiveCheck, Stage  # noqa: E402
from guardrail.media import ImageInput, Request, Role  # noqa: E402
from guardrail.pipelines.steps import PreviewSettings  # noqa: E402
from guardrail.signals import CORE  # noqa: E402

STEPS, GUIDANCE = 30, 4.0
LOOKED_AT = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
LIMIT = 0.5
MARGINS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.45)
TARGETS = {"saved": 0.45, "agreement": 0.97, "false_stops": 0.005}
RULES = """
policy: {id: stand-in, version: 1.0.0}
thresholds: {nudity: {partial: 0.5}}
rules:
  - {id: early, at: step, when: {step.nudity: ">= partial"}, then: block}
  - {id: late, at: output, when: {output.nudity: ">= partial"}, then: block}
"""


class Shapes:
    """Stands in the place of the nudity check: the forbidden shape. `stops` off: previews are only written down."""

    name = "nudity"
    version = "stand-in"
    stages = frozenset({Stage.STEP, Stage.OUTPUT})
    needs: frozenset[str] = frozenset()
    gives = (CORE["step.nudity"], CORE["output.nudity"])
    inline = True
    timeout_s = 30.0

    final: Any = None
    preview: Any = None
    stops = False
    seen: list[tuple[str, int, float]] = []  # noqa: RUF012 — one for all: the guard makes the object

    def __init__(self, settings: CheckSettings | None = None) -> None:
        pass

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues]:
        return [SignalValues({f"{stage.value}.nudity": self._score(r.media(stage)[0], stage)}) for r in batch]

    def _score(self, image: ImageInput, stage: Stage) -> float:
        own = type(self)
        early = image.role is Role.PREVIEW
        score = float((own.preview if early else own.final)(image.frames[0]))
        own.seen.append((stage.value, image.index, score))
        return score if not early or own.stops else 0.0

    def warmup(self) -> None:
        pass

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version)


def guarded(pipe: Any, folder: Path, settings: PreviewSettings) -> Any:
    """The pipeline under a policy that knows the forbidden shape and nothing else."""
    path = folder / "stand-in.yaml"
    path.write_text(RULES, "utf-8")
    registry.SHIPPED = {**registry.SHIPPED, "nudity": f"{Shapes.__module__}:Shapes"}
    guard = guardrail.Guard(path, audit=None, gallery=None, known=None)
    return guardrail.wrap(pipe, guard=guard, previews=settings)


def recorded(pipe: Any, prompts: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of previews (prompts, fractions) and of the pictures (prompts,), each picture made to its end."""
    early, late = [], []
    for i, prompt in enumerate(prompts):
        Shapes.seen.clear()
        pipe(
            prompt,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(seed + i),
            output_type="np",
        )
        early.append([s for stage, _, s in Shapes.seen if stage == "step"])
        late.append(next(s for stage, _, s in Shapes.seen if stage == "output"))
    return np.array(early), np.array(late)


def outcome(early: np.ndarray, late: np.ndarray, chosen: Sequence[int], margin: float) -> dict[str, Any]:
    """What stopping at some of the fractions would have done.

    Returns:
        saved: share of all steps of finally blocked pictures that are not taken. agreement: pictures that are stopped
        if and only if they are blocked at their end. false_stops: share of finally allowed pictures that are stopped.
    """
    hit = early[:, list(chosen)] >= LIMIT + margin
    stopped = hit.any(1)
    at = np.array([LOOKED_AT[chosen[int(h.argmax())]] if h.any() else 1.0 for h in hit])
    blocked = late >= LIMIT
    return {
        "pictures": len(late),
        "finally_blocked": int(blocked.sum()),
        "saved": round(float((1 - at[blocked]).mean()), 4) if blocked.any() else None,
        "agreement": round(float((stopped == blocked).mean()), 4),
        "missed": int((blocked & ~stopped).sum()),
        "false_stops": round(float(stopped[~blocked].mean()), 4) if (~blocked).any() else None,
    }


def choose(early: np.ndarray, late: np.ndarray) -> tuple[tuple[int, ...], float]:
    """Up to three fractions, the first at a fifth or later, and a margin: what holds the targets and saves most."""
    best: tuple[float, tuple[int, ...], float] | None = None
    usable = [i for i, f in enumerate(LOOKED_AT) if f >= 0.2]
    for count in (1, 2, 3):
        for chosen in combinations(usable, count):
            for margin in MARGINS:
                got = outcome(early, late, chosen, margin)
                wrong = max(0.0, TARGETS["agreement"] - got["agreement"])
                wrong += max(0.0, (got["false_stops"] or 0.0) - TARGETS["false_stops"])
                value = (got["saved"] or 0.0) - 10 * wrong
                if best is None or value > best[0]:
                    best = (value, chosen, margin)
    assert best is not None
    return best[1], best[2]


def confirmed(pipe: Any, folder: Path, prompts: Sequence[str], seed: int, settings: PreviewSettings) -> dict[str, Any]:
    """The same prompts by a pipeline that stops: steps that the denoiser took, and decisions."""
    taken: list[int] = []
    handle = pipe.unet.register_forward_hook(lambda *_: taken.append(1))
    Shapes.stops = True
    stopping = guarded(pipe, folder, settings)
    steps, blocked_early = [], 0
    for i, prompt in enumerate(prompts):
        taken.clear()
        generator = torch.Generator().manual_seed(seed + i)
        out = stopping(prompt, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generator)
        steps.append(len(taken))
        blocked_early += out.guardrail[0].stage is Stage.STEP and out.guardrail[0].blocked
    handle.remove()
    Shapes.stops = False
    return {"pictures": len(prompts), "stopped": int(blocked_early), "steps_taken": int(sum(steps))}


def measured(count: int, tuning: int, decoder: str, folder: Path) -> dict[str, Any]:
    from guardrail.demo.standin import standin_judge, standin_pipeline, standin_preview_judge
    from guardrail.demo.standin_words import standin_prompts

    Shapes.final, Shapes.preview = standin_judge(), standin_preview_judge()
    pipe = standin_pipeline()
    how = None if decoder == "linear" else decoder
    looking = guarded(pipe, folder, PreviewSettings(LOOKED_AT, how))

    def scores(n: int, seed: int) -> tuple[list[str], np.ndarray, np.ndarray]:
        asked = [p for wants in (True, False) for p, _ in standin_prompts(n, forbidden=wants, seed=seed + wants)]
        return asked, *recorded(looking, asked, seed * 1000)

    _, early, late = scores(tuning, 71)
    chosen, margin = choose(early, late)
    prompts, early, late = scores(count, 83)
    fractions = tuple(LOOKED_AT[i] for i in chosen)
    settings = PreviewSettings(fractions, how, margin=margin)
    part = slice(0, len(prompts), max(1, len(prompts) // 100))
    worked_out = outcome(early, late, chosen, margin)
    again = prompts[part]
    hit = early[part][:, list(chosen)] >= LIMIT + margin
    expected = sum(round(fractions[int(h.argmax())] * STEPS) if h.any() else STEPS for h in hit)
    step = max(1, len(prompts) // 100)
    confirmation = [confirmed(pipe, folder, [p], 83_000 + i * step, settings) for i, p in enumerate(again)]
    return {
        "decoder": decoder,
        "chosen_on": {"prompts": 2 * tuning, "fractions": fractions, "margin": margin},
        "measured": worked_out,
        "by_fraction": {str(f): outcome(early, late, (i,), margin) for i, f in enumerate(LOOKED_AT)},
        "made_again": {
            "pictures": len(again),
            "stopped": sum(c["stopped"] for c in confirmation),
            "stopped_expected": int(hit.any(1).sum()),
            "steps_taken": sum(c["steps_taken"] for c in confirmation),
            "steps_expected": int(expected),
        },
        "targets": TARGETS,
    }


def cost(rounds: int = 2000) -> dict[str, Any]:
    """Microseconds of processor time that the tap adds to a step in which no preview is due: the least of many tries,
    on a scheduler whose own step does nothing."""
    import diffusers

    from guardrail.pipelines.steps import tap
    from guardrail.pipelines.steps.watch import Watch

    class Idle(diffusers.DDIMScheduler):
        def step(self, model_output: Any, timestep: Any, sample: Any, return_dict: bool = True) -> Any:
            return sample

    scheduler = Idle()
    scheduler.set_timesteps(rounds // 2)
    x = torch.zeros(1, 4, 8, 8)

    def once() -> float:
        begun = time.process_time()
        for _ in range(rounds):
            scheduler.step(x, 500, x, return_dict=False)
        return (time.process_time() - begun) / rounds * 1e6

    session: Any = None
    plain, seen = [], []
    for _ in range(15):
        plain.append(once())
        watch = Watch(PreviewSettings(()), session, None, [(0, 0)], (64, 64))
        with tap.tapped([scheduler], watch._look):
            seen.append(once())
    return {"tap_adds_us_a_step": round(min(seen) - min(plain), 2), "rounds": rounds, "tries": 15}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--tuning", type=int, default=100)
    parser.add_argument("--decoder", choices=("linear", "vae"), default="linear")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = cost() if asked.cost else measured(asked.prompts, asked.tuning, asked.decoder, Path(folder))
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out:
        asked.out.with_suffix(".json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
