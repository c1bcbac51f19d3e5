"""The visible label: measured on what is drawn (height, contrast, place), and refused rather than drawn wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ImageFont, features

from guardrail.decision import Action, Decision, PolicyRef, Stage
from guardrail.errors import MarkError
from guardrail.marks.stack import MarkStack
from guardrail.marks.visible import PLACES, PRESETS, draw, ensure_drawable, fonts, setting, visible_text, wording
from guardrail.marks.visible.fonts import Face, find_face, needs_shaping
from guardrail.marks.visible.setting import set_label

GREY = 128
CHINESE, KOREAN, JAPANESE = "AI生成", "AI 생성물", "AI生成画像です"
HEBREW, ARABIC, HINDI = "תמונה", "صورة", "चित्र"


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """No test sees what another one found with other fonts."""
    for kept in (fonts.find_face, fonts._files, setting.set_label):
        kept.cache_clear()
    yield
    for kept in (fonts.find_face, fonts._files, setting.set_label):
        kept.cache_clear()


@pytest.fixture
def no_system_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_files", lambda: ())
    monkeypatch.setattr(fonts._files, "cache_clear", lambda: None, raising=False)


def face_for(text: str) -> Face:
    try:
        return find_face(text)
    except MarkError as error:
        pytest.skip(f"no font for it on this machine ({error})")


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def plate_of(before: np.ndarray, after: np.ndarray) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero((before != after).any(axis=(2, 1 - axis))) for axis in (0, 1))
    return np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def glyph_heights(height: int, width: int, text: str) -> list[int]:
    """Rows of each glyph that is drawn on grey, from left to right; a pixel counts when it is nearer to white."""
    before = grey(height, width)
    after = draw(before, text)
    plate = after[plate_of(before, after)][..., 0]
    ink = plate > (int(plate.min()) + 255) / 2
    edges = np.flatnonzero(np.diff(np.pad(ink.any(axis=0), 1).astype(int)))
    return [int(ink[:, a:b].any(axis=1).sum()) for a, b in zip(edges[::2], edges[1::2], strict=True)]


# ---- height

SIZES = [(256, 256), (512, 1024), (1024, 512), (300, 1900), (900, 200), (1080, 1920), (128, 128)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_capitals_are_five_per_cent_of_the_short_side_high_as_drawn(size: tuple[int, int]) -> None:
    tall = glyph_heights(*size, "AI")
    asked = max(min(size) * 0.05, 12)
    assert len(tall) == 2
    assert all(asked <= rows <= asked + 3 + asked * 0.05 for rows in tall), tall


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("text", [CHINESE, KOREAN])
def test_so_is_every_character_of_the_chinese_and_the_korean_label(size: tuple[int, int], text: str) -> None:
    face_for(text)
    tall = glyph_heights(*size, text)
    asked = max(min(size) * 0.05, 12)
    assert len(tall) >= 4
    # 생 and 물 are two shapes each, side by side or not: the tallest shapes are whole characters.
    assert sorted(tall)[-4:][0] >= asked, tall
    assert max(tall) <= 1.6 * asked + 3


def test_a_flat_character_does_not_make_the_others_huge() -> None:
    face_for("統一")
    assert max(glyph_heights(512, 512, "統一")) < 40


def test_where_there_is_no_room_characters_shrink_to_the_least_and_no_further() -> None:
    assert setting.least_height(64, 64) == setting.LEGIBLE_PX
    assert setting.least_height(2048, 1000) == 50
    assert min(glyph_heights(32, 60, "AI")) >= 8
    long = "made by a generator and by nobody else"
    with pytest.raises(MarkError, match=r"does not fit into 64×64 pixels with characters 8 pixels high; use a shorter"):
        draw(grey(64, 64), long * 3)
    with pytest.raises(MarkError, match="does not fit"):
        draw(grey(8, 512), "AI")
    with pytest.raises(MarkError, match="does not fit"):
        draw(grey(1000, 9), "AI")


# ---- contrast


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Relative luminance of sRGB (WCAG 2.2)."""
    c = pixels / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(after: np.ndarray, text: str) -> float:
    """The lowest of any text pixel with any plate pixel, in the bottom right corner."""
    label = set_label(*after.shape[:2], text, "right")
    high, wide = label.ink.shape
    plate = after[-high - label.margin :, -wide - label.margin :][:high, :wide]
    seen = luminance(plate)
    return float((seen[label.ink == 255].min() + 0.05) / (seen[label.ink == 0].max() + 0.05))


