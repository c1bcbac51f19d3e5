"""What is inside of an argument: nested, in objects, in keys; words to be avoided; files; and the page about it."""

from __future__ import annotations

import importlib.util
from collections import namedtuple
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.pipelines.survey import survey
from tests.pipelines.test_coverage import PIXELS, SENTINELS, read, stand_in

ROOT = Path(__file__).parent.parent.parent
TEXT = "a sentence, as a sentinel"
PICTURE = SENTINELS["picture"]
NAMES = """prompt negative_prompt messages prompt_segments conditions cross_attention_kwargs image guidance_scale
input_ids audio output_type callback_on_step_end_tensor_inputs video **kwargs"""
CALL = stand_in(NAMES.split())
Pair = namedtuple("Pair", "words picture")


@dataclass(slots=True)
class Slotted:
    frames: Any
    words: str = TEXT


@dataclass(frozen=True)
class Frozen:
    words: str = TEXT
    inner: list[Any] = field(default_factory=list)


def looked(**values: Any) -> tuple[list[str], int]:
    inputs = read("Some", CALL, **values)
    assert inputs.faults == []
    return [t.text.text for t in inputs.texts], len(inputs.pictures)


@pytest.mark.parametrize(
    "values",
    [
        {"conditions": [Slotted(PICTURE)]},
        {"conditions": Frozen(inner=[[PICTURE]])},
        {"conditions": Pair(TEXT, PICTURE)},
        {"prompt_segments": [{"prompt": TEXT, "image": PICTURE}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": TEXT}, {"type": "image", "image": PICTURE}]}
            ]
        },
        {"cross_attention_kwargs": {"gligen": {"phrases": [TEXT], "images": [PICTURE]}}},
        {"cross_attention_kwargs": {TEXT: PICTURE}},
        {"something_new": {"deep": [[{"er": (TEXT, PICTURE)}]]}},
        {"something_new": {"texts": frozenset([TEXT]), "image": PICTURE}},
        {"something_new": np.array([TEXT, PICTURE], dtype=object)},
    ],
)
def test_texts_and_pictures_are_found_inside(values: dict[str, Any]) -> None:
    texts, pictures = looked(**values)
    assert texts.count(TEXT) == 1
    assert pictures == 1


def test_the_words_of_the_program_are_left_alone() -> None:
    words = {"output_type": "pil", "callback_on_step_end_tensor_inputs": ["latents", "prompt_embeds"]}
    assert looked(prompt=TEXT, **words) == ([TEXT], 0)
    # A switch that holds a sentence is no switch.
    assert looked(prompt="", output_type=TEXT)[0].count(TEXT) == 1


def test_words_to_be_avoided_and_words_that_only_claim_to_be() -> None:
    def negatives(**values: Any) -> list[bool]:
        return [t.text.negative for t in read("Some", CALL, **values).texts]

    assert negatives(prompt=TEXT, negative_prompt=[TEXT]) == [False, True]
    assert negatives(negative_thoughts=TEXT) == [False]
    assert negatives(cross_attention_kwargs={"negative_prompt": TEXT}) == [False]
    # Guidance away from nothing and towards what was to be avoided.
    assert negatives(negative_prompt=TEXT, guidance_scale=-7.5) == [False]


@pytest.mark.parametrize(
    "values",
    [
        {"image": "/srv/pictures/one.png"},
        {"image": ["https://example.org/one.png"]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,"}}]}]},
        {"prompt": (word for word in [TEXT])},
        {"video": iter([PICTURE])},
    ],
)
def test_files_and_iterators_are_refused_and_not_consumed(values: dict[str, Any]) -> None:
    inputs = read("Some", CALL, **values)
    assert len(inputs.faults) == 1
    assert "example" not in str(inputs.faults[0][1])
    for value in values.values():
        if hasattr(value, "__next__"):
            assert len(list(value)) == 1


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"input_ids": [[1, 2, 3]]}, "token-ids"),
        ({"audio": "speech.wav"}, "audio"),
        ({"image": torch.zeros(1, 16, 8, 8)}, "condition-latent"),
        ({"prompt": b"bytes"}, "unknown"),
        ({"prompt": {b"bytes": 1}}, "unknown"),
        ({"something_new": torch.nn.Linear(1, 1)}, "unknown"),
        ({"something_new": torch.zeros(768)}, "unknown"),
        ({"something_new": [[[[[[[[[[TEXT]]]]]]]]]]}, "unknown"),
    ],
)
def test_what_cannot_be_read_is_named(values: dict[str, Any], kind: str) -> None:
    assert kind in {c.what for c in read("Some", CALL, **values).coverage()}


def test_a_loop_ends_and_is_named() -> None:
    loop: list[Any] = [TEXT]
    loop.append(loop)
    inputs = read("Some", CALL, something_new=loop)
    assert [u.kind for u in inputs.unverified] == ["unknown"]
    assert [t.text.text for t in inputs.texts] == [TEXT]


def test_places_are_told_apart_and_keys_are_not_repeated() -> None:
    embeddings = {"Jane Placeholder embeds": torch.zeros(1, 8, 8), "more embeds": torch.zeros(1, 8, 8)}
    inputs = read("Some", CALL, something_new=embeddings)
    places = [u.argument for u in inputs.unverified]
    assert len(set(places)) == 2
    assert "Placeholder" not in "".join([*places, *(t.text.argument for t in inputs.texts)])


def test_altered_texts_come_back_into_keys_and_objects_and_nowhere_else() -> None:
    given = {TEXT: [Slotted(PICTURE)], "text": Frozen()}
    inputs = read("Some", CALL, something_new=given)
    arguments = inputs.arguments.copy()
    for text in inputs.texts:
        arguments.replace(text.leaf.path, "changed")
    ((key, (slotted,)), (_, frozen)) = arguments.values["something_new"].items()
    assert (key, slotted.words, frozen.words) == ("changed", "changed", "changed")
    assert given[TEXT][0].words == given["text"].words == TEXT  # type: ignore[index, attr-defined]
    for closed in (frozenset([TEXT]), np.array([TEXT])):
        inputs = read("Some", CALL, something_new=closed)
        with pytest.raises(TypeError, match="cannot be replaced"):
            inputs.arguments.copy().replace(inputs.texts[0].leaf.path, "changed")


def test_a_list_that_nobody_knows_belongs_to_every_prompt() -> None:
    inputs = read("Some", CALL, prompt=["one", "two"], something_new=["three", "four"])
    assert [[t.text.text for t in inputs._texts_of(i)] for i in (0, 1)] == [
        ["one", "three", "four"],
        ["two", "three", "four"],
    ]


def test_masks_and_cameras_that_are_pictures_are_looked_at() -> None:
    call = stand_in(["attention_mask", "c2w", "gligen_boxes", "sigmas"])
    honest = {"attention_mask": torch.tensor([[1, 1, 0]]), "c2w": torch.randn(5, 4, 4), "gligen_boxes": np.eye(4)}
    inputs = read("Some", call, **honest, sigmas=torch.linspace(1, 0, 30))
    assert (inputs.pictures, inputs.unverified) == ([], [])
    for name in ("attention_mask", "c2w", "gligen_boxes", "sigmas"):
        assert len(read("Some", call, **{name: PIXELS}).pictures) == 1


def test_the_page_about_it_is_current() -> None:
    spec = importlib.util.spec_from_file_location("make_pipelines_covered", ROOT / "docs/make_pipelines_covered.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PAGE.read_text("utf-8") == made.page(survey()), "run: python docs/make_pipelines_covered.py"
