"""The PIL image that a pipeline returns: it is one, it saves its label, and so does what is derived from it."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from guardrail.errors import MarkError
from guardrail.keys import Keyring
from guardrail.marks.files import Sign, label_of, read_file_label
from guardrail.marks.guarded_image import GuardedImage, guarded
from guardrail.marks.label import Label
from guardrail.marks.marker import Marker
from guardrail.marks.settings import Marking
from guardrail.marks.stack import MarkStack
from tests.marks.conftest import LABEL, MARK_ID
from tests.marks.test_mark_files import seal

PICTURE = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
ID = LABEL.decision_id


@pytest.fixture
def image() -> GuardedImage:
    return guarded(Image.fromarray(PICTURE), LABEL)


class Sealing(Marker):
    """Signs with bytes that need no key."""

    def sign(self, label: Label) -> Sign:
        return seal


def sealing() -> Marker:
    return Sealing(MarkStack(Keyring([bytes(range(32))], source="a test")), Marking())


def id_in(content: bytes) -> str:
    return read_file_label(content).get("guardrail:DecisionId", "")


def test_it_is_a_pil_image_with_the_same_pixels(image: GuardedImage) -> None:
    assert isinstance(image, Image.Image)
    assert (image.mode, image.size) == ("RGB", (96, 64))
    assert np.array_equal(np.asarray(image), PICTURE)
    assert label_of(image) is LABEL
    assert label_of(Image.fromarray(PICTURE)) is None


# ---- saving


@pytest.mark.parametrize("kind", [str, Path, lambda p: str(p).encode()])
@pytest.mark.parametrize("suffix", ["png", "JPG", "webp", "avif"])
def test_saved_to_a_path_of_any_type(
    image: GuardedImage, tmp_path: Path, suffix: str, kind: Callable[[Path], Any]
) -> None:
    image.save(kind(tmp_path / f"a.{suffix}"))
    assert id_in((tmp_path / f"a.{suffix}").read_bytes()) == ID


class Named(io.BytesIO):
    name: Any = "out.webp"


class Numbered(io.BytesIO):
    # What os.fdopen gives.
    name: Any = 7


@pytest.mark.parametrize(
    ("stream", "format", "magic"),
    [
        (io.BytesIO, "png", b"\x89PNG"),
        (io.BytesIO, "JPEG", b"\xff\xd8"),
        (Named, None, b"RIFF"),
        (Named, "png", b"\x89PNG"),
        (Numbered, "png", b"\x89PNG"),
    ],
)
def test_saved_to_a_stream(image: GuardedImage, stream: type[io.BytesIO], format: str | None, magic: bytes) -> None:
    buffer = stream()
    image.save(buffer, format)
    assert buffer.getvalue().startswith(magic)
    assert id_in(buffer.getvalue()) == ID


@pytest.mark.parametrize("stream", [io.BytesIO, Numbered])
def test_a_stream_without_a_name_needs_a_format(image: GuardedImage, stream: type[io.BytesIO]) -> None:
    with pytest.raises(MarkError, match=r"^a file without a suffix cannot carry a label"):
        image.save(stream())


@pytest.mark.parametrize("animated", [False, True])
@pytest.mark.parametrize("name", ["a.gif", "a.bmp", "a.tiff", "a.pdf", "a"])
def test_a_format_that_drops_the_label_is_refused(
    image: GuardedImage, tmp_path: Path, name: str, animated: bool
) -> None:
    """`export_to_gif` of diffusers saves with save_all: that is no way around it."""
    more = {"save_all": True, "append_images": [image.copy()]} if animated else {}
    with pytest.raises(MarkError, match="cannot carry a label"):
        image.save(tmp_path / name, **more)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["png", "webp", "avif"])
def test_an_animation_carries_the_label(image: GuardedImage, format: str) -> None:
    buffer = io.BytesIO()
    image.save(buffer, format, save_all=True, append_images=[ImageOps.invert(image)])
    assert id_in(buffer.getvalue()) == ID
    with Image.open(buffer) as written:
        assert written.n_frames == 2


def test_without_a_label_it_saves_as_pil_does(tmp_path: Path) -> None:
    image = guarded(Image.fromarray(PICTURE), LABEL)
    image.guardrail_label = None
    image.save(tmp_path / "a.bmp")
    assert (tmp_path / "a.bmp").read_bytes().startswith(b"BM")


# ---- what is derived from it


KEEPS: dict[str, Callable[[GuardedImage], Any]] = {
    "copy": lambda i: i.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda i: pickle.loads(pickle.dumps(i)),
    "resize": lambda i: i.resize((9, 7)),
    "crop": lambda i: i.crop((2, 3, 20, 30)),
    "crop beyond the edge": lambda i: i.crop((-5, -5, 20, 30)),
    "rotate 90": lambda i: i.rotate(90, expand=True),
    "rotate 3": lambda i: i.rotate(3),
    "transpose": lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "transform": lambda i: i.transform((9, 9), Image.Transform.AFFINE, (1, 0, 0, 0, 1, 0)),
    "transform of RGBA": lambda i: i.convert("RGBA").transform((9, 9), Image.Transform.AFFINE, (1, 0, 0, 0, 1, 0)),
    "reduce": lambda i: i.reduce(2),
    "same mode": lambda i: i.convert("RGB"),
    "grey": lambda i: i.convert("L"),
    "RGBA and back": lambda i: i.convert("RGBA").convert("RGB"),
    "palette": lambda i: i.quantize(8),
    "one channel": lambda i: i.getchannel("G"),
    "split and merged": lambda i: Image.merge("RGB", i.split()),
    "filter": lambda i: i.filter(ImageFilter.GaussianBlur(1)),
    "point": lambda i: i.point(lambda v: 255 - v),
    "ImageOps.fit": lambda i: ImageOps.fit(i, (32, 32)),
    "ImageOps.exif_transpose": ImageOps.exif_transpose,
    "ImageEnhance.Sharpness": lambda i: ImageEnhance.Sharpness(i).enhance(1.5),
}


@pytest.mark.parametrize("how", KEEPS)
def test_what_pillow_derives_keeps_the_signer_but_for_pickles(how: str) -> None:
    """A signer holds a secret. A picture that lost it is refused, not saved unsigned."""
    label = replace(LABEL, signed=True, mark_id="")
    image = guarded(Image.fromarray(PICTURE), label, marker=sealing())
    derived = KEEPS[how](image)
    assert label_of(derived) == label
    if how == "pickle":
        assert derived.guardrail_marker is None
        with pytest.raises(MarkError, match="has lost its signer"):
            derived.save(io.BytesIO(), "png")
        return
    assert derived.guardrail_marker is image.guardrail_marker
    buffer = io.BytesIO()
    derived.save(buffer, "png")
    assert b"caBX" in buffer.getvalue()
    assert id_in(buffer.getvalue()) == ID


# Whether the mark is read where it was put. A cut picture carries its mark, and only a search finds it.
READ = {"copy": True, "rotate 90": True, "grey": True, "crop": False, "resize": False, "point": False, "pickle": False}


@pytest.mark.parametrize("how", READ)
def test_a_file_names_the_watermark_only_where_it_is_read(marked: GuardedImage, how: str) -> None:
    """Of a pickled picture there is no key here."""
    buffer = io.BytesIO()
    KEEPS[how](marked).save(buffer, "png")
    said = read_file_label(buffer.getvalue())
    assert said["Iptc4xmpExt:DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert said["guardrail:DecisionId"] == ID
    assert said.get("guardrail:MarkId", "") == (MARK_ID if READ[how] else "")


def test_a_mark_that_the_codec_destroys_is_not_named_and_the_integrity_is_of_what_is_said(marked: GuardedImage) -> None:
    stack = marked.guardrail_marker.stack
    marked.guardrail_label = stack.with_integrity(replace(LABEL, provider="A Provider"))
    said = {}
    for quality in (95, 1):
        buffer = io.BytesIO()
        marked.save(buffer, "jpeg", quality=quality)
        said[quality] = read_file_label(buffer.getvalue())
    assert [said[quality].get("guardrail:MarkId") for quality in (95, 1)] == [MARK_ID, None]
    assert [said[quality]["aigc:ProduceID"] for quality in (95, 1)] == [MARK_ID, ID]
    assert said[1].items() >= stack.with_integrity(replace(LABEL, provider="A Provider", mark_id="")).says().items()
    assert said[1]["aigc:ReservedCode1"].startswith("hmac-sha256:")


def test_every_frame_of_an_animation_must_carry_the_mark_that_is_named(marked: GuardedImage) -> None:
    other = Image.new("RGB", marked.size, (90, 120, 150))
    for frames, named in (([marked.copy()], True), ([other], False)):
        buffer = io.BytesIO()
        marked.save(buffer, "png", save_all=True, append_images=frames)
        said = read_file_label(buffer.getvalue())
        assert (said["guardrail:DecisionId"], "guardrail:MarkId" in said) == (ID, named)


def test_a_picture_of_one_pixel_is_saved(marked: GuardedImage) -> None:
    buffer = io.BytesIO()
    marked.resize((1, 1)).save(buffer, "png")
    assert "guardrail:MarkId" not in read_file_label(buffer.getvalue())


def test_in_place_changes_keep_the_label(image: GuardedImage) -> None:
    image.thumbnail((20, 20))
    image.putpixel((0, 0), (1, 2, 3))
    image.paste((9, 9, 9), (1, 1, 3, 3))
    assert label_of(image) is LABEL


LOSES: dict[str, Callable[[GuardedImage], Any]] = {
    "ImageOps.expand": lambda i: ImageOps.expand(i, 3),
    "ImageOps.pad": lambda i: ImageOps.pad(i, (50, 20)),
    "ImageEnhance.Brightness": lambda i: ImageEnhance.Brightness(i).enhance(1.1),
    "ImageEnhance.Contrast": lambda i: ImageEnhance.Contrast(i).enhance(1.1),
    "Image.fromarray": lambda i: Image.fromarray(np.asarray(i)),
}


@pytest.mark.parametrize("how", LOSES)
def test_what_is_drawn_on_a_new_canvas_does_not_and_the_docstring_says_so(image: GuardedImage, how: str) -> None:
    assert label_of(LOSES[how](image)) is None
    assert how.removeprefix("ImageOps.").split(".")[-1] in (GuardedImage.__doc__ or "")


def test_pixels_survive_pickling_and_copying(image: GuardedImage) -> None:
    for other in (copy.deepcopy(image), pickle.loads(pickle.dumps(image))):
        assert np.array_equal(np.asarray(other), PICTURE)
        assert type(other) is GuardedImage
    # A copy is its own picture.
    twin = image.copy()
    twin.putpixel((0, 0), (0, 0, 0) if PICTURE[0, 0].any() else (9, 9, 9))
    assert np.array_equal(np.asarray(image), PICTURE)


def test_a_picture_out_of_a_file_is_not_changed_by_guarding_it(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        kind = type(opened)
        ours = guarded(opened, LABEL)
        assert type(opened) is kind
        assert label_of(opened) is None
    assert np.array_equal(np.asarray(ours), PICTURE)
    assert label_of(ours) is LABEL


def test_two_labels_do_not_mix(image: GuardedImage) -> None:
    other = guarded(Image.fromarray(PICTURE), Label("compositeSynthetic", decision_id="other"))
    assert label_of(image.copy()).decision_id == ID
    assert label_of(other.copy()).decision_id == "other"
    assert GuardedImage.guardrail_label is None


def test_a_pickle_holds_no_key() -> None:
    """Not even where it could be pickled."""
    image = guarded(Image.fromarray(PICTURE), LABEL, marker=sealing())
    assert b"ealing" not in pickle.dumps(image)
    assert pickle.loads(pickle.dumps(image)).guardrail_marker is None
    assert GuardedImage.guardrail_marker is None


def test_a_deep_copy_is_its_own_picture(image: GuardedImage) -> None:
    image.info["list"] = [1]
    twin = copy.deepcopy(image)
    twin.info["list"].append(2)
    twin.putpixel((0, 0), (0, 0, 0) if PICTURE[0, 0].any() else (9, 9, 9))
    assert image.info["list"] == [1]
    assert np.array_equal(np.asarray(image), PICTURE)
