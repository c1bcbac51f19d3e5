"""What a result holds beside its pictures: only what shows nothing leaves."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.utils import BaseOutput
from PIL import Image

import guardrail
from guardrail.errors import ConfigurationError, UnsupportedInput
from guardrail.pipelines.beside import HARMLESS, SOUND, returned_in_tuples
from guardrail.pipelines.outputs import MEDIA_FIELDS, Result
from guardrail.pipelines.parameters import OUT_OF_SCOPE
from tests import scripted
from tests.pipelines.tiny import BUILDERS, shared

FLAGS = {"nsfw_content_detected", "nsfw_detected", "watermark_detected"}
WORDS = {"applied_safety_concept", "revised_prompts", "text"}
WITHHELD = {"keyframes", "latent", "unsafe_images"}
# Not of a call that is judged by its pictures: parts of models, priors, inversions, and classes that are refused.
ELSEWHERE = """
    AudioLDM2ProjectionModelOutput AudioPipelineOutput DiffEditInversionPipelineOutput DiffusionGemmaPipelineOutput
    FluxPriorReduxPipelineOutput KandinskyPriorPipelineOutput LDM3DPipelineOutput LEditsPPInversionPipelineOutput
    LLaDA2PipelineOutput MLPNeRFModelOutput MarigoldDepthOutput MarigoldIntrinsicsOutput MarigoldNormalsOutput
    MeshDecoderOutput Pix2PixInversionPipelineOutput RFD4ProteinaPipelineOutput ReduxImageEncoderOutput
    StableAudioProjectionModelOutput StableCascadePriorPipelineOutput TransformationModelOutput
    WuerstchenPriorPipelineOutput
