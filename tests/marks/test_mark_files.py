"""Files that carry their label: which formats, which modes, and that a label which did not get in is an error."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from guardrail.errors import MarkError
from guardrail.marks.files import encode_image, read_file_label, save_image
from guardrail.marks.guarded_image import GuardedImage
from guardrail.marks.label import Label, png_text, xmp_packet
from guardrail.marks.metadata import merge
from tests.marks.conftest import LABEL

PNG_WORDS = {f"png:{k}": v for k, v in png_text(LABEL).items()}
EXIF_WORDS = {
    "exif:Software": "a generator 2.1",
    "exif:ModifyDate": "2026:11:27 12:00:00",
    "exif:DateTimeOriginal": "2026:11:27 12:00:00",
    "exif:CreateDate": "2026:11:27 12:00:00",
}
PROVIDED = replace(LABEL, provider="ein Büro", provider_code="生成 & <co>")
FORMATS = ["png", "jpeg", "webp", "avif"]


def gradient() -> Image.Image:
    ramp = np.linspace(0, 255, 48, dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(ramp, (40, 1))] * 2 + [np.tile(ramp[::-1], (40, 1))], -1))


@pytest.mark.parametrize("format", ["png", ".png", "PNG", "jpg", ".jpeg", "JPEG", "webp", ".WEBP", "avif"])
def test_the_label_is_in_the_file(format: str) -> None:
    content = encode_image(gradient(), format, LABEL)
    words = PNG_WORDS if "png" in format.lower() else {}
    assert read_file_label(content) == {**LABEL.properties(), **EXIF_WORDS, **words}


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
@pytest.mark.parametrize("wrong", [b"<x/>", xmp_packet(Label("compositeSynthetic")), xmp_packet(LABEL)])
def test_a_label_that_did_not_get_in_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format: str, wrong: bytes
) -> None:
    """An encoder that drops metadata (as Pillow does by default), keeps somebody else's, or leaves a part out."""
    monkeypatch.setattr(merge, "packet_of", lambda *given, **named: wrong)
    with pytest.raises(MarkError, match="the label did not get into the"):
        save_image(gradient(), tmp_path / f"a.{format}", PROVIDED)
    assert list(tmp_path.iterdir()) == []


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


# ---- the field AIGC, prompts, transparency


@pytest.mark.parametrize("format", FORMATS)
def test_the_field_aigc_is_in_the_file_and_names_the_provider(format: str) -> None:
    content = encode_image(gradient(), format, PROVIDED)
    said = read_file_label(content)
    assert said.items() >= PROVIDED.says().items()
    assert said["aigc:ContentProducer"] == "生成 & <co>"
    # Platforms look for the text of the element, or in PNG for a chunk of plain text.
    assert b"<TC260:AIGC>{&quot;" not in content
    assert b'<TC260:AIGC>{"Label":"1","ContentProducer":"' in content
    if format == "png":
        with Image.open(io.BytesIO(content)) as written:
            assert json.loads(written.text["AIGC"]) == PROVIDED.aigc()
        assert b'tEXtAIGC\x00{"Label":"1"' in content


@pytest.mark.parametrize("format", FORMATS)
def test_a_prompt_is_written_only_on_request(format: str) -> None:
    prompt = 'a fox\r\n\tin <b>snow</b> & "fog" \x07\ud800\uffff 狐狸 🦊'
    said = read_file_label(encode_image(gradient(), format, LABEL, prompt=prompt, prompt_writer="J. Writer"))
    assert said["Iptc4xmpExt:AIPromptInformation"] == 'a fox\n\tin <b>snow</b> & "fog"  狐狸 🦊'
    assert said["Iptc4xmpExt:AIPromptWriterName"] == "J. Writer"
    assert "AIPrompt" not in str(read_file_label(encode_image(gradient(), format, LABEL)))


def test_a_prompt_that_does_not_fit_is_refused_without_being_quoted() -> None:
    assert encode_image(gradient(), "jpeg", LABEL, prompt="&" * merge.LONGEST_PROMPT)
    with pytest.raises(MarkError, match=r"^AIPromptInformation has 10,001 characters, 10,000 can be written"):
        encode_image(gradient(), "jpeg", LABEL, prompt="x" * (merge.LONGEST_PROMPT + 1))
    with pytest.raises(MarkError, match="a prompt is written beside a label"):
        encode_image(gradient(), "jpeg", None, prompt="x")


def test_jpeg_is_written_over_white() -> None:
    half = gradient().convert("RGBA")
    half.putalpha(128)
    for mode in ("RGBA", "RGBa"):
        with Image.open(io.BytesIO(encode_image(half.convert(mode), "jpeg", LABEL, quality=95))) as written:
            assert np.abs(np.asarray(written, int) - (np.asarray(gradient(), int) + 255) / 2).mean() < 5


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
def test_grey_multiplied_by_its_alpha_is_saved(format: str) -> None:
    with Image.open(io.BytesIO(encode_image(gradient().convert("LA").convert("La"), format, LABEL))) as written:
        assert written.size == gradient().size


# ---- animations


def animation(format: str) -> Image.Image:
    ball = [Image.new("RGBA", (40, 30), (0, 0, 0, 0)) for _ in range(3)]
    for number, frame in enumerate(ball):
        frame.paste((200, 40 * number, 9, 255), (5 + 8 * number, 5, 15 + 8 * number, 15))
    buffer = io.BytesIO()
    ball[0].save(buffer, format, save_all=True, append_images=ball[1:], duration=[100, 200, 300], loop=2)
    return Image.open(buffer)