def pictures() -> dict[str, np.ndarray]:
    noise = np.random.default_rng(7).integers(0, 256, (256, 320, 3)).astype(np.uint8)
    ramp = np.repeat(np.tile(np.linspace(0, 255, 320).astype(np.uint8), (256, 1))[..., None], 3, axis=2)
    yellow = grey(256, 320)
    yellow[:] = 255, 255, 0
    checks = (np.indices((256, 320)).sum(0) % 2 * 255).astype(np.uint8)
    return {
        "black": np.zeros((256, 320, 3), np.uint8),
        "white": np.full((256, 320, 3), 255, np.uint8),
        "noise": noise,
        "ramp": ramp,
        "yellow": yellow,
        "checks": np.repeat(checks[..., None], 3, axis=2),
    }


@pytest.mark.parametrize("name", pictures())
def test_the_text_stands_out_whatever_the_picture_is(name: str, stack: MarkStack) -> None:
    picture = pictures()[name]
    after = draw(picture, "AI-generated")
    assert contrast(after, "AI-generated") >= 9.1
    if name != "noise":
        marked: Any = stack.embed(after, "0123456789")
        assert contrast(marked, "AI-generated") >= 4.5  # the watermark on top


def test_the_watermark_is_read_beside_the_label(stack: MarkStack, drawn: np.ndarray) -> None:
    marked: Any = stack.embed(draw(drawn, "AI-generated"), "0123456789")
    assert stack.detect(marked, search=False)[1].verdict == "payload"


# ---- place, shape, type


@pytest.mark.parametrize("place", PLACES)
def test_it_stands_where_it_is_asked_for_and_nothing_else_changes(place: str) -> None:
    before = np.random.default_rng(1).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    kept = before.copy()
    after = draw(before, "AI-generated", place=place)
    assert (before == kept).all()
    assert (after == draw(before, "AI-generated", place=place)).all()
    rows, columns = plate_of(before, after)
    free = {
        "top": rows.start, "bottom": 300 - rows.stop, "left": columns.start, "right": 400 - columns.stop,
    }  # fmt: skip
    near = place.split("-")
    assert all((free[side] < 12) == (side in near) for side in ("top", "bottom"))
    if len(near) == 1:
        assert abs(free["left"] - free["right"]) <= 1
    else:
        assert [side for side in ("left", "right") if free[side] < 12] == near[1:]
    outside = np.ones((300, 400), bool)
    outside[rows, columns] = False
    assert (after[outside] == before[outside]).all()
    assert (after[rows, columns] != before[rows, columns]).any(axis=2).mean() > 0.95


@pytest.mark.parametrize("shape", [(200, 300), (200, 300, 1), (200, 300, 2), (200, 300, 3), (200, 300, 4)], ids=str)
def test_grey_and_transparent_pictures_get_the_same_label(shape: tuple[int, ...]) -> None:
    before = np.full(shape, GREY, np.uint8)
    if len(shape) == 3 and shape[2] in (2, 4):
        before[..., -1] = 255
        before[..., :150, -1] = 0
    after = draw(before, "AI", place="bottom-left")
    assert (after.shape, after.dtype) == (before.shape, np.uint8)
    colour = draw(grey(200, 300), "AI", place="bottom-left")
    rows, columns = plate_of(grey(200, 300), colour)
    window = after.reshape(200, 300, -1)[rows, columns]
    if window.shape[2] in (2, 4):
        assert (window[..., -1] == 255).all()
        # Below the label nothing was to be seen, and the grey that stands there anyway does not shine through.
        assert set(np.unique(window[..., 0])[[0, -1]]) == {0, 255}
    else:
        assert (window[..., 0] == colour[rows, columns, 0]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_stay_floats_and_what_is_beside_the_label_stays_as_it_is(dtype: Any) -> None:
    before = np.random.default_rng(2).random((128, 160, 3)).astype(dtype)
    after = draw(before, "AI")
    assert after.dtype == dtype
    assert after.max() <= 1
    rows, columns = plate_of(before, after)
    changed = np.zeros((128, 160), bool)
    changed[rows, columns] = True
    assert (after[~changed] == before[~changed]).all()
    same = draw(np.rint(before.astype(np.float32) * 255).astype(np.uint8), "AI")
    assert np.abs(after[changed] * 255.0 - same[changed]).max() < 0.6


@pytest.mark.parametrize(
    "pixels", [np.zeros((64,), np.uint8), np.zeros((64, 64, 5), np.uint8), np.zeros((64, 64, 3), int)]
)
def test_what_is_no_picture_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(MarkError, match="8 bits or floats"):
        draw(pixels, "AI")


def test_an_unknown_place_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(MarkError, match="use one of bottom-right, bottom-left"):
        draw(grey(64, 64), "AI", place="middle")


# ---- lines


def lines_of(text: str, room: int, size: int = 20) -> list[str] | None:
    return setting._lines(text, ImageFont.truetype(str(face_for(text).path), size, index=face_for(text).index), room)


def test_a_narrow_picture_gets_several_lines() -> None:
    before = grey(400, 100)
    after = draw(before, "AI-generated picture")
    rows, columns = plate_of(before, after)
    assert columns.stop <= 100 - set_label(400, 100, "AI-generated picture", "right").margin
    bright = (after[rows, columns, 0] > 150).any(axis=1).astype(int)
    assert np.count_nonzero(np.diff(np.pad(bright, 1)) == 1) >= 2


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        (f"{CHINESE} · {KOREAN}", 400, [f"{CHINESE} · {KOREAN}"]),
        (f"{CHINESE} · {KOREAN}", 100, [CHINESE, KOREAN]),
        (KOREAN, 70, ["AI", "생성물"]),
        (KOREAN, 45, ["AI 생", "성물"]),
        ("生成（合成）。", 60, ["生成", "（合", "成）。"]),
        ("生成", 15, None),
    ],
)
def test_lines_are_broken_between_texts_then_words_then_characters(text: str, room: int, lines: Any) -> None:
    assert lines_of(text, room) == lines


