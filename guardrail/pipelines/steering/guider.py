"""Safety guidance for modular pipelines: a guider that makes a third prediction, for the concept.

    guider = safety_guider(pipe, ("nudity", "nude"))
    pipe.update_components(guider=guider)

It guides as diffusers' `ClassifierFreeGuidance`, with what `safety` works out taken from the prompt's prediction first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from guardrail.errors import ConfigurationError
from guardrail.pipelines.steering.safety import STRONG, SafetySettings, SafetyState

__all__ = ["safety_guidance", "safety_guider"]

# What the denoiser calls the pipeline's text embeddings, where a family hands them on under the denoiser's names.
_SOURCES = {
    "prompt_embeds": "prompt_embeds",
    "encoder_hidden_states": "prompt_embeds",
    "cap_feats": "prompt_embeds",
    "text_embeds": "pooled_prompt_embeds",
    "pooled_projections": "pooled_prompt_embeds",
    "encoder_hidden_states_mask": "prompt_embeds_mask",
    "encoder_attention_mask": "prompt_embeds_mask",
}
# Differ between prompt and negative prompt in form only: the concept has the prompt's.
_SHARED = frozenset({"time_ids", "add_time_ids", "image_embeds", "ip_adapter_embeds", "hidden_states", "txt_ids"})


def safety_guider(pipe: Any, phrases: Sequence[str], settings: SafetySettings = STRONG, **texts: Any) -> Any:
    """A guider for a modular pipeline that keeps what it makes away from a concept.

    Args:
        pipe: with its text encoders loaded and a guider of its own, whose scale is taken over. It is not changed.
        phrases: the concept.
        settings: numbers of the method.
        texts: more for the pipeline's text encoder, as the calls of the pipeline will give it: embeddings must come out
            of one length (``max_sequence_length``).

    Raises:
        ConfigurationError: the pipeline has no guider, or no text encoder of its own.
    """
    own = getattr(pipe, "guider", None)
    if own is None:
        raise ConfigurationError(f"{type(pipe).__name__} has no guider: safety guidance has no place in it")
    block = pipe.blocks.sub_blocks.get("text_encoder")
    if block is None:
        raise ConfigurationError(f"{type(pipe).__name__} has no text encoder: it cannot say what the concept is")
    encoder = block.init_pipeline()
    # Alone, a guider would have the negative prompt encoded as well.
    parts = {name: getattr(pipe, name) for name in encoder.component_names if name != "guider"}
    encoder.update_components(**{name: part for name, part in parts.items() if part is not None})
    state = encoder(prompt=", ".join(phrases), **texts)
    wanted = [o.name for o in block.intermediate_outputs if o.name and not o.name.startswith("negative")]
    concept = {name: state.get(name) for name in wanted if state.get(name) is not None}
    kept = {n: own.config[n] for n in ("guidance_scale", "guidance_rescale", "start", "stop") if n in own.config}
    return safety_guidance()(**kept, **{f"safety_{n}": getattr(settings, n) for n in _SETTINGS}).holding(concept)


_SETTINGS = ("scale", "threshold", "momentum", "decay", "warmup")


@cache
def safety_guidance() -> Any:
    """The class `SafetyGuidance`; made on first use, since diffusers is not imported before it is needed."""
    from diffusers import ClassifierFreeGuidance
    from diffusers.configuration_utils import register_to_config

    class SafetyGuidance(ClassifierFreeGuidance):  # type: ignore[misc]
        """Classifier-free guidance away from a concept.

        Args:
            guidance_scale, guidance_rescale, use_original_formulation, start, stop, enabled: as its base.
            safety_scale, safety_threshold, safety_momentum, safety_decay, safety_warmup: see `SafetySettings`.
        """

        _input_predictions = ["pred_cond", "pred_uncond", "pred_concept"]  # noqa: RUF012 - a list is asked for

        @register_to_config  # type: ignore[untyped-decorator]
        def __init__(
            self,
            guidance_scale: float = 7.5,
            guidance_rescale: float = 0.0,
            use_original_formulation: bool = False,
            start: float = 0.0,
            stop: float = 1.0,
            enabled: bool = True,
            safety_scale: float = STRONG.scale,
            safety_threshold: float = STRONG.threshold,
            safety_momentum: float = STRONG.momentum,
            safety_decay: float = STRONG.decay,
            safety_warmup: float = STRONG.warmup,
        ) -> None:
            super().__init__(guidance_scale, guidance_rescale, use_original_formulation, start, stop, enabled)
            self.settings = SafetySettings(safety_scale, safety_threshold, safety_momentum, safety_decay, safety_warmup)
            self._concept: Mapping[str, Any] = {}
            self._safety = SafetyState(self.settings)

        def holding(self, concept: Mapping[str, Any]) -> Any:
            """The guider itself, from now on kept away from what these embeddings, each (1, …), say."""
            self._concept = dict(concept)
            return self

        def new(self, **kwargs: Any) -> Any:
            """A copy with some settings changed; it holds the same concept."""
            return super().new(**kwargs).holding(self._concept)

        @property
        def inactive(self) -> str:
            """Empty where the next step is steered; otherwise why not."""
            if not self._concept:
                return "the guider holds no concept"
            return "" if self.num_conditions == 3 else "classifier-free guidance is off"

        @property
        def num_conditions(self) -> int:
            return 1 if not self._is_cfg_enabled() else 3 if self._concept else 2

        @property
        def is_conditional(self) -> bool:
            return bool(self._count_prepared != 2)

        def set_state(self, step: int, num_inference_steps: int, timestep: Any) -> None:
            super().set_state(step, num_inference_steps, timestep)
            if step == 0:
                self._safety = SafetyState(self.settings)

        def prepare_inputs(self, data: Mapping[str, Any]) -> list[Any]:
            batches: list[Any] = super().prepare_inputs(data)
            if self.num_conditions == 3:
                third = self._prepare_batch(data, 0, self._input_predictions[2])
                apart = [key for key, value in data.items() if isinstance(value, tuple) or key in _SOURCES]
                batches.append(self._for_concept(third, {k: _SOURCES.get(k, k) for k in apart}))
            return batches

        def prepare_inputs_from_block_state(self, data: Any, input_fields: Mapping[str, Any]) -> list[Any]:
            batches: list[Any] = super().prepare_inputs_from_block_state(data, input_fields)
            if self.num_conditions == 3:
                third = self._prepare_batch_from_block_state(input_fields, data, 0, self._input_predictions[2])
                apart = {key: value[0] for key, value in input_fields.items() if isinstance(value, tuple)}
                batches.append(self._for_concept(third, apart))
            return batches

        def _for_concept(self, batch: Any, sources: Mapping[str, str]) -> Any:
            """The prompt's batch with the concept in the place of what the prompt says.

            Raises:
                ConfigurationError: something that the prompt says is not known of the concept.
            """
            said = False
            for key, source in sources.items():
                now = getattr(batch, key, None)
                if source in self._concept and now is not None:
                    said = True
                    setattr(batch, key, _repeated(self._concept[source], now, key))
                elif now is not None and source not in _SHARED:
                    raise ConfigurationError(f"safety guidance does not know what {key} is for its concept")
            if not said:
                raise ConfigurationError("safety guidance finds no prompt in what the denoiser is given")
            return batch

        def forward(self, pred_cond: Any, pred_uncond: Any = None, pred_concept: Any = None) -> Any:
            if pred_concept is None:
                return super().forward(pred_cond, pred_uncond)
            progress = self._step / max(1, self._num_inference_steps)
            away = self._safety.away(pred_uncond, pred_cond, pred_concept, progress)
            return super().forward(pred_cond - away, pred_uncond)

    return SafetyGuidance


def _repeated(concept: Any, like: Any, key: str) -> Any:
    """The concept's (1, …) for as many rows as the prompt has; families with texts of any length have a list."""
    if isinstance(like, list):
        first = concept[0]
        return [first.to(like[0])] * len(like)
    if concept.shape[1:] != like.shape[1:]:
        raise ConfigurationError(f"{key} of the concept has another length than the prompt's: encode both alike")
    return concept.to(like).expand(like.shape[0], *concept.shape[1:])
