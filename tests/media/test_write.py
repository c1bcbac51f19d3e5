"""Altered frames go back into a file: same format, same timing, no metadata, and only what can be held."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.errors import ActionError, UnsupportedInput
from guardrail.media import decode_image
from guardrail.media.write import rewrite

ANIMATIONS = ("GIF", "WEBP", "PNG")


def flat(*greys: int, size: tuple[int, int] = (24, 32)) -> list[np.ndarray]:
    return [np.full((*size, 3), grey, np.uint8) for grey in greys]


def encoded(frames: list[np.ndarray], form: str, **options: Any) -> bytes:
    first, *rest = (Image.fromarray(f) for f in frames)
    buffer = io.BytesIO()
    more = (
        {"save_all": True, "append_images": rest, "duration": [40, 90, 250][: len(frames)], "loop": 3} if rest else {}
    )
    first.save(buffer, form, **more, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ANIMATIONS)
def test_every_frame_of_an_animation_is_written_with_its_time(form: str, tmp_path: Path) -> None:
    target = tmp_path / f"out.{form.lower()}"
    rewrite(encoded(flat(10, 120, 240), form), flat(200, 30, 90), target)
    frames = decode_image(target).frames
    assert [round(float(f[..., :3].mean())) for f in frames] == pytest.approx([200, 30, 90], abs=3)
    with Image.open(target) as image:
        times = []
        for i in range(3):
            image.seek(i)
            image.load()
            times.append(round(image.info["duration"]))
        assert times == [40, 90, 250]
        assert image.info.get("loop") == 3


def test_what_a_frame_covered_does_not_show_through_the_next(tmp_path: Path) -> None:
    before = flat(0, 0, 0)
    for i, frame in enumerate(before):
        frame[4:12, 4 + 6 * i : 10 + 6 * i] = 255
    after = [f.copy() for f in before]
    for i, frame in enumerate(after):
        frame[2:14] = 90
        frame[20:, i] = 255  # or they would be one frame
    rewrite(encoded(before, "GIF"), after, tmp_path / "out.gif")
    for frame in decode_image(tmp_path / "out.gif").frames:
        assert np.ptp(frame[2:14, :, :3]) <= 2


@pytest.mark.parametrize(
    ("form", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("PNG", "jpeg"), ("PNG", "gif")]
)
def test_a_still_picture_is_written_without_metadata(form: str, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "who is in it"
    source = encoded(flat(40), form, exif=exif.tobytes())
    target = tmp_path / f"out.{suffix}"
    rewrite(source, flat(180), target)
    assert b"who is in it" in source
    assert b"who is in it" not in target.read_bytes()
    assert float(decode_image(target).frames[0][..., :3].mean()) == pytest.approx(180, abs=2)


def test_grey_of_sixteen_bits_is_covered_in_every_reading(tmp_path: Path) -> None:
    wide = np.linspace(0, 60000, 24 * 32).reshape(24, 32).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(wide).save(buffer, "PNG")
    read = decode_image(buffer.getvalue())
    assert len(read.frames) > 1
    covered = [f.copy() for f in read.frames]
    for frame in covered:
        frame[5:15, 5:25] = 200
    rewrite(buffer.getvalue(), covered, tmp_path / "out.png")
    for frame in decode_image(tmp_path / "out.png").frames:
        assert np.ptp(frame[5:15, 5:25].astype(int)) <= 1


def test_a_turned_photograph_comes_out_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = encoded(flat(50, size=(24, 32)), "JPEG", exif=exif.tobytes())
    upright = decode_image(source).frames
    assert upright[0].shape[:2] == (32, 24)
    rewrite(source, upright, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (24, 32)


@pytest.mark.parametrize(
    ("form", "frames", "suffix", "says"),
    [
        ("PNG", (1,), "tif", "is not written"),
        ("PNG", (1,), "", "without a suffix is not written"),
        ("GIF", (1, 2), "jpg", "holds one picture"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    form: str, frames: tuple[int, ...], suffix: str, says: str, tmp_path: Path
) -> None:
    pictures = flat(*(40 * f for f in frames))
    target = tmp_path / (f"out.{suffix}" if suffix else "out")
    with pytest.raises(UnsupportedInput, match=says):
        rewrite(encoded(pictures, form), pictures, target)
    assert not target.exists()


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ActionError):
        rewrite(encoded(flat(1), "PNG"), flat(1, size=(5, 5)), tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match=r"out\.png cannot be written: No such file or directory$"):
        rewrite(encoded(flat(3), "PNG"), flat(4), tmp_path / "nowhere" / "out.png")
