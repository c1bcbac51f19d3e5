"""Hash lists on disk: what is found on them, what a change from outside does, and what is kept of a picture."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardrail.errors import KnownImagesError
from guardrail.keys import Keyring, key_id
from guardrail.known import HashLists, Hit, Probe
from guardrail.known.file import sealed_under
from guardrail.known.text import rows_of_lines
from guardrail.media.pdq import pdq, to_hex
from guardrail.media.types import Frame, ImageInput
from tests.known.drawn import drawn, plain

RING = Keyring([bytes(range(32))], source="test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "known"


def lists_in(folder: Path, ring: Keyring = RING) -> HashLists:
    return HashLists(folder, ring)


def found(lists: HashLists, frame: Frame, file: bytes = b"") -> list[Hit]:
    return sorted(lists.search(Probe.of(frame, file)), key=lambda h: h.list)


def cut(frame: Frame, share: float = 0.05) -> Frame:
    h, w = frame.shape[:2]
    return np.ascontiguousarray(frame[int(h * share) : h - int(h * share), int(w * share) : w - int(w * share)])


def turned(frame: Frame, degrees: float) -> Frame:
    return np.asarray(Image.fromarray(frame).rotate(degrees, Image.Resampling.BICUBIC))


def hex_list(*frames: Frame) -> list[str]:
    return [to_hex(pdq(frame)[0][0]) for frame in frames]


def test_without_lists_nothing_is_asked_and_nothing_is_made(folder: Path) -> None:
    lists = lists_in(folder)
    assert not lists.asked()
    assert found(lists, drawn(1)) == []
    assert lists.lists() == []
    assert not folder.exists()


def test_a_picture_is_found_by_its_pixels_its_file_and_its_look(folder: Path) -> None:
    lists = lists_in(folder)
    frame = drawn(1)
    file = hashlib.sha256(b"the file").digest()
    lists.add("ours", frame, file=file)
    assert lists.asked()
    assert found(lists, frame) == [Hit("ours", "pixels")]
    assert found(lists, drawn(2), file) == [Hit("ours", "file")]
    half = np.asarray(Image.fromarray(frame).resize((160, 120)))
    (hit,) = found(lists, half)
    assert (hit.list, hit.by) == ("ours", "perceptual")
    assert 0 < hit.distance <= 31
    assert found(lists, drawn(2)) == []


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_orientation_does_not_hide_it(folder: Path, degrees: int, mirrored: bool) -> None:
    lists = lists_in(folder)
    lists.extend("theirs", rows_of_lines(hex_list(drawn(1, (300, 300))), "list"))
    frame = np.rot90(drawn(1, (300, 300)), degrees // 90)
    frame = np.ascontiguousarray(frame[:, ::-1] if mirrored else frame)
    assert [h.by for h in found(lists, frame)] == ["perceptual"]


@pytest.mark.parametrize("seed", range(4))
def test_cut_and_turned_pictures_are_found(folder: Path, seed: int) -> None:
    lists = lists_in(folder)
    frame = drawn(seed, (400, 500))
    lists.add("ours", frame)
    lists.extend("theirs", rows_of_lines(hex_list(frame), "list"))
    for changed in (turned(frame, 3), turned(frame, -3)):
        assert [h.list for h in found(lists, changed)] == ["ours", "theirs"]
    assert "ours" in [h.list for h in found(lists, cut(frame))]


@pytest.mark.parametrize("hidden_by", ["file", "pixels", "perceptual"])
def test_a_hit_on_one_list_does_not_hide_another(folder: Path, hidden_by: str) -> None:
    """A harmless list that has the changed picture itself must not switch off the search on the blocking one."""
    lists = lists_in(folder)
    frame = drawn(1, (400, 500))
    changed, file = turned(frame, 3), b"f" * 32
    lists.extend("blocking", rows_of_lines(hex_list(frame), "list"))
    assert [h.list for h in found(lists, changed)] == ["blocking"]
    if hidden_by == "file":
        lists.extend("harmless", rows_of_lines([file.hex()], "list", sha256=True))
    elif hidden_by == "pixels":
        lists.add("harmless", changed)
    else:
        lists.extend("harmless", rows_of_lines(hex_list(changed), "list"))
    assert [(h.list, h.by) for h in found(lists, changed, file)] == [
        ("blocking", "perceptual"),
        ("harmless", hidden_by),
    ]


def test_versions_are_not_made_where_every_list_has_answered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = lists_in(folder)
    for name in ("a", "b"):
        lists.add(name, drawn(1))
    lists.extend("files", rows_of_lines(["f" * 64], "list", sha256=True))
    lists.extend("strict", rows_of_lines([f"{hex_list(drawn(2))[0]},5"], "list"))
    monkeypatch.setattr(Probe, "changed", None)
    assert [h.list for h in found(lists, drawn(1))] == ["a", "b"]


def test_two_lists_are_both_named_and_each_once(folder: Path) -> None:
    lists = lists_in(folder)
    for name in ("a", "b"):
        lists.add(name, drawn(1))
    lists.extend("b", rows_of_lines(hex_list(drawn(1), drawn(5)), "list"))
    assert found(lists, drawn(1)) == [Hit("a", "pixels"), Hit("b", "pixels")]


def test_a_plain_picture_is_found_only_as_the_very_same(folder: Path) -> None:
    lists = lists_in(folder)
    faint = plain()
    faint[:, 32:] += 20
    _, perceptual = lists.add("ours", faint)
    assert not perceptual
    assert found(lists, faint) == [Hit("ours", "pixels")]
    assert found(lists, np.ascontiguousarray(faint[:-1])) == []
    # ... and no listed hash is matched by a query that has nothing in it.
    lists.extend("zeros", rows_of_lines(["0" * 64], "list"))
    assert found(lists, plain((65, 64))) == []


def test_a_limit_of_its_own_is_kept_to(folder: Path) -> None:
    lists = lists_in(folder)
    noisy = np.clip(drawn(1).astype(int) + np.random.default_rng(0).integers(-25, 25, drawn(1).shape), 0, 255)
    probe = noisy.astype(np.uint8)
    (value,) = hex_list(drawn(1))
    lists.extend("strict", rows_of_lines([f"{value},0"], "list"))
    lists.extend("usual", rows_of_lines([value], "list"))
    assert [h.list for h in found(lists, probe)] == ["usual"]
    assert [h.list for h in found(lists, drawn(1))] == ["strict", "usual"]


def test_versions_of_a_picture_are_matched_within_31_only(folder: Path) -> None:
    """A turned picture is guessed at. Who gives a hash a distance of its own wants no guesses; and what is told is the
    distance over all bits, not that over those that decided."""
    lists = lists_in(folder)
    frame = drawn(1, (400, 500))
    (value,) = hex_list(frame)
    lists.extend("strict", rows_of_lines([f"{value},30"], "list"))
    assert found(lists, turned(frame, 3)) == []
    lists.extend("usual", rows_of_lines([value], "list"))
    (hit,) = found(lists, turned(frame, 3))
    queries, masks = Probe.of(turned(frame, 3)).changed()
    differing = np.bitwise_count(queries ^ pdq(frame)[0][0])
    sure = np.bitwise_count((queries ^ pdq(frame)[0][0]) & masks).sum(1, dtype=int) <= 31 * 192 // 256
    assert hit == Hit("usual", "perceptual", int(differing.sum(1, dtype=int)[sure].min()))
    assert hit.distance > 0


def test_a_larger_distance_is_kept_when_a_hash_comes_again(folder: Path) -> None:
    lists, elsewhere = lists_in(folder), lists_in(folder)
    near, far = hex_list(drawn(1), drawn(2))
    assert lists.extend("theirs", rows_of_lines([f"{near},2", f"{far},9,case 7"], "list")) == (2, 0)
    half = np.asarray(Image.fromarray(drawn(1)).resize((160, 120)).convert("L").convert("RGB")) // 4 * 4
    distance = int(np.bitwise_count(pdq(half)[0][0] ^ pdq(drawn(1))[0][0]).sum())
    assert 2 < distance <= 31
    assert found(elsewhere, half) == []
    # A smaller one changes nothing; of two in one file the larger holds.
    assert lists.extend("theirs", rows_of_lines([f"{near},1", f"{far},9"], "list")) == (0, 0)
    again = [f"{near},3", f"{near},31", *hex_list(drawn(3), drawn(3))]
    assert lists.extend("theirs", rows_of_lines(again, "list")) == (1, 1)
    assert found(elsewhere, half) == [Hit("theirs", "perceptual", distance)]
    (one,) = lists_in(folder).lists()
    assert (one.pictures, one.hashes["pdq"]) == (3, 3)


def test_of_two_distances_for_one_hash_in_one_file_the_larger_holds(folder: Path) -> None:
    lists = lists_in(folder)
    (value,) = hex_list(drawn(1, (400, 500)))
    assert lists.extend("theirs", rows_of_lines([f"{value},0", value], "list")) == (1, 0)
    assert [h.list for h in found(lists, turned(drawn(1, (400, 500)), 3))] == ["theirs"]


# ---- what is no picture


BLACK, WHITE = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)


def test_pixels_of_one_colour_are_not_put_on_a_list(folder: Path) -> None:
    """All black is what safety checkers of pipelines give out: on a list it would block every such output."""
    lists = lists_in(folder)
    clear = np.dstack([drawn(1, (64, 64)), np.zeros((64, 64), np.uint8)])
    image = ImageInput((clear,), file_sha256=b"f" * 32)
    done = lists.add_image("ours", image)
    # Over each of the backdrops it is of one colour.
    backdrops = [view for _, view in image.views() if not view.std()]
    assert (list(done.pictures.values()), done.left_out) == (["perceptual"], len(backdrops))
    assert len(backdrops) >= 2
    for frame in (*backdrops, BLACK, WHITE):
        assert found(lists, frame) == []
        assert found(lists, frame, b"f" * 32) == [Hit("ours", "file")]
    assert found(lists, drawn(1, (64, 64))) == [Hit("ours", "pixels")]


def test_frames_of_one_colour_are_left_out_and_the_file_is_kept(folder: Path) -> None:
    lists = lists_in(folder)
    almost = BLACK.copy()
    almost[3, 3] = 7
    film = ImageInput((BLACK, drawn(1, (64, 64)), almost), file_sha256=b"f" * 32)
    assert lists.add_image("ours", film).left_out == 2
    assert found(lists, BLACK) == found(lists, almost) == []
    done = lists.add_image("plain", ImageInput((BLACK, WHITE), file_sha256=b"g" * 32))
    ((key, by),) = done.pictures.items()
    assert (by, done.left_out) == ("file", 2)
    assert found(lists, BLACK, b"g" * 32) == [Hit("plain", "file")]
    assert found(lists, BLACK) == found(lists, WHITE) == []
    assert lists.remove("plain", [key]) == 1
    assert found(lists, BLACK, b"g" * 32) == []


def test_one_colour_without_a_file_is_refused(folder: Path) -> None:
    lists = lists_in(folder)
    with pytest.raises(KnownImagesError, match="every picture of that colour"):
        lists.add("ours", plain())
    with pytest.raises(KnownImagesError, match="every picture of that colour"):
        lists.add_image("ours", ImageInput((plain(), BLACK)))
    assert lists.lists() == []


# ---- what is kept


def test_only_hashes_are_kept_and_they_are_sealed(folder: Path) -> None:
    lists = lists_in(folder)
    frame = drawn(1)
    lists.add("ours", frame, file=b"f" * 32, tag="a case number")
    (path,) = folder.glob("*.hashes")
    content = path.read_bytes()
    assert len(content) < 4_000 < frame.nbytes
    for secret in (b"a case number", pdq(frame)[0][0].tobytes(), b"f" * 32):
        assert secret not in content
    assert path.stat().st_mode & 0o077 == 0
    # No second file has more: nothing else was written.
    assert {p.name for p in folder.iterdir()} == {"ours.hashes", ".lock"}


def test_the_same_picture_twice_is_one(folder: Path) -> None:
    lists = lists_in(folder)
    assert lists.add("ours", drawn(1)) == lists.add("ours", drawn(1))
    assert lists.extend("ours", rows_of_lines(hex_list(drawn(2), drawn(2), drawn(3)), "list")).new == 2
    assert lists.extend("ours", rows_of_lines(hex_list(drawn(2)), "list")) == (0, 0)
    (one,) = lists.lists()
    assert (one.name, one.pictures, one.hashes) == ("ours", 3, {"pdq": 16, "sha256": 0, "pixels": 1})


# ---- removal, and changes while in use


def test_removal_holds_at_once_in_a_guard_that_has_the_list_open(folder: Path) -> None:
    lists, elsewhere = lists_in(folder), lists_in(folder)
    key, _ = lists.add("ours", drawn(1))
    lists.add("ours", drawn(2))
    assert found(elsewhere, drawn(1))
    assert lists.remove("ours", [key]) == 1
    assert found(elsewhere, drawn(1)) == []
    assert found(elsewhere, drawn(2)) == [Hit("ours", "pixels")]
    assert lists.remove("ours") == 1
    assert not elsewhere.asked()
    assert found(elsewhere, drawn(2)) == []
    assert lists_in(folder).lists() == []
    # A removed list can be begun again.
    lists.add("ours", drawn(3))
    assert found(elsewhere, drawn(3)) == [Hit("ours", "pixels")]


def test_a_picture_is_removed_by_any_of_its_hashes(folder: Path) -> None:
    lists = lists_in(folder)
    lists.extend("theirs", rows_of_lines(hex_list(drawn(1), drawn(2)), "list"))
    assert lists.remove("theirs", [hex_list(drawn(1))[0].upper()]) == 1
    assert found(lists, drawn(1)) == []
    assert found(lists, drawn(2))


@pytest.mark.parametrize(("name", "ids"), [("none", []), ("none", ["0" * 16]), ("ours", ["0" * 16]), ("../ours", [])])
def test_what_is_not_there_cannot_be_removed(folder: Path, name: str, ids: list[str]) -> None:
    lists = lists_in(folder)
    lists.add("ours", drawn(1))
    with pytest.raises(KnownImagesError):
        lists.remove(name, ids)
    assert found(lists, drawn(1))


@pytest.mark.parametrize("name", ["", "Ours", "a b", "../x", "a/b", "-a", "a" * 65, "ä"])
def test_names_that_cannot_be(folder: Path, name: str) -> None:
    with pytest.raises(KnownImagesError, match="name of a list"):
        lists_in(folder).add(name, drawn(1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[:-1], "changed, cut off or renamed"),
        (lambda b: b[: len(b) // 2], "changed, cut off or renamed"),
        (lambda b: b + b"x", "changed, cut off or renamed"),
        (lambda b: b[:-40] + bytes([b[-40] ^ 1]) + b[-39:], "changed, cut off or renamed"),
        (lambda b: b"", "no list of known images"),
        (lambda b: b[:30], "does not open|changed, cut off"),
        (lambda b: b"something else", "no list of known images"),
    ],
)
def test_a_changed_or_cut_list_is_an_error_when_opened_and_while_in_use(
    folder: Path, damage: object, message: str
) -> None:
    lists = lists_in(folder)
    lists.add("ours", drawn(1))
    assert found(lists, drawn(1))
    path = folder / "ours.hashes"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    with pytest.raises(KnownImagesError, match=message):
        lists_in(folder)
    for _ in range(2):  # not the first time only
        with pytest.raises(KnownImagesError, match=message):
            lists.search(Probe.of(drawn(1)))
    with pytest.raises(KnownImagesError, match=message):
        lists.add("ours", drawn(2))
    path.write_bytes(whole)
    assert found(lists, drawn(1))


def test_a_list_under_the_name_of_another_does_not_open(folder: Path) -> None:
    lists = lists_in(folder)
    lists.add("a", drawn(1))
    (folder / "b.hashes").write_bytes((folder / "a.hashes").read_bytes())
    with pytest.raises(KnownImagesError, match="renamed"):
        lists_in(folder)


def test_a_list_that_vanishes_while_in_use_is_an_error_until_it_is_back(folder: Path) -> None:
    lists = lists_in(folder)
    lists.add("ours", drawn(1))
    assert lists.asked()
    path = folder / "ours.hashes"
    content = path.read_bytes()
    path.unlink()
    for _ in range(2):
        with pytest.raises(KnownImagesError, match="has vanished"):
            lists.asked()
    path.write_bytes(content)
    assert found(lists, drawn(1))


def test_another_key_does_not_open_it_and_an_older_one_on_the_ring_does(folder: Path) -> None:
    lists_in(folder).add("ours", drawn(1))
    other = bytes(range(1, 33))
    with pytest.raises(KnownImagesError, match="no key"):
        lists_in(folder, Keyring([other], source="test"))
    rotated = lists_in(folder, Keyring([other, bytes(range(32))], source="test"))
    assert found(rotated, drawn(1))
    rotated.add("ours", drawn(2))
    assert len(lists_in(folder, Keyring([other], source="test")).lists()) == 1


# ---- keys that rotate


OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def test_rekey_puts_every_list_under_the_active_key(folder: Path) -> None:
    before = lists_in(folder)
    before.add("ours", drawn(1), tag="case 7")
    before.extend("theirs", rows_of_lines([f"{hex_list(drawn(2))[0]},9"], "list"))
    before.add("gone", drawn(3))
    before.remove("gone")
    rotated = lists_in(folder, Keyring([NEW, OLD], source="test"))
    assert rotated.rekey() == ("gone", "ours", "theirs")
    assert rotated.rekey() == ()
    after = lists_in(folder, Keyring([NEW], source="test"))
    assert after.lists() == rotated.lists()
    assert [one.name for one in after.lists()] == ["ours", "theirs"]
    assert found(after, drawn(1)) == [Hit("ours", "pixels")]
    assert after.extend("theirs", rows_of_lines([f"{hex_list(drawn(2))[0]},9"], "list")) == (0, 0)
    with pytest.raises(KnownImagesError, match="no key"):
        lists_in(folder, Keyring([OLD], source="test"))
    assert {p.name for p in folder.iterdir()} == {"gone.hashes", "ours.hashes", "theirs.hashes", ".lock"}


def test_rekey_replaces_a_file_whole_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = lists_in(folder)
    for name in ("a", "b"):
        before.add(name, drawn(1))
    rotated = lists_in(folder, Keyring([NEW, OLD], source="test"))
    content = {p.name: p.read_bytes() for p in folder.glob("*.hashes")}
    synced: list[int] = []
    really = os.fsync

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) > 1:
            raise OSError(28, "No space left on device")
        really(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KnownImagesError, match="No space left"):
        rotated.rekey()
    monkeypatch.setattr(os, "fsync", really)
    assert (folder / "b.hashes").read_bytes() == content["b.hashes"]
    assert [sealed_under(folder / f"{name}.hashes") for name in "ab"] == [key_id(NEW), key_id(OLD)]
    assert found(rotated, drawn(1)) == [Hit("a", "pixels"), Hit("b", "pixels")]
    assert rotated.rekey() == ("b",)


def test_rekey_does_not_seal_what_was_changed(folder: Path) -> None:
    lists_in(folder).add("ours", drawn(1))
    rotated = lists_in(folder, Keyring([NEW, OLD], source="test"))
    path = folder / "ours.hashes"
    path.write_bytes(path.read_bytes()[:-1])
    content = path.read_bytes()
    with pytest.raises(KnownImagesError, match="changed, cut off"):
        rotated.rekey()
    assert path.read_bytes() == content
