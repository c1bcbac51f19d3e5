"""`guardrail.save`, `encode` and `verify`: pictures of every kind that the guard gives out, and what is refused."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import guardrail
from guardrail.decision import Action, Decision, PolicyRef, Stage
from guardrail.errors import InputError, MarkError, RegistryError
from guardrail.keys import Keyring, load_keyring
from guardrail.marks import guarded_file
from guardrail.marks.files import read_file_label
from guardrail.marks.guarded_image import guarded
from guardrail.marks.label import Label
from guardrail.marks.marker import Marker
from guardrail.marks.registry import Entry, Registry
from guardrail.marks.settings import Marking
from guardrail.marks.stack import MarkStack
from tests.marks.conftest import drawing

MARK_ID = "01234abcde"
UNMARKED_PIXELS = drawing(96, 128)
STACK = MarkStack(Keyring([bytes(range(32))], source="a test"))
PIXELS = np.asarray(STACK.embed(UNMARKED_PIXELS, MARK_ID), np.uint8)
GREY = np.asarray(STACK.embed(UNMARKED_PIXELS[..., :1], MARK_ID), np.uint8)[..., 0]
ALLOWED = Decision(
    "019a0000-0000-7000-8000-000000000002",
    Action.ALLOW,
    Stage.OUTPUT,
    PolicyRef("test", "1.0.0", "0" * 64),
    labels={"watermark": "invisible", "source_type": "trainedAlgorithmicMedia"},
    mark_id=MARK_ID,
    due=(Stage.PROMPT, Stage.OUTPUT),
    created="2026-11-27T12:00:00.000Z",
    marker=Marker(STACK, Marking()),
)
SIGNER: Any = object()  # never asked to sign
BLOCKED = ALLOWED.copy(action=Action.BLOCK)
LABELLED = guarded(Image.fromarray(PIXELS), Label("trainedAlgorithmicMedia", "a generator", decision_id="its-own"))


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    ("image", "shape"),
    [
        (PIXELS, (96, 128, 3)),
        (PIXELS / np.float32(255), (96, 128, 3)),
        (PIXELS[None] / 255.0, (96, 128, 3)),
        (GREY, (96, 128, 3)),
        (np.dstack([PIXELS, PIXELS[..., :1]]), (96, 128, 4)),
        (Image.fromarray(PIXELS), (96, 128, 3)),
        (Image.fromarray(GREY), (96, 128)),
    ],
    ids=["uint8", "float", "a batch of one", "grey", "RGBA", "PIL", "grey PIL"],
)
def test_arrays_are_saved_with_the_label_of_their_decision(tmp_path: Path, image: Any, shape: tuple[int, ...]) -> None:
    guardrail.save(image, tmp_path / "a.png", decision=ALLOWED)
    content = (tmp_path / "a.png").read_bytes()
    assert content == guardrail.encode(image, "png", decision=ALLOWED)
    assert opened(content).shape == shape
    said = read_file_label(content)
    assert said["guardrail:DecisionId"] == ALLOWED.id
    assert said["guardrail:MarkId"] == MARK_ID
    assert said["xmp:CreateDate"] == ALLOWED.created


def test_pixels_are_written_as_they_are() -> None:
    for image in (PIXELS, PIXELS / np.float32(255)):
        assert np.array_equal(opened(guardrail.encode(image, "png", decision=ALLOWED)), PIXELS)


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "avif", "PNG"])
def test_the_suffix_names_the_format(tmp_path: Path, suffix: str) -> None:
    for target in (tmp_path / f"a.{suffix}", str(tmp_path / f"b.{suffix}")):
        guardrail.save(LABELLED, target, quality=80)
        # A picture that carries a label needs no decision, and keeps its own.
        assert read_file_label(Path(target).read_bytes())["guardrail:DecisionId"] == "its-own"
        guardrail.save(LABELLED, target, decision=ALLOWED)
        assert read_file_label(Path(target).read_bytes())["guardrail:DecisionId"] == "its-own"


UNMARKED = ALLOWED.copy(mark_id="")
REFUSED: dict[str, tuple[Any, str, Decision | None, type[Exception], str]] = {
    "nothing is known": (PIXELS, "a.png", None, MarkError, r"decision=out\.guardrail\[i\]"),
    "nothing is known of a PIL image": (Image.fromarray(PIXELS), "a.png", None, MarkError, "carries no label"),
    "a block": (PIXELS, "a.png", BLOCKED, MarkError, "is a block"),
    "a block, whatever the image says": (LABELLED, "a.png", BLOCKED, MarkError, "is a block"),
    "a watermark that was never put in": (
        PIXELS,
        "a.png",
        UNMARKED,
        MarkError,
        r"guard\.mark\(image, after=decision\)",
    ),
    "a picture without the watermark": (
        UNMARKED_PIXELS,
        "a.png",
        ALLOWED,
        MarkError,
        f"{MARK_ID} is not read in the file",
    ),
    "another mark than the decision's": (PIXELS, "a.png", ALLOWED.copy(mark_id="fedcba9876"), MarkError, "is not read"),
    "no key to read the watermark with": (PIXELS, "a.png", ALLOWED.copy(marker=None), MarkError, "no key is here"),
    "GIF": (PIXELS, "a.gif", ALLOWED, MarkError, "gif cannot carry a label"),
    "BMP of a labelled image": (LABELLED, "a.bmp", None, MarkError, "bmp cannot carry a label"),
    "no suffix": (LABELLED, "a", None, MarkError, "a file without a suffix cannot"),
    "two pictures, one file": (np.stack([PIXELS, PIXELS]), "a.png", ALLOWED, InputError, "holds 2 pictures"),
    "NaN": (np.full((8, 8, 3), np.nan), "a.png", ALLOWED, InputError, "not numbers"),
    "no picture": (b"", "a.png", ALLOWED, InputError, "is empty"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_leaves_no_file(tmp_path: Path, name: str) -> None:
    image, target, decision, error, match = REFUSED[name]
    with pytest.raises(error, match=match):
        guardrail.save(image, tmp_path / target, decision=decision)
    assert not (tmp_path / target).exists()
    with pytest.raises(error, match=match):
        guardrail.encode(image, Path(target).suffix, decision=decision)


def test_a_refused_file_keeps_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"yesterday's")
    with pytest.raises(MarkError):
        guardrail.save(PIXELS, tmp_path / "a.png", decision=BLOCKED)
    assert (tmp_path / "a.png").read_bytes() == b"yesterday's"


def test_a_decision_goes_into_a_pickle_without_its_keys() -> None:
    twin = pickle.loads(pickle.dumps(ALLOWED))
    assert twin == ALLOWED
    assert (twin.marker, ALLOWED.marker is None) == (None, False)
    assert not twin.is_signed
    assert "arker" not in f"{ALLOWED!r}{ALLOWED.to_json()}"
    assert dataclasses.asdict(ALLOWED)["marker"] is ALLOWED.marker
    with pytest.raises(TypeError, match="its keys would go along"):
        pickle.dumps(ALLOWED.marker)


def test_a_decision_that_lost_its_signer_is_refused_and_copies_keep_it() -> None:
    signing = UNMARKED.copy(labels={}, marker=Marker(STACK, Marking(signer=SIGNER)))
    for copied in (copy.copy(signing), copy.deepcopy(signing), signing.copy(), dataclasses.replace(signing)):
        assert copied == signing
        assert (copied.marker is signing.marker, copied.is_signed) == (True, True)
    assert copy.deepcopy(signing).timings_ms is not signing.timings_ms
    pickled = pickle.loads(pickle.dumps(signing))
    again = pickle.loads(pickle.dumps(copy.deepcopy(pickled)))
    for lost in (pickled, pickled.copy(), again, signing.copy(marker=None)):
        assert (lost.marker, lost.to_json()) == (None, signing.to_json())
        for image in (PIXELS, Image.fromarray(PIXELS)):
            with pytest.raises(MarkError, match=r"has lost its signer .*guardrail\.save\(image, path, marking="):
                guardrail.encode(image, "png", decision=lost)


def test_a_file_is_registered_by_the_marking_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_file, "find_keyring", lambda: None)
    registry = Registry(tmp_path / "marks.sqlite")
    label = Label("trainedAlgorithmicMedia", mark_id=MARK_ID)
    registry.add(Entry(MARK_ID, "k", 0, None, "", "", "m", "p", ALLOWED.created))
    image = pickle.loads(pickle.dumps(guarded(Image.fromarray(PIXELS), label)))
    content = guardrail.encode(image, "png", marking=Marking(registry=registry.path))
    assert "guardrail:MarkId" not in read_file_label(content)
    assert registry.by_sha256(hashlib.sha256(content).hexdigest()) == registry.by_id(MARK_ID)
    with pytest.raises(RegistryError, match="missing"):
        guardrail.encode(image, "png", marking=Marking(registry=tmp_path / "missing.sqlite"))


def test_without_a_wish_for_a_watermark_none_is_missed() -> None:
    plain = UNMARKED.copy(labels={})
    said = read_file_label(guardrail.encode(PIXELS, "webp", decision=plain))
    assert said["Iptc4xmpExt:DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert "guardrail:MarkId" not in said


# ---- verify


@pytest.fixture
def marked() -> np.ndarray:
    """Marked with the key of this installation."""
    return MarkStack(load_keyring()).embed(UNMARKED_PIXELS, MARK_ID)


# As it comes out of a record: nothing of the guard is known but the keys of this installation.
READ_ANEW = ALLOWED.copy(marker=None)


@pytest.mark.parametrize(
    ("form", "layers"),
    [
        (lambda pixels: pixels, ["watermark"]),
        (lambda pixels: pixels / 255.0, ["watermark"]),
        (Image.fromarray, ["watermark"]),
        (lambda pixels: guardrail.encode(pixels, "png", decision=READ_ANEW), ["watermark", "metadata", "png text"]),
        (
            lambda pixels: guardrail.encode(pixels, "webp", decision=READ_ANEW, lossless=True),
            ["watermark", "metadata"],
        ),
    ],
)
def test_verify_uses_the_key_of_this_installation(
    marked: np.ndarray, form: Callable[[np.ndarray], Any], layers: list[str]
) -> None:
    """What is no file has pixels only: no metadata is reported for it, found or not."""
    said = guardrail.verify(form(marked))
    others = ("content credentials", "invisible-watermark", "generator metadata")
    ours = [layer for layer in said.layers if layer.name not in others]
    assert [layer.name for layer in ours] == layers
    assert {layer.verdict for layer in ours} == {"found"}
    assert said.mark_id == MARK_ID
