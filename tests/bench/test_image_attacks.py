"""Attacks on pictures: each changes the picture as it says, the same for the same seed, and finds what it looks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from guardrail.bench.files import DataError
from guardrail.bench.image_attacks import IMAGE_ATTACKS, Box, chosen
from guardrail.bench.image_known import KnownHere
from guardrail.bench.marks.drawings import drawing
from guardrail.known import Probe

SIDE = 96
FACE = Box(24, 20, 40, 50, "face")


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    return np.asarray(drawing(3, SIDE))


@pytest.mark.parametrize("name", IMAGE_ATTACKS)
def test_every_attack_changes_the_picture_and_is_the_same_again(name: str, picture: NDArray[np.uint8]) -> None:
    attack = IMAGE_ATTACKS[name]
    made = attack(picture, [FACE], "a", 1)
    assert made is not None
    assert (made.dtype, made.shape[2]) == (np.uint8, 3)
    assert made.shape != picture.shape or bool((made != picture).any())
    again = attack(picture, [FACE], "a", 1)
    assert again is not None
    assert np.array_equal(made, again)
    tiny = attack(picture[:1, :2], [Box(0.2, 0.3, 0.1, 0.1, "face")], "a", 1)
    assert tiny is not None
    assert min(tiny.shape[:2]) >= 1


def test_every_kind_of_the_issue_is_there() -> None:
    kinds = {attack.kind for attack in IMAGE_ATTACKS.values()}
    asked = "recompression crop mirror rotation colour overlay collage sticker size screenshot"
    assert kinds == set(asked.split())


def test_a_sticker_covers_the_eyes_and_nothing_else(picture: NDArray[np.uint8]) -> None:
    made = IMAGE_ATTACKS["sticker_eyes"](picture, [FACE], "a", 1)
    assert made is not None
    rows, columns = np.nonzero((made != picture).any(axis=2))
    assert FACE.left <= columns.min()
    assert columns.max() <= FACE.left + FACE.width
    assert FACE.top + 0.2 * FACE.height < rows.min()
    assert rows.max() < FACE.top + 0.6 * FACE.height
    assert (made[30 + 8, 40] == 0).all()
    assert IMAGE_ATTACKS["sticker_eyes"](picture, [FACE._replace(kind="nudity")], "a", 1) is None
    assert IMAGE_ATTACKS["crop_close"](picture, [], "a", 1) is None


@pytest.mark.parametrize("corner", [(0, 0), (80, 0), (0, 80), (80, 80), (40, 40)])
def test_crops_keep_what_was_found_in_view(corner: tuple[int, int]) -> None:
    left, top = corner
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pixels[top + 5 : top + 11, left + 5 : left + 11] = 255
    for name in ("crop_half", "crop_close"):
        for seed in range(6):
            made = IMAGE_ATTACKS[name](pixels, [Box(left, top, 16, 16, "face")], "a", seed)
            assert made is not None
            assert made.shape[0] < SIDE
            assert (made == 255).any()


def test_a_collage_holds_the_picture_as_it_was(picture: NDArray[np.uint8]) -> None:
    made = IMAGE_ATTACKS["collage"](picture, [], "a", 1)
    assert made is not None
    assert made.shape == (2 * SIDE, 2 * SIDE, 3)
    tiles = [made[y : y + SIDE, x : x + SIDE] for y in (0, SIDE) for x in (0, SIDE)]
    assert sum(np.array_equal(tile, picture) for tile in tiles) == 1
    places = {bytes(m[:2, :2]) for s in range(9) if (m := IMAGE_ATTACKS["collage"](picture, [], "a", s)) is not None}
    assert len(places) > 1


def test_attacks_are_chosen_by_name() -> None:
    assert [a.name for a in chosen(("mirror", "jpeg30"))] == ["jpeg30", "mirror"]
    assert len(chosen(("all",))) == len(IMAGE_ATTACKS)
    assert chosen(()) == ()
    with pytest.raises(DataError, match=r"--attack invert: .*there are jpeg30"):
        chosen(("invert",))


def test_a_list_of_the_pictures_measured_knows_them_mirrored_and_no_others(tmp_path: Path) -> None:
    drawing(0, 200).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    known = KnownHere([tmp_path / "0.png", tmp_path / "1.png"])
    assert (known.asked(), known.pictures) == (True, 1)
    pixels = np.asarray(drawing(0, 200))
    assert [hit.by for hit in known.search(Probe.of(pixels))] == ["pixels"]
    assert [hit.by for hit in known.search(Probe.of(np.ascontiguousarray(pixels[:, ::-1])))] == ["perceptual"]
    assert known.search(Probe.of(np.asarray(drawing(1, 200)))) == []
    assert not KnownHere([]).asked()
