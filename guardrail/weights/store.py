"""Finding model files and verifying them: a file with another sha256 than the pinned one is never used."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from guardrail.drafts import draft_of
from guardrail.errors import WeightsError, WeightsMismatch, WeightsMissing
from guardrail.paths import home
from guardrail.weights.catalogue import CATALOGUE, GROUPS, WeightFile

__all__ = ["WeightStatus", "add", "find", "folders", "read", "sha256_of", "status"]


@dataclass(frozen=True, slots=True)
class WeightStatus:
    """Where a known model file stands on this machine."""

    weight: WeightFile
    state: Literal["ready", "missing", "wrong hash"]
    path: Path | None


def folders() -> tuple[Path, ...]:
    """Where model files are looked for: ``$GUARDRAIL_WEIGHTS`` (several, path-separated), then the data folder."""
    named = os.environ.get("GUARDRAIL_WEIGHTS", "")
    return (*(Path(p).expanduser() for p in named.split(os.pathsep) if p), home() / "weights")


def sha256_of(path: Path) -> str:
    """Of a whole file.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def find(name: str) -> Path:
    """The verified path of the model file `name`.

    Raises:
        WeightsMissing: it is in none of the folders; the message says how to bring it.
        WeightsMismatch: a file of that name is there with another sha256.
        WeightsError: no model is called so, or its file cannot be read.
    """
    weight = _known(name)
    path = _locate(weight)
    _require(weight, path, sha256_of(path))
    return path


def read(name: str) -> bytes:
    """The verified bytes of the model file `name`: what was hashed is what is used.

    Raises:
        WeightsMissing, WeightsMismatch: as `find`.
    """
    weight = _known(name)
    path = _locate(weight)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    _require(weight, path, hashlib.sha256(content).hexdigest())
    return content


def status() -> tuple[WeightStatus, ...]:
    """Every known model file: ready, missing (with a path: there, but unreadable), or there with the wrong hash."""
    rows: list[WeightStatus] = []
    for weight in CATALOGUE.values():
        path = next(_candidates(weight), None)
        try:
            digest = "" if path is None else sha256_of(path)
        except WeightsError:
            digest = ""
        state: Literal["ready", "missing", "wrong hash"] = "wrong hash" if digest else "missing"
        rows.append(WeightStatus(weight, "ready" if digest == weight.sha256 else state, path))
    return tuple(rows)


def add(path: Path) -> WeightFile:
    """Copy a file that the user brought into the data folder, if its sha256 is one that guardrail knows.

    Raises:
        WeightsMissing: there is no such file.
        WeightsMismatch: its sha256 belongs to no known model.
    """
    if not _is_file(path):
        raise WeightsMissing(f"{path} is not a file")
    digest = sha256_of(path)
    weight = next((w for w in CATALOGUE.values() if w.sha256 == digest), None)
    if weight is None:
        raise WeightsMismatch(
            f"{path} (sha256 {digest[:16]}…) is no model file that guardrail knows; see: guardrail models list"
        )
    install(path, weight)
    return weight


def install(source: Path, weight: WeightFile) -> Path:
    """Put a verified file into the data folder, whole or not at all.

    Raises:
        WeightsMismatch: its sha256 is not the pinned one.
        WeightsError: the folder cannot be written.
    """
    target = home() / "weights" / weight.filename
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(target) as draft:
            shutil.copyfile(source, draft)
            # What was copied is what is hashed: the source may change under our hands.
            _require(weight, source, sha256_of(draft))
            draft.replace(target)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise WeightsError(f"{target} cannot be written ({why}); set GUARDRAIL_HOME to a folder that can be") from None
    return target


def how_to_bring(weight: WeightFile) -> str:
    """The command or the place that brings a missing model file."""
    group = next((g for g, names in GROUPS.items() if weight.name in names), None)
    if group:
        return f"run: guardrail models pull {group}"
    if weight.extra:
        return f'run: pip install "guardrail-diffusion[{weight.extra}]" (licence {weight.licence}: {weight.note})'
    if not weight.origin:
        return "install guardrail-diffusion again: the file is part of the package"
    return f"get it from {weight.origin}, then run: guardrail models add FILE"


def _known(name: str) -> WeightFile:
    if name not in CATALOGUE:
        raise WeightsError(f"no model is called {name!r}; there is: {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def _unreadable(path: Path, error: OSError) -> WeightsError:
    return WeightsError(f"{path} cannot be read: {error.strerror or type(error).__name__}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A folder that may not be entered: as good as not there.
        return False


def _candidates(weight: WeightFile) -> Iterator[Path]:
    for folder in folders():
        path = folder / weight.filename
        if _is_file(path):
            yield path
    if weight.installed_as:
        package, member = weight.installed_as
        # find_spec does not import the package: its code (and its OpenCV) never runs.
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            # Half an installation, or a stand-in without a spec in sys.modules.
            spec = None
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / member
            if _is_file(path):
                yield path


def _locate(weight: WeightFile) -> Path:
    for path in _candidates(weight):
        return path
    places = ", ".join(str(f) for f in folders())
    raise WeightsMissing(f"{weight.task} needs {weight.filename}, which is not in {places}; {how_to_bring(weight)}")


def _require(weight: WeightFile, path: Path, digest: str) -> None:
    if digest != weight.sha256:
        raise WeightsMismatch(
            f"{path} has sha256 {digest[:16]}…, {weight.name} must have {weight.sha256[:16]}…; "
            f"remove it, then {how_to_bring(weight)}"
        )
