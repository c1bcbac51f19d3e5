"""Files that carry their label: which formats, which modes, and that a label which did not get in is an error."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from guardrail.errors import MarkError
from guardrail.marks import files
from guardrail.marks.files import encode_image, read_file_label, save_image
from guardrail.marks.guarded_image import GuardedImage
from guardrail.marks.label import Label, png_text
from tests.marks.conftest import LABEL

PNG_WORDS = {f"png:{k}": v for k, v in png_text(LABEL).items()}


def gradient() -> Image.Image:
    ramp = np.linspace(0, 255, 48, dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(ramp, (40, 1))] * 2 + [np.tile(ramp[::-1], (40, 1))], -1))


@pytest.mark.parametrize("format", ["png", ".png", "PNG", "jpg", ".jpeg", "JPEG", "webp", ".WEBP", "avif"])
def test_the_label_is_in_the_file(format: str) -> None:
    content = encode_image(gradient(), format, LABEL)
    words = PNG_WORDS if "png" in format.lower() else {}
    assert read_file_label(content) == {**LABEL.properties(), **words}


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1"])
def test_every_mode_that_pipelines_return_can_be_written(mode: str, format: str) -> None:
    content = encode_image(gradient().convert(mode), format, LABEL)
    assert read_file_label(content).items() >= LABEL.properties().items()
    with Image.open(io.BytesIO(content)) as written:
        assert written.size == (48, 40)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_pillow_reads_the_label(format: str) -> None:
    pytest.importorskip("defusedxml", reason="Pillow's getxmp needs it")
    with Image.open(io.BytesIO(encode_image(gradient(), format, LABEL))) as written:
        description = written.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert description["DigitalSourceType"] == LABEL.properties()["Iptc4xmpExt:DigitalSourceType"]
    assert description["AISystemUsed"] == "a generator"


def test_pixels_and_options_are_pillows_own() -> None:
    def size(quality: int) -> int:
        return len(encode_image(gradient(), "jpeg", LABEL, quality=quality))

    assert size(95) > size(20)
    with Image.open(io.BytesIO(encode_image(gradient(), "png", LABEL))) as written:
        assert np.array_equal(np.asarray(written), np.asarray(gradient()))
    plain = io.BytesIO()
    gradient().save(plain, "PNG")
    assert encode_image(gradient(), "png", None) == plain.getvalue()


UNABLE = ["bmp", "gif", ".gif", "tiff", "ico", "ppm", "pdf", "jp2", "dds", "", "png.exe"]


@pytest.mark.parametrize("format", UNABLE)
def test_other_formats_are_refused_by_name(format: str) -> None:
    with pytest.raises(MarkError, match="cannot carry a label; use png, jpeg, webp or avif") as caught:
        encode_image(gradient(), format, LABEL)
    assert (format or "without a suffix") in str(caught.value)


@pytest.mark.parametrize("name", ["a.bmp", "a.gif", "a.tiff", "a"])
def test_a_refused_file_is_not_begun(tmp_path: Path, name: str) -> None:
    with pytest.raises(MarkError):
        save_image(gradient(), tmp_path / name, LABEL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
@pytest.mark.parametrize("wrong", [lambda label: b"<x/>", lambda label: files_packet(Label("compositeSynthetic"))])
def test_a_label_that_did_not_get_in_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format: str, wrong: Callable[[Label], bytes]
) -> None:
    """An encoder that drops metadata (as Pillow does by default), or one that keeps somebody else's."""
    monkeypatch.setattr(files, "xmp_packet", wrong)
    with pytest.raises(MarkError, match="the label did not get into the"):
        save_image(gradient(), tmp_path / f"a.{format}", LABEL)
    assert list(tmp_path.iterdir()) == []


files_packet = files.xmp_packet


def test_chunks_of_the_caller_are_kept_and_its_object_is_left_alone() -> None:
    mine = PngInfo()
    mine.add_text("Author", "a studio")
    before = list(mine.chunks)
    other = Label("compositeSynthetic", "another generator")
    encode_image(gradient(), "png", LABEL, pnginfo=mine)
    # The second file must not carry the first one's label too.
    content = encode_image(gradient(), "png", other, pnginfo=mine)
    said = read_file_label(content)
    assert said["png:Author"] == "a studio"
    assert said["Iptc4xmpExt:AISystemUsed"] == "another generator"
    assert LABEL.decision_id.encode() not in content
    assert mine.chunks == before


def test_the_image_is_left_alone() -> None:
    image = gradient()
    encode_image(image, "png", LABEL)
    assert type(image) is Image.Image
    assert image.info == {}


def as_bytes(format: str, **params: Any) -> bytes:
    buffer = io.BytesIO()
    gradient().save(buffer, format, **params)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", {}),
        (b"no image", {}),
        (as_bytes("BMP"), {}),
        (as_bytes("PNG"), {}),
        (as_bytes("JPEG"), {}),
        (as_bytes("GIF", comment=b"hello"), {}),
        (as_bytes("JPEG", xmp=b"no xml"), {}),
    ],
)
def test_files_without_a_label_say_nothing(content: bytes, said: dict[str, str]) -> None:
    assert read_file_label(content) == said


def test_encoding_twice_gives_the_same_bytes(marked: GuardedImage) -> None:
    for format in ("png", "jpeg", "webp"):
        assert encode_image(marked, format, LABEL) == encode_image(marked, format, LABEL)
