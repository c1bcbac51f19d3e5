"""Safety guidance in pipelines with a UNet: their batch of two predictions becomes one of three, and two again.

Hooks on the UNet: before it runs, the concept is appended as a third of the batch; after it, what the concept says is
taken from the prompt's prediction, and the pipeline guides as ever. They are there for one run, act for the thread or
task that asked, and are taken away whatever is raised.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.steering.encoding import EMBEDDINGS, Encoder, Results, unencodable
from guardrail.pipelines.steering.guidance import guidance_off
from guardrail.pipelines.steering.safety import STRONG, SafetySettings, SafetyState
from guardrail.pipelines.steering.wishes import Outcome, Wish

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ThirdPrediction", "inactive"]

_POOLED = "pooled_prompt_embeds"
_acting: ContextVar[ThirdPrediction | None] = ContextVar("guardrail_third_prediction", default=None)


def inactive(pipe: Any, arguments: Arguments) -> str:
    """Empty where a third prediction can be made in this call; otherwise why not."""
    if not hasattr(getattr(pipe, "unet", None), "register_forward_pre_hook"):
        return "the pipeline has no UNet"
    return guidance_off(pipe, arguments) or unencodable(pipe, arguments)


@dataclass(slots=True)
class ThirdPrediction:
    """One run. It is the change for `encoding.between`: there it learns what the concept and the prompt are encoded as.

    Args:
        outcome: says what was done, once it was.
    """

    pipe: Any
    wish: Wish
    outcome: Outcome
    settings: SafetySettings = STRONG
    _state: SafetyState = field(init=False)
    _prompt: Any = None
    _concept: Results = field(default_factory=dict)
    _half: int = 0
    _progress: float = 0.0
    _steps: int = 0

    def __post_init__(self) -> None:
        self._state = SafetyState(self.settings)

    def __call__(self, encoder: Encoder, given: dict[str, Any], results: Results) -> None:
        texts = encoder.texts(given, 0)
        self._prompt = results[EMBEDDINGS]
        self._concept = encoder.encode(given, [dict.fromkeys(texts, self.wish.text)])

    @contextlib.contextmanager
    def hooked(self) -> Iterator[None]:
        """Make the third prediction while the block runs here."""
        with contextlib.ExitStack() as hooks:
            unet = self.pipe.unet
            hooks.callback(unet.register_forward_pre_hook(_before, with_kwargs=True).remove)
            hooks.callback(unet.register_forward_hook(_after).remove)
            token = _acting.set(self)
            try:
                yield
            finally:
                _acting.reset(token)

    # ---- at a step

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        names = ("sample", "timestep", "encoder_hidden_states")
        given = dict(zip(names, args, strict=False)) | kwargs
        cause = self._cause(given)
        if cause:
            self._half = 0
            self.outcome.inactive = cause
            return None
        half = self._half = len(self._prompt)
        self._progress = _progress(self.pipe.scheduler, given.get("timestep"), self._steps)
        made = {name: _thirds(value, half) for name, value in given.items()}
        states = given["encoder_hidden_states"]
        made["encoder_hidden_states"] = _with_third(states, self._concept[EMBEDDINGS])
        added = given.get("added_cond_kwargs")
        pooled = self._concept.get(_POOLED)
        if isinstance(added, Mapping) and added.get("text_embeds") is not None and pooled is not None:
            vectors = _with_third(added["text_embeds"], pooled)
            made["added_cond_kwargs"] = {**made["added_cond_kwargs"], "text_embeds": vectors}
        return (*(made.pop(n) for n in names[: len(args)]), *args[len(names) :]), made

    def _cause(self, given: Mapping[str, Any]) -> str:
        """Why a call of the UNet is not one of a batch of two with the prompt in its second half; empty if it is."""
        import torch

        sample, states = given.get("sample"), given.get("encoder_hidden_states")
        if self._prompt is None:
            return "the pipeline encoded another text than the prompt"
        half = len(self._prompt)
        if not torch.is_tensor(states) or len(states) != 2 * half or sample is None or len(sample) != 2 * half:
            return "the UNet is not called with a batch of two predictions"
        if states.shape[1:] != self._prompt.shape[1:] or not torch.equal(states[half:], self._prompt.to(states)):
            return "the second half of the UNet's batch is not the prompt"
        if self._concept[EMBEDDINGS].shape[1:] != states.shape[1:]:
            return "the concept is encoded in another length than the prompt"
        return ""

    def after(self, output: Any) -> Any:
        import torch

        if not self._half:
            return None
        made = output[0]
        plain, prompt, concept = made.split(self._half)
        # Models that predict a variance too have it in the second half of their channels.
        latents = getattr(self.pipe.unet.config, "in_channels", made.shape[1])
        channels = latents if made.shape[1] == 2 * latents else made.shape[1]
        prompt = prompt.clone()
        prompt[:, :channels] -= self._state.away(
            plain[:, :channels], prompt[:, :channels], concept[:, :channels], self._progress
        )
        self._steps += 1
        self.outcome.inactive = ""
        self.outcome.detail = f"by safety guidance; predictions changed: {self._steps}"
        two = torch.cat([plain, prompt])
        return (two, *output[1:]) if isinstance(output, tuple) else type(output)(sample=two)


def _before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    acting = _acting.get()
    return acting.before(args, kwargs) if acting is not None and acting.pipe.unet is module else None


def _after(module: Any, args: tuple[Any, ...], output: Any) -> Any:
    acting = _acting.get()
    return acting.after(output) if acting is not None and acting.pipe.unet is module else None


def _thirds(value: Any, half: int) -> Any:
    """With the prompt's half of every batch once more: what is not text is the same for the concept."""
    import torch

    if torch.is_tensor(value):
        return torch.cat([value, value[half:]]) if value.ndim and len(value) == 2 * half else value
    if isinstance(value, Mapping):
        return {key: _thirds(one, half) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_thirds(one, half) for one in value)
    return value


def _with_third(two: Tensor, one: Tensor) -> Tensor:
    """(2B, …) and (1, …) to (3B, …)."""
    import torch

    return torch.cat([two, one.to(two).expand(len(two) // 2, *one.shape[1:])])


def _progress(scheduler: Any, timestep: Any, steps: int) -> float:
    """Where in the schedule a step is, 0 … 1: pipelines that begin with a picture enter it in the middle."""
    times = scheduler.timesteps.tolist()
    now = float(timestep.flatten()[0]) if hasattr(timestep, "flatten") else float(timestep)
    place = next((i for i, t in enumerate(times) if abs(t - now) < 1e-6), steps)
    return place / max(1, len(times))
