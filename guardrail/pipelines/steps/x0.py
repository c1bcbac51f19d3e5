"""The picture that a denoising step is heading for: x0 out of what the scheduler was handed.

A step is handed the sample x_t and the denoiser's output (after guidance). With the noise level that the scheduler
keeps, x_t = α·x0 + σ·ε, every prediction type gives x0 in closed form: ε (Ho et al. 2020, arXiv 2006.11239, eq. 15),
v = α·ε − σ·x0 (Salimans & Ho 2022, arXiv 2202.00512), the sample itself, or the velocity ε − x0 of rectified flow (Liu
et al. 2022, arXiv 2209.03003). Schedulers differ in where they keep the noise level and in how they scale x_t; those
that are not listed here give no preview, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from guardrail.errors import UnsupportedInput

__all__ = ["known", "predicted_x0", "proved"]

# Noise level by timestep, α² kept as a table.
_Names = tuple[str, ...]
TABLE: _Names = ("DDIM", "DDIMParallel", "DDPM", "DDPMParallel", "PNDM", "LCM", "TCD", "UnCLIP", "RePaint")
TABLE += ("CogVideoXDDIM", "CogVideoXDPM")
# Noise level by position, x_t kept unscaled: x_t = x0 + σ·ε.
UNSCALED: _Names = ("EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "LMSDiscrete", "DPMSolverSDE")
UNSCALED += ("KDPM2Discrete", "KDPM2AncestralDiscrete")
# Noise level by position, and a method that says what α and σ are.
SCALED: _Names = ("DPMSolverMultistep", "DPMSolverSinglestep", "DEISMultistep", "UniPCMultistep", "SASolver")
FLOW: _Names = ("FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "FlowMatchLCM", "LTXEulerAncestralRF")
EDM: _Names = ("EDMEuler", "EDMDPMSolverMultistep")
TRIGONOMETRIC: _Names = ("SCM",)

_FORMS = {f"{name}Scheduler": form for form in (TABLE, UNSCALED, SCALED, FLOW, EDM, TRIGONOMETRIC) for name in form}
TOLERANCE = 1e-3


def known(scheduler: Any) -> str:
    """Empty where x0 can be told from this scheduler's steps; otherwise why not."""
    form = _form(scheduler)
    if form is None:
        return f"{type(scheduler).__name__} does not say what its steps are heading for"
    kinds = {
        TABLE: ("epsilon", "sample", "v_prediction"),
        UNSCALED: ("epsilon", "sample", "original_sample", "v_prediction"),
        SCALED: ("epsilon", "sample", "v_prediction", "flow_prediction"),
        EDM: ("epsilon", "v_prediction"),
        TRIGONOMETRIC: ("trigflow",),
    }.get(form)
    kind = _prediction(scheduler)
    if kinds is not None and kind not in kinds:
        return f"{type(scheduler).__name__} predicts {kind}"
    return ""


def predicted_x0(scheduler: Any, given: Mapping[str, Any]) -> Any:
    """The denoised sample that a step is heading for, float32, of the shape of the sample.

    Nothing of the scheduler is changed.

    Args:
        given: the arguments of ``step`` by name: ``model_output``, ``timestep``, ``sample``, and what else was given.

    Raises:
        UnsupportedInput: this step does not say.
    """
    reason = known(scheduler)
    if reason:
        raise UnsupportedInput(reason)
    if given.get("pred_original_sample") is not None:
        return given["pred_original_sample"].float()
    if given.get("per_token_timesteps") is not None:
        raise UnsupportedInput("a step with a time of its own for each token")
    x, out, t = given["sample"].float(), given["model_output"].float(), given["timestep"]
    # Learned variance takes the second half of the channels.
    if out.ndim == x.ndim and out.shape[1] == 2 * x.shape[1] and out.shape[2:] == x.shape[2:]:
        out = out[:, : x.shape[1]]
    if out.shape != x.shape:
        raise UnsupportedInput("a step whose output has another shape than its sample")
    form = _form(scheduler)
    if form is TABLE:
        alpha2 = scheduler.alphas_cumprod[_one_time(t)]
        return _solved(_prediction(scheduler), x, out, float(alpha2**0.5), float((1 - alpha2) ** 0.5))
    position = _position(scheduler, t)
    if form is TRIGONOMETRIC:
        s = float(scheduler.timesteps[position])
        return (math.cos(s) * x - math.sin(s) * out) / scheduler.config.sigma_data
    sigma = scheduler.sigmas[position]
    if form is EDM:
        return scheduler.precondition_outputs(x, out, sigma)
    if form is FLOW:
        return x - float(sigma) * out
    if form is SCALED:
        alpha, sigma = scheduler._sigma_to_alpha_sigma_t(sigma)
        return _solved(_prediction(scheduler), x, out, float(alpha), float(sigma))
    if getattr(scheduler, "state_in_first_order", True) is False and "HeunDiscrete" not in _names(scheduler):
        raise UnsupportedInput("the second half of a step between two noise levels")
    alpha = 1 / float(sigma**2 + 1) ** 0.5
    return _solved(_prediction(scheduler), x * alpha, out, alpha, float(sigma) * alpha)


def _solved(kind: str, x: Any, out: Any, alpha: float, sigma: float) -> Any:
    """x0 from x = α·x0 + σ·ε and what the denoiser predicts."""
    if kind == "epsilon":
        return (x - sigma * out) / alpha
    if kind == "v_prediction":
        return alpha * x - sigma * out
    if kind == "flow_prediction":
        # x = x0 + σ·(ε − x0): these schedulers have α = 1 − σ.
        return x - sigma * out
    return out


