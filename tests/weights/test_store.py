"""Finding and verifying: what has another hash than the pinned one is never used, whatever it is called."""

from __future__ import annotations

import os
import shutil
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.errors import WeightsError, WeightsMismatch, WeightsMissing
from guardrail.weights import CATALOGUE, GROUPS, add, find, folders, read, status, store
from tests.weights.conftest import MODEL, OTHER, World, sha256


def states() -> dict[str, str]:
    return {s.weight.name: s.state for s in status()}


def placed(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


# ---- the catalogue itself


@pytest.mark.parametrize("weight", CATALOGUE.values(), ids=lambda w: w.name)
def test_every_entry_is_pinned_licensed_and_says_how_to_come_by_it(weight: Any) -> None:
    assert len(weight.sha256) == 64
    assert set(weight.sha256) <= set("0123456789abcdef")
    assert weight.licence
    assert weight.task
    assert "/" not in weight.filename
    assert weight.filename.endswith((".onnx", ".dat", ".safetensors", ".json"))
    # The package itself carries our own.
    ours = weight.installed_as is not None and weight.installed_as[0] == "guardrail"
    assert weight.archive or weight.origin or weight.extra or ours
    assert "68" not in weight.member
    if weight.archive:
        assert len(weight.archive.sha256) == 64
        assert weight.member
        assert any(weight.name in names for names in GROUPS.values())


def test_groups_name_models_that_exist() -> None:
    assert all(name in CATALOGUE for names in GROUPS.values() for name in names)
    assert (
        len({w.sha256 for w in CATALOGUE.values()}) == len(CATALOGUE) == len({w.filename for w in CATALOGUE.values()})
    )


# ---- finding


def test_missing_says_what_needs_it_where_it_was_looked_for_and_what_to_run(world: World) -> None:
    for use in (find, read):
        with pytest.raises(WeightsMissing) as caught:
            use("alpha")
        message = str(caught.value)
        assert "face detection needs alpha.onnx" in message
        assert str(world.home / "weights") in message
        assert message.endswith("run: guardrail models pull both")
    assert states() == {"alpha": "missing", "beta": "missing"}


def test_missing_of_files_that_nothing_here_can_pull(world: World) -> None:
    world.catalogue["gamma"] = replace(world.catalogue["alpha"], name="gamma", archive=None)
    world.change("gamma", origin="the zoo (folder x)")
    with pytest.raises(WeightsMissing, match=r"get it from the zoo \(folder x\), then run: guardrail models add FILE"):
        find("gamma")
    world.change("gamma", origin="", extra="nudity-agpl", licence="AGPL-3.0", note="treat it so")
    with pytest.raises(WeightsMissing, match=r'pip install "guardrail-diffusion\[nudity-agpl\]" \(licence AGPL-3.0'):
        find("gamma")


def test_an_unknown_name(world: World) -> None:
    for use in (find, read):
        with pytest.raises(WeightsError, match="no model is called 'gama'; there is: alpha, beta"):
            use("gama")


def test_found_and_verified(world: World) -> None:
    path = placed(world.home / "weights", "alpha.onnx", MODEL)
    assert find("alpha") == path
    assert read("alpha") == MODEL
    assert states() == {"alpha": "ready", "beta": "missing"}


@pytest.mark.parametrize("content", [b"", MODEL[:-1], MODEL + b"\0", OTHER, bytes(len(MODEL))])
def test_a_wrong_hash_is_never_used(world: World, content: bytes) -> None:
    path = placed(world.home / "weights", "alpha.onnx", content)
    for use in (find, read):
        with pytest.raises(WeightsMismatch) as caught:
            use("alpha")
        assert f"{path} has sha256 {sha256(content)[:16]}" in str(caught.value)
        assert "remove it, then run: guardrail models pull both" in str(caught.value)
    assert states()["alpha"] == "wrong hash"
    assert path.read_bytes() == content


def test_what_was_hashed_is_what_is_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = placed(world.home / "weights", "alpha.onnx", MODEL)
    real = Path.read_bytes

    def swapped(self: Path) -> bytes:
        content = real(self)
        path.write_bytes(b"another model, after it was read")
        return content

    monkeypatch.setattr(Path, "read_bytes", swapped)
    assert read("alpha") == MODEL


def test_folders_of_the_variable_come_first(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", os.pathsep.join(["", str(first), str(second), ""]))
    assert folders() == (first, second, world.home / "weights")
    placed(world.home / "weights", "alpha.onnx", MODEL)
    assert find("alpha") == world.home / "weights" / "alpha.onnx"
    assert find("alpha") != placed(second, "beta.dat", OTHER)
    assert find("beta") == second / "beta.dat"
    # A wrong file in an earlier folder is told, not stepped over: somebody put it there.
    placed(first, "alpha.onnx", b"wrong")
    with pytest.raises(WeightsMismatch, match=str(first)):
        find("alpha")


def test_a_folder_in_the_place_of_the_file(world: World) -> None:
    (world.home / "weights" / "alpha.onnx").mkdir(parents=True)
    with pytest.raises(WeightsMissing):
        find("alpha")


def test_a_file_that_cannot_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = placed(world.home / "weights", "alpha.onnx", MODEL)

    def refused(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    monkeypatch.setattr(Path, "read_bytes", refused)
    for use in (find, read):
        with pytest.raises(WeightsError, match=f"{path} cannot be read: Permission denied"):
            use("alpha")
    assert states()["alpha"] == "missing"


# ---- inside an installed package


def test_a_package_that_carries_the_file_is_looked_into_and_never_imported(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "carrier"
    placed(package, "__init__.py", b"raise SystemExit('imported')")
    placed(package, "a.onnx", MODEL)
    monkeypatch.syspath_prepend(str(package.parent))
    world.change("alpha", installed_as=("carrier", "a.onnx"))
    assert find("alpha") == package / "a.onnx"
    assert "carrier" not in sys.modules
    placed(package, "a.onnx", b"another release")
    with pytest.raises(WeightsMismatch):
        find("alpha")
    shutil.rmtree(package)
    with pytest.raises(WeightsMissing):
        find("alpha")


@pytest.mark.parametrize("stand_in", [None, types.ModuleType("carrier"), object()])
def test_half_an_installation_is_as_good_as_none(world: World, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "carrier", stand_in)
    world.change("alpha", installed_as=("carrier", "a.onnx"))
    with pytest.raises(WeightsMissing):
        find("alpha")


# ---- adding what the user brings


def test_add_knows_a_file_by_its_content(world: World, tmp_path: Path) -> None:
    weight = add(placed(tmp_path, "downloaded (1).bin", OTHER))
    assert weight.name == "beta"
    assert read("beta") == OTHER
    assert world.installed == ["beta.dat"]


@pytest.mark.parametrize("content", [b"", b"no model", MODEL[1:]])
def test_add_refuses_what_it_does_not_know(world: World, tmp_path: Path, content: bytes) -> None:
    path = placed(tmp_path, "alpha.onnx", content)
    with pytest.raises(WeightsMismatch, match=r"is no model file that guardrail knows; see: guardrail models list"):
        add(path)
    assert world.installed == []


def test_add_of_nothing(world: World, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(WeightsMissing, match=f"{path} is not a file"):
            add(path)


def test_add_replaces_a_wrong_file(world: World, tmp_path: Path) -> None:
    placed(world.home / "weights", "beta.dat", b"wrong")
    add(placed(tmp_path, "b", OTHER))
    assert read("beta") == OTHER


def test_a_file_that_changes_while_it_is_copied_is_not_kept(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, real = placed(tmp_path, "b", OTHER), shutil.copyfile

    def swapped(a: Any, b: Any) -> Any:
        source.write_bytes(b"not what was hashed")
        return real(a, b)

    monkeypatch.setattr(shutil, "copyfile", swapped)
    with pytest.raises(WeightsMismatch):
        add(source)
    assert world.installed == []


@pytest.mark.parametrize("step", ["copyfile", "replace"])
def test_a_disk_that_is_full_leaves_nothing_behind(
    world: World, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Any, target: Any) -> Any:
        Path(target).write_bytes(b"half") if step == "copyfile" else None
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil if step == "copyfile" else Path, step, full)
    with pytest.raises(WeightsError, match=r"beta.dat cannot be written \(No space left on device\); set"):
        add(placed(tmp_path, "b", OTHER))
    assert world.installed == []


def test_a_data_folder_that_cannot_be_made(world: World, tmp_path: Path) -> None:
    world.home.write_bytes(b"a file in its place")
    with pytest.raises(WeightsError, match="cannot be written"):
        store.install(placed(tmp_path, "b", OTHER), world.catalogue["beta"])
