"""Pinning what the user brings: a model file, or a folder of them, that guardrail knows no sha256 of.

The first use is the user's statement: "this is the file that I checked". From then on any other content is refused. A
file ``X`` is pinned by ``X.sha256`` beside it, in the form that ``sha256sum -c`` reads; a folder by a manifest in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrail.drafts import write_whole
from guardrail.errors import WeightsError, WeightsMismatch, WeightsMissing
from guardrail.weights.store import sha256_of

__all__ = ["LICENCES", "PACK_MANIFEST", "PackPins", "pin", "read_pack_pins", "verified_file", "verify_pack"]

PACK_MANIFEST = "guardrail-pack.json"
VERSION = 1
LICENCES = ("non-commercial", "commercial", "permissive", "unknown")
"""What a user can say of the right to use a model."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PackPins:
    """The manifest of a folder of model files.

    Args:
        files: sha256 by path in the folder: every ``.onnx`` file, and insightface's own manifest where there is one,
            which says what the files are for.
        licence: one of `LICENCES`, as the user said when the folder was pinned.
    """

    files: Mapping[str, str]
    licence: str


def pin(path: Path, licence: str = "unknown") -> Mapping[str, str]:
    """State that a model file, or all ``.onnx`` files of a folder, are what the user wants to run.

    Returns:
        sha256 by file name, or by path in the folder.

    Raises:
        WeightsMissing: there is no such file, or no model in the folder.
        WeightsError: unknown licence word, or the pin cannot be written.
    """
    if licence not in LICENCES:
        raise WeightsError(f"a licence is one of {', '.join(LICENCES)}, not {licence!r}")
    if path.is_dir():
        files = {name: sha256_of(file) for name, file in _models(path).items()}
        manifest = {"guardrail_pack": VERSION, "licence": licence, "files": files}
        _write(path / PACK_MANIFEST, json.dumps(manifest, indent=1) + "\n")
        return files
    if not path.is_file():
        raise WeightsMissing(f"{path} is neither a file nor a folder")
    digest = sha256_of(path)
    _write(_sidecar(path), f"{digest}  {path.name}\n")
    return {path.name: digest}


def verified_file(path: Path) -> tuple[bytes, str]:
    """The bytes of a pinned file and their sha256: what was hashed is what is used.

    Raises:
        WeightsMissing: the file or its pin is not there.
        WeightsMismatch: it is another file than the one pinned.
        WeightsError: one of them cannot be read.
    """
    if not path.is_file():
        raise WeightsMissing(f"{path} is not a file")
    sidecar = _sidecar(path)
    if not sidecar.is_file():
        raise WeightsMissing(
            f"{path} is not pinned; check its sha256 with its source, then run: guardrail models pin {path}"
        )
    try:
        stated, content = sidecar.read_text("utf-8").split(), path.read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} or its pin cannot be read: {type(error).__name__}") from None
    if not stated or not _SHA256.fullmatch(stated[0]):
        raise WeightsError(f"{sidecar} does not begin with a sha256")
    digest = hashlib.sha256(content).hexdigest()
    _require(path, digest, stated[0])
    return content, digest


def read_pack_pins(folder: Path) -> PackPins:
    """The manifest of a pinned folder.

    Raises:
        WeightsMissing: there is none.
        WeightsError: it is not one of ours.
    """
    file = folder / PACK_MANIFEST
    if not file.is_file():
        raise WeightsMissing(
            f"{folder} is not pinned; check the files with their source, then run: guardrail models pin {folder} "
            f"--licence {'|'.join(LICENCES)}"
        )
    try:
        said: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read: {type(error).__name__}") from None
    files: Any = said.get("files") if isinstance(said, dict) and said.get("guardrail_pack") == VERSION else None
    good = isinstance(files, dict) and all(isinstance(d, str) and _SHA256.fullmatch(d) for d in files.values())
    if not good or said.get("licence") not in LICENCES:
        raise WeightsError(f"{file} is not a manifest made by guardrail models pin; make it again")
    return PackPins(files, said["licence"])


def verify_pack(folder: Path) -> PackPins:
    """The manifest, after every model file of the folder was hashed and found to be the one it names.

    Raises:
        WeightsMissing: no manifest, or a file that it names is gone.
        WeightsMismatch: a file has another sha256, or is not in the manifest: the first file of a kind would be used.
    """
    pins = read_pack_pins(folder)
    there = _models(folder)
    if gone := sorted(set(pins.files) - set(there)):
        raise WeightsMissing(f"{folder} has no {', '.join(gone)}, which its manifest names")
    for name, path in there.items():
        if name not in pins.files:
            raise WeightsMismatch(f"{path} is not in the manifest of its folder; remove it, or pin the folder again")
        _require(path, sha256_of(path), pins.files[name])
    return pins


def _models(folder: Path) -> dict[str, Path]:
    files = sorted(folder.rglob("*.onnx"))
    if not files:
        raise WeightsMissing(f"{folder} has no .onnx files; give the folder of a local pack")
    own = folder / "manifest.json"
    return {f.relative_to(folder).as_posix(): f for f in [*files, *([own] if own.is_file() else [])]}


def _require(path: Path, digest: str, stated: str) -> None:
    if digest != stated:
        raise WeightsMismatch(
            f"{path} has sha256 {digest[:16]}…, {stated[:16]}… was pinned; if you changed it, run: guardrail models pin"
        )


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or type(error).__name__}") from None
