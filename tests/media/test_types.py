"""Requests: which stages are due, what views a frame has, and the limits of text."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

import guardrail
from guardrail.errors import TextTooLong, UnsupportedInput
from guardrail.media import Context, ImageInput, Limits, Request, Role, TextInput
from guardrail.signals import Stage
from tests.media.pictures import noise

PICTURE = ImageInput((np.zeros((4, 4, 3), np.uint8),))
MEDIA: dict[Stage, dict[str, Any]] = {
    Stage.PROMPT: {"texts": (TextInput("a fox"),)},
    Stage.REFERENCE: {"images": (PICTURE,)},
    Stage.STEP: {"previews": (PICTURE,)},
    Stage.OUTPUT: {"outputs": (PICTURE,)},
}


# ---- what is due


@pytest.mark.parametrize("present", [c for n in range(5) for c in itertools.combinations(Stage, n)])
def test_a_stage_is_due_when_it_ran_and_has_something_to_look_at(present: tuple[Stage, ...]) -> None:
    request = Request(**{k: v for stage in present for k, v in MEDIA[stage].items()})
    for ran in itertools.chain.from_iterable(itertools.combinations(Stage, n) for n in range(5)):
        assert request.due(frozenset(ran)) == frozenset(ran) & frozenset(present)


def test_an_empty_prompt_is_a_text_and_due() -> None:
    assert Request(texts=(TextInput(""),)).due(frozenset(Stage)) == {Stage.PROMPT}


def test_changed_requests_keep_the_rest() -> None:
    context = Context("medical", user="u")
    request = Request((TextInput("a"),), (PICTURE,), context=context)
    other = request.with_texts([TextInput("b")]).with_images([]).with_output(PICTURE)
    assert ([t.text for t in other.texts], other.images, other.outputs) == (["b"], (), (PICTURE,))
    assert other.context is context
    assert [t.text for t in request.texts] == ["a"]
    assert other.media(Stage.OUTPUT) == (PICTURE,)


# ---- views


def views(frame: np.ndarray) -> list[np.ndarray]:
    return [pixels for _, pixels in ImageInput((frame,)).views()]


def test_what_hides_on_one_backdrop_shows_on_the_other() -> None:
    secret = noise(16, 16, 3)
    # White where the secret is dark, by transparency alone: invisible over white.
    on_white = np.dstack([np.full((16, 16, 3), 255, np.uint8), 255 - secret[..., 0]])
    on_black = np.dstack([np.zeros((16, 16, 3), np.uint8), 255 - secret[..., 0]])
    for frame, blank in ((on_white, 255), (on_black, 0)):
        shown = views(frame)
        assert any((v == blank).all() for v in shown)
        assert any(v.std() > 30 for v in shown)


def test_colours_below_full_transparency_are_looked_at() -> None:
    # No viewer shows them; convert("RGB"), with which every pipeline begins, does.
    secret = noise(16, 16, 3)
    frame = np.dstack([secret, np.zeros((16, 16), np.uint8)])
    assert any(np.array_equal(v, secret) for v in views(frame))


@given(arrays(np.uint8, (3, 4, 4)))
def test_views_are_the_renderings_of_a_frame(frame: np.ndarray) -> None:
    shown = views(frame)
    alpha, rgb = frame[..., 3:] / 255.0, frame[..., :3].astype(float)
    expected = [rgb * alpha, rgb * alpha + 255 * (1 - alpha), rgb]
    for wanted in expected if int(frame[..., 3].min()) < 255 else [rgb]:
        assert any(np.abs(v - wanted).max() <= 1 for v in shown)
    assert len(shown) == 1 if int(frame[..., 3].min()) == 255 else 2 <= len(shown) <= 3
    assert all(v.shape == (3, 4, 3) and v.dtype == np.uint8 for v in shown)


def test_opaque_frames_have_one_view_and_frames_keep_their_number() -> None:
    opaque = np.dstack([noise(8, 8, 3), np.full((8, 8), 255, np.uint8)])
    clear = np.dstack([noise(8, 8, 3), np.full((8, 8), 7, np.uint8)])
    assert [i for i, _ in ImageInput((opaque, clear, noise(8, 8, 3))).views()] == [0, 1, 1, 1, 2]


def test_the_digest_tells_shapes_and_pixels_apart() -> None:
    picture = noise(8, 8, 3)
    other = picture.copy()
    other[7, 7, 2] ^= 1
    frames = [(picture,), (other,), (picture.reshape(4, 16, 3),), (picture, picture), (np.asfortranarray(picture),)]
    digests = [ImageInput(f, "a", 1, Role.MASK).digest() for f in frames]
    assert len(set(digests)) == 4
    assert digests[0] == digests[4] == ImageInput((picture,)).digest()


# ---- texts


@pytest.mark.parametrize("text", ["", "x" * 20_000, "\x00\x1b[31m", "\ud800", "a\u200bb", "👩‍👩‍👧" * 100])
def test_texts_that_are_taken(text: str) -> None:
    assert TextInput(text).within(Limits()).text == text


def test_too_long_is_an_error_without_the_text() -> None:
    with pytest.raises(TextTooLong, match="prompt_2 has 1000000 characters, 20000 are allowed") as caught:
        TextInput("secret" * 166_666 + "word", "prompt_2").within(Limits())
    assert "secret" not in str(caught.value)
    assert caught.value.code == "text-too-long"


@pytest.mark.parametrize("value", [None, 3, b"bytes", ["a"], object()])
def test_what_is_no_text(value: Any) -> None:
    with pytest.raises(UnsupportedInput, match=f"prompt must be text, got {type(value).__name__}"):
        TextInput(value)


def test_neither_texts_nor_users_nor_pixels_are_printed() -> None:
    request = Request((TextInput("a secret wish"),), (PICTURE,), context=Context(user="a person"))
    assert "secret" not in repr(request)
    assert "a person" not in repr(request)
    assert "array" not in repr(PICTURE)


@pytest.mark.parametrize("prompt", ["\ud800 portrait", "a\x00b", "", "\udcff" * 50])
def test_odd_prompts_get_a_decision(prompt: str, make_guard: Any) -> None:
    guard = make_guard("rules: [{id: x, at: prompt, when: {prompt.persons: {any: {match: '> 0.5'}}}, then: block}]\n")
    assert guard.check_prompt(prompt).action is guardrail.Action.ALLOW
