"""Whatever is done with a pipeline besides plain calls works on a guarded one: methods, hooks, threads, callbacks."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import diffusers
import pytest
import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback, SDCFGCutoffCallback

import guardrail
from tests.pipelines.test_blocked import BAD, RULES
from tests.pipelines.test_transparent import NEVER, generator, media, same
from tests.pipelines.tiny import BUILDERS, call_arguments, daily, denoiser, shared

PUT = pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])


def run(pipe: Any, name: str = "text2img", prompt: Any = "a small red fox", **more: Any) -> Any:
    return pipe(**call_arguments(name, prompt, output_type="np", **more), generator=generator())


# ---- what it looks like


@pytest.mark.parametrize("name", daily(BUILDERS))
def test_every_class_looks_as_before(name: str, make_guard: Any) -> None:
    pipe = shared(name)
    kind = type(pipe)
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    assert isinstance(guarded, kind)
    assert guarded.__class__ is kind
    assert inspect.signature(guarded.__call__) == inspect.signature(pipe.__call__)
    assert inspect.signature(type(guarded).__call__) == inspect.signature(kind.__call__)
    assert guarded.__call__.__doc__ == kind.__call__.__doc__
    assert guarded.__doc__ == kind.__doc__
    assert guarded.components == pipe.components
    assert guarded.config == pipe.config
    assert (guarded.device, guarded.dtype) == (pipe.device, pipe.dtype)
    assert set(dir(pipe)) <= set(dir(guarded))
    assert callable(guarded)


@PUT
@pytest.mark.parametrize("name", ["sdxl", "flux", "wan", "ddim"])
def test_installed_and_wrapped_look_alike(put: Any, name: str, make_guard: Any) -> None:
    pipe = BUILDERS[name]()
    kind = type(pipe)
    guarded = put(pipe, guard=make_guard(NEVER))
    assert isinstance(guarded, kind)
    assert guarded.__class__.__name__ == kind.__name__
    assert inspect.signature(guarded.__call__) == inspect.signature(kind.__call__.__get__(pipe))
    assert guarded.__call__.__doc__ == kind.__call__.__doc__
    assert f'"_class_name": "{kind.__name__}"' in guarded.to_json_string()
    assert len(run(guarded, name, return_dict=True).guardrail) == 1


# ---- methods


@PUT
def test_fluent_methods_give_the_guarded_pipeline(put: Any, make_guard: Any) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    for chained in (
        guarded.to("cpu"),
        guarded.to(torch.float32),
        guarded.to(torch.device("cpu"), torch.float32),
        guarded.to("cpu").to(dtype=torch.float32),
    ):
        assert chained is guarded
    assert run(guarded.to("cpu"), prompt=BAD).guardrail[0].blocked
    half = guarded.to(torch.bfloat16)
    assert half is guarded
    assert guarded.dtype is torch.bfloat16
    assert len(half(**call_arguments("text2img")).guardrail) == 1


@PUT
def test_settings_reach_the_pipeline_and_change_nothing_else(put: Any, make_guard: Any) -> None:
    twin = BUILDERS["text2img"]()
    guarded = put(BUILDERS["text2img"](), guard=make_guard(NEVER))
    for pipe in (twin, guarded):
        pipe.enable_attention_slicing()
        pipe.vae.enable_tiling()
        pipe.vae.enable_slicing()
        pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    assert same(media(run(twin)), media(run(guarded)))
    guarded.disable_freeu()
    twin.disable_freeu()
    assert same(media(run(twin)), media(run(guarded)))
    guarded.set_progress_bar_config(disable=True, desc="one's own")
    assert guardrail.unwrap(guarded)._progress_bar_config == {"disable": True, "desc": "one's own"}


@PUT
def test_the_progress_bar_counts_the_steps_of_the_pipeline_alone(
    put: Any, make_guard: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    guarded.set_progress_bar_config(disable=False)
    run(guarded)
    assert "2/2" in capsys.readouterr().err
    run(guarded, prompt=BAD)
    assert capsys.readouterr().err == ""


@PUT
def test_modes_of_torch(put: Any, make_guard: Any) -> None:
    twin = BUILDERS["text2img"]()
    guarded = put(BUILDERS["text2img"](), guard=make_guard(NEVER))
    for mode in (torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)):
        with mode():
            bare = media(run(twin))
            ours = media(run(guarded))
        assert same(bare, ours)
    # And what the caller had set is set afterwards.
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert not torch.is_autocast_enabled("cpu")


# ---- hooks on components


@PUT
def test_weights_kept_in_another_type_by_hooks_of_diffusers(put: Any, make_guard: Any) -> None:
    twin = BUILDERS["text2img"]()
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    for pipe in (twin, guarded):
        pipe.unet.enable_layerwise_casting(storage_dtype=torch.bfloat16, compute_dtype=torch.float32)
    bare = media(run(twin))
    assert not same(bare, media(run(shared("text2img"))))
    assert same(bare, media(run(guarded)))
    assert run(guarded, prompt=BAD).guardrail[0].blocked
    assert same(bare, media(run(guarded)))


class _Offload:
    """What accelerate puts on a component, as far as a pipeline asks it: called before and after each forward."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.on = False
        self.loads = 0
        module.register_forward_pre_hook(self._load)
        module._hf_hook = self

    def _load(self, *_: Any) -> None:
        self.loads += not self.on
        self.on = True

    def offload(self) -> None:
        self.on = False