# ---- characters


@pytest.mark.usefixtures("no_system_fonts")
def test_a_character_without_a_glyph_is_named_and_nothing_is_drawn() -> None:
    ensure_drawable("AI-generated")
    for refused in (ensure_drawable, lambda text: draw(grey(256, 256), text)):
        with pytest.raises(MarkError, match=r"character U\+751F .* name a font file .* Marking\(font=…\)"):
            refused(CHINESE)  # type: ignore[operator]


class FakeFont:
    """Has A and a blank that is called B; what it lacks is drawn as `absent`."""

    def __init__(self, absent: bytes) -> None:
        self.absent = absent

    def getmask2(self, character: str, mode: str) -> Any:
        picture = {"A": b"\x00\xff", "B": b"\x00\x00"}.get(character, self.absent)
        return type("Mask", (bytes,), {"size": (2, 1)})(picture), (0.0, 0.0)

    def getlength(self, character: str) -> float:
        return 2.0


@pytest.mark.parametrize("absent", [b"\xff\xff", b"\x00\x00"], ids=["a box", "blank"])
def test_a_glyph_is_missing_whether_the_font_says_so_by_a_box_or_by_nothing(
    absent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Face, "sized", lambda self, size, *, shaped=False: FakeFont(absent))
    assert Face(None).lacks("A A\u200d") == ""
    assert Face(None).lacks("AC") == "C"
    assert Face(None).lacks("AB") == "B"


@pytest.mark.parametrize("text", ["", " ", "A\nI", "A\tI", "AI\u202e", "\ud800", "A\x00"])
def test_what_is_not_printed_is_refused(text: str) -> None:
    with pytest.raises(MarkError, match="one line of text"):
        draw(grey(64, 64), text)


def test_composed_and_decomposed_letters_are_drawn_alike() -> None:
    face_for("é")
    one, two = (draw(grey(128, 128), text) for text in ("AI cr\u00e9\u00e9", "AI cre\u0301e\u0301"))
    assert (one == two).all()


@pytest.mark.parametrize("content", [b"", b"no font"])
def test_a_given_file_that_is_no_font_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(content)
    for name in (tmp_path / "x.ttf", tmp_path / "absent.ttf", f"{tmp_path / 'x.ttf'}#3"):
        with pytest.raises(MarkError, match="cannot be read; give a TrueType or OpenType file"):
            draw(grey(128, 128), "AI", font=name)


def test_a_given_font_is_taken_where_it_has_all_characters_and_others_where_not() -> None:
    chinese = face_for(CHINESE)
    latin = face_for(HEBREW)
    plain, given = (draw(grey(256, 256), "AI", font=font) for font in (None, chinese.path))
    assert (plain != given).any()
    assert (draw(grey(256, 256), CHINESE, font=latin.path) == draw(grey(256, 256), CHINESE)).all()


