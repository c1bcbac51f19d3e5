"""Files that anybody may have made: what is read is what Pillow reads, and nothing raises or hangs."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from guardrail.marks.files import encode_image, read_file_label
from guardrail.marks.metadata.boxes import items_of
from guardrail.marks.metadata.containers import find
from tests.budget import examples
from tests.marks.conftest import LABEL

FORMATS = ["png", "jpeg", "webp", "avif"]
PROVIDED = replace(LABEL, provider="a studio")
PICTURE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (16, 24, 3), np.uint8))
FILES = {format: encode_image(PICTURE, format, PROVIDED) for format in FORMATS}
MOVING = {
    format: encode_image(PICTURE, format, PROVIDED, append_images=[PICTURE.rotate(180)])
    for format in ("png", "webp", "avif")
}
HEADS = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x1cftypavif\0\0\0\0"]


@pytest.mark.parametrize("content", [*FILES.values(), *MOVING.values()])
def test_what_is_found_is_what_pillow_finds(content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        assert find(content).xmp == image.info["xmp"]
        assert find(content).exif.removeprefix(b"Exif\0\0") == image.info["exif"].removeprefix(b"Exif\0\0")
        texts = {k: str(v) for k, v in getattr(image, "text", {}).items() if k != "XML:com.adobe.xmp"}
    assert find(content).texts == texts


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_cut_off_anywhere_says_less_or_the_same(format: str) -> None:
    whole = read_file_label(FILES[format])
    for length in range(0, len(FILES[format]), 7):
        said = read_file_label(FILES[format][:length])
        # A text may be cut off with the block that it stands in.
        assert all(whole[key].startswith(value) for key, value in said.items())


@settings(max_examples=examples(450), deadline=None, derandomize=True)
@given(st.data())
def test_changed_files_never_raise(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([*FILES.values(), *MOVING.values()])))
    for _ in range(data.draw(st.integers(1, 10))):
        # Most of the structure stands at the beginning.
        at = data.draw(st.integers(0, min(len(content), 700) - 1) | st.integers(0, len(content) - 1))
        content[at] = data.draw(st.sampled_from([0, 1, 4, 127, 128, 254, 255]))
    said = read_file_label(bytes(content[: data.draw(st.none() | st.integers(0, len(content)))]))
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in said.items())


@settings(max_examples=examples(900), deadline=None, derandomize=True)
@given(st.sampled_from(HEADS), st.binary(max_size=200))
def test_random_bytes_never_raise(head: bytes, body: bytes) -> None:
    assert isinstance(read_file_label(head + body), dict)


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return HEADS[0] + b"".join(parts)


BOMB = zlib.compress(b"a" * (40 << 20), 9)


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"Comment\0\0" + BOMB),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
        (b"zTXt", b"Comment\0\0" + BOMB[:40]),
        (b"iTXt", b"Comment\0\1"),
        (b"iTXt", b"Comment\0\1\0en"),
        (b"tEXt", b"\0no keyword"),
        (b"tEXt", b"no text"),
        (b"zTXt", b"Comment\0"),
        (b"zTXt", b"Comment\0\0not packed"),
        (b"tEXt", b"Comment\0" + b"x" * (2 << 20)),
    ],
)
def test_text_that_is_broken_or_unpacks_to_too_much_is_left_out(chunk: tuple[bytes, bytes]) -> None:
    said = read_file_label(png_of((b"tEXt", b"Before\0here"), chunk, (b"tEXt", b"After\0there")))
    assert (said["png:Before"], said["png:After"]) == ("here", "there")
    assert all(len(value) < 1 << 20 for value in said.values())


def test_all_kinds_of_text_chunks_are_read() -> None:
    info = PngInfo()
    info.add_text("A", "plain")
    info.add_text("B", "packed", zip=True)
    info.add_itxt("C", "狐狸", "zh", "x")
    info.add_itxt("D", "packed 狐狸", zip=True)
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG", pnginfo=info)
    assert read_file_label(buffer.getvalue()) == {
        "png:A": "plain",
        "png:B": "packed",
        "png:C": "狐狸",
        "png:D": "packed 狐狸",
    }


def test_text_behind_the_pixels_is_read() -> None:
    content = FILES["png"]
    chunk = b"tEXtLate\0here"
    late = content[:-12] + struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[-12:]
    assert read_file_label(late)["png:Late"] == "here"


def test_thousands_of_texts_are_not_all_kept() -> None:
    said = read_file_label(png_of(*((b"tEXt", b"k%d\0v" % n) for n in range(5_000))))
    assert len(said) == 256
    many = [(b"zTXt", b"k%d\0\0" % n + zlib.compress(b"a" * (1 << 20))) for n in range(40)]
    assert sum(map(len, find(png_of(*many)).texts.values())) <= 5 << 20


def full(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def avif_of(iinf: bytes, iloc: bytes, *more: bytes) -> bytes:
    return full(b"ftyp", b"avif\0\0\0\0") + full(
        b"meta", bytes(4) + full(b"iinf", iinf) + full(b"iloc", iloc) + b"".join(more)
    )


INFE = full(b"infe", b"\2\0\0\0" + struct.pack(">HH", 1, 0) + b"mime\0application/rdf+xml\0")
PACKET = (
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:x="http://ns.adobe.com/xap/1.0/" x:CreatorTool="by hand"/></rdf:RDF>'
)


def test_metadata_inside_the_meta_box_of_avif_is_read() -> None:
    """As some writers have it; libavif puts it behind the pixels."""
    iloc = b"\1\0\0\0\x44\0" + struct.pack(">HHHHHII", 1, 1, 1, 0, 1, 0, len(PACKET))
    said = read_file_label(avif_of(bytes(4) + b"\0\1" + INFE, iloc, full(b"idat", PACKET)))
    assert said == {"xmp:CreatorTool": "by hand"}


def huge_avif() -> bytes:
    """Every item is the whole file, in many pieces."""
    items = 1_000
    infe = b"".join(
        full(b"infe", b"\2\0\0\0" + struct.pack(">HH", n, 0) + b"mime\0application/rdf+xml\0") for n in range(items)
    )
    iloc = b"\0\0\0\0\x44\0" + struct.pack(">H", items)
    iloc += b"".join(struct.pack(">HHH", n, 0, 60) + struct.pack(">II", 0, 0xFFFFFFFF) * 60 for n in range(items))
    return avif_of(bytes(4) + struct.pack(">H", items) + infe, iloc)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a million empty chunks": lambda: png_of() + struct.pack(">I4sI", 0, b"teST", 0) * 1_000_000,
    "a million bare markers": lambda: b"\xff\xd8" + b"\xff\xd0" * 1_000_000,
    "a megabyte of fill bytes": lambda: b"\xff\xd8" + b"\xff" * (1 << 20),
    "segments without a length": lambda: b"\xff\xd8" + b"\xff\xe1\0\0" * 500_000,
    "a million empty RIFF chunks": lambda: HEADS[2] + b"JUNK\0\0\0\0" * 1_000_000,
    "a million empty boxes": lambda: HEADS[3] + b"\0" * 12 + b"\0\0\0\x08free" * 1_000_000,
    "a box of its own size": lambda: HEADS[3] + b"\0" * 12 + b"\0\0\0\0meta" * 1_000,
    "items that are the whole file": huge_avif,
    "items without a size": lambda: avif_of(
        bytes(4) + b"\0\1" + INFE, b"\2\0\0\0\0\0\xff\xff\xff\xff" + bytes(1 << 20)
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_structures_made_to_last_end(name: str) -> None:
    assert read_file_label(HOSTILE[name]()) == {}


def test_a_name_of_zeros_is_not_taken_to_pieces() -> None:
    infe = full(b"infe", b"\2\0\0\0\0\1\0\0mime" + bytes(1 << 20))
    content = avif_of(bytes(4) + b"\0\1" + infe, b"\1\0\0\0\x44\0\0\0")
    tracemalloc.start()
    try:
        assert list(items_of(content)) == []
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", [b"", b"\x89PNG", *HEADS, b"GIF89a" + bytes(40), b"%PDF-1.7"])
def test_other_files_say_nothing(content: bytes) -> None:
    assert read_file_label(content) == {}


def test_a_jpeg_of_another_program_is_read(tmp_path: Any) -> None:
    """Fill bytes before a marker, an extended packet that is not ours to join, and EXIF behind XMP."""
    head = b"http://ns.adobe.com/xap/1.0/\0"
    long = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40

    def app1(body: bytes) -> bytes:
        return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body

    plain = FILES["jpeg"]
    content = b"\xff\xd8" + b"\xff\xff\xff" + app1(long)[1:] + app1(head + PACKET) + plain[2:]
    said = read_file_label(content)
    assert said["xmp:CreatorTool"] == "by hand"
    assert said["exif:Software"] == "a generator 2.1"
