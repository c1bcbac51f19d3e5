"""x0 from a step, against one that is known: x_t is noised by the scheduler itself, the denoiser knows the answer."""

from __future__ import annotations

import warnings
from typing import Any

import diffusers
import pytest
import torch

from guardrail.errors import UnsupportedInput
from guardrail.pipelines.steps.x0 import known, predicted_x0, proved

# KDPM2 converts an array in a way that numpy is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EPS, V, X0, FLOW = "epsilon", "v_prediction", "sample", "flow_prediction"
DISCRETE = ("DDIM", "DDIMParallel", "DDPM", "DDPMParallel", "LCM", "TCD", "CogVideoXDDIM", "CogVideoXDPM")
BY_SIGMA = ("EulerDiscrete", "HeunDiscrete", "LMSDiscrete")
SECOND_ORDER = ("EulerAncestralDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete")
SOLVERS = ("DPMSolverMultistep", "DPMSolverSinglestep", "DEISMultistep", "UniPCMultistep", "SASolver")

CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {"prediction_type": kind}) for name in (*DISCRETE, *BY_SIGMA, *SOLVERS) for kind in (EPS, V, X0)),
    *((name, {"prediction_type": kind}) for name in SECOND_ORDER for kind in (EPS, V)),
    *((name, {"prediction_type": FLOW, "use_flow_sigmas": True}) for name in SOLVERS),
    *(("PNDM", {"prediction_type": kind, "skip_prk_steps": skip}) for kind in (EPS, V) for skip in (True, False)),
    ("UnCLIP", {"prediction_type": EPS}),
    ("UnCLIP", {"prediction_type": X0}),
    ("DDIM", {"beta_schedule": "scaled_linear", "rescale_betas_zero_snr": False, "timestep_spacing": "trailing"}),
    ("EulerDiscrete", {"use_karras_sigmas": True}),
    ("EulerDiscrete", {"prediction_type": V, "timestep_type": "continuous", "sigma_min": 0.002, "sigma_max": 700.0}),
    ("DPMSolverMultistep", {"use_karras_sigmas": True}),
    ("DPMSolverMultistep", {"algorithm_type": "sde-dpmsolver++", "prediction_type": V}),
    ("FlowMatchEulerDiscrete", {}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0}),
    ("FlowMatchEulerDiscrete", {"use_dynamic_shifting": True}),
    ("FlowMatchHeunDiscrete", {}),
    ("FlowMatchLCM", {}),
    ("EDMEuler", {"prediction_type": EPS}),
    ("EDMEuler", {"prediction_type": V}),
    ("EDMDPMSolverMultistep", {"prediction_type": EPS}),
    ("EDMDPMSolverMultistep", {"prediction_type": V}),
    ("SCM", {}),
]


def made(name: str, config: dict[str, Any], steps: int = 6) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        more = {} if name.startswith(("FlowMatch", "EDM", "SCM")) or "clip_sample" in config else {"clip_sample": False}
        kind = getattr(diffusers, f"{name}Scheduler")
        scheduler = kind.from_config({**config, **more})
        extra: dict[str, Any] = {"mu": 0.7} if config.get("use_dynamic_shifting") else {}
        extra |= {"max_timesteps": 1.5, "intermediate_timesteps": None} if name == "SCM" else {}
        scheduler.set_timesteps(steps, **extra)
    return scheduler


def noised(name: str, scheduler: Any, position: int, x0: Any, noise: Any) -> tuple[Any, Any]:
    """x_t and what a perfect denoiser says of it."""
    t, kind = scheduler.timesteps[position], scheduler.config.get("prediction_type", EPS)
    one = torch.ones(1, 1, 1, 1)
    if name == "SCM":
        data = scheduler.config.sigma_data
        return (torch.cos(t) * x0 + torch.sin(t) * noise) * data, (torch.cos(t) * noise - torch.sin(t) * x0) * data
    if name.startswith("FlowMatch") or kind == FLOW:
        sigma = scheduler.sigmas[position]
        return (1 - sigma) * x0 + sigma * noise, noise - x0
    alpha, sigma = (float(scheduler.add_noise(a * one, (1 - a) * one, t.reshape(1))) for a in (1, 0))
    x = alpha * x0 + sigma * noise
    if name.startswith("EDM"):
        data, sign = scheduler.config.sigma_data, -1 if kind == V else 1
        skip, scale = data**2 / (sigma**2 + data**2), sign * sigma * data / (sigma**2 + data**2) ** 0.5
        return x, (x0 - skip * x) / scale
    norm = (alpha**2 + sigma**2) ** 0.5
    return x, {EPS: noise, V: (alpha * noise - sigma * x0) / norm, X0: x0}[kind]


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(2, 4, 4, 4, generator=draw), torch.randn(2, 4, 4, 4, generator=draw)


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize(
    ("name", "config"), CASES, ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v.values()))
)
def test_a_known_x0(name: str, config: dict[str, Any]) -> None:
    x0, noise = drawn()
    # Where nearly all is noise, single precision loses what is divided by a small α.
    tolerance = 2e-2 if "sigma_max" in config or name == "UnCLIP" else 2e-4
    for position in (0, 3):
        scheduler = made(name, config)
        scheduler._step_index = position
        x, out = noised(name, scheduler, position, x0, noise)
        state = {k: v for k, v in vars(scheduler).items() if not torch.is_tensor(v)}
        given = {"model_output": out, "timestep": scheduler.timesteps[position], "sample": x}
        found = predicted_x0(scheduler, given)
        assert found.dtype == torch.float32
        assert torch.allclose(found, x0, atol=tolerance), (position, found - x0)
        assert state == {k: v for k, v in vars(scheduler).items() if not torch.is_tensor(v)}
    assert proved(scheduler) == ""


