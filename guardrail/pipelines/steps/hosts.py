"""Where in a pipeline the schedulers are, and what turns the latents of each into pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from guardrail.pipelines.steps.x0 import proved

__all__ = ["AUTOENCODERS", "Host", "hosts", "makes_pixels", "pipelines", "unproved"]

AUTOENCODERS = ("vae", "movq", "vqgan", "vqvae")
DEEPEST = 2


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """A scheduler and the pipeline that steps it: the pipeline itself or one inside it (a prior, a decoder)."""

    pipe: Any
    scheduler: Any

    @property
    def autoencoder(self) -> Any:
        """What decodes its latents; ``None`` where there is none, as in a prior or a model of pixels."""
        return getattr(self.pipe, self.autoencoder_name, None) if self.autoencoder_name else None

    @property
    def autoencoder_name(self) -> str:
        """Under which name the pipeline has it; empty where there is none."""
        return next((n for n in AUTOENCODERS if getattr(self.pipe, n, None) is not None), "")


def hosts(pipe: Any) -> list[Host]:
    """Every scheduler of a pipeline, those of pipelines inside it first."""
    found: dict[int, Host] = {}
    for inner in pipelines(pipe):
        for part in _parts(inner).values():
            if _steps(part) and id(part) not in found:
                found[id(part)] = Host(inner, part)
    return list(found.values())


def unproved(pipe: Any) -> str:
    """Empty where a preview was proved possible for some scheduler that makes pictures; otherwise why not."""
    reasons = ["the pipeline has no scheduler that steps"]
    for host in hosts(pipe):
        if host.autoencoder is None and not makes_pixels(host.pipe):
            reasons.append(f"{type(host.pipe).__name__} has no autoencoder")
            continue
        reason = proved(host.scheduler)
        if not reason:
            return ""
        reasons.append(reason)
    return reasons[-1]


def makes_pixels(pipe: Any) -> bool:
    """Whether the denoiser itself works on RGB."""
    for name in ("unet", "transformer"):
        config = getattr(getattr(pipe, name, None), "config", None)
        if config is not None:
            # 6: super-resolution, the small picture beside the noise; 7: inpainting.
            return getattr(config, "in_channels", None) in (3, 6, 7)
    return False


def pipelines(pipe: Any) -> Iterator[Any]:
    """The pipelines inside a pipeline (a prior, a decoder), and then itself."""
    return _pipelines(pipe, 0)


def _pipelines(pipe: Any, depth: int) -> Iterator[Any]:
    if depth < DEEPEST:
        for name, value in list(vars(pipe).items()):
            if name.endswith("_pipe") and hasattr(value, "components"):
                yield from _pipelines(value, depth + 1)
    yield pipe


def _parts(pipe: Any) -> dict[str, Any]:
    parts = getattr(pipe, "components", None)
    return parts if isinstance(parts, dict) else {}


def _steps(part: Any) -> bool:
    return callable(getattr(part, "step", None)) and hasattr(part, "set_timesteps") and hasattr(part, "config")
