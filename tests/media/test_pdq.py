"""PDQ: what the algorithm promises, and the same answers as the reference where that is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardrail.media.pdq import BYTES, USABLE_QUALITY, from_hex, pack, pack_sure, pdq, to_hex
from guardrail.media.pdq_changes import SURE_BITS, changed_hashes, cropped_hashes
from guardrail.media.types import Frame
from tests.known.drawn import drawn, plain


def apart(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.unpackbits(a ^ b).sum())


def resized(frame: Frame, width: int, height: int) -> Frame:
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BOX))


def test_a_hash_has_half_of_its_bits_set_whatever_the_picture_is() -> None:
    for seed in range(5):
        hashes, quality = pdq(drawn(seed))
        assert hashes.shape == (8, BYTES)
        assert np.unpackbits(hashes, axis=1).sum(1).tolist() == [128] * 8
        assert quality >= USABLE_QUALITY


@pytest.mark.parametrize("frame", [plain(), plain((1, 1)), plain((1, 700)), plain((3000, 2))])
def test_a_plain_picture_has_no_quality(frame: Frame) -> None:
    assert pdq(frame)[1] == 0


CHANGES: list[tuple[str, Callable[[Frame], Frame]]] = [
    ("half size", lambda f: resized(f, f.shape[1] // 2, f.shape[0] // 2)),
    ("another shape", lambda f: resized(f, 300, 300)),
    ("lighter", lambda f: np.clip(f * 1.3, 0, 255).astype(np.uint8)),
    ("grey", lambda f: np.repeat(np.asarray(Image.fromarray(f).convert("L"))[..., None], 3, axis=2)),
    ("noise", lambda f: np.clip(f + np.random.default_rng(1).normal(0, 8, f.shape), 0, 255).astype(np.uint8)),
    ("transparency left out", lambda f: np.dstack([f, np.full(f.shape[:2], 255, np.uint8)])),
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_it_survives(name: str, change: Callable[[Frame], Frame]) -> None:
    frame = drawn(3, (600, 800))
    assert apart(pdq(frame)[0][0], pdq(change(frame))[0][0]) <= 31, name


def test_different_pictures_lie_far_apart() -> None:
    hashes = [pdq(drawn(seed))[0][0] for seed in range(20)]
    assert min(apart(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 70


ORIENTATIONS: list[Callable[[Frame], Frame]] = [
    lambda f: f[:, ::-1],
    lambda f: f[::-1],
    lambda f: f[::-1, ::-1],
    lambda f: f.transpose(1, 0, 2),
    lambda f: f[::-1].transpose(1, 0, 2),
    lambda f: f[:, ::-1].transpose(1, 0, 2),
    lambda f: f[::-1, ::-1].transpose(1, 0, 2),
]


@pytest.mark.parametrize("size", [(512, 512), (300, 460), (900, 640)])
def test_the_hashes_of_all_orientations_are_those_of_the_turned_pictures(size: tuple[int, int]) -> None:
    frame = drawn(7, size)
    hashes, _ = pdq(frame)
    nearest = set()
    for turned in ORIENTATIONS:
        probe = pdq(np.ascontiguousarray(turned(frame)))[0][0]
        distances = [apart(probe, h) for h in hashes]
        # Rounding turns a bit here and there, where a coefficient lies at the median.
        assert min(distances) <= 4
        nearest.add(int(np.argmin(distances)))
    assert nearest == {1, 2, 3, 4, 5, 6, 7}


@pytest.mark.parametrize("seed", range(3))
def test_fine_textures_are_known_when_mirrored(seed: int) -> None:
    # The window of the filter is not symmetric: of hashes mirrored by their signs, 72 to 86 bits differ here.
    grain = np.random.default_rng(seed).integers(0, 256, (128, 128), dtype=np.uint8)
    frame = grain.repeat(4, axis=0).repeat(4, axis=1)[..., None].repeat(3, axis=2)
    original, mirrored = pdq(frame)[0][0], np.ascontiguousarray(frame[:, ::-1])
    assert min(apart(original, h) for h in pdq(mirrored)[0]) <= 4
    hashes, masks = changed_hashes(mirrored)
    assert min(apart(h & m, original & m) for h, m in zip(hashes, masks, strict=True)) <= 4


def test_hex_and_back() -> None:
    value = pdq(drawn(2))[0][0]
    assert from_hex(to_hex(value)).tobytes() == value.tobytes()
    for wrong in ("", "ab", "g" * 64, "a" * 66):
        with pytest.raises(ValueError, match=r"hex|non-hexadecimal"):
            from_hex(wrong)


def test_bits_run_from_the_highest_frequency_to_the_lowest() -> None:
    block = np.zeros((1, 16, 16), np.float32)
    block[0, 0, 0] = 1.0
    assert to_hex(pack(block)[0]) == "0" * 63 + "1"
    block = np.zeros((1, 16, 16), np.float32)
    block[0, 15, 15] = 1.0
    assert to_hex(pack(block)[0]) == "8" + "0" * 63


def test_sure_bits_are_those_far_from_the_median() -> None:
    block = np.arange(256, dtype=np.float32).reshape(1, 16, 16)
    value, mask = pack_sure(block, 200)
    # The median is 127: left out are the 56 values around it.
    left_out = [i for i, kept in enumerate(np.unpackbits(mask[0])[::-1]) if not kept]
    assert (len(left_out), min(left_out), max(left_out)) == (56, 99, 154)
    assert value.tobytes() == pack(block).tobytes()


def cut(frame: Frame, share: float) -> Frame:
    h, w = frame.shape[:2]
    return np.ascontiguousarray(frame[int(h * share) : h - int(h * share), int(w * share) : w - int(w * share)])


@pytest.mark.parametrize("share", [0.03, 0.05, 0.08])
def test_a_cut_picture_is_near_a_crop_of_the_whole_one_though_not_near_itself(share: float) -> None:
    frame = drawn(11, (500, 400))
    probe = pdq(cut(frame, share))[0][0]
    assert min(apart(probe, h) for h in cropped_hashes(frame)) <= 31
    assert apart(probe, pdq(frame)[0][0]) > 31


@pytest.mark.parametrize("degrees", [-3, 3, 4])
def test_a_turned_picture_turned_back_is_near_the_one_it_was(degrees: float) -> None:
    frame = drawn(12, (400, 560))
    turned = np.asarray(Image.fromarray(frame).rotate(degrees, Image.Resampling.BICUBIC))
    original = pdq(frame)[0][0]
    assert apart(pdq(turned)[0][0], original) > 31
    hashes, masks = changed_hashes(turned)
    share = min(apart(h & m, original & m) for h, m in zip(hashes, masks, strict=True))
    assert share <= 31 * SURE_BITS // 256


def test_changed_versions_of_another_picture_are_not_near() -> None:
    original = pdq(drawn(12))[0][0]
    for seed in range(20, 26):
        hashes, masks = changed_hashes(drawn(seed))
        assert np.unpackbits(masks, axis=1).sum(1).tolist() == [SURE_BITS] * len(masks)
        assert min(apart(h & m, original & m) for h, m in zip(hashes, masks, strict=True)) > 50


def test_it_agrees_with_the_reference(shared: Path) -> None:
    """All bits within 10 of pdqhash (measured: 2) on what both are given at no more than 512 pixels a side."""
    pdqhash = pytest.importorskip("pdqhash")
    paths = sorted((shared / "data" / "images" / "kodak").glob("*.png"))[:8]
    assert paths
    for path in paths:
        image = Image.open(path).convert("RGB")
        small = image.resize((min(image.width, 512), min(image.height, 512)), Image.Resampling.BOX)
        vector, quality = pdqhash.compute(np.asarray(small))
        hashes, ours = pdq(np.asarray(image))
        assert apart(hashes[0], np.packbits(vector)) <= 10
        assert abs(quality - ours) <= 1
        # Not with its compute_dihedral, which changes signs: with what it says of the turned picture itself.
        for turned in ORIENTATIONS:
            vector, _ = pdqhash.compute(np.ascontiguousarray(turned(np.asarray(small))))
            assert min(apart(np.packbits(vector), h) for h in hashes) <= 10
