"""Methods that a subclass or a community pipeline adds, class methods, and contexts that outlive a run."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import diffusers
import pytest
import torch

import guardrail
from guardrail.pipelines.methods import holds_pictures
from guardrail.pipelines.running import is_running, run_of
from tests.pipelines.test_blocked import BAD, RULES
from tests.pipelines.test_transparent import NEVER
from tests.pipelines.tiny import BUILDERS, call_arguments, picture

PUT = pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
SIZE = {"num_inference_steps": 1, "height": 64, "width": 64}


class Mine(diffusers.StableDiffusionPipeline):
    """As community pipelines are: ways in of their own, made of the call."""

    def text2img(self, prompt: str) -> Any:
        return self(prompt, **SIZE)

    def grid(self, prompt: str) -> Any:
        return self._beside(self.text2img(prompt).images[0])

    def _beside(self, image: Any) -> Any:
        return picture().copy()

    def stream(self, prompt: str) -> Iterator[Any]:
        yield self(prompt, **SIZE).images[0]

    async def later(self, prompt: str) -> Any:
        return await asyncio.to_thread(self.text2img, prompt)

    def by_base(self, prompt: str) -> Any:
        return super().__call__(prompt, **SIZE)

    def by_name(self, prompt: str) -> Any:
        return diffusers.StableDiffusionPipeline.__call__(self, prompt, **SIZE)

    def of_components(self, prompt: str) -> Any:
        return diffusers.StableDiffusionPipeline(**self.components, requires_safety_checker=False)(prompt, **SIZE)

    def by_hand(self, prompt: str) -> Any:
        return [self._drawn()]

    def by_hand_one_by_one(self, prompt: str) -> Iterator[Any]:
        yield self._drawn()

    def lazily(self, prompt: str) -> Any:
        return iter([picture()])

    async def by_hand_later(self, prompt: str) -> Any:
        return self._drawn()

    def generate_mask(self, prompt: str) -> Any:
        """Under a name that diffusers has, for something else."""
        return {"drawn": torch.zeros(1, 3, 64, 64)}

    def get_prompt_embeds(self, prompt: Any) -> Any:
        """Under a name that diffusers has for embeddings, which may have the shape of pictures."""
        return torch.zeros(3, 77, 768)

    def _drawn(self) -> Any:
        return picture()

    def tokens(self, prompt: str) -> Any:
        return {"prompt": prompt, "embeds": torch.zeros(1, 77, 16), "mask": torch.ones(1, 1, 1, 77)}

    def myself(self) -> Any:
        return self, 1

    def to(self, *args: Any, **kwargs: Any) -> Any:
        return super().to(*args, **kwargs)

    @classmethod
    def again(cls, pipe: Any) -> Any:
        return cls(**pipe.components, requires_safety_checker=False)

    @staticmethod
    def pair(pipe: Any) -> Any:
        return BUILDERS["text2img"](), "spare"


def mine() -> Any:
    made = Mine(**BUILDERS["text2img"]().components, requires_safety_checker=False)
    made.set_progress_bar_config(disable=True)
    return made


@PUT
def test_a_method_that_calls_the_pipeline_makes_a_guarded_call(put: Any, make_guard: Any) -> None:
    guarded = put(mine(), guard=make_guard(RULES))
    assert not guarded.text2img("a fox").guardrail[0].blocked
    assert guarded.text2img(BAD).guardrail[0].blocked
    guarded.grid("a fox")
    assert not guardrail.last_decisions()[0].blocked  # type: ignore[index]
    guarded.grid(BAD)
    assert guardrail.last_decisions()[0].blocked  # type: ignore[index]
    (neutral,) = guarded.stream(BAD)
    assert neutral.getcolors() is not None
    assert len(neutral.getcolors()) == 1
    assert asyncio.run(guarded.later(BAD)).guardrail[0].blocked


@PUT
@pytest.mark.parametrize("method", ["by_base", "by_name"])
def test_the_call_of_a_base_class_from_inside_is_refused(put: Any, method: str, make_guard: Any) -> None:
    guarded = put(mine(), guard=make_guard(RULES))
    with pytest.raises(guardrail.GuardrailError, match="call the guarded pipeline itself"):
        getattr(guarded, method)("a fox")


@PUT
def test_pictures_that_no_guarded_call_made_are_refused(put: Any, make_guard: Any) -> None:
    guarded = put(mine(), guard=make_guard(NEVER))
    ways: dict[str, Callable[[], Any]] = {
        "of_components": lambda: guarded.of_components("a fox"),
        "by_hand": lambda: guarded.by_hand("a fox"),
        "by_hand_one_by_one": lambda: next(guarded.by_hand_one_by_one("a fox")),
        "lazily": lambda: guarded.lazily("a fox"),
        "by_hand_later": lambda: asyncio.run(guarded.by_hand_later("a fox")),
        "generate_mask": lambda: guarded.generate_mask("a fox"),
    }
    for name, way in ways.items():
        with pytest.raises(guardrail.GuardrailError, match=f"{name} returns pictures that the guard did not see"):
            way()
    # A call that was made before does not count for a later one.
    guarded.text2img("a fox")
    with pytest.raises(guardrail.GuardrailError, match="did not see"):
        guarded.by_hand("a fox")


@PUT
def test_other_methods_work_as_before(put: Any, make_guard: Any) -> None:
    guarded = put(mine(), guard=make_guard(RULES))
    assert guarded.tokens("a fox")["prompt"] == "a fox"
    assert guarded.myself()[0] is guarded
    assert guarded.get_prompt_embeds(["a fox"] * 3).shape == (3, 77, 768)
    with pytest.raises(guardrail.Blocked):
        guarded.get_prompt_embeds(BAD)
    assert guarded.to("cpu") is guarded
    assert guarded.to(torch.float32).text2img(BAD).guardrail[0].blocked


@PUT
def test_decoding_latents_from_outside_is_refused_and_inside_a_call_is_not(put: Any, make_guard: Any) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(NEVER))
    latents = torch.zeros(1, 4, 8, 8)
    with torch.no_grad(), pytest.raises(guardrail.GuardrailError, match="decode_latents returns pictures"):
        guarded.decode_latents(latents)
    seen: list[Any] = []

    def look(pipe: Any, step: int, t: Any, tensors: Any) -> Any:
        seen.append(guarded.decode_latents(tensors["latents"]).shape)
        return tensors

    guarded(**call_arguments("text2img"), callback_on_step_end=look)
    assert set(seen) == {(1, 64, 64, 3)}


@pytest.mark.parametrize(
    ("value", "pictures"),
    [
        (picture(), True),
        ({"x": [(None, picture())]}, True),
        (diffusers.utils.BaseOutput(frames=torch.zeros(1, 2, 3, 16, 16)), True),
        (torch.zeros(1, 16, 16, 3).numpy(), True),
        (torch.zeros(3, 16, 16), True),
        (torch.zeros(1, 4, 8, 8), False),
        (torch.zeros(1, 77, 768), False),
        (torch.zeros(2, 1, 1, 77), False),
        (torch.zeros(64, 64), False),
        (["a fox", 1, None, object()], False),
    ],
)
def test_what_counts_as_pictures(value: Any, pictures: bool) -> None:
    assert holds_pictures(value) is pictures


# ---- class methods


@PUT
def test_pipelines_that_class_methods_make_are_guarded(put: Any, make_guard: Any, tmp_path: Any) -> None:
    guarded = put(mine(), guard=make_guard(RULES))
    guarded.save_pretrained(tmp_path)
    loaded = guarded.from_pretrained(tmp_path, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    pair, word = guarded.pair(None)
    assert word == "spare"
    for made in (loaded, guarded.again(guarded), pair):
        assert made(**call_arguments("text2img", BAD)).guardrail[0].blocked
    # The class itself is under no guard: it is not asked by way of the pipeline.
    bare = Mine.from_pretrained(tmp_path, local_files_only=True)
    assert type(bare) is Mine
    assert [p.size for p in guarded.numpy_to_pil(torch.zeros(1, 8, 8, 3).numpy())] == [(8, 8)]


# ---- contexts


def test_a_run_is_over_in_every_context_that_was_copied_from_it(make_guard: Any) -> None:
    pipe = guardrail.install(BUILDERS["text2img"](), guard=make_guard(RULES))
    kept: list[contextvars.Context] = []
    elsewhere: list[BaseException] = []

    def encode() -> None:
        try:
            pipe.encode_prompt(BAD, "cpu", 1, False)
        except guardrail.Blocked as blocked:
            elsewhere.append(blocked)

    def keep(_: Any, step: int, t: Any, tensors: Any) -> Any:
        kept.append(contextvars.copy_context())
        # The same context in another thread, while the run goes on in this one.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(encode,))
        thread.start()
        thread.join()
        # In the thread of the run it is the run itself.
        assert contextvars.copy_context().run(pipe.encode_prompt, "a fox", "cpu", 1, False)
        return tensors

    assert not pipe(**call_arguments("text2img", num_inference_steps=1), callback_on_step_end=keep).guardrail[0].blocked
    assert len(elsewhere) == 1
    with pytest.raises(guardrail.Blocked):
        kept[0].run(pipe.encode_prompt, BAD, "cpu", 1, False)
    with pytest.raises(guardrail.GuardrailError, match="call the guarded pipeline itself"):
        kept[0].run(diffusers.StableDiffusionPipeline.__call__, pipe, BAD, **SIZE)


def test_runs_nest_and_end_by_exceptions() -> None:
    outer, inner = object(), object()

    def interrupted() -> None:
        with run_of(inner):
            assert is_running(outer)
            assert is_running(inner)
            raise KeyboardInterrupt

    with run_of(outer):
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert is_running(outer)
        assert not is_running(inner)
    assert not is_running(outer)


# ---- the pipeline's own checker


@PUT
def test_a_pipeline_without_a_checker_of_its_own_is_named_once(
    put: Any, make_guard: Any, caplog: pytest.LogCaptureFixture
) -> None:
    said = "StableDiffusionPipeline has no safety checker of its own: the guard judges alone"
    with caplog.at_level(logging.INFO, "guardrail.pipelines"):
        guarded = put(BUILDERS["text2img"](), guard=make_guard(NEVER))
        guarded(**call_arguments("text2img"))
        put(BUILDERS["flux"](), guard=make_guard(NEVER))
        pipe = BUILDERS["text2img"]()
        pipe.register_modules(safety_checker=torch.nn.Identity())
        put(pipe, guard=make_guard(NEVER))
    lines = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "guardrail.pipelines"]
    assert lines == [("INFO", said)]
