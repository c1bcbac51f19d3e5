"""One call, several prompts, some of them blocked: the others come out as if nothing had happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import guardrail
from guardrail.pipelines.placeholders import GREY
from tests.pipelines.test_blocked import RULES
from tests.pipelines.test_transparent import generator, media
from tests.pipelines.tiny import PROMPTED, call_arguments, daily, several, shared

# The longest of its batch: where texts are padded to the longest, taking it out can move the others.
LONG_BAD = "a nude woman in an old lighthouse above a harbour with many boats, at dusk, seen from the sea"
PROMPTS = ["a fox", LONG_BAD, "a boat at sea"]


def arrays(value: Any) -> np.ndarray:
    return np.asarray(media(value))


@pytest.mark.parametrize("name", daily(PROMPTED))
def test_the_neighbours_of_what_is_blocked_are_what_the_bare_pipeline_makes(name: str, make_guard: Any) -> None:
    """Compared with a run of the bare pipeline on the very prompts, the blocked one among them."""
    pipe = shared(name)
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    bare = arrays(pipe(**call_arguments(name, list(PROMPTS), output_type="np"), generator=generator()))
    out = guarded(**call_arguments(name, list(PROMPTS), output_type="np"), generator=generator())
    ours = arrays(out)
    assert [d.action for d in out.guardrail] == ["allow", "block", "allow"]
    assert ours.shape == bare.shape
    if name == "qwen_image":
        # It pads to the longest text of the batch, and a longer attention sums in another order.
        assert np.abs(ours[[0, 2]] - bare[[0, 2]]).max() < 2e-6
    else:
        assert np.array_equal(ours[[0, 2]], bare[[0, 2]])
    assert np.allclose(ours[1], GREY / 255)


@pytest.mark.parametrize("name", ["text2img", "flux", "wan", "z_image"])
def test_a_generator_for_each_prompt(name: str, make_guard: Any) -> None:
    """Blanked like any other: a smaller batch sums in another order (measured: up to 1e-5, see docs/pipelines.md)."""
    pipe = shared(name)
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))

    def run(which: Any) -> np.ndarray:
        generators = [generator(i) for i in range(3)]
        return arrays(which(**call_arguments(name, list(PROMPTS), output_type="np"), generator=generators))

    bare, ours = run(pipe), run(guarded)
    assert np.array_equal(ours[[0, 2]], bare[[0, 2]])
    assert np.allclose(ours[1], GREY / 255)


@pytest.mark.parametrize("name", ["text2img", "sdxl", "flux", "wan"])
def test_decisions_are_ordered_by_prompt_then_by_picture(name: str, make_guard: Any) -> None:
    pipe = shared(name)
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    more = {"output_type": "np", **several(name, 2)}
    bare = arrays(pipe(**call_arguments(name, list(PROMPTS), **more), generator=generator()))
    out = guarded(**call_arguments(name, list(PROMPTS), **more), generator=generator())
    assert [(d.prompt_index, d.image_index) for d in out.guardrail] == [(p, k) for p in range(3) for k in (0, 1)]
    assert [d.blocked for d in out.guardrail] == [False, False, True, True, False, False]
    ours = arrays(out)
    assert np.array_equal(ours[[0, 1, 4, 5]], bare[[0, 1, 4, 5]])
    assert np.allclose(ours[2:4], GREY / 255)


@pytest.mark.parametrize("name", ["text2img", "checker", "sdxl", "flux", "wan"])
def test_tuples_keep_their_length_and_say_what_was_blocked(name: str, make_guard: Any) -> None:
    pipe = shared(name)
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    bare = pipe(**call_arguments(name, list(PROMPTS), return_dict=False, output_type="np"), generator=generator())
    ours = guarded(**call_arguments(name, list(PROMPTS), return_dict=False, output_type="np"), generator=generator())
    assert type(ours) is type(bare)
    assert len(ours) == len(bare)
    assert [d.blocked for d in guarded.last_decisions] == [False, True, False]
    if len(ours) == 2:
        assert ours[1] == ([True] * 3 if name == "checker" else [False, True, False])
    # Where nothing is blocked the flags are the pipeline's own.
    alone = guarded(**call_arguments(name, "a fox", return_dict=False), generator=generator())
    assert alone[1:] == pipe(**call_arguments(name, "a fox", return_dict=False), generator=generator())[1:]


@pytest.mark.parametrize("name", ["text2img", "flux", "wan"])
def test_nothing_in_the_place_of_what_is_blocked(name: str, make_guard: Any) -> None:
    """`none` can stand only where a list has places; arrays keep their shape and get neutral pixels."""
    guarded = guardrail.wrap(shared(name), guard=make_guard(RULES), on_block="none")
    pictures = media(guarded(**call_arguments(name, list(PROMPTS), output_type="pil")))
    assert [p is None for p in pictures] == [False, True, False]
    pixels = arrays(guarded(**call_arguments(name, list(PROMPTS), output_type="np")))
    assert np.allclose(pixels[1], GREY / 255)


@pytest.mark.parametrize("name", ["text2img", "flux", "wan"])
def test_raising_hands_out_no_picture_of_the_batch(name: str, make_guard: Any) -> None:
    guarded = guardrail.wrap(shared(name), guard=make_guard(RULES), on_block="raise")
    with pytest.raises(guardrail.Blocked) as caught:
        guarded(**call_arguments(name, list(PROMPTS), **several(name, 2)))
    assert [d.blocked for d in caught.value.decisions] == [False, False, True, True, False, False]
    assert [d.blocked for d in guardrail.last_decisions() or ()] == [False, False, True, True, False, False]


def test_a_number_of_outputs_that_a_pipeline_ignores_is_ignored_in_what_stands_for_them(make_guard: Any) -> None:
    """AnimateDiff sets ``num_videos_per_prompt`` to one, whatever it is given."""
    guarded = guardrail.wrap(shared("animatediff"), guard=make_guard(RULES))
    made, refused = (
        guarded(**call_arguments("animatediff", prompt), num_videos_per_prompt=2) for prompt in ("a fox", LONG_BAD)
    )
    assert [len(out.frames) for out in (made, refused)] == [1, 1]
    assert [d.action for out in (made, refused) for d in out.guardrail] == ["allow", "block"]
