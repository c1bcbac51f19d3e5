"""Pictures in memory: what is judged, and that what goes back is what came in but for the altered pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from guardrail.errors import ActionError, ImageTooLarge, InputError, UnreadableImage, UnsupportedInput
from guardrail.media import Limits, from_array, from_pil, put_back
from guardrail.media.read import read_image
from tests.budget import examples
from tests.media.pictures import encoded, noise, quarters

HEIGHT, WIDTH = 12, 20


def ramp(*shape: int) -> np.ndarray:
    """Every byte value, in order."""
    return (np.arange(int(np.prod(shape))) % 256).astype(np.uint8).reshape(shape)


# ---- what is judged

RGB = ramp(16, 16, 3)
SAME_PICTURE: dict[str, Any] = {
    "uint8": RGB,
    "int16": RGB.astype(np.int16),
    "int64": RGB.astype(np.int64),
    "big endian": RGB.astype(">u2"),
    "float32 0..1": RGB.astype(np.float32) / 255,
    "float64 0..1": RGB / 255.0,
    "float16 0..1": (RGB / 255.0).astype(np.float16),
    "float32 -1..1": RGB.astype(np.float32) / 127.5 - 1,
    "float32 0..255": RGB.astype(np.float32),
    "float16 0..255": RGB.astype(np.float16),
    "not contiguous": np.asfortranarray(RGB),
    "negative strides": RGB[::-1, ::-1].copy()[::-1, ::-1],
    "read only": np.broadcast_to(RGB, RGB.shape),
    "channels first": np.moveaxis(RGB, -1, 0),
    "masked": np.ma.masked_array(RGB, mask=np.ones_like(RGB)),
    "tensor uint8": torch.from_numpy(RGB).permute(2, 0, 1),
    "tensor float32": torch.from_numpy(RGB / 255.0).float().permute(2, 0, 1),
    "tensor float16": torch.from_numpy(RGB / 255.0).half().permute(2, 0, 1),
    "tensor bfloat16 0..255": torch.from_numpy(RGB).bfloat16().permute(2, 0, 1),
    "tensor -1..1": torch.from_numpy(RGB / 127.5 - 1).float().permute(2, 0, 1),
    "tensor with gradient": torch.from_numpy(RGB / 255.0).permute(2, 0, 1).requires_grad_(),
    "tensor with the channels last": torch.from_numpy(RGB / 255.0),
    "one frame": torch.from_numpy(RGB / 255.0).permute(2, 0, 1)[None],
}


@pytest.mark.parametrize("form", SAME_PICTURE)
def test_one_picture_in_every_form(form: str) -> None:
    image = from_array(SAME_PICTURE[form], argument="a", index=3)
    # Half precision has 11 bits from 0 to 1, and 8 for bfloat16: less than one step of 8 bits is lost.
    assert np.abs(image.frames[0].astype(int) - RGB).max() <= (1 if "16" in form else 0)
    assert image.frames[0].flags.c_contiguous
    assert (image.argument, image.index) == ("a", 3)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.zeros((4, 5)), (4, 5, 3)),
        (np.zeros((4, 5, 1)), (4, 5, 3)),
        (np.zeros((4, 5, 4)), (4, 5, 4)),
        (np.zeros((3, 40, 50)), (40, 50, 3)),
        (np.zeros((1, 40, 50)), (40, 50, 3)),
        (torch.zeros(4, 5), (4, 5, 3)),
        (torch.zeros(1, 4, 5), (4, 5, 3)),
        (torch.zeros(4, 40, 50), (40, 50, 4)),
        (torch.zeros(3, 3, 3), (3, 3, 3)),
    ],
)
def test_shapes(value: Any, expected: tuple[int, ...]) -> None:
    assert from_array(value).frames[0].shape == expected


@pytest.mark.parametrize(
    "value", [np.zeros((5, 8, 9, 3)), np.zeros((5, 3, 8, 9)), torch.zeros(5, 3, 8, 9), torch.zeros(5, 8, 9, 3)]
)
def test_videos(value: Any) -> None:
    image = from_array(value)
    assert [f.shape for f in image.frames] == [(8, 9, 3)] * 5


def test_masks_of_zeros_and_ones_are_black_and_white() -> None:
    mask = RGB[..., 0] > 100
    for value in (mask, mask.astype(np.uint8), mask.astype(np.int32), torch.from_numpy(mask), mask.astype(float)):
        assert np.array_equal(from_array(value).frames[0][..., 0], np.where(mask, 255, 0))


def test_a_video_has_one_range_for_all_its_frames() -> None:
    # -1..1, and one frame without a negative value: it must not be read as 0..1.
    video = np.stack([np.full((8, 8, 3), -0.5, np.float32), np.full((8, 8, 3), 0.0, np.float32)])
    assert [int(f[0, 0, 0]) for f in from_array(video).frames] == [64, 128]


@pytest.mark.parametrize("outlier", [1.7, 2.0, 100.0, 255.0])
def test_one_bright_pixel_does_not_hide_a_picture(outlier: float) -> None:
    # To a pipeline this is a picture in 0..1 with one pixel over white; read as 0..255 it is all black.
    for low in (0.0, -1.0):
        picture = noise(16, 16, 3).astype(np.float32) / 255 * (1 - low) + low
        plain = from_array(picture).frames[0]
        picture[0, 0] = outlier
        shown = from_array(picture).frames
        assert any(np.array_equal(f[1:], plain[1:]) for f in shown)


def test_overshoot_of_resizing_does_not_change_the_range() -> None:
    values = noise(16, 16, 3).astype(np.float32)
    values[0, 0], values[0, 1] = -20.0, 275.0
    expected = np.clip(np.rint(values), 0, 255)
    assert np.array_equal(from_array(values).frames[0], expected)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((0, 0, 3)), UnreadableImage, "a has no pixels"),
        (np.zeros((0, 5, 3), np.uint8), UnreadableImage, "a has no pixels"),
        (np.zeros((0, 8, 8, 3)), UnreadableImage, "a has no frames"),
        (torch.zeros(0, 3, 8, 8), UnreadableImage, "a has no frames"),
        (np.zeros((8, 8, 0)), UnsupportedInput, "a has 0 channels; 1, 3 or 4 are an image"),
        (np.zeros((8, 8, 2)), UnsupportedInput, "a has 2 channels"),
        (np.zeros((8, 8, 5)), UnsupportedInput, "a has 5 channels"),
        (torch.zeros(16, 8, 8), UnsupportedInput, "channels; 1, 3 or 4"),
        (np.zeros(()), UnsupportedInput, "a has 0 dimensions; an image has 2 or 3, a video 4"),
        (np.zeros(9), UnsupportedInput, "a has 1 dimensions"),
        (np.zeros((1, 1, 8, 8, 3)), UnsupportedInput, "a has 5 dimensions"),
        (np.full((8, 8, 3), np.nan), UnreadableImage, "a has pixels that are not numbers"),
        (np.full((8, 8, 3), np.inf, np.float16), UnreadableImage, "not numbers"),
        (torch.full((3, 8, 8), float("-inf")), UnreadableImage, "not numbers"),
        (torch.full((3, 8, 8), float("nan")).bfloat16(), UnreadableImage, "not numbers"),
        (np.zeros((8, 8, 3), complex), UnsupportedInput, "a holds complex128, which is no pixel type"),
        (np.zeros((8, 8, 3), object), UnsupportedInput, "a holds object"),
        (np.full((8, 8, 3), "x"), UnsupportedInput, "no pixel type"),
        (np.zeros((8, 8, 3), "M8[s]"), UnsupportedInput, "no pixel type"),
        (np.zeros((8, 8), [("r", "u1")]), UnsupportedInput, "no pixel type"),
        (np.full((8, 8, 3), -1, np.int16), UnsupportedInput, "integer pixels outside of 0..255"),
        (np.full((8, 8, 3), 65535, np.uint16), UnsupportedInput, "scale them to 8 bits first"),
        (torch.full((3, 8, 8), 256), UnsupportedInput, "integer pixels outside"),
        (np.full((8, 8, 3), 1e30), UnsupportedInput, "fit no range: floats lie in 0..1, -1..1 or 0..255"),
        (torch.full((4, 8, 8), -100.0), UnsupportedInput, "fit no range"),
        (np.full((8, 8, 3), -300.0), UnsupportedInput, "fit no range"),
        (np.zeros((200, 8, 8, 3), np.uint8), ImageTooLarge, "a has 200 frames, 128 are allowed"),
        (np.broadcast_to(np.uint8(0), (10_000, 10_000, 3)), ImageTooLarge, "10000×10000, 25,000,000 pixels"),
        (torch.zeros(3, 8, 8).to_sparse(), UnsupportedInput, "no values that can be read as pixels"),
        (torch.zeros(3, 8, 8, device="meta"), UnsupportedInput, "on meta"),
        (torch.zeros(3, 8, 8, dtype=torch.complex64), UnsupportedInput, "no pixel type"),
    ],
)
def test_what_is_no_picture_is_named(value: Any, error: type[InputError], message: str) -> None:
    with pytest.raises(error, match=message):
        from_array(value, argument="a")


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(st.integers(0, 9), max_size=5),
    st.sampled_from(["u1", "i2", "u2", "i8", "f2", "f4", "f8", "?", "c8"]),
    st.floats(),
    st.booleans(),
)
def test_any_array_is_a_picture_or_an_input_error(shape: list[int], dtype: str, value: float, tensor: bool) -> None:
    value = value if dtype in ("f4", "f8", "c8") else float(np.clip(np.nan_to_num(value), -1e4, 1e4))
    with np.errstate(over="ignore"):
        array = np.asarray(np.full(shape, value).astype(dtype))
    try:
        image = from_array(torch.from_numpy(array) if tensor else array)
    except InputError:
        return
    assert all(f.dtype == np.uint8 and f.shape[2] in (3, 4) for f in image.frames)


# ---- PIL


def test_a_picture_that_was_opened_and_is_broken_shows_up(tmp_path: Any) -> None:
    content = encoded(Image.fromarray(noise(64, 64, 3)), "PNG")
    broken = Image.open(io.BytesIO(content[: len(content) // 2]))
    with pytest.raises(UnreadableImage, match="photo is damaged, cut off or closed"):
        from_pil(broken, argument="photo")
    closed = Image.open(io.BytesIO(content))
    closed.close()
    with pytest.raises(UnreadableImage, match="closed"):
        from_pil(closed)
    path = tmp_path / "gone.png"
    path.write_bytes(content)
    gone = Image.open(path)
    path.write_bytes(b"another file")
    with gone, pytest.raises(UnreadableImage):
        from_pil(gone)


def test_limits_hold_before_a_lazy_file_is_decoded() -> None:
    with (
        Image.open(io.BytesIO(encoded(quarters(64), "PNG"))) as lazy,
        pytest.raises(ImageTooLarge, match="64×64, 100 pixels are allowed"),
    ):
        from_pil(lazy, limits=Limits(pixels=100))


def test_float_grey_with_nan() -> None:
    with pytest.raises(UnreadableImage, match="not numbers"):
        from_pil(Image.fromarray(np.full((8, 8), np.nan, np.float32)))


def test_a_subclass_is_a_picture_and_others_are_not() -> None:
    class Mine(Image.Image):
        pass

    mine = quarters()
    mine.__class__ = Mine
    assert read_image(mine).size == (48, 48)

    class Pretender:
        width = height = 8

    with pytest.raises(UnsupportedInput):
        read_image(Pretender())


# ---- back again


def _pil(mode: str) -> Callable[[np.ndarray], Any]:
    def make(rgba: np.ndarray) -> Any:
        picture = Image.fromarray(rgba)
        if mode in ("RGBA", "LA"):
            return picture.convert(mode)
        if mode == "RGBa":
            return picture.convert("RGBa")
        if mode == "La":
            return picture.convert("LA").convert("La")
        if mode == "PA":
            return picture.quantize(32).convert("PA")
        if mode.startswith("I;16"):
            grey = Image.fromarray(rgba[..., 0].astype(np.uint16) * 257)
            return grey if mode == "I;16" else grey.convert(mode)
        if mode == "LAB":
            from PIL import ImageCms

            spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
            return ImageCms.profileToProfile(picture.convert("RGB"), *spaces, outputMode="LAB")
        return picture.convert("RGB").convert(mode)

    return make


def _array(dtype: Any, low: float, high: float, layout: str) -> Callable[[np.ndarray], Any]:
    def make(rgba: np.ndarray) -> Any:
        kind = np.dtype(dtype)
        values = rgba >= 128 if kind.kind == "b" else rgba / 255 * (high - low) + low
        return _laid_out((np.rint(values) if kind.kind in "iu" else values).astype(kind), layout)

    return make


def _laid_out(rgba: np.ndarray, layout: str) -> np.ndarray:
    shapes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "hw": lambda a: a[..., 0],
        "hw1": lambda a: a[..., :1],
        "hw3": lambda a: a[..., :3],
        "hw4": lambda a: a,
        "3hw": lambda a: np.moveaxis(a[..., :3], -1, 0),
        "1hw": lambda a: np.moveaxis(a[..., :1], -1, 0),
        "4hw": lambda a: np.moveaxis(a, -1, 0),
        "thw3": lambda a: np.stack([a[..., :3], a[::-1, :, :3]]),
        "t3hw": lambda a: np.moveaxis(np.stack([a[..., :3], a[::-1, :, :3]]), -1, 1),
    }
    return shapes[layout](rgba)


def _tensor(dtype: torch.dtype, low: float, high: float, layout: str) -> Callable[[np.ndarray], Any]:
    def make(rgba: np.ndarray) -> Any:
        values = torch.from_numpy(np.ascontiguousarray(_laid_out(rgba / 255 * (high - low) + low, layout)))
        if not dtype.is_floating_point:
            values = values.round() if dtype is not torch.bool else values >= 0.5
        return values.to(dtype)

    return make


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    **{
        f"pil {mode}": _pil(mode)
        for mode in (
            *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"),
            *("I", "F", "I;16", "I;16B"),
        )
    },
    **{
        f"array {np.dtype(dtype).name} {low:g}..{high:g} {layout}": _array(dtype, low, high, layout)
        for dtype, low, high, layouts in (
            (np.bool_, 0, 1, ("hw", "hw3")),
            (np.uint8, 0, 255, ("hw", "hw1", "hw3", "hw4", "3hw", "1hw", "thw3", "t3hw")),
            (np.int16, 0, 255, ("hw3",)),
            (">u2", 0, 255, ("hw3",)),
            (np.int64, 0, 1, ("hw",)),
            (np.float32, 0, 1, ("hw", "hw1", "hw3", "hw4", "3hw", "thw3", "t3hw")),
            (np.float32, -1, 1, ("hw3", "thw3")),
            (np.float32, 0, 255, ("hw3", "hw", "thw3")),
            (np.float64, 0, 1, ("hw3",)),
            (np.float16, 0, 1, ("hw3",)),
            (np.float16, -1, 1, ("hw3",)),
        )
        for layout in layouts
    },
    **{
        f"tensor {str(dtype)[6:]} {low:g}..{high:g} {layout}": _tensor(dtype, low, high, layout)
        for dtype, low, high, layouts in (
            (torch.uint8, 0, 255, ("3hw", "hw", "1hw", "hw3")),
            (torch.bool, 0, 1, ("hw",)),
            (torch.int16, 0, 255, ("3hw",)),
            (torch.float32, 0, 1, ("3hw", "1hw", "4hw", "t3hw", "hw", "hw3", "thw3")),
            (torch.float32, -1, 1, ("3hw", "t3hw")),
            (torch.float32, 0, 255, ("3hw",)),
            (torch.float16, 0, 1, ("3hw",)),
            (torch.float16, -1, 1, ("3hw",)),
            (torch.bfloat16, -1, 1, ("3hw",)),
            (torch.float64, 0, 1, ("3hw",)),
        )
        for layout in layouts
    },
}
# Modes that hold no new colours, or not the transparency: these come back as RGB or RGBA.
BECOME = {"P": "RGB", "LAB": "RGB", "PA": "RGBA", "RGBa": "RGBA", "La": "RGBA"}


def raw(value: Any) -> np.ndarray:
    return (
        value.float().numpy()
        if isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16
        else np.asarray(value)
    )


@settings(max_examples=examples(250), deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.integers(0, 99), st.tuples(*[st.integers(0, 9)] * 4), st.integers(0, 255))
def test_what_goes_back_is_what_came_in(form: str, seed: int, box: tuple[int, int, int, int], colour: int) -> None:
    pixels = noise(HEIGHT, WIDTH, 4, seed=seed)
    # All the range, so that it can be told.
    pixels[0, 0], pixels[0, 1] = 0, 255
    original = FORMS[form](pixels)
    before = raw(original).copy()
    frames = read_image(original).frames
    top, left = box[0] + 1, box[1]
    inside = np.s_[top : top + box[2], left : left + box[3]]
    altered = tuple(f.copy() for f in frames)
    for frame in altered:
        frame[inside][..., :3] = colour
    back = put_back(original, altered)
    assert np.array_equal(before, raw(original)), "the original was written to"

    again = read_image(back).frames
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[inside] = False
    if isinstance(original, Image.Image):
        assert type(back) is Image.Image
        assert back.mode == BECOME.get(original.mode, original.mode)
        assert back.size == original.size
        if original.mode not in BECOME:
            assert np.array_equal(raw(back)[outside], before[outside])
    else:
        assert type(back) is type(original)
        assert (back.dtype, tuple(back.shape)) == (original.dtype, tuple(original.shape))
        if isinstance(original, torch.Tensor):
            assert back.device == original.device
        # Not one bit of what was not altered.
        same = raw(back) == before
        picture = same.reshape(-1, *same.shape[-2:]) if same.shape[-1] == WIDTH else np.moveaxis(same, -1, 0)
        assert picture.reshape(-1, HEIGHT, WIDTH)[:, outside].all()
    for new, old in zip(again, frames, strict=True):
        assert np.array_equal(new[outside][..., :3], old[outside][..., :3]) or form in ("pil RGBa", "pil La")
        assert np.abs(new[outside].astype(int) - old[outside]).max(initial=0) <= 1
    shown = again[0][inside][..., :3].astype(int)
    black_and_white = form in ("pil 1", "array int64 0..1 hw") or " bool " in form
    expected = 255 * (colour >= 128) if black_and_white else colour
    # Eight bits of bfloat16 at -1..1, and hue and saturation of 8 bits, are a little coarser than a step of 1/255.
    slack = 2 if "bfloat16" in form or form in ("pil HSV", "pil YCbCr", "pil La", "pil RGBa", "pil PA") else 1
    # A pixel that had the colour already is covered in another reading only, where there is one.
    off = np.abs(shown - expected).max(-1)[(frames[0][inside][..., :3] != colour).any(-1)]
    assert off.max(initial=0) <= slack


def test_a_cover_holds_in_whatever_way_the_values_are_read() -> None:
    # The face shows only when floats over 1 are cut off at 1; covering it there must cover it for good.
    picture = noise(16, 16, 3).astype(np.float32) / 255
    picture[0, 0] = 200.0
    frames = [f.copy() for f in from_array(picture).frames]
    hidden = next(k for k, f in enumerate(frames) if f[8, 8].max() > 1)
    frames[hidden][4:12, 4:12] = 90
    back = put_back(picture, frames)
    assert np.abs(back[4:12, 4:12] - 90 / 255).max() < 1e-6
    assert np.array_equal(back[12:], picture[12:])


def test_a_cover_holds_in_sixteen_bits() -> None:
    values = noise(16, 16).astype(np.uint16)
    values[0, 0] = 65535
    picture = Image.fromarray(values)
    frames = [f.copy() for f in from_pil(picture).frames]
    for k in range(len(frames)):
        only = [f.copy() for f in frames]
        only[k][4:12, 4:12] = 90
        back = from_pil(put_back(picture, only)).frames
        assert np.abs(back[k][4:12, 4:12].astype(int) - 90).max() <= 1
        assert np.array_equal(back[k][12:], frames[k][12:])


def wide_with_a_shape() -> Any:
    # Around the shape there is what the cover of the first reading will look like.
    values = np.full((24, 24), 200 * 257, np.uint16)
    values[8:16, 8:14] = noise(8, 6)
    values[0, 0] = 65535
    return Image.fromarray(values)


def floats_with_a_shape() -> Any:
    values = np.full((24, 24, 3), 200.0, np.float32)
    values[8:16, 8:14] = noise(8, 6, 3) / 255
    return values


@pytest.mark.parametrize("make", [wide_with_a_shape, floats_with_a_shape])
def test_what_had_the_colour_of_its_cover_shows_no_outline(make: Any) -> None:
    picture = make()
    altered = [f.copy() for f in read_image(picture).frames]
    assert len(altered) > 1
    for frame, colour in zip(altered, (200, 77, 77), strict=False):
        frame[4:20, 4:20] = colour
    back = read_image(put_back(picture, altered)).frames
    assert np.array_equal(back[0], altered[0])
    assert [int(np.ptp(f[4:20, 4:20])) for f in back] == [0] * len(back)


def test_single_pixels_that_a_blurred_cover_left_alone_go_with_the_others() -> None:
    values = (np.arange(24 * 24, dtype=np.uint16) * 90).reshape(24, 24)
    values[0, 0] = 65535
    picture = Image.fromarray(values)
    read = from_pil(picture).frames
    altered = [f.copy() for f in read]
    for frame in altered:
        frame[4:20, 4:20] = np.linspace(60, 61, 16)[:, None, None].round() + np.arange(16)[None, :, None]
    altered[0][10, 10] = read[0][10, 10]
    back = from_pil(put_back(picture, altered)).frames
    assert np.array_equal(back[0][4:20, 4:20], altered[0][4:20, 4:20])


def test_what_is_covered_in_one_reading_only_stays_covered_beside_a_cover_of_its_colour() -> None:
    # Reading two shows a shape in what is black for reading one; reading one is covered, in black, beside it.
    values = np.full((24, 24), 40000, np.uint16)
    values[4:12, 4:20] = noise(8, 16) // 2
    values[0, 0] = 65535
    picture = Image.fromarray(values)
    altered = [f.copy() for f in from_pil(picture).frames]
    altered[0][12:20, 4:20] = 0
    altered[1][4:12, 4:20] = 200
    back = from_pil(put_back(picture, altered)).frames
    assert [int(np.ptp(f[4:12, 4:20])) for f in back] == [0] * len(back)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: [f[0][:-1]],
        lambda f: [f[0], f[0]],
        lambda f: [],
        lambda f: [f[0][..., :1]],
        lambda f: [np.dstack([f[0], f[0][..., :1]])],
    ],
)
@pytest.mark.parametrize("original", [quarters(), np.asarray(quarters()), torch.zeros(3, 48, 48)])
def test_an_alteration_of_another_size_is_refused(original: Any, change: Any) -> None:
    with pytest.raises(ActionError, match="must keep the number of frames and the size"):
        put_back(original, change(read_image(original).frames))


def test_what_goes_back_carries_no_small_copy_of_what_was_covered() -> None:
    picture = Image.open(io.BytesIO(encoded(quarters(), "JPEG", exif=Image.Exif(), comment=b"taken by")))
    frames = [f.copy() for f in from_pil(picture).frames]
    frames[0][8:16, 8:16] = 0
    picture.info["exif"] = b"Exif\0\0 with a thumbnail"
    back = put_back(picture, frames)
    assert "exif" not in back.info
    assert type(back) is Image.Image