@PUT
def test_hooks_of_model_offload_run_and_are_released_at_the_end(put: Any, make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    hooks = {name: _Offload(pipe.components[name]) for name in ("text_encoder", "unet")}
    pipe._all_hooks = list(hooks.values())

    def release() -> None:
        for hook in hooks.values():
            hook.offload()

    pipe.maybe_free_model_hooks = release
    guarded = put(pipe, guard=make_guard(RULES))
    for n in (1, 2):
        run(guarded)
        assert {name: (hook.loads, hook.on) for name, hook in hooks.items()} == {
            "text_encoder": (n, False),
            "unet": (n, False),
        }
    run(guarded, prompt=BAD)
    assert hooks["unet"].loads == 2


@PUT
def test_what_cannot_be_offloaded_here_is_refused_in_the_words_of_diffusers(put: Any, make_guard: Any) -> None:
    twin = BUILDERS["text2img"]()
    guarded = put(BUILDERS["text2img"](), guard=make_guard(NEVER))
    for method in ("enable_model_cpu_offload", "enable_sequential_cpu_offload"):
        said = []
        for pipe in (twin, guarded):
            with pytest.raises((ImportError, RuntimeError)) as caught:
                getattr(pipe, method)()
            said.append((caught.type, str(caught.value)))
        assert said[0] == said[1]
    assert len(run(guarded).guardrail) == 1


@PUT
def test_a_compiled_component(put: Any, make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled before or after the guard came; the eager backend traces without a compiler."""
    twin = BUILDERS["text2img"]()
    twin.vae = torch.compile(twin.vae, backend="eager")
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    guarded.vae = torch.compile(guarded.vae, backend="eager")
    guarded.text_encoder.compile(backend="eager")
    out = run(guarded)
    assert same(media(run(twin)), media(out))
    assert "component-swapped" in {c.what for c in out.guardrail[0].coverage}
    assert run(guarded, prompt=BAD).guardrail[0].blocked


# ---- threads and tasks


def test_eight_threads_have_their_own_decisions_and_pixels(make_guard: Any) -> None:
    """One guard; a pipeline for each thread, since diffusers' schedulers keep state of a call."""
    guard = make_guard(RULES)
    prompts = [BAD if i % 3 == 0 else f"picture {i}" for i in range(8)]
    alone = [run(guardrail.wrap(shared("text2img"), guard=guard), prompt=p) for p in prompts]
    pipes = [guardrail.wrap(BUILDERS["text2img"](), guard=guard) for _ in prompts]
    start = threading.Barrier(len(prompts))
    found: dict[int, Any] = {}

    def work(i: int) -> None:
        torch.set_num_threads(1)
        start.wait()
        for _ in range(2):
            pictures, _flags = run(pipes[i], prompt=prompts[i], return_dict=False)
            found[i] = pictures, guardrail.last_decisions()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == set(range(8))
    for i, (pictures, decisions) in found.items():
        assert [d.blocked for d in decisions] == [prompts[i] == BAD]
        assert decisions[0].inputs == alone[i].guardrail[0].inputs
        assert same(pictures, alone[i].images)
    assert len({d[0].id for _, d in found.values()}) == 8


def test_one_pipeline_in_several_threads_under_a_lock_of_the_users(make_guard: Any) -> None:
    guarded = guardrail.wrap(shared("flux"), guard=make_guard(RULES))
    lock = threading.Lock()
    blocked: dict[str, bool] = {}

    def work(prompt: str) -> None:
        with lock:
            run(guarded, "flux", prompt, return_dict=False)
        # Later, when other threads have called it again: it is the decision of this thread.
        blocked[prompt] = guardrail.last_decisions()[0].blocked  # type: ignore[index]

    threads = [threading.Thread(target=work, args=(p,)) for p in ("a fox", BAD, "a boat")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blocked == {"a fox": False, BAD: True, "a boat": False}


def test_tasks_of_asyncio(make_guard: Any) -> None:
    guard = make_guard(RULES)
    prompts = ["a fox", BAD, "a boat"]
    pipes = [guardrail.wrap(BUILDERS["text2img"](), guard=guard) for _ in prompts]

    def call(i: int) -> Any:
        return run(pipes[i], prompt=prompts[i], return_dict=False)[0], guardrail.last_decisions()

    async def one(i: int) -> Any:
        with guard.context(user=f"user-{i}"):
            return await asyncio.to_thread(call, i)

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*map(one, range(3)))

    found = asyncio.run(all_of_them())
    assert [d[0].blocked for _, d in found] == [False, True, False]
    assert len({d[0].context["user"] for _, d in found}) == 3


# ---- callbacks


class Seen(PipelineCallback):
    """Notes at which steps it was called, and with what."""

    tensor_inputs: ClassVar[list[str]] = ["latents"]

    def __init__(self) -> None:
        super().__init__(cutoff_step_ratio=None, cutoff_step_index=0)
        self.steps: list[int] = []

    def callback_fn(self, pipeline: Any, step_index: int, timestep: Any, callback_kwargs: dict[str, Any]) -> Any:
        self.steps.append(step_index)
        assert set(callback_kwargs) == {"latents"}
        return callback_kwargs

    def __call__(self, pipeline: Any, step_index: int, timestep: Any, callback_kwargs: dict[str, Any]) -> Any:
        return self.callback_fn(pipeline, step_index, timestep, callback_kwargs)


@PUT
@pytest.mark.parametrize("previews", [False, (0.2,)])
def test_callbacks_are_called_as_before(put: Any, previews: Any, make_guard: Any) -> None:
    twin = BUILDERS["text2img"]()
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES), previews=previews)
    makers: list[Callable[[], Any]] = [
        Seen,
        lambda: MultiPipelineCallbacks([Seen(), Seen()]),
        lambda: SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=1),
    ]
    for make in makers:
        theirs, mine = make(), make()
        bare = run(twin, num_inference_steps=4, callback_on_step_end=theirs)
        ours = run(guarded, num_inference_steps=4, callback_on_step_end=mine)
        assert same(media(bare), media(ours))
        for a, b in zip(getattr(theirs, "callbacks", [theirs]), getattr(mine, "callbacks", [mine]), strict=True):
            if isinstance(a, Seen):
                assert a.steps == b.steps == [0, 1, 2, 3]