@pytest.mark.parametrize("name", ["DDIM", "DDPM", "EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "UnCLIP"])
@pytest.mark.parametrize("kind", [EPS, V])
def test_it_is_what_the_scheduler_itself_works_with(name: str, kind: str) -> None:
    if (name, kind) == ("UnCLIP", V):
        kind = X0
    scheduler = made(name, {"prediction_type": kind})
    x, out = drawn()
    t = scheduler.timesteps[0]
    scheduler.is_scale_input_called = True
    ours = predicted_x0(scheduler, {"model_output": out, "timestep": t, "sample": x})
    theirs = scheduler.step(out, t, x).pred_original_sample
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_learned_variance_is_left_aside() -> None:
    scheduler = made("DDPM", {"variance_type": "learned_range"})
    x0, noise = drawn()
    x, out = noised("DDPM", scheduler, 0, x0, noise)
    given = {"model_output": torch.cat([out, out * 9], 1), "timestep": scheduler.timesteps[0], "sample": x}
    assert torch.allclose(predicted_x0(scheduler, given), x0, atol=1e-3)


@pytest.mark.parametrize(
    ("scheduler", "reason"),
    [
        (diffusers.IPNDMScheduler(), "IPNDMScheduler does not say"),
        (diffusers.VQDiffusionScheduler(num_vec_classes=8), "VQDiffusionScheduler does not say"),
        (diffusers.AmusedScheduler(mask_token_id=1), "AmusedScheduler does not say"),
        (diffusers.CMStochasticIterativeScheduler(), "does not say"),
        (diffusers.DDIMInverseScheduler(), "DDIMInverseScheduler does not say"),
        (diffusers.DDIMScheduler(prediction_type="score"), "predicts score"),
    ],
)
def test_what_does_not_say_is_named(scheduler: Any, reason: str) -> None:
    assert reason in known(scheduler)
    assert reason in proved(scheduler)
    with pytest.raises(UnsupportedInput, match=reason):
        predicted_x0(scheduler, {})


def test_between_two_noise_levels_there_is_none() -> None:
    scheduler = made("KDPM2Discrete", {})
    x, out = drawn()
    scheduler.scale_model_input(x, scheduler.timesteps[0])
    given = {"model_output": out, "timestep": scheduler.timesteps[0], "sample": x}
    predicted_x0(scheduler, given)
    scheduler.step(out, scheduler.timesteps[0], x)
    with pytest.raises(UnsupportedInput, match="half of a step"):
        predicted_x0(scheduler, {**given, "timestep": scheduler.timesteps[1]})


class Shifted(diffusers.DDIMScheduler):
    """Noises otherwise than its class does."""

    def add_noise(self, original: Any, noise: Any, timesteps: Any) -> Any:
        return super().add_noise(original, noise, timesteps // 2)


def test_the_proof_fails_where_x0_comes_out_wrong() -> None:
    assert proved(diffusers.DDIMScheduler()) == ""
    assert "heading elsewhere" in proved(Shifted())


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"timestep": torch.tensor([1, 500])}, "several times"),
        ({"per_token_timesteps": torch.zeros(2)}, "each token"),
        ({"model_output": torch.zeros(2, 4, 9, 9)}, "another shape"),
    ],
)
def test_steps_of_another_kind_are_refused(given: dict[str, Any], reason: str) -> None:
    x0, noise = drawn()
    usual = {"model_output": noise, "timestep": torch.tensor(500), "sample": x0}
    with pytest.raises(UnsupportedInput, match=reason):
        predicted_x0(made("DDIM", {}), {**usual, **given})