def _names(scheduler: Any) -> set[str]:
    return {c.__name__.removesuffix("Scheduler") for c in type(scheduler).__mro__}


def _form(scheduler: Any) -> _Names | None:
    """The family of the first class in the line of ancestors that is listed."""
    return next((_FORMS[c.__name__] for c in type(scheduler).__mro__ if c.__name__ in _FORMS), None)


def _prediction(scheduler: Any) -> str:
    return str(scheduler.config.get("prediction_type", "epsilon"))


def _one_time(t: Any) -> int:
    """The timestep as a number, where it is one for the whole batch."""
    if hasattr(t, "numel"):
        if t.numel() != 1 and not bool((t == t.flatten()[0]).all()):
            raise UnsupportedInput("a step with several times in one batch")
        return int(t.flatten()[0])
    return int(t)


def _position(scheduler: Any, t: Any) -> int:
    """Where in its noise levels a scheduler stands before a step."""
    if hasattr(t, "numel") and t.numel() != 1:
        _one_time(t)
        t = t.flatten()[0]
    index = scheduler.step_index
    if index is None:
        index = getattr(scheduler, "_begin_index", None)
    if index is None:
        index = scheduler.index_for_timestep(t) if hasattr(scheduler, "index_for_timestep") else 0
    return int(index)


def proved(scheduler: Any) -> str:
    """Empty where x0 comes out right for a sample that was made from a known one by the scheduler's own noise.

    A scheduler of the same class and configuration is asked, not this one. Otherwise: why there is no preview.
    """
    reason = known(scheduler)
    if reason:
        return reason
    try:
        worst = _worst_error(scheduler)
    except Exception as error:  # noqa: BLE001 - no proof, so no preview is promised; what is generated is still checked
        return f"{type(scheduler).__name__} could not be tried: {type(error).__name__}"
    if not worst <= TOLERANCE:
        return f"{type(scheduler).__name__} is heading elsewhere than its noise says (off by {worst:.2g})"
    return ""


def _worst_error(scheduler: Any, steps: int = 8) -> float:
    """Largest error of x0 at a few positions, for x0 and noise drawn from a generator of its own."""
    import torch

    other = type(scheduler).from_config(scheduler.config)
    more: dict[str, Any] = {"mu": 1.0} if scheduler.config.get("use_dynamic_shifting") else {}
    if _form(scheduler) is TRIGONOMETRIC:
        more = {"max_timesteps": math.pi / 2, "intermediate_timesteps": None}
    other.set_timesteps(steps, **more)
    draw = torch.Generator().manual_seed(6)
    x0, noise = (torch.randn(1, 4, 2, 2, generator=draw) for _ in range(2))
    worst = 0.0
    for position in (0, len(other.timesteps) // 2):
        t = other.timesteps[position]
        other._step_index = position
        level = _level(other, t)
        x = level[0] * x0 + level[1] * noise
        given = {"model_output": _output(other, x0, noise, level), "timestep": t, "sample": x}
        worst = max(worst, float((predicted_x0(other, given) - x0).abs().max()))
    return worst


def _level(scheduler: Any, t: Any) -> tuple[float, float]:
    """(α, σ) of x_t = α·x0 + σ·ε at a timestep, measured by noising one and nothing."""
    import torch

    one, times = torch.ones(1, 1, 1, 1), t.reshape(1)
    if _form(scheduler) is TRIGONOMETRIC:
        return float(torch.cos(t)) * scheduler.config.sigma_data, float(torch.sin(t)) * scheduler.config.sigma_data
    if hasattr(scheduler, "scale_noise"):
        return float(scheduler.scale_noise(one, times, 0 * one)), float(scheduler.scale_noise(0 * one, times, one))
    if _form(scheduler) is FLOW or scheduler.config.get("use_flow_sigmas"):
        # No noising of their own, or one that knows nothing of flow (SASolver).
        sigma = float(scheduler.sigmas[scheduler._step_index])
        return 1 - sigma, sigma
    if "RePaint" in _names(scheduler):
        alpha2 = float(scheduler.alphas_cumprod[int(t)])
        return alpha2**0.5, (1 - alpha2) ** 0.5
    return float(scheduler.add_noise(one, 0 * one, times)), float(scheduler.add_noise(0 * one, one, times))


def _output(scheduler: Any, x0: Any, noise: Any, level: tuple[float, float]) -> Any:
    """What a denoiser that knows x0 would predict."""
    form, kind = _form(scheduler), _prediction(scheduler)
    alpha, sigma = level
    if form is FLOW or kind == "flow_prediction":
        return noise - x0
    if form is TRIGONOMETRIC:
        return alpha * noise - sigma * x0
    if form is EDM:
        c_skip, c_out = _edm(scheduler, sigma)
        return (x0 - c_skip * (alpha * x0 + sigma * noise)) / c_out
    norm = (alpha**2 + sigma**2) ** 0.5
    if kind == "epsilon":
        return noise
    return (alpha * noise - sigma * x0) / norm if kind == "v_prediction" else x0


def _edm(scheduler: Any, sigma: float) -> tuple[float, float]:
    """(c_skip, c_out) of Karras et al. 2022 (arXiv 2206.00364, table 1); c_out as v-prediction has its sign."""
    data = float(scheduler.config.sigma_data)
    out = sigma * data / (sigma**2 + data**2) ** 0.5
    return data**2 / (sigma**2 + data**2), -out if _prediction(scheduler) == "v_prediction" else out
