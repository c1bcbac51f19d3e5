"""Safety guidance as a guider of modular pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from guardrail.errors import ConfigurationError
from guardrail.pipelines.steering import STRENGTHS, STRONG, SafetySettings
from guardrail.pipelines.steering.guider import safety_guidance, safety_guider
from guardrail.pipelines.steering.safety import SafetyState
from tests.pipelines.test_transparent import generator
from tests.pipelines.tiny import MODULAR, call_arguments, denoiser

PHRASES = ("lingerie", "bare")


def pictures(pipe: Any, name: str, prompt: Any = "a bare fox") -> Any:
    arguments = call_arguments(name, prompt, output_type="np")
    return np.asarray(pipe(**arguments, generator=generator(), output="images"))


def texts(name: str) -> dict[str, Any]:
    return {k: v for k, v in call_arguments(name).items() if k == "max_sequence_length"}


@pytest.mark.parametrize("name", ["modular_sdxl", "modular_z_image"])
def test_a_third_prediction_is_made_and_steers(name: str) -> None:
    pipe = MODULAR[name]()
    own = pipe.guider
    bare = pictures(pipe, name)
    calls: list[Any] = []
    denoiser(pipe).register_forward_hook(lambda m, args, out: calls.append(out))
    guider = safety_guider(pipe, PHRASES, STRENGTHS["max"], **texts(name))
    assert not calls
    assert guider.config.guidance_scale == own.config.guidance_scale
    pipe.update_components(guider=guider)
    out = pictures(pipe, name)
    assert guider.inactive == ""
    assert len(calls) == 6
    assert np.abs(out - bare).max() > 1e-3
    # Its momentum begins anew with every run.
    assert np.array_equal(out, pictures(pipe, name))
    copy = guider.new(guidance_scale=3.0)
    assert (copy.config.guidance_scale, copy.inactive, copy.settings) == (3.0, "", STRENGTHS["max"])
    pipe.update_components(guider=own)
    assert np.array_equal(bare, pictures(pipe, name))


def test_without_guidance_there_is_one_prediction() -> None:
    # Modular SDXL turns its guider on again by itself.
    pipe = MODULAR["modular_z_image"]()
    guider = safety_guider(pipe, PHRASES, STRENGTHS["max"], **texts("modular_z_image"))
    guider.disable()
    pipe.update_components(guider=guider)
    calls: list[Any] = []
    denoiser(pipe).register_forward_hook(lambda m, args, out: calls.append(out))
    pictures(pipe, "modular_z_image")
    assert len(calls) == 2
    assert guider.inactive == "classifier-free guidance is off"


def test_at_scale_zero_it_is_classifier_free_guidance() -> None:
    pipe = MODULAR["modular_sdxl"]()
    bare = pictures(pipe, "modular_sdxl", ["a bare fox", "a boat"])
    guider = safety_guider(pipe, PHRASES, SafetySettings(scale=0.0, momentum=0.0, warmup=0.0))
    pipe.update_components(guider=guider)
    assert np.array_equal(bare, pictures(pipe, "modular_sdxl", ["a bare fox", "a boat"]))


def test_its_prediction_is_the_papers() -> None:
    guider = safety_guidance()(guidance_scale=4.0, safety_threshold=9.0).holding({"prompt_embeds": torch.zeros(1, 2)})
    plain, prompt, concept = torch.randn(3, 1, 4, 2, 2, generator=generator())
    expected = SafetyState(SafetySettings(threshold=9.0))
    for step in range(3):
        guider.set_state(step, 3, torch.tensor(step))
        away = expected.away(plain, prompt, concept, step / 3)
        found = guider.forward(prompt, plain, concept).pred
        assert torch.allclose(found, plain + 4.0 * (prompt - away - plain), atol=1e-6)
        assert bool((away == 0).all()) is (step == 0 and STRONG.warmup > 0)


def test_what_it_does_not_know_of_the_concept_is_refused() -> None:
    guider = safety_guidance()().holding({"prompt_embeds": torch.ones(1, 2, 3)})
    pair = (torch.zeros(2, 2, 3), torch.zeros(2, 2, 3))
    *_, third = guider.prepare_inputs({"encoder_hidden_states": pair, "time_ids": pair})
    assert torch.equal(third.encoder_hidden_states, torch.ones(2, 2, 3))
    assert torch.equal(third.time_ids, pair[0])
    with pytest.raises(ConfigurationError, match="text_embeds"):
        guider.prepare_inputs({"encoder_hidden_states": pair, "text_embeds": pair})
    with pytest.raises(ConfigurationError, match="finds no prompt"):
        guider.prepare_inputs({"time_ids": pair})
    longer = (torch.zeros(2, 5, 3), torch.zeros(2, 5, 3))
    with pytest.raises(ConfigurationError, match="another length"):
        guider.prepare_inputs({"prompt_embeds": longer})
    assert safety_guidance()().inactive == "the guider holds no concept"
    assert len(safety_guidance()().prepare_inputs({"prompt_embeds": pair})) == 2


def test_a_pipeline_without_a_guider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no guider"):
        safety_guider(MODULAR["modular_flux"](), PHRASES)
