"""Outputs with transparency, in grey, and in other ranges: what leaves is what was judged, or nothing leaves."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import guardrail
from guardrail.decision import Action
from guardrail.errors import UnsupportedInput
from guardrail.marks.verify import verify_image
from guardrail.pipelines.outputs import Result
from tests.marks.conftest import drawing
from tests.pipelines.test_release_marks import PLAIN, released

SIDE = 192


def layers(count: int) -> np.ndarray:
    """(count, H, W, 4) uint8, each with transparency of its own."""
    alpha = np.full((SIDE, SIDE), 255, np.uint8)
    alpha[: SIDE // 3] = np.arange(SIDE, dtype=np.uint8)
    return np.stack([np.dstack([drawing(SIDE, SIDE, seed), np.roll(alpha, 9 * seed)]) for seed in range(count)])


@pytest.mark.parametrize("shape", ["(4, H, W)", "(1, 4, H, W)", "(3, 4, H, W)"])
def test_a_tensor_with_transparency_is_one_picture_in_colour(shape: str, make_guard: Any) -> None:
    guard = make_guard(PLAIN)
    before = layers(3 if shape.startswith("(3") else 1)
    tensor = torch.from_numpy(before / np.float32(255)).permute(0, 3, 1, 2)
    # A batch of stills, or layers as QwenImageLayered gives them.
    given: Any = tensor if shape == "(4, H, W)" else ([tensor],)
    seen = Result.open(given, latent=False).image(0)
    assert all(np.array_equal(a, b) for a, b in zip(seen.frames, before, strict=True))
    assert [i for i, _ in seen.views()] == [i for i in range(len(before)) for _ in range(4)]
    (decision,), out = released(guard, given)
    after = out if shape == "(4, H, W)" else out[0][0]
    assert after.shape == tensor.shape
    assert torch.equal(after[:, 3], tensor[:, 3])
    for frame in after:
        said = verify_image(guardrail.encode(frame, "png", decision=decision), guard.keyring, search=False)
        assert (said.layers[0].verdict, said.layers[0].says["binding"]) == ("found", "genuine")


def test_four_frames_of_one_channel_may_be_one_of_four() -> None:
    with pytest.raises(UnsupportedInput, match="4×1×8×9"):
        Result.open([torch.zeros(4, 1, 8, 9)], latent=False).image(0)


@pytest.mark.parametrize("kind", ["floats", "uint8", "tensor"])
def test_colours_that_cover_a_grey_output_become_grey(kind: str) -> None:
    value: Any = np.full((1, 16, 24, 1), 90, np.uint8)
    if kind != "uint8":
        value = value / np.float32(255)
    if kind == "tensor":
        value = torch.from_numpy(value).permute(0, 3, 1, 2)
    result = Result.open(value, latent=False)
    covered = result.image(0).frames[0].copy()
    assert covered.shape == (16, 24, 3)
    covered[:8] = (255, 0, 0)
    result.put(0, [covered])
    out = result.close()
    assert (type(out), out.dtype, out.shape) == (type(value), value.dtype, value.shape)
    after = Result.open(out, latent=False).image(0).frames[0]
    # A third of red light, as ITU-R BT.601 weighs it.
    assert (np.unique(after[:8]).tolist(), np.unique(after[8:]).tolist()) == ([76], [90])


def animated() -> Image.Image:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "PNG", save_all=True, append_images=[Image.new("RGB", (32, 32), "red")])
    return Image.open(buffer)


GREYS = np.arange(32 * 32).reshape(1, 32, 32, 1) % 256 * np.ones(3, int)
OTHERS: dict[str, tuple[Any, str]] = {
    "int32": (GREYS.astype(np.int32), "holds int32"),
    "tensor of int16": (torch.from_numpy(GREYS.astype(np.int16)).permute(0, 3, 1, 2), "holds int16"),
    "floats in 0..255": (GREYS.astype(np.float32), "floats outside of 0..1"),
    "floats in -0.4..1": ((GREYS / 255 * 1.4 - 0.4).astype(np.float32), "floats outside of 0..1"),
    "channels first": (np.moveaxis(GREYS / np.float32(255), -1, 1), "3×32×32"),
    "I;16": ([Image.fromarray((GREYS[0, ..., 0] * 256).astype(np.uint16))], "mode I;16"),
    "F": ([Image.fromarray(GREYS[0, ..., 0].astype(np.float32))], "mode F"),
    "animated": ([animated()], "animated"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_would_leave_as_another_picture_is_refused_with_its_cause(kind: str, make_guard: Any) -> None:
    value, cause = OTHERS[kind]
    (decision,), _ = released(make_guard(PLAIN), value)
    assert decision.action is Action.BLOCK
    assert [r.kind for r in decision.reasons] == ["input"]
    assert cause in decision.reasons[0].describe()


def test_floats_from_minus_one_are_judged_and_marked_in_their_range(make_guard: Any) -> None:
    """Kandinsky and DeepFloyd IF leave them so for output_type="pt", uncut."""
    guard = make_guard(PLAIN)
    before = drawing(SIDE, SIDE)
    given = torch.from_numpy(before / np.float32(127.5) - 1).permute(2, 0, 1)[None].clone()
    given[0, :, 0, 0], given[0, :, 0, 1] = 1.2, -1.2
    seen = Result.open(given, latent=False).image(0).frames[0]
    expected = before.copy()
    expected[0, 0], expected[0, 1] = 255, 0
    assert np.array_equal(seen, expected)
    (decision,), out = released(guard, given)
    pixels = np.rint((out[0].permute(1, 2, 0).numpy() + 1) * 127.5).astype(np.uint8)
    assert guard.marks.read(pixels, search=False).payload.mark_id == decision.mark_id
    assert np.abs(pixels.astype(int) - expected).max() < 30
