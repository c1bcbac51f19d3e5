"""EXIF blocks: what is kept of an earlier picture's, what is not, and what hostile ones cost."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from guardrail.marks.files import encode_image, read_file_label
from guardrail.marks.metadata.exif import (
    LARGEST_EXIF_BYTES,
    Exif,
    Field,
    cleaned,
    parse,
    read_exif,
    stamped,
    written,
)
from tests.budget import examples
from tests.marks.conftest import LABEL

FORMATS = ["png", "jpeg", "webp", "avif"]
THUMBNAIL = b"\xff\xd8\xff" + b"a face that was covered since" + b"\xff\xd9"
PICTURE = Image.fromarray(np.zeros((16, 24, 3), np.uint8))


def ascii_field(text: bytes) -> Field:
    return Field(2, len(text) + 1, text + b"\0")


def camera(order: str = "<") -> bytes:
    """A block as a camera writes it, by hand: two directories, a position, notes of its maker, and a thumbnail."""
    pack = struct.Struct(order + "H").pack
    exif = Exif(
        order,
        {
            0x0100: Field(3, 1, pack(4000)),
            0x010E: ascii_field(b"a holiday"),
            0x010F: ascii_field(b"Maker"),
            0x0112: Field(3, 1, pack(6)),
            0x0131: ascii_field(b"firmware 1"),
            0x0132: ascii_field(b"2020:01:02 03:04:05"),
            0x501B: Field(7, len(THUMBNAIL), THUMBNAIL),
            0xC4A5: Field(7, 2000, THUMBNAIL.ljust(2000)),
        },
        {
            0x829A: Field(5, 1, struct.pack(order + "II", 1, 250)),
            0x9003: ascii_field(b"2020:01:02 03:04:05"),
            0x927C: Field(7, len(THUMBNAIL), THUMBNAIL),
            0x9286: Field(7, 20, b"ASCII\0\0\0a fox, nude"),
            0xA002: Field(4, 1, struct.pack(order + "I", 4000)),
        },
        {0x0002: Field(5, 3, struct.pack(order + "6I", 52, 1, 30, 1, 0, 1))},
        {0x0001: Field(2, 4, b"R98\0")},
    )
    block = bytearray(written(exif))
    # The directory of the thumbnail follows the first one.
    (count,) = struct.unpack_from(order + "H", block, 8)
    struct.pack_into(order + "I", block, 10 + 12 * count, len(block))
    first = len(block) + 2 + 2 * 12 + 4
    block += struct.pack(order + "H", 2)
    block += struct.pack(order + "HHII", 0x0201, 4, 1, first)
    block += struct.pack(order + "HHII", 0x0202, 4, 1, len(THUMBNAIL))
    return bytes(block) + bytes(4) + THUMBNAIL


def saved_exif(format: str, image: Image.Image, **params: Any) -> tuple[bytes, Image.Exif]:
    content = encode_image(image, format, LABEL, **params)
    with Image.open(io.BytesIO(content)) as opened:
        return content, opened.getexif()


def test_pillow_sees_the_camera_and_its_thumbnail_before() -> None:
    """Or the tests below would show nothing."""
    exif = Image.Exif()
    exif.load(camera())
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[2] == (52.0, 30.0, 0.0)
    assert exif.get_ifd(ExifTags.IFD.IFD1)[0x0202] == len(THUMBNAIL)
    assert exif.get_ifd(ExifTags.IFD.Exif)[0x9286].rstrip(b"\0").endswith(b"nude")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_kept_of_a_camera(format: str, own: bool, order: str) -> None:
    image = PICTURE.copy()
    if not own:
        image.info["exif"] = b"Exif\0\0" + camera(order)
    content, exif = saved_exif(format, image, **({"exif": camera(order)} if own else {}))
    photo = exif.get_ifd(ExifTags.IFD.Exif)
    assert (exif[0x010E], exif[0x010F], exif[0x0112]) == ("a holiday", "Maker", 6)
    assert float(photo[0x829A]) == pytest.approx(1 / 250)
    assert exif.get_ifd(ExifTags.IFD.Interop) == {1: "R98"}
    # Ours: who made this file, and when. The photograph was taken when it was taken.
    assert (exif[0x0131], exif[0x0132]) == ("a generator 2.1", "2026:11:27 12:00:00")
    assert (photo[0x9003], photo[0x9004]) == ("2020:01:02 03:04:05", "2026:11:27 12:00:00")
    # A small copy of the picture as it was, in any of the places where there was one.
    assert b"covered since" not in content
    assert exif.get_ifd(ExifTags.IFD.IFD1) == {}
    assert 0x0100 not in exif
    assert 0xA002 not in photo
    assert 0x927C not in photo
    # Where it was taken, and what a generator noted: only if the caller hands it over.
    assert (exif.get_ifd(ExifTags.IFD.GPSInfo) == {2: (52.0, 30.0, 0.0)}) is own
    assert (b"a fox, nude" in content) is own


@pytest.mark.parametrize("format", FORMATS)
def test_pillows_own_object_can_be_given(format: str) -> None:
    given = Image.Exif()
    given[0x010E] = "by the caller"
    content, exif = saved_exif(format, PICTURE, exif=given)
    assert exif[0x010E] == "by the caller"
    assert read_file_label(content)["exif:ImageDescription"] == "by the caller"
    assert dict(given) == {0x010E: "by the caller"}


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"no exif at all", "EXIF, malformed"),
        (b"II*\0", "EXIF, malformed"),
        (written(Exif("<", {t: Field(2, 40_000, b"x" * 40_000) for t in (0x010E, 0x010F)})), None),
    ],
)
def test_a_block_that_cannot_be_kept_is_named_in_the_log_and_left_out(
    caplog: pytest.LogCaptureFixture, block: bytes, reason: str | None
) -> None:
    content, exif = saved_exif("jpeg", PICTURE, exif=block)
    assert exif[0x0131] == "a generator 2.1"
    assert 0x010F not in exif
    assert [r.getMessage() for r in caplog.records] == (
        [f"metadata of a picture was not kept: {reason}"] if reason else []
    )
    assert len(content) < LARGEST_EXIF_BYTES + 2_000


def test_a_block_that_is_too_large_for_jpeg_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    many = Exif(
        "<",
        {t: Field(2, 20_000, b"x" * 20_000) for t in (0x010E, 0x010F, 0x0110)},
        {t: Field(2, 20_000, b"x" * 20_000) for t in (0xA433, 0xA434)},
    )
    _, exif = saved_exif("jpeg", PICTURE, exif=written(many))
    assert set(exif) == {0x0131, 0x0132, 0x8769}
    assert "EXIF, oversized" in caplog.text
    assert "xxx" not in caplog.text


def test_times_are_written_only_where_they_are_known() -> None:
    assert written(stamped(Exif(), "", "")) == b""
    assert written(stamped(Exif(), "", "yesterday")) == b""
    local = stamped(Exif(), "", "2026-11-27T12:00:00+09:00")
    assert local.photo[0x9011].value == b"+09:00\0"
    assert read_exif(written(local))["exif:CreateDate"] == "2026:11:27 12:00:00"


TAGS = st.integers(1, 0xFFFF).filter(lambda t: t not in (0x8769, 0x8825, 0xA005))
DIRECTORIES = st.dictionaries(TAGS, st.binary(min_size=1, max_size=40).map(lambda v: Field(7, len(v), v)), max_size=8)


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(st.sampled_from("<>"), DIRECTORIES, DIRECTORIES, DIRECTORIES, DIRECTORIES)
def test_what_is_written_is_parsed_again(order: str, main: Any, photo: Any, gps: Any, interop: Any) -> None:
    exif = Exif(order, main, photo, gps, interop)
    back = parse(written(exif))
    if not written(exif):
        assert not any((main, photo, gps, interop))
        return
    assert back is not None
    pointers = {0x8769, 0x8825, 0xA005}
    assert {t: f for t, f in back.main.items() if t not in pointers} == main
    assert {t: f for t, f in back.photo.items() if t not in pointers} == photo
    assert (back.gps, back.interop) == (gps, interop)


@settings(max_examples=examples(450), deadline=None, derandomize=True)
@given(st.data())
def test_random_changes_never_raise(data: st.DataObject) -> None:
    block = bytearray(camera(data.draw(st.sampled_from("<>"))))
    for _ in range(data.draw(st.integers(1, 8))):
        block[data.draw(st.integers(4, len(block) - 1))] = data.draw(st.sampled_from([0, 1, 2, 8, 127, 128, 255]))
    block = block[: data.draw(st.integers(0, len(block)))]
    said = read_exif(bytes(block))
    assert all(isinstance(value, str) and value for value in said.values())
    exif = parse(bytes(block))
    if exif is not None:
        again = written(stamped(cleaned(exif, callers_own=True), "a generator", LABEL.created))
        if len(again) <= LARGEST_EXIF_BYTES:
            assert read_exif(again)["exif:Software"] == "a generator"


def test_a_block_that_declares_the_same_bytes_again_and_again_is_cut_off() -> None:
    """65,535 fields of a megabyte each: Pillow copies 64 gigabytes for this."""
    body = bytearray(struct.pack("<4sIH", b"II*\0", 8, 65_535))
    for tag in range(65_535):
        body += struct.pack("<HHII", tag, 7, 1 << 16, 8)
    body += bytes(1 << 20)
    exif = parse(bytes(body))
    assert exif is not None
    assert sum(len(f.value) for f in exif.main.values()) <= LARGEST_EXIF_BYTES
    assert read_exif(bytes(body)) == {}
