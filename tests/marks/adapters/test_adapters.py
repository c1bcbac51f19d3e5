"""The adapters with stand-in networks: sizes, codes, rates, and folders that were changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.errors import MarkError, WeightsError, WeightsMismatch, WeightsMissing
from guardrail.marks.adapters import trustmark, videoseal
from guardrail.marks.adapters.export import MANIFEST, read_export
from guardrail.marks.adapters.network import PAYLOAD_RATE, ball, matching_rate
from guardrail.marks.adapters.trustmark import TrustMark
from guardrail.marks.adapters.videoseal import VideoSeal
from guardrail.marks.adapters.wam import WatermarkAnything
from guardrail.marks.base import PixelMark
from tests.marks.adapters import standins
from tests.marks.foreign.drawings import drawing

KINDS: dict[str, tuple[Any, str, int, int]] = {
    "trustmark": (TrustMark, "Q", 100, 0x155555555555555),
    "videoseal": (VideoSeal, "pixelseal", 256, 0xFEDCBA9876543210),
    "wam": (WatermarkAnything, "wam_mit", 32, 0xC0FFEE01),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("exports")
    made = {}
    for kind, (_, variant, bits, _) in KINDS.items():
        decode = standins.dense_decoder(bits) if kind == "wam" else None
        made[kind] = standins.export(root / kind, kind, variant, bits, decode)
    return made


def gentle(seed: int, *shape: int) -> np.ndarray:
    """A picture of little contrast: the stand-ins have no defence against what they are put into."""
    return np.rint(128 + (drawing(seed, *shape).astype(float) - 128) / 24).astype(np.uint8)


def open_mark(folders: dict[str, Path], kind: str) -> Any:
    return KINDS[kind][0](folders[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(256, 256), (200, 330), (64, 64)])
def test_a_payload_comes_back_at_any_size(folders: dict[str, Path], kind: str, shape: tuple[int, int]) -> None:
    mark, payload = open_mark(folders, kind), KINDS[kind][3]
    assert isinstance(mark, PixelMark)
    assert mark.licence == "MIT"
    picture = gentle(21, *shape)
    out = mark.embed(picture, payload)
    assert (out.shape, out.dtype) == (picture.shape, np.uint8)
    assert np.abs(out.astype(int) - picture).max() < 60
    asked = mark.compare(out, payload)
    assert asked.matching == asked.length
    assert asked.false_positive_rate == pytest.approx(2.0**-asked.length)
    seen = mark.detect(out)
    if kind == "wam":
        assert (seen.verdict, seen.payload, seen.false_positive_rate) == ("none", None, None)
        assert int("".join(map(str, seen.raw)), 2) == payload
        assert seen.statistic == 0.5
    else:
        assert (seen.verdict, seen.payload) == ("payload", payload)
        assert 0 < seen.false_positive_rate <= PAYLOAD_RATE


@pytest.mark.parametrize("kind", KINDS)
def test_unmarked_pictures_and_other_payloads_are_not_read(folders: dict[str, Path], kind: str) -> None:
    mark = open_mark(folders, kind)
    for seed in range(4):
        picture = drawing(30 + seed)
        assert mark.detect(picture).verdict == "none"
        assert mark.compare(picture, KINDS[kind][3]).false_positive_rate > 1e-4
    marked = mark.embed(gentle(30), 12345)
    assert mark.compare(marked, KINDS[kind][3]).false_positive_rate > 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_stay_floats(folders: dict[str, Path], dtype: type) -> None:
    mark = open_mark(folders, "videoseal")
    picture = (gentle(22) / 255).astype(dtype)
    out = mark.embed(picture, 5)
    assert out.dtype == dtype
    assert 0 <= out.min() <= out.max() <= 1
    assert mark.detect(out).payload == 5


def test_a_long_picture_is_marked_in_its_middle_only(folders: dict[str, Path]) -> None:
    mark, picture = open_mark(folders, "trustmark"), gentle(23, 100, 300)
    out = mark.embed(picture, 77)
    assert (out[:, :100] == picture[:, :100]).all()
    assert (out[:, 200:] == picture[:, 200:]).all()
    assert (out[:, 100:200] != picture[:, 100:200]).any()
    assert mark.detect(out).payload == 77


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_given_is_not_changed(folders: dict[str, Path], kind: str) -> None:
    picture = (gentle(24, 64, 64) / 255).astype(np.float32)
    before = picture.copy()
    open_mark(folders, kind).embed(picture, 1)
    assert (picture == before).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.int32),
        np.full((8, 8, 3), np.nan),
    ],
)
def test_what_is_no_picture_is_refused(folders: dict[str, Path], kind: str, image: Any) -> None:
    mark = open_mark(folders, kind)
    for call in (lambda: mark.embed(image, 1), lambda: mark.detect(image), lambda: mark.compare(image, 1)):
        with pytest.raises(ValueError, match=r"image is|pixels lie"):
            call()


@pytest.mark.parametrize("kind", KINDS)
def test_payloads_out_of_range_are_refused(folders: dict[str, Path], kind: str) -> None:
    mark = open_mark(folders, kind)
    for payload in (-1, 1 << mark.payload_bits):
        with pytest.raises(ValueError, match="a payload is an integer of"):
            mark.embed(drawing(1, 64, 64), payload)


@pytest.mark.parametrize(("flips", "read"), [(0, True), (1, True), (3, True), (4, False), (6, False)])
def test_trustmark_counts_only_flips_that_leave_a_small_rate(flips: int, read: bool) -> None:
    raw = list(trustmark.packet(0xABCDEF))
    for at in range(0, 7 * flips, 7):
        raw[at] ^= 1
    seen = trustmark.read(tuple(raw))
    assert (seen.payload == 0xABCDEF) is read
    assert seen.verdict == ("payload" if read else "none")
    if flips <= 5:
        assert seen.false_positive_rate == pytest.approx(ball(96, flips) / 2**39)


def test_trustmark_of_another_schema_is_not_read() -> None:
    raw = list(trustmark.packet(9))
    raw[-1] ^= 1
    assert trustmark.read(tuple(raw)).verdict == "none"
    assert trustmark.read((0,) * 100).verdict == "none"


# Made with the published package (trustmark 0.9.2, `DataLayer(100, encoding_mode=1)`): 100 bits in hexadecimal.
PUBLISHED = {
    0x0: "0000000000000000000000001",
    0x1: "000000000000000a4f21d89d1",
}


@pytest.mark.parametrize("payload", PUBLISHED)
def test_trustmark_bits_are_those_of_the_published_package(payload: int) -> None:
    assert f"{int(''.join(map(str, trustmark.packet(payload))), 2):025x}" == PUBLISHED[payload]


@pytest.mark.parametrize("raw", [(0,) * 256, (1,) * 256, (0, 1) * 128])
def test_a_network_that_says_always_the_same_says_no_payload(raw: tuple[int, ...]) -> None:
    assert videoseal.read(raw).verdict == "none"


def test_videoseal_corrects_what_its_code_promises() -> None:
    raw = list(videoseal.packet(0x0123456789ABCDEF))
    for at in range(0, 29 * 8, 8):
        raw[at] ^= 1
    seen = videoseal.read(tuple(raw))
    assert seen.payload == 0x0123456789ABCDEF
    assert seen.false_positive_rate == pytest.approx(ball(248, 29) / 2**184)


def test_wam_without_a_mask_matches_nothing(tmp_path: Path) -> None:
    folder = standins.export(tmp_path / "wam", "wam", "wam_mit", 32, standins.dense_decoder(32, mask=-1.0))
    seen = WatermarkAnything(folder).compare(drawing(1, 64, 64), 0)
    assert (seen.matching, seen.false_positive_rate) == (0, 1)


def test_the_binomial_tail() -> None:
    assert matching_rate(0, 10) == 1
    assert matching_rate(10, 10) == 2**-10
    assert matching_rate(9, 10) == 11 * 2**-10


# ---- folders


def test_no_manifest_names_the_script(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"training/marks_export/wam\.py"):
        WatermarkAnything(tmp_path)


def test_a_changed_network_is_refused(tmp_path: Path) -> None:
    folder = standins.export(tmp_path, "trustmark", "Q", 100)
    with (folder / "decoder.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsMismatch, match="has sha256"):
        TrustMark(folder)


def test_a_lost_network_is_refused(tmp_path: Path) -> None:
    folder = standins.export(tmp_path, "trustmark", "Q", 100)
    (folder / "encoder.onnx").unlink()
    with pytest.raises(WeightsMissing, match="is not there"):
        TrustMark(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "wam"}, "of kind 'wam'"),
        ({"guardrail_mark": 2}, "no manifest of version 1"),
        ({"variant": "C"}, "variants Q and P"),
        ({"bits": 32}, "TrustMark has 100 bits"),
        ({"bits": "many"}, "lacks a field"),
        ({"strength": 0}, "lacks a field"),
        ({"licence": ""}, "lacks a field"),
        ({"encoder": None}, "lacks a field"),
        ({"encoder": {"side": 64, "file": "../encoder.onnx", "sha256": ""}}, "no .onnx file in its own folder"),
        ({"decoder": {"side": 9, "file": "decoder.onnx", "sha256": ""}}, "lacks a field"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    folder = standins.export(tmp_path, "trustmark", "Q", 100, changes=changes)
    with pytest.raises(WeightsError, match=said):
        TrustMark(folder)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 50_000, '{"guardrail_mark": 1}'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text, "utf-8")
    with pytest.raises(WeightsError):
        read_export(tmp_path, "trustmark")


def test_networks_with_other_inputs_are_refused(tmp_path: Path) -> None:
    folder = standins.export(tmp_path, "trustmark", "Q", 100, standins.encoder(100))
    with pytest.raises(WeightsError, match="are needed"):
        TrustMark(folder)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    folder = standins.export(tmp_path, "trustmark", "Q", 100, b"not a network")
    with pytest.raises(WeightsError, match="no ONNX network"):
        TrustMark(folder)


def test_an_answer_of_another_shape_is_an_error(tmp_path: Path) -> None:
    folder = standins.export(tmp_path, "trustmark", "Q", 100, standins.decoder(99))
    assert json.loads((folder / MANIFEST).read_text("utf-8"))["bits"] == 100
    with pytest.raises(MarkError, match="decoder gave"):
        TrustMark(folder).detect(drawing(1, 64, 64))
