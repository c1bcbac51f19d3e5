"""The tap on ``scheduler.step``, and the linear map from latents to colours."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

import guardrail
from guardrail.demo.tiny import tiny_stable_diffusion
from guardrail.errors import UnsupportedInput
from guardrail.pipelines.steps import linear, tap
from guardrail.pipelines.steps.drawn import drawn_pictures
from guardrail.pipelines.steps.hosts import hosts, unproved
from guardrail.pipelines.steps.settings import PreviewSettings
from tests.pipelines.test_steps import RULES, arguments
from tests.pipelines.test_transparent import generator, media, same
from tests.scripted import ScriptedNudity, install

# ---- the tap


def stepped(scheduler: Any, noise: torch.Tensor, **more: Any) -> Any:
    scheduler.set_timesteps(4)
    x = noise
    for t in scheduler.timesteps:
        x = scheduler.step(noise, t, scheduler.scale_model_input(x, t), **more).prev_sample
    return x


def test_a_tap_that_only_looks_changes_nothing_and_is_removed() -> None:
    scheduler = diffusers.EulerAncestralDiscreteScheduler()
    noise = torch.randn(1, 4, 4, 4, generator=generator())
    plain = stepped(scheduler, noise, generator=generator(9))
    signature, seen = inspect.signature(scheduler.step), []
    with tap.tapped([scheduler, scheduler], lambda s, args, kwargs: seen.append(s)):
        # Pipelines read it to decide whether to hand their generator on.
        assert inspect.signature(scheduler.step) == signature
        assert type(scheduler).__name__ == "EulerAncestralDiscreteScheduler"
        assert isinstance(scheduler, diffusers.EulerAncestralDiscreteScheduler)
        assert torch.equal(plain, stepped(scheduler, noise, generator=generator(9)))
    assert seen == [scheduler] * 4
    assert type(scheduler) is diffusers.EulerAncestralDiscreteScheduler
    stepped(scheduler, noise)
    assert len(seen) == 4


def test_copies_are_seen_and_step_themselves() -> None:
    scheduler = diffusers.DDIMScheduler()
    noise = torch.randn(1, 4, 4, 4, generator=generator())
    seen: list[Any] = []
    with tap.tapped([scheduler], lambda s, args, kwargs: seen.append(s)):
        other = copy.deepcopy(scheduler)
        shallow = copy.copy(scheduler)
        stepped(other, noise)
        stepped(shallow, noise)
        stored = pickle.dumps(scheduler)
    assert seen == [other] * 4 + [shallow] * 4
    assert scheduler.num_inference_steps is None
    # A copy that outlives the call is not looked at any more, and can be written down.
    stepped(other, noise)
    assert len(seen) == 8
    assert type(pickle.loads(stored)) is type(pickle.loads(pickle.dumps(other))) is diffusers.DDIMScheduler


def test_it_is_removed_whatever_is_raised() -> None:
    scheduler = diffusers.DDIMScheduler()

    def look(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), tap.tapped([scheduler], look):
        stepped(scheduler, torch.zeros(1, 4, 4, 4))
    assert type(scheduler) is diffusers.DDIMScheduler


def test_threads_see_their_own_calls_only() -> None:
    scheduler = diffusers.DDIMScheduler()
    scheduler.set_timesteps(4)
    both = threading.Barrier(2)
    seen: dict[str, int] = {}

    def run(name: str, steps: int) -> None:
        def look(*_: Any) -> None:
            seen[name] = seen.get(name, 0) + 1

        with tap.tapped([scheduler], look):
            both.wait(10)
            for _ in range(steps):
                scheduler.step(torch.zeros(1, 4, 2, 2), 999, torch.zeros(1, 4, 2, 2))
            both.wait(10)

    threads = [threading.Thread(target=run, args=(n, s)) for n, s in (("a", 2), ("b", 5))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert seen == {"a": 2, "b": 5}
    assert type(scheduler) is diffusers.DDIMScheduler


def test_arguments_by_name_whatever_their_order() -> None:
    scheduler = diffusers.CogVideoXDPMScheduler()
    with tap.tapped([scheduler], lambda *_: None):
        found = tap.step_arguments(scheduler, ("out", None, 7, 9, "x"), {"return_dict": False})
    assert (found["model_output"], found["timestep"], found["sample"]) == ("out", 7, "x")


class Copying(diffusers.StableDiffusionPipeline):
    """Steps a copy of its scheduler, as some families do."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        own = self.scheduler
        self.scheduler = copy.deepcopy(own)
        try:
            return super().__call__(*args, **kwargs)
        finally:
            self.scheduler = own