"""


def output_fields() -> Iterator[tuple[str, str]]:
    """(class, field) of everything that pipelines of the installed diffusers return, read from its source."""
    spec = find_spec("diffusers")
    assert spec is not None
    assert spec.submodule_search_locations
    for path in sorted((Path(spec.submodule_search_locations[0]) / "pipelines").rglob("*.py")):
        text = path.read_text("utf-8")
        if "Output(" not in text:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Output"):
                for inner in node.body:
                    if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
                        yield node.name, inner.target.id


@pytest.mark.nightly
def test_every_field_of_every_output_of_the_installed_diffusers_is_sorted() -> None:
    found = set(output_fields())
    assert len({name for name, _ in found}) >= 90
    elsewhere = set(ELSEWHERE.split())
    assert elsewhere <= {name for name, _ in found}
    known = {*MEDIA_FIELDS, *SOUND, *HARMLESS, *FLAGS, *WORDS, *WITHHELD}
    unsorted = {(name, field) for name, field in found if name not in elsewhere and field not in known}
    assert unsorted == set(), "read what these fields hold, and sort them"


@dataclasses.dataclass
class Several(BaseOutput):
    images: Any
    other: Any = None
    audio: Any = None
    c2w: Any = None


PICTURES = np.random.default_rng(0).random((2, 16, 16, 3), dtype=np.float32)
PICTURE = Image.fromarray((PICTURES[0] * 255).astype(np.uint8))


def close(blocked: list[int], **values: Any) -> tuple[Any, set[str]]:
    result = Result.open(Several(PICTURES, **values), latent=False)
    return result.close(blocked), {c.what for c in result.coverage()}


@pytest.mark.parametrize(
    "other",
    [
        PICTURE,
        [PICTURE, None],
        PICTURES.copy(),
        torch.from_numpy(PICTURES),
        torch.ones(2, 4, 2, 2),
        [[torch.ones(2, 8)]],
        {"deep": [PICTURE]},
        np.full((16, 16), 9),
        b"bytes of a picture",
        iter([PICTURE]),
        object(),
    ],
    ids=lambda v: type(v).__name__,
)
@pytest.mark.parametrize("blocked", [[], [1]])
def test_what_could_show_something_is_taken_out(other: Any, blocked: list[int]) -> None:
    value, said = close(blocked, other=other)
    assert value.other is None
    assert said == {"output-withheld"}
    assert np.array_equal(value.images, PICTURES)


@pytest.mark.parametrize("other", [[False, True], np.array([False, True]), "a word", ["words"], 3, None, {"a": [1.0]}])
def test_what_shows_nothing_leaves(other: Any) -> None:
    value, said = close([1], other=other, c2w=np.tile(np.eye(4), (5, 1, 1)))
    assert value.other is other
    assert value.c2w.shape == (5, 4, 4)
    assert said == set()


def test_the_name_of_a_camera_does_not_let_a_picture_pass() -> None:
    value, said = close([], c2w=PICTURES[None])
    assert value.c2w is None
    assert said == {"output-withheld"}


def test_sound_leaves_unjudged_and_says_so_but_not_that_of_a_blocked_output() -> None:
    sound = torch.ones(2, 2, 100)
    value, said = close([], audio=sound)
    assert value.audio is sound
    assert said == {"audio"}
    value, _ = close([1], audio=sound)
    assert value.audio[0].min() == 1
    assert value.audio[1].max() == 0
    assert sound.min() == 1
    assert close([0, 1], audio=sound)[0].audio is None
    assert close([0], audio=torch.ones(100))[0].audio is None
    # Where nobody says which outputs are blocked, all are.
    assert Result.open(Several(PICTURES, audio=sound), latent=False).close().audio is None


def test_an_attempt_that_took_the_place_of_another_does_not_get_its_sound() -> None:
    result = Result.open(Several(PICTURES, audio=torch.ones(2, 2, 100)), latent=False)
    result.put_native(0, PICTURES[1])
    value = result.close([])
    assert value.audio[0].max() == 0
    assert value.audio[1].min() == 1


def test_the_same_object_under_two_names_stays_the_same() -> None:
    latents = torch.ones(2, 4, 2, 2)
    result = Result.open(Several(latents, other=latents), latent=True)
    result.put_native(0, latents[:1] * 0)
    value = result.close([0])
    assert value.other is value.images
    assert [float(v.sum()) for v in value.other] == [0.0, 16.0]
    assert result.coverage() == []


def test_places_of_a_tuple_have_the_names_of_the_source() -> None:
    video, audio, keyframes = PICTURES, torch.ones(2, 1, 20), torch.ones(2, 4, 2, 2)

    def call(last: bool) -> Any:
        if last:
            return (video, audio, keyframes)
        return (video, audio)

    assert returned_in_tuples(call)[1] == {"audio"}
    result = Result.open(call(last=True), latent=False, call=call)
    value = result.close([])
    assert value[1] is audio
    assert value[2] is None
    assert {c.argument: c.what for c in result.coverage()} == {"output[1]": "audio", "output[2]": "output-withheld"}
    # Without a name it could be anything.
    assert Result.open(call(last=False), latent=False).close([])[1] is None


def test_latents_in_a_list_are_refused() -> None:
    with pytest.raises(UnsupportedInput, match="list of latents"):
        Result.open(Several([torch.ones(4, 8, 8)] * 2), latent=True)
    assert Result.open(Several([torch.ones(3, 8, 8)] * 2), latent=False).form == "tensor"


class Two(diffusers.StableDiffusionPipeline):
    """Gives its first picture twice."""

    def __call__(self, prompt: Any = None, num_inference_steps: int = 1, return_dict: bool = True) -> Any:
        images = super().__call__(prompt, num_inference_steps=num_inference_steps, height=64, width=64).images
        keyframes = images[0].copy()
        return Several(images=images, other=keyframes) if return_dict else (images, keyframes)


@pytest.mark.parametrize("blocked", [True, False])
def test_in_a_call(blocked: bool, make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(lambda image: 0.9 if blocked else 0.0))
    pipe = Two(**BUILDERS["text2img"]().components, requires_safety_checker=False)
    guard = make_guard("rules: [{id: out, at: output, when: {output.nudity: '>= 0.5'}, then: block}]\n")
    guarded = guardrail.wrap(pipe, guard=guard)
    out = guarded("a fox")
    assert out.guardrail[0].blocked is blocked
    assert out.other is None
    assert ("output-withheld", "output.other") in {(c.what, c.argument) for c in out.guardrail[0].coverage}
    images, keyframes = guarded("a fox", return_dict=False)
    assert len(images) == 1
    assert keyframes is None


def test_what_a_callback_decodes_itself_is_not_closed_and_the_coverage_says_so(
    make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    guard = make_guard("rules: [{id: out, at: output, when: {output.nudity: '>= 0.5'}, then: block}]\n")
    pipe = shared("text2img")
    guarded = guardrail.wrap(pipe, guard=guard)
    assert guarded.vae is pipe.vae
    seen: list[Any] = []

    def live(pipe: Any, step: int, timestep: Any, tensors: Any) -> Any:
        seen.append(pipe.vae.decode(tensors["latents"] / pipe.vae.config.scaling_factor).sample)
        return tensors

    out = guarded("a fox", num_inference_steps=1, height=64, width=64, callback_on_step_end=live)
    assert out.guardrail[0].blocked
    assert seen[0].shape == (1, 3, 64, 64)
    (note,) = [c for c in out.guardrail[0].coverage if c.what == "callback"]
    assert "take latents out" in note.detail
    assert "what the callback decodes itself is not" in note.detail


@pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
def test_classes_whose_output_cannot_be_judged_are_refused_before_they_run(put: Any, make_guard: Any) -> None:
    guard = make_guard("rules: [{id: w, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]\n")
    for reason, names in OUT_OF_SCOPE.items():
        for name in names.split():
            kind = type(name, (diffusers.StableDiffusionPipeline,), {})
            for one in (kind, type("Mine", (kind,), {})):
                with pytest.raises(ConfigurationError, match=reason):
                    put(object.__new__(one), guard=guard)
