"""Videos in every layout, in and out: every frame is looked at, and what is changed goes back to its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from guardrail.media import put_back
from guardrail.pipelines.kinds import Kind, channels_first_video, classify
from guardrail.pipelines.outputs import Result
from tests.pipelines.test_coverage import read, stand_in

T, H, W = 5, 16, 24
FRAMES = np.random.default_rng(1).integers(0, 255, (T, H, W, 3), dtype=np.uint8)
UNIT = FRAMES.astype(np.float32) / 255
TCHW = torch.from_numpy(UNIT).permute(0, 3, 1, 2)
PIL = [Image.fromarray(f) for f in FRAMES]
CALL = stand_in(["prompt", "video", "conditions", "something_new"])

LAYOUTS: dict[str, Any] = {
    "list of pictures": PIL,
    "list of lists": [PIL],
    "array (T, H, W, 3)": UNIT,
    "array (B, T, H, W, 3)": UNIT[None],
    "array (B, T, 3, H, W)": np.moveaxis(UNIT, -1, 1)[None],
    "tensor (T, 3, H, W)": TCHW,
    "tensor (B, T, 3, H, W)": TCHW[None],
    "tensor (B, 3, T, H, W)": TCHW.transpose(0, 1)[None],
    "list of tensors": [TCHW],
    "list of arrays": [UNIT],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["video", "something_new"])
def test_every_frame_that_goes_in_is_looked_at_as_it_is(layout: str, name: str) -> None:
    inputs = read("Some", CALL, prompt="a fox", **{name: LAYOUTS[layout]})
    assert (inputs.faults, inputs.unverified) == ([], [])
    frames = [frame for picture in inputs.pictures for frame in picture.image.frames]
    assert len(frames) == T
    for ours, theirs in zip(frames, FRAMES, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("layout", [k for k in LAYOUTS if "(" in k])
def test_a_frame_that_is_changed_goes_back_to_its_place(layout: str) -> None:
    given = LAYOUTS[layout]
    inputs = read("Some", CALL, video=given)
    items = [_item(inputs, place=3)]
    changed = inputs.altered(items).values["video"]  # type: ignore[arg-type]
    assert type(changed) is type(given)
    assert tuple(changed.shape) == tuple(given.shape)
    frames = [f for p in read("Some", CALL, video=changed).pictures for f in p.image.frames]
    assert [int(np.abs(a.astype(int) - b).max() > 0) for a, b in zip(frames, FRAMES, strict=True)] == [0, 0, 0, 1, 0]
    assert frames[3][0, 0].tolist() == [9, 9, 9]


class _Changed:
    """What `CallInputs.altered` reads of an item."""

    def __init__(self, current: Any) -> None:
        self.current = current


def _item(inputs: Any, place: int) -> _Changed:
    """An item in which one frame, counted over all pictures, has a corner covered."""
    from dataclasses import replace

    from guardrail.media import Context

    (request,) = inputs.requests(Context())
    images, before = [], 0
    for image in request.images:
        frames = list(image.frames)
        if before <= place < before + len(frames):
            covered = frames[place - before].copy()
            covered[:4, :4] = 9
            frames[place - before] = covered
            image = replace(image, frames=tuple(frames))
        before += len(image.frames)
        images.append(image)
    return _Changed(request.with_images(images))


def test_one_frame_of_three_channels_and_three_frames() -> None:
    assert channels_first_video(torch.zeros(1, 3, 1, 8, 8))
    assert not channels_first_video(torch.zeros(1, 3, 3, 8, 8))
    assert not channels_first_video(torch.zeros(1, 1, 3, 8, 8))
    assert not channels_first_video(np.zeros((1, 3, 8, 8, 3)))
    assert classify("video", torch.zeros(1, 16, 5, 8, 8)) is Kind.CONDITION_LATENT


def test_a_video_is_too_long_only_where_it_is_refused() -> None:
    long = torch.zeros(200, 3, 8, 8)
    assert len(read("Some", CALL, video=long).pictures[0].image.frames) == 200
    assert len(read("Some", CALL, video=torch.zeros(1025, 3, 8, 8)).faults) == 1


OUTPUTS: dict[str, Any] = {
    "list of lists": [PIL, PIL],
    "tuple of lists": ([PIL, PIL],),
    "array": np.stack([UNIT, UNIT]),
    "tensor": torch.stack([TCHW, TCHW]),
    "tensor, channels first": torch.stack([TCHW, TCHW]).transpose(1, 2).contiguous(),
    "list of arrays": [UNIT, UNIT],
    "list of tensors": [TCHW, TCHW],
}


@pytest.mark.parametrize("form", OUTPUTS)
def test_every_frame_that_comes_out_is_looked_at_and_can_be_replaced(form: str) -> None:
    given = OUTPUTS[form]
    result = Result.open(given, latent=False)
    assert len(result) == 2
    for index in range(2):
        frames = result.image(index).frames
        assert len(frames) == T
        assert all(np.array_equal(a, b) for a, b in zip(frames, FRAMES, strict=True))
    result.put(1, [np.full((H, W, 3), 7 * k, np.uint8) for k in range(T)])
    again = Result.open(result.close(), latent=False)
    assert all(np.array_equal(a, b) for a, b in zip(again.image(0).frames, FRAMES, strict=True))
    assert [int(f[0, 0, 0]) for f in again.image(1).frames] == [7 * k for k in range(T)]
    # The caller's own frames are as they were.
    assert np.array_equal(FRAMES[2], Result.open(given, latent=False).image(1).frames[2])


def test_a_tensor_without_channels_is_no_video() -> None:
    from guardrail.errors import UnsupportedInput

    with pytest.raises(UnsupportedInput, match="no video"):
        Result.open(torch.zeros(1, 5, 7, 8, 9), latent=False).image(0)


def test_pixels_that_were_not_covered_keep_their_value() -> None:
    video = torch.rand(T, 3, H, W, generator=torch.Generator().manual_seed(0))
    inputs = read("Some", CALL, video=video)
    frames = list(inputs.pictures[0].image.frames)
    assert torch.equal(put_back(video, frames), video)
