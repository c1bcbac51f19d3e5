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
    expected = [rgb * alpha + backdrop * (1 - alpha) for backdrop in (0, 255, 128)] + [rgb]
    for wanted in expected if int(frame[..., 3].min()) < 255 else [rgb]:
        assert any(np.abs(v - wanted).max() <= 1 for v in shown)
    assert len(shown) <= 2 * len(expected)
    assert len({v.tobytes() for v in shown}) == len(shown)
    assert all(v.shape == (3, 4, 3) and v.dtype == np.uint8 and v.flags.c_contiguous for v in shown)


def test_what_shows_over_grey_alone_is_looked_at() -> None:
    """Over black, over white and without its transparency this file is noise; over grey it is the secret."""
    secret = noise(16, 16, 1)[..., 0] / 255.0
    shows = 40 + 80 * secret
    random = np.random.default_rng(0).random(shows.shape)
    part = random * shows
    opaque = np.rint(255 * (1 - (shows - part) / 128))
    colour = np.rint(np.minimum(255, part / np.maximum(opaque / 255, 1 / 255)))
    frame = np.dstack([colour] * 3 + [opaque]).astype(np.uint8)
    nearest = [float(np.abs(v[..., 0] - shows).max()) for v in views(frame)]
    assert min(nearest) <= 2


def test_no_rendering_is_looked_at_twice() -> None:
    colours = noise(8, 8, 3)
    # Opaque or black and gone: over black and without transparency it is the same.
    black = np.dstack([np.where(np.arange(8) < 4, colours.T, 0).T.astype(np.uint8), np.full((8, 8), 255, np.uint8)])
    black[4:, :, 3] = 0
    assert len(views(black)) == 3


# ---- hidden in darkness


@pytest.mark.parametrize("levels", [1, 3, 12, 38])
@pytest.mark.parametrize("base", [0, 100, 217])
def test_what_few_levels_hide_is_looked_at_stretched(levels: int, base: int) -> None:
    secret = noise(64, 64, 3)
    hidden = np.rint(base + secret / 255.0 * levels).astype(np.uint8)
    plain, stretched = views(hidden)
    assert np.array_equal(plain, hidden)
    assert np.abs(stretched.astype(int) - np.rint((hidden - float(base)) / levels * 255)).mean() < 255 / levels / 2
    assert (stretched.min(), stretched.max()) == (0, 255)


def test_a_few_bright_pixels_do_not_keep_the_rest_in_the_dark() -> None:
    hidden = np.rint(noise(64, 64, 3) * 0.012).astype(np.uint8)
    hidden[0, :30] = 255
    assert views(hidden)[1].std() > 60


def test_a_picture_in_one_colour_channel_is_stretched_though_the_luma_is_flat() -> None:
    hidden = np.full((64, 64, 3), 90, np.uint8)
    hidden[..., 2] += noise(64, 64, 1)[..., 0] // 128
    assert views(hidden)[1][..., 2].std() > 100


def test_every_rendering_is_stretched_where_it_has_few_levels() -> None:
    frame = np.dstack([noise(64, 64, 3) // 80, np.full((64, 64), 250, np.uint8)])
    shown = views(frame)
    few = [v for v in shown if v.max() - v.min() < 40]
    assert len(few) == 3  # over black, which is as without the transparency here, white and grey
    for view in few:
        low, high = int(view.min()), int(view.max())
        wanted = np.rint((view - float(low)) * 255 / (high - low))
        assert any(np.array_equal(v, wanted) for v in shown)


@pytest.mark.parametrize(
    "plain",
    [np.full((64, 64, 3), 7, np.uint8), np.full((1, 1, 3), 0, np.uint8), noise(64, 64, 3), noise(64, 64, 3) // 5],
    ids=["one colour", "one pixel", "full range", "51 levels"],
)
def test_one_colour_and_a_range_that_can_be_seen_are_left_alone(plain: np.ndarray) -> None:
    assert len(views(plain)) == 1


def test_opaque_frames_have_one_view_and_frames_keep_their_number() -> None:
    opaque = np.dstack([noise(8, 8, 3), np.full((8, 8), 255, np.uint8)])
    clear = np.dstack([noise(8, 8, 3), np.full((8, 8), 7, np.uint8)])
    seen = [i for i, _ in ImageInput((opaque, clear, noise(8, 8, 3))).views()]
    assert seen == sorted(seen)
    # Nearly nothing of the second shows over any backdrop: those renderings are stretched as well, two alike.
    assert [seen.count(i) for i in range(3)] == [1, 6, 1]


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