@pytest.mark.parametrize("source", ["GIF", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("format", ["png", "webp", "avif"])
def test_all_frames_and_their_times_are_kept(format: str, source: str) -> None:
    opened = animation(source)
    opened.seek(1)
    content = encode_image(opened, format, PROVIDED, save_all=True, lossless=True, quality=100)
    assert opened.tell() == 1
    assert read_file_label(content).items() >= PROVIDED.says().items()
    with Image.open(io.BytesIO(content)) as written:
        assert written.n_frames == 3
        for number in range(3):
            written.seek(number)
            opened.seek(number)
            ours, theirs = written.convert("RGBA"), opened.convert("RGBA")
            assert round(written.info["duration"]) == 100 * (number + 1)
            seen = [np.asarray(i, int)[..., :3] * (np.asarray(i)[..., 3:] > 128) for i in (ours, theirs)]
            assert np.abs(seen[0] - seen[1]).mean() < (6 if "avif" in (format, source.lower()) else 0.5)


def test_one_frame_is_written_unless_all_are_asked_for() -> None:
    for format in FORMATS:
        with Image.open(io.BytesIO(encode_image(animation("GIF"), format, LABEL))) as written:
            assert getattr(written, "n_frames", 1) == 1


def test_jpeg_refuses_several_frames() -> None:
    for given in ({"append_images": [gradient()]}, {"append_images": [gradient()], "save_all": True}):
        with pytest.raises(MarkError, match="a JPEG file holds one picture; use png, webp or avif"):
            encode_image(gradient(), "jpeg", LABEL, **given)
    with pytest.raises(MarkError, match="a JPEG file holds one picture"):
        encode_image(animation("GIF"), "jpeg", LABEL, save_all=True)
    # One picture is no animation, whatever the option says.
    assert read_file_label(encode_image(gradient(), "jpeg", LABEL, save_all=True))


# ---- signing


def seal(content: bytes, form: str) -> bytes:
    """Stands for a signature: a piece behind the others, where each format keeps what it does not know."""
    note = b"signed"
    if form == "png":
        chunk = b"caBX" + note
        return (
            content[:-12] + len(note).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + content[-12:]
        )
    if form == "jpeg":
        return content[:2] + b"\xff\xeb" + (len(note) + 2).to_bytes(2, "big") + note + content[2:]
    if form == "webp":
        body = content[8:] + b"C2PA" + len(note).to_bytes(4, "little") + note
        return content[:4] + len(body).to_bytes(4, "little") + body
    return content + (8 + len(note)).to_bytes(4, "big") + b"free" + note


@pytest.mark.parametrize("format", [*FORMATS, "jpg"])
def test_the_signer_comes_last_and_the_label_is_still_there(format: str) -> None:
    calls: list[tuple[bytes, str]] = []

    def sign(content: bytes, form: str) -> bytes:
        calls.append((content, form))
        return seal(content, form)

    signed = encode_image(gradient(), format, replace(PROVIDED, signed=True), sign=sign)
    ((content, form),) = calls
    assert form == {"jpg": "jpeg"}.get(format, format)
    assert content == encode_image(gradient(), format, PROVIDED)
    assert signed == seal(content, form)
    assert read_file_label(signed) == read_file_label(content)


@pytest.mark.parametrize(
    ("sign", "match"),
    [
        (lambda content, form: content, "was not signed: the signer gave back no other content"),
        (lambda content, form: None, "was not signed"),
        (lambda content, form: b"", "the label was lost when the"),
        # A library that writes the picture anew, or without one field.
        (lambda content, form: encode_image(gradient(), form, None), "the label was lost when the"),
        (lambda content, form: encode_image(gradient(), form, replace(PROVIDED, provider="")), "the label was lost"),
    ],
)
def test_a_signer_that_does_not_sign_or_drops_the_label_releases_nothing(
    tmp_path: Path, sign: Callable[..., Any], match: str
) -> None:
    for format in FORMATS:
        with pytest.raises(MarkError, match=match):
            save_image(gradient(), tmp_path / f"a.{format}", PROVIDED, sign=sign)
    assert list(tmp_path.iterdir()) == []


def test_a_signer_may_not_touch_the_picture() -> None:
    """It keeps the label, and puts other pixels under it, or breaks them."""
    other = Image.new("RGB", gradient().size)
    for format in FORMATS:
        with pytest.raises(MarkError, match="the picture was changed when"):
            encode_image(gradient(), format, PROVIDED, sign=lambda _, form: encode_image(other, form, PROVIDED))
    with pytest.raises(MarkError, match=r"the signed PNG file cannot be opened any more \(OSError\)"):
        encode_image(gradient(), "png", PROVIDED, sign=lambda content, form: content[:-40])


def test_an_error_of_the_signer_is_not_swallowed() -> None:
    def sign(content: bytes, form: str) -> bytes:
        raise MarkError("the key service does not answer")

    with pytest.raises(MarkError, match="the key service"):
        encode_image(gradient(), "png", LABEL, sign=sign)


def test_a_label_that_wants_a_signature_is_not_written_without() -> None:
    for format in FORMATS:
        with pytest.raises(MarkError, match=r"guardrail\.save\(image, path, marking=\.\.\.\)"):
            encode_image(gradient(), format, replace(LABEL, signed=True))
