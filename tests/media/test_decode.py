"""Files: what is decoded, what it looks like then, and what is refused with which words."""

from __future__ import annotations

import io
import os
import threading
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from guardrail.errors import ImageTooLarge, InputError, UnreadableImage, UnsupportedInput
from guardrail.media import Limits, Role, decode_image
from guardrail.media.decode import sniff, to_frames, wide_spans
from guardrail.media.read import read_image
from tests.media.pictures import (
    BLUE,
    GREEN,
    GREY,
    RED,
    animated,
    animated_wide,
    chunk,
    encoded,
    gif,
    jpeg_claiming,
    noise,
    orientation,
    png,
    png_rgb16,
    quarters,
)


def near(frame: np.ndarray, at: tuple[int, int], colour: tuple[int, int, int], by: int = 12) -> bool:
    return bool(np.abs(frame[at][:3].astype(int) - colour).max() <= by)


# ---- formats


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
@pytest.mark.parametrize("name", ["picture.jpg", "picture.png", "picture.txt", "picture"])
def test_the_magic_bytes_decide_not_the_name(tmp_path: Path, format: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(quarters(), format))
    for source in (path, str(path), path.read_bytes()):
        image = decode_image(source)
        assert image.size == (48, 48)
        for at, colour in {(8, 8): RED, (8, 40): GREEN, (40, 8): BLUE, (40, 40): GREY}.items():
            assert near(image.frames[0], at, colour)


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP", "AVIF", "MPO"])
def test_every_frame_of_an_animation_is_there(form: str) -> None:
    image = decode_image(animated(form, frames=3))
    assert len(image.frames) == 3
    assert [int(f[16, 16, 0]) // 10 for f in image.frames] == pytest.approx([24, 20, 16], abs=1)


def test_a_photograph_whose_index_names_pictures_that_are_gone() -> None:
    whole = animated("MPO", frames=3)
    first = whole.index(b"\xff\xd9") + 2
    assert len(decode_image(whole[:first]).frames) == 1
    # But one that is there and damaged is refused.
    with pytest.raises(UnreadableImage):
        decode_image(whole[: len(whole) - 100])


def test_a_default_picture_that_only_viewers_without_animation_show_is_there_too() -> None:
    # In an APNG it may be no part of the animation: Pillow shows it to whoever does not seek.
    hidden, shown = Image.new("RGB", (16, 16), RED), [Image.new("RGB", (16, 16), c) for c in (GREEN, BLUE)]
    frames = decode_image(encoded(hidden, "PNG", save_all=True, append_images=shown, default_image=True)).frames
    assert [near(f, (8, 8), c) for f, c in zip(frames, (RED, GREEN, BLUE), strict=True)] == [True] * 3


OTHERS = {
    "bmp": encoded(quarters(), "BMP"),
    "tiff": encoded(quarters(), "TIFF"),
    "eps": encoded(quarters(), "EPS"),
    "pdf": encoded(quarters(), "PDF"),
    "ppm": encoded(quarters(), "PPM"),
    "ico": encoded(quarters(), "ICO"),
    "jpeg 2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(64),
    "heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "html": b"<!doctype html><img src=x>",
    "text": b"this is no image",
    "one byte": b"\x89",
    "nul bytes": bytes(100),
    "png magic with another line end": b"\x89PNG\n\x1a\n" + bytes(60),
    "riff that is sound": b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_are_refused_by_their_content(name: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(OTHERS[name])
    for source in (OTHERS[name], path):
        with pytest.raises(UnsupportedInput, match="is not a PNG, JPEG, WebP, GIF or AVIF image"):
            decode_image(source)


def test_no_other_decoder_of_pillow_is_ever_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    real = Image.open

    def spy(fp: Any, mode: Any = "r", formats: Any = None) -> Any:
        tried.append(formats)
        return real(fp, mode, formats)

    monkeypatch.setattr(Image, "open", spy)
    for form in ("PNG", "JPEG", "WEBP", "GIF", "AVIF"):
        decode_image(encoded(quarters(), form))
    assert tried == [["PNG"], ["JPEG"], ["WEBP"], ["GIF"], ["AVIF"]]


@pytest.mark.parametrize("first", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_picture_that_is_also_an_archive_is_the_picture(first: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("payload.py", "raise SystemExit")
    both = encoded(quarters(), first) + archive.getvalue()
    assert zipfile.is_zipfile(io.BytesIO(both))
    assert near(decode_image(both).frames[0], (8, 8), RED)


def test_sniff_needs_no_more_than_sixteen_bytes() -> None:
    for form in ("PNG", "JPEG", "WEBP", "GIF", "AVIF"):
        assert sniff(encoded(quarters(), form)[:16]) == form
    assert sniff(b"") is None


# ---- modes and depths


@pytest.mark.parametrize(
    ("mode", "format", "channels"),
    [
        ("1", "PNG", 3),
        ("L", "PNG", 3),
        ("L", "JPEG", 3),
        ("LA", "PNG", 4),
        ("P", "PNG", 3),
        ("P", "GIF", 3),
        ("RGB", "PNG", 3),
        ("RGBA", "PNG", 4),
        ("RGBA", "WEBP", 4),
        ("RGBA", "AVIF", 4),
        ("CMYK", "JPEG", 3),
        ("I;16", "PNG", 3),
    ],
)
def test_every_mode_becomes_rgb_or_rgba_of_eight_bits(mode: str, format: str, channels: int) -> None:
    picture = quarters().convert("RGBA" if mode in ("RGBA", "LA") else "RGB")
    if picture.mode == "RGBA":
        picture.putalpha(Image.fromarray(noise(48, 48)))
    source = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257) if mode == "I;16" else None
    params = {"quality": 95} if format in ("JPEG", "WEBP", "AVIF") else {}
    frame = decode_image(encoded(source or picture.convert(mode), format, **params)).frames[0]
    assert frame.dtype == np.uint8
    assert frame.shape == (48, 48, channels)
    # Whatever the mode, light stays light and dark stays dark.
    grey = np.asarray(picture.convert("L"), float)
    if mode != "1":
        assert np.abs(frame[..., :3].mean(-1) - grey).mean() < 32


def test_a_cmyk_jpeg_is_not_inverted() -> None:
    frame = decode_image(encoded(quarters().convert("CMYK"), "JPEG", quality=95)).frames[0]
    for at, colour in {(8, 8): RED, (8, 40): GREEN, (40, 8): BLUE, (40, 40): GREY}.items():
        assert near(frame, at, colour, by=40)


def test_sixteen_bit_grey_is_scaled_and_looked_at_as_pipelines_read_it() -> None:
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    frames = decode_image(encoded(Image.fromarray(ramp), "PNG")).frames
    assert np.array_equal(frames[0][..., 0], np.rint(ramp / 257).astype(np.uint8))
    # convert("RGB") of a 16-bit picture cuts off at 255.
    by_pillow = np.asarray(Image.fromarray(ramp).convert("RGB"))
    assert any(np.array_equal(f, by_pillow) for f in frames)


def shows(frames: Any, picture: np.ndarray) -> bool:
    """Whether a reading is the (H, W) picture, values 0..1, but for the rounding and for one pixel of a corner."""
    return any(np.abs(f[..., 0] / 255.0 - picture).flat[1:].max() < 0.006 for f in frames)


@pytest.mark.parametrize("size", [(12, 768), (768, 12), (11, 5000), (1, 3000), (3000, 2)])
def test_strips_are_read_up_to_a_length_and_such_as_hold_no_face_at_any(size: tuple[int, int]) -> None:
    assert decode_image(encoded(Image.new("L", size), "PNG")).size == size[::-1]


@pytest.mark.parametrize("top", [2, 3, 20, 100, 127, 128, 255])
def test_few_levels_of_sixteen_bits_are_read_stretched_too(top: int) -> None:
    levels = np.arange(32 * 32).reshape(32, 32) % (top + 1)
    frames = decode_image(encoded(Image.fromarray(levels.astype(np.uint16)), "PNG")).frames
    # From half the range on the picture can be seen as it is.
    assert shows(frames, levels / top) is (top <= 127 or top == 255)
    assert shows(frames, levels / 255)


@pytest.mark.parametrize("bright", [1.5, 2.0, 100.0, 255.0])
def test_one_bright_pixel_hides_nothing_in_floats(bright: float) -> None:
    picture = noise(32, 32) / 255
    picture[0, 0] = bright
    frames = to_frames(Image.fromarray(picture.astype(np.float32)), "image")
    assert shows(frames, picture)


def test_floats_and_integers_have_readings_of_their_own() -> None:
    for top, integers, floats in (
        (1, (1.0,), (1.0,)),
        (3, (255.0, 3.0), (255.0, 1.0, 3.0)),
        (200, (255.0,), (255.0, 1.0)),
    ):
        values = np.array([[0, top]])
        assert wide_spans(values.astype(np.int32), "image") == integers
        assert wide_spans(values.astype(np.float32), "image") == floats


@pytest.mark.parametrize("bright", [256, 1000, 65535])
def test_one_bright_pixel_hides_nothing_in_sixteen_bits(bright: int) -> None:
    # A picture in the lowest 8 bits: black to whoever scales 65535 to white, plain to whoever converts with Pillow.
    picture = noise(32, 32).astype(np.uint16)
    picture[0, 0] = bright
    frames = decode_image(encoded(Image.fromarray(picture), "PNG")).frames
    by_pillow = np.asarray(Image.fromarray(picture).convert("RGB"))
    assert any(np.array_equal(f, by_pillow) for f in frames)


def test_sixteen_bit_colour() -> None:
    pixels = np.zeros((16, 16, 3), np.uint16)
    pixels[...] = np.array(RED) * 257
    assert near(decode_image(png_rgb16(pixels)).frames[0], (8, 8), RED, by=1)


def test_grey_with_one_transparent_value() -> None:
    picture = Image.fromarray(np.full((16, 16), 90, np.uint8))
    frame = decode_image(encoded(picture, "PNG", transparency=90)).frames[0]
    assert frame.shape == (16, 16, 4)
    assert int(frame[..., 3].max()) == 0


def test_a_palette_with_transparency_shows_the_colours_below() -> None:
    picture = quarters().quantize(8)
    index = picture.getpixel((8, 8))
    frame = decode_image(encoded(picture, "PNG", transparency=index)).frames[0]
    assert frame.shape[2] == 4
    assert frame[8, 8, 3] == 0
    assert near(frame, (8, 8), RED)
    assert frame[40, 40, 3] == 255


@pytest.mark.parametrize("profile", [b"", b"not a profile", bytes(4000), "inverting"])
def test_a_colour_profile_changes_nothing(profile: Any) -> None:
    # Checks and pipelines look at the numbers; a profile could only make the two differ.
    if profile == "inverting":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    plain = decode_image(encoded(quarters(), "PNG")).frames[0]
    assert np.array_equal(decode_image(encoded(quarters(), "PNG", icc_profile=profile)).frames[0], plain)


# ---- orientation


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_pictures_come_upright(format: str, value: int) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = quarters(48).resize((48, 32))
    # As a camera held that way writes it: the pixels turned, and a word on how to turn them back.
    stored = upright.transpose(turns[value]) if value in turns else upright
    image = decode_image(encoded(stored, format, exif=orientation(value), quality=95))
    assert image.size == (32, 48)
    for at, colour in {(5, 8): RED, (5, 40): GREEN, (27, 8): BLUE, (27, 40): GREY}.items():
        assert near(image.frames[0], at, colour)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_is_none_is_ignored(value: int) -> None:
    assert near(decode_image(encoded(quarters(), "JPEG", exif=orientation(value))).frames[0], (8, 8), RED)


def test_damaged_exif_is_no_reason_to_refuse_a_picture() -> None:
    # Cameras write such files. Pillow warns; the test runs with warnings as errors, a server does not.
    content = encoded(quarters(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert near(decode_image(content).frames[0], (8, 8), RED)
    with pytest.raises(UnreadableImage):
        decode_image(content)


# ---- too much


@pytest.mark.parametrize(
    ("content", "limits", "message"),
    [
        (png(10_000, 10_000), None, r"10000×10000, 25,000,000 pixels are allowed|far more pixels than the 25,000,000"),
        (png(30_000, 30_000), None, "claims far more pixels than the 25,000,000 that are allowed"),
        (png(2**31 - 1, 2**31 - 1), None, "claims far more pixels"),
        (png(1, 25_000_001), None, "1×25000001, 25,000,000 pixels"),
        (jpeg_claiming(30_000, 30_000), None, "claims far more pixels"),
        (jpeg_claiming(6_000, 6_000), None, "6000×6000, 25,000,000 pixels are allowed"),
        (gif((60_000, 60_000), [(1, 1)]), None, "claims far more pixels"),
        (gif((8_000, 8_000), [(1, 1)]), None, "8000×8000"),
        (encoded(quarters(), "PNG"), Limits(pixels=48 * 48 - 1), "48×48, 2,303 pixels are allowed"),
        (animated("GIF", frames=4), Limits(frames=3), "4 frames, 3 are allowed"),
        (animated("WEBP", frames=4), Limits(frames=3), "4 frames, 3 are allowed"),
        (animated("PNG", frames=4), Limits(frames=3), "4 frames, 3 are allowed"),
        (animated("AVIF", frames=4), Limits(frames=3), "4 frames, 3 are allowed"),
        (animated("GIF", frames=7, size=32), Limits(pixels=1024), "7 frames of 32×32: too many pixels"),
        # More than one and a half times the limit for one, in all: decoders hold several copies of each frame.
        (animated("WEBP", frames=2, size=32), Limits(pixels=1024), "2 frames of 32×32: too many pixels"),
        # 16 bits: each frame becomes two pictures.
        (animated_wide(), Limits(pixels=570), "2 frames of many bits: too many bytes"),
        (encoded(Image.new("L", (12, 769)), "PNG"), Limits(), "12×769: one side may be 64 times the other"),
        (encoded(Image.new("L", (3000, 20)), "GIF"), Limits(aspect=149), "3000×20: one side may be 149 times"),
        (encoded(quarters(), "PNG"), Limits(file_bytes=50), "more than the 50 bytes that are allowed"),
        (png(8, 8, chunk(b"acTL", b"\x7f\xff\xff\xff\0\0\0\0")), None, "frames, 128 are allowed"),
    ],
)
def test_too_large_is_an_error_and_never_cut_off(content: bytes, limits: Limits | None, message: str) -> None:
    with pytest.raises(ImageTooLarge, match=message) as caught:
        decode_image(content, limits=limits)
    assert caught.value.code == "image-too-large"


@pytest.mark.parametrize("size", [(9_000, 9_000), (65_535, 1_000), (65_535, 65_535)])
def test_a_later_frame_may_not_be_larger_than_allowed(size: tuple[int, int]) -> None:
    # The header says 1×1; a GIF grows with its frames.
    with pytest.raises(ImageTooLarge):
        decode_image(gif((1, 1), [(1, 1), size]))


def test_a_later_picture_behind_a_jpeg_may_not_be_larger_than_allowed() -> None:
    content = encoded(quarters(16), "MPO", save_all=True, append_images=[quarters(1024)])
    with pytest.raises(ImageTooLarge, match="1024×1024"):
        decode_image(content, limits=Limits(pixels=500_000))


@pytest.mark.parametrize("source", ["file", "bytes"])
def test_the_limit_of_bytes_holds_before_anything_is_decoded(source: str, tmp_path: Path) -> None:
    path = tmp_path / "big.png"
    with path.open("wb") as file:
        file.write(encoded(quarters(), "PNG"))
        file.truncate(20_000_001)  # sparse: takes no room
    with pytest.raises(ImageTooLarge, match="more than the 20,000,000 bytes"):
        decode_image(path if source == "file" else path.read_bytes())


def test_texts_that_unpack_to_gigabytes_are_not_unpacked() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    row = b"\0" + bytes(8)
    for bad in (
        chunk(b"zTXt", b"a\0\0" + bomb),
        chunk(b"iTXt", b"a\0\1\0\0\0" + bomb),
        chunk(b"iCCP", b"a\0\0" + bomb),
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000), 9)) * 80,
    ):
        with pytest.raises(UnreadableImage):
            decode_image(png(8, 8, bad, rows=row * 8))


def test_pixels_beyond_the_claimed_size_are_not_unpacked() -> None:
    assert decode_image(png(8, 8, rows=bytes(100_000_000))).size == (8, 8)


# ---- nothing there


def test_what_is_not_there_is_told_apart(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    empty = tmp_path / "empty.png"
    empty.touch()
    for source, message in {
        tmp_path / "absent.png": "there is no such file",
        tmp_path: "is a folder, not a file",
        pipe: "is a pipe or a device, not a file",
        Path("/dev/zero"): "is a pipe or a device, not a file",
        empty: "is empty",
        b"": "is empty",
        "nul\0byte.png": "not a usable path",
        "surrogate\ud800.png": "not a usable path",
        "x" * 5000 + ".png": "not a usable path",
        str(empty / "below"): "not a usable path",
        "": "a folder",
    }.items():
        with pytest.raises(UnreadableImage, match=message) as caught:
            decode_image(source, argument="photo")
        assert str(caught.value).startswith("photo ")


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_a_picture_without_pixels(size: tuple[int, int]) -> None:
    with pytest.raises(UnreadableImage):
        decode_image(png(*size))


def test_messages_name_the_argument_and_nothing_of_the_content() -> None:
    for content in (png(30_000, 30_000), b"text", encoded(quarters(), "PNG")[:80]):
        with pytest.raises(InputError) as caught:
            decode_image(content, argument="control_image")
        assert str(caught.value).startswith("control_image ")
        assert len(str(caught.value)) < 100


# ---- reading whatever a caller has


def test_everything_that_can_be_read_gives_the_same_pixels(tmp_path: Path) -> None:
    content = encoded(quarters(), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content)
    expected = np.asarray(quarters())
    with Image.open(io.BytesIO(content)) as lazy:
        for source in (path, str(path), content, bytearray(content), memoryview(content), lazy, expected):
            image = read_image(source, argument="a", index=2, role=Role.CONTROL)
            assert np.array_equal(image.frames[0], expected)
            assert (image.argument, image.index, image.role) == ("a", 2, Role.CONTROL)
    again = read_image(image, index=5, role=Role.MASK)
    assert (again.index, again.role) == (5, Role.MASK)
    assert again.frames is image.frames


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("https://example.org/a.png", "is a URL; nothing is fetched"),
        ("file:///etc/passwd", "is a URL"),
        ("s3://bucket/key", "is a URL"),
        ("data:image/png;base64,iVBORw0KGgo=", "is a data URI"),
        (None, "is NoneType; give a path, bytes"),
        (3, "is int"),
        ([], "is list"),
        (io.BytesIO(), "is BytesIO"),
    ],
)
def test_nothing_is_fetched_and_other_types_are_named(source: Any, message: str) -> None:
    with pytest.raises(UnsupportedInput, match=message):
        read_image(source)


def test_the_filters_of_the_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two threads that each put a filter on and take it off leave one behind if they overlap.
    content, before = encoded(quarters(), "PNG"), list(warnings.filters)
    gate, real = threading.Barrier(2), Image.open

    def slow(*args: Any, **named: Any) -> Any:
        gate.wait(5)
        return real(*args, **named)

    monkeypatch.setattr(Image, "open", slow)
    threads = [threading.Thread(target=decode_image, args=(content,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert list(warnings.filters) == before
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