class Outer(diffusers.DiffusionPipeline):
    """A pipeline in a pipeline, as the combined ones are: the inner one's scheduler does the work."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.decoder_pipe = inner

    @property
    def components(self) -> dict[str, Any]:
        return {f"decoder_{name}": part for name, part in self.decoder_pipe.components.items()}

    def __call__(self, prompt: Any = None, **more: Any) -> Any:
        return self.decoder_pipe(prompt, **more)


@pytest.mark.parametrize("kind", ["copying", "outer"])
def test_schedulers_that_are_copied_or_sit_deeper(kind: str, make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedNudity)
    pipe = tiny_stable_diffusion()
    scheduler = pipe.scheduler
    if kind == "copying":
        pipe.__class__ = Copying
    else:
        pipe = Outer(pipe)
    assert [h.scheduler for h in hosts(pipe)] == [scheduler]
    assert unproved(pipe) == ""
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES), previews=True, preview_decoder="vae")
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.0))
    bare = pipe(**arguments("text2img"), generator=generator())
    out = guarded(**arguments("text2img"), generator=generator())
    assert same(media(bare), media(out))
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    assert guarded(**arguments("text2img")).guardrail[0].rules == ("early",)
    assert type(scheduler) is diffusers.DDIMScheduler


def test_a_callback_that_raises_is_not_swallowed(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedNudity)
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.0))
    pipe = tiny_stable_diffusion()

    def fail(*_: Any) -> None:
        raise LookupError("the user's own")

    guarded = guardrail.wrap(pipe, guard=make_guard(RULES), preview_decoder="vae")
    with pytest.raises(LookupError, match="the user's own"):
        guarded(**arguments("text2img"), callback_on_step_end=fail)
    assert type(pipe.scheduler) is diffusers.DDIMScheduler


# ---- when


@pytest.mark.parametrize(
    ("fractions", "total", "calls"),
    [
        ((0.2, 0.4, 0.6), 30, {6, 12, 18}),
        ((0.2, 0.4, 0.6), 4, {1, 2, 3}),
        ((0.2, 0.4, 0.6), 2, {1}),
        ((0.2, 0.4, 0.6), 1, set()),
        ((0.1,), 10, {1}),
        ((), 10, set()),
    ],
)
def test_in_which_steps(fractions: tuple[float, ...], total: int, calls: set[int]) -> None:
    assert PreviewSettings(fractions).calls(total) == calls


# ---- colours


class Averaging(torch.nn.Module):
    """An autoencoder whose latents are mixed averages of 8×8 pixels."""

    config = SimpleNamespace(latent_channels=4, scaling_factor=0.5)

    def __init__(self, keeps: float = 1.0) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(2)
        self.mix = torch.nn.Parameter(torch.randn(4, 3, generator=draw) * keeps)

    def encode(self, x: Any) -> Any:
        z = torch.einsum("oc,bchw->bohw", self.mix, torch.nn.functional.avg_pool2d(x, 8)) + 0.3
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: z))


def test_a_linear_map_brings_the_colours_back() -> None:
    autoencoder = Averaging()
    torch.manual_seed(4)
    before = torch.get_rng_state()
    fitted = linear.fit(autoencoder)
    assert torch.equal(before, torch.get_rng_state())
    # What is finer than a latent cannot come back.
    assert fitted.r2 > 0.8
    fresh = torch.from_numpy(drawn_pictures(2, 64, seed=99))
    shown = fitted(autoencoder.encode(fresh * 2 - 1).latent_dist.mode().detach())
    assert shown.shape == (2, 3, 32, 32)
    area = torch.nn.functional.avg_pool2d
    assert float((area(shown, 4) - area(fresh, 8)).abs().mean()) < 0.02


def test_a_map_is_kept_by_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[Any] = []
    fit = linear.fit
    monkeypatch.setattr(linear, "fit", lambda a, **k: fitted.append(a) or fit(a, **k))
    monkeypatch.setattr(linear, "_of_weights", type(linear._of_weights)())
    one, two, other = Averaging(), Averaging(), Averaging(0.5)
    assert linear.linear_map(one) is linear.linear_map(two)
    assert linear.linear_map(other) is not linear.linear_map(one)
    assert len(fitted) == 2
    with torch.no_grad():
        one.mix.mul_(3)
    assert linear.linear_map(one) is not linear.linear_map(two)
    assert len(fitted) == 3


def test_latents_without_colours_have_no_map_and_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_of_weights", type(linear._of_weights)())
    blind = Averaging(0.0)
    for _ in range(2):
        with pytest.raises(UnsupportedInput, match="say little of colours"):
            linear.linear_map(blind)


def test_the_drawn_pictures_are_the_same_everywhere() -> None:
    one = drawn_pictures(3, 32, seed=1)
    assert (one.shape, one.dtype) == ((3, 3, 32, 32), np.float32)
    assert np.array_equal(one, drawn_pictures(3, 32, seed=1))
    assert not np.array_equal(one, drawn_pictures(3, 32, seed=2))
    assert (one.min() >= 0, one.max() <= 1, one.std() > 0.1) == (True, True, True)