@pytest.mark.parametrize(
    ("text", "tag"), [(CHINESE, "SC"), ("AI生成 · AI 생성물", "KR"), (JAPANESE, "JP"), ("生ㄅ", "TC"), ("AI", "")]
)
def test_chinese_characters_look_as_where_the_text_comes_from(text: str, tag: str) -> None:
    assert fonts._tag(text) == tag
    face = face_for(text)
    if tag and face.path is not None and "CJK" in face.path.name:
        assert face.family().split()[-1] == tag


def test_a_face_of_a_collection_is_named_by_its_number() -> None:
    face = face_for("直骨")
    if face.path is None or face.path.suffix != ".ttc":
        pytest.skip("no collection of Chinese, Japanese and Korean fonts on this machine")
    japanese, simplified = (draw(grey(512, 512), "直骨", font=f"{face.path}#{index}") for index in (0, face.index))
    assert face.index != 0
    assert (japanese != simplified).any()
    assert (simplified == draw(grey(512, 512), "直骨")).all()


@pytest.mark.parametrize(
    ("text", "shaped"),
    [
        ("AI-generated", False), (CHINESE, False), (KOREAN, False), (JAPANESE, False), ("создано ИИ", False),
        (ARABIC, True), (HEBREW, True), (HINDI, True), ("ภาพ", True), ("ក", True), ("q\u0301", True),
    ],
)  # fmt: skip
def test_scripts_that_have_to_be_laid_out_are_known(text: str, shaped: bool) -> None:
    assert needs_shaping(text) is shaped


def test_without_raqm_such_scripts_are_refused_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    here = features.check
    monkeypatch.setattr(features, "check", lambda feature: feature != "raqm" and here(feature))
    with pytest.raises(MarkError, match="only Raqm lays out as it is read"):
        draw(grey(256, 256), ARABIC)
    assert (draw(grey(256, 256), "AI") != grey(256, 256)).any()


@pytest.mark.skipif(not features.check("raqm"), reason="Pillow without Raqm")
def test_hebrew_runs_from_right_to_left_and_arabic_letters_join() -> None:
    face_for(HEBREW)
    # Hebrew letters do not change: laid out, they are the same letters set by hand in reverse.
    font = find_face(HEBREW).sized(40)
    by_hand = setting._line(HEBREW[::-1], font, None)[0]
    laid_out = setting._line(HEBREW, find_face(HEBREW).sized(40, shaped=True), "rtl")[0]
    assert (by_hand == laid_out).all()
    arabic = face_for(ARABIC).sized(40, shaped=True)
    assert arabic.getlength(ARABIC) < 0.9 * sum(arabic.getlength(letter) for letter in ARABIC)
    assert (draw(grey(256, 256), ARABIC) != grey(256, 256)).any()


# ---- wording


@pytest.mark.parametrize(
    ("text", "modified", "said"),
    [
        ("eu", False, "AI GENERATED"), ("eu", True, "AI MODIFIED"),
        ("en", False, "AI-generated"), ("en", True, "AI-modified"),
        ("cn", False, "AI生成"), ("cn-long", True, "人工智能生成合成"), ("kr", False, "AI 생성물"),
        ("cn · kr", False, "AI生成 · AI 생성물"), ("cn · AI生成", False, "AI生成"),
        ("made by us", True, "made by us"), ("EN", False, "EN"), ("", False, ""),
    ],
)  # fmt: skip
def test_wordings(text: str, modified: bool, said: str) -> None:
    assert wording(text, modified=modified) == said


@pytest.mark.parametrize("name", PRESETS)
def test_every_wording_can_be_drawn_where_there_is_a_font(name: str) -> None:
    for modified in (False, True):
        face_for(wording(name, modified=modified))
        assert draw(grey(256, 256), wording(name, modified=modified)).shape == (256, 256, 3)


def test_a_picture_into_which_another_one_went_is_called_modified() -> None:
    made = Decision("d", Action.ALLOW, Stage.OUTPUT, PolicyRef("p", "1.0.0", ""), labels={"visible": "eu"})
    assert visible_text(made) == "AI GENERATED"
    assert visible_text(made.copy(due=(Stage.REFERENCE, Stage.OUTPUT))) == "AI MODIFIED"
    assert visible_text(made.copy(labels={"watermark": "invisible"})) == ""


def test_the_example_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    face_for(CHINESE)
    guide = Path(__file__).parents[2] / "docs" / "visible-labels.md"
    (example,) = re.findall(r"```python\n(.*?)```", guide.read_text("utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(guide), "exec"), {})
    assert (tmp_path / "visible-label.png").stat().st_size < 60_000
    for name, preset in PRESETS.items():
        assert f"| `{name}` | {preset.generated} | {preset.modified} |" in guide.read_text("utf-8")
