"""Pinning what the user brings: what was stated once is what runs, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrail.errors import WeightsError, WeightsMismatch, WeightsMissing
from guardrail.weights.pins import LICENCES, PACK_MANIFEST, pin, verified_file, verify_pack

ONE, TWO = b"the weights of one model", b"the weights of another"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pack"
    made.mkdir()
    (made / "det.onnx").write_bytes(ONE)
    (made / "rec.onnx").write_bytes(TWO)
    (made / "readme.txt").write_text("not a model")
    return made


def test_a_pinned_pack_is_verified_and_says_what_it_holds(folder: Path) -> None:
    stated = pin(folder, "non-commercial")
    pins = verify_pack(folder)
    assert dict(pins.files) == dict(stated)
    assert set(stated) == {"det.onnx", "rec.onnx"}
    assert pins.licence == "non-commercial"
    assert {p.name for p in folder.iterdir()} == {"det.onnx", "rec.onnx", "readme.txt", PACK_MANIFEST}


@pytest.mark.parametrize("licence", LICENCES)
def test_every_licence_word_comes_back(folder: Path, licence: str) -> None:
    pin(folder, licence)
    assert verify_pack(folder).licence == licence


def test_a_word_that_is_no_licence_is_refused(folder: Path) -> None:
    with pytest.raises(WeightsError, match="a licence is one of"):
        pin(folder, "whatever")
    assert not (folder / PACK_MANIFEST).exists()


def test_a_pack_that_is_not_pinned_is_refused_with_the_command(folder: Path) -> None:
    with pytest.raises(WeightsMissing, match=f"guardrail models pin {folder}"):
        verify_pack(folder)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda f: (f / "det.onnx").write_bytes(ONE + b"!"), WeightsMismatch, "was pinned"),
        (lambda f: (f / "aaa.onnx").write_bytes(ONE), WeightsMismatch, "not in the manifest"),
        (lambda f: (f / "rec.onnx").unlink(), WeightsMissing, r"has no rec\.onnx"),
        (lambda f: (f / PACK_MANIFEST).write_text("{"), WeightsError, "cannot be read"),
        (lambda f: (f / PACK_MANIFEST).write_text("[]"), WeightsError, "not a manifest"),
        (
            lambda f: (f / PACK_MANIFEST).write_text('{"guardrail_pack": 2, "files": {}}'),
            WeightsError,
            "not a manifest",
        ),
        (
            lambda f: (f / PACK_MANIFEST).write_text(json.dumps({"guardrail_pack": 1, "files": {"det.onnx": "ab"}})),
            WeightsError,
            "not a manifest",
        ),
        (
            lambda f: (f / PACK_MANIFEST).write_text(json.dumps({"guardrail_pack": 1, "licence": "free", "files": {}})),
            WeightsError,
            "not a manifest",
        ),
    ],
    ids=["changed", "added", "gone", "no json", "no object", "newer", "short hash", "no licence"],
)
def test_a_pack_that_is_another_one_is_refused(
    folder: Path, change: object, error: type[WeightsError], says: str
) -> None:
    pin(folder)
    assert callable(change)
    change(folder)
    with pytest.raises(error, match=says):
        verify_pack(folder)


def test_a_folder_without_models_cannot_be_pinned(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"no \.onnx files"):
        pin(tmp_path)
    with pytest.raises(WeightsMissing, match="neither a file nor a folder"):
        pin(tmp_path / "nothing")


# ---- one file


def test_a_pinned_file_is_read_and_the_pin_is_that_of_sha256sum(folder: Path) -> None:
    import hashlib

    file = folder / "det.onnx"
    pin(file)
    assert (folder / "det.onnx.sha256").read_text() == f"{hashlib.sha256(ONE).hexdigest()}  det.onnx\n"
    assert verified_file(file) == (ONE, hashlib.sha256(ONE).hexdigest())


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda f: f.write_bytes(TWO), WeightsMismatch, "was pinned"),
        (lambda f: f.unlink(), WeightsMissing, "is not a file"),
        (lambda f: f.with_name("det.onnx.sha256").unlink(), WeightsMissing, "is not pinned"),
        (lambda f: f.with_name("det.onnx.sha256").write_text(""), WeightsError, "does not begin with a sha256"),
        (lambda f: f.with_name("det.onnx.sha256").write_text("det.onnx"), WeightsError, "does not begin with a sha256"),
        (lambda f: f.with_name("det.onnx.sha256").write_bytes(b"\xff\xfe"), WeightsError, "cannot be read"),
    ],
    ids=["changed", "gone", "unpinned", "empty pin", "no hash", "no text"],
)
def test_a_file_that_is_another_one_is_refused(
    folder: Path, change: object, error: type[WeightsError], says: str
) -> None:
    file = folder / "det.onnx"
    pin(file)
    assert callable(change)
    change(file)
    with pytest.raises(error, match=says):
        verified_file(file)