def test_a_callback_gets_the_pipeline_and_may_change_it(make_guard: Any) -> None:
    """What a callback does to the run is done; it finds the pipeline itself, with all that a pipeline has."""
    found: list[Any] = []

    def off(pipeline: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        found.append((type(pipeline), pipeline.num_timesteps, timestep))
        pipeline._guidance_scale = 0.0
        return {"prompt_embeds": kwargs["prompt_embeds"][-1:]} if step == 0 else kwargs

    twin, own = BUILDERS["text2img"](), BUILDERS["text2img"]()
    more = {"callback_on_step_end": off, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
    bare = run(twin, **more)
    ours = run(guardrail.wrap(own, guard=make_guard(NEVER)), **more)
    assert same(media(bare), media(ours))
    assert [(issubclass(kind, diffusers.StableDiffusionPipeline), n, int(t)) for kind, n, t in found[:2]] == [
        (True, n, int(t)) for _, n, t in found[2:]
    ]


def test_the_legacy_callback(make_guard: Any) -> None:
    pipe = shared("pixart")
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    seen: list[tuple[int, int, float]] = []

    def note(step: int, timestep: Any, latents: torch.Tensor) -> None:
        seen.append((step, int(timestep), float(latents.sum())))

    more = {"callback": note, "callback_steps": 1}
    bare = run(pipe, "pixart", **more)
    ours = run(guarded, "pixart", **more)
    assert same(media(bare), media(ours))
    assert len(seen) == 4
    assert seen[:2] == seen[2:]


@PUT
@pytest.mark.parametrize("name", ["text2img", "flux", "pixart"])
def test_a_callback_that_raises_leaves_the_pipeline_as_it_was(put: Any, name: str, make_guard: Any) -> None:
    pipe = BUILDERS[name]()
    before = media(run(pipe, name))
    guarded = put(pipe, guard=make_guard(RULES))
    scheduler = type(pipe.scheduler)

    def fail(*_: Any) -> Any:
        raise RuntimeError("the user's own callback")

    more = {"callback": fail, "callback_steps": 1} if name == "pixart" else {"callback_on_step_end": fail}
    with pytest.raises(RuntimeError, match="own callback"):
        run(guarded, name, **more)
    assert type(pipe.scheduler) is scheduler
    assert same(before, media(run(guarded, name)))
    assert denoiser(pipe) is denoiser(guardrail.unwrap(guarded))
