"""With what and where a run was made."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from guardrail import __version__
from guardrail.bench.files import sha256 as file_sha256

__all__ = ["commit", "environment", "load_average", "machine", "packages", "source", "written_commit", "written_date"]

_NAMED = (
    "numpy", "scipy", "pillow", "onnxruntime", "torch", "diffusers", "transformers", "tokenizers", "typer", "pyyaml",
)  # fmt: skip
_ROOT = Path(__file__).resolve().parents[3]


def environment(command: str, *, seed: int | None = None, workers: int = 1, also: Sequence[str] = ()) -> dict[str, Any]:
    """Date, command, machine, versions and commit.

    Args:
        also: packages whose versions matter to this run, besides the usual.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "seed": seed,
        "workers": workers,
        "machine": machine(),
        "load": load_average(),
        "guardrail": __version__,
        "commit": commit(),
        "source": source(),
        "packages": packages((*_NAMED, *also)),
    }


def machine() -> str:
    """Processor, cores, system and Python, for a report."""
    model = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass  # not Linux, or a processor that does not say: its architecture has to do
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def load_average() -> float | None:
    """How many processes wanted a core in the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def packages(names: Sequence[str]) -> dict[str, str]:
    """Versions of those that are installed."""
    found = {}
    for name in dict.fromkeys(names):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def source() -> str:
    """sha256 of the files of the package that runs: what was measured with other ones is of another guard.

    A commit does not tell: an installed package has none, and files that nobody added yet are in none.
    """
    package, found = _ROOT / "guardrail", sha256()
    files = (path for path in package.rglob("*") if path.suffix != ".pyc" and path.is_file())
    for path in sorted(files, key=lambda path: path.relative_to(package).as_posix()):
        name = path.relative_to(package).as_posix()
        found.update(f"{name}\0{file_sha256(path)}\n".encode())
    return found.hexdigest()


def commit(root: Path = _ROOT) -> str:
    """Of the working tree that guardrail runs from; where it was changed since, with ``+`` and 8 hex digits of the
    change. Empty where there is no such tree: `source` says what runs."""
    if not (root / ".git").exists():
        return ""
    try:
        head = _git(root, "rev-parse", "HEAD").decode("ascii").strip()
        changed = _git(
            root, "diff", "HEAD", "--binary", "--no-ext-diff", "--no-textconv", "--", "guardrail", "policies"
        )
    except (OSError, subprocess.SubprocessError):
        return ""  # no git here
    return head + (f"+{sha256(changed).hexdigest()[:8]}" if changed else "")


def written_commit(mark: str) -> str:
    """What `commit` gives, for a report: 12 digits of it and the whole mark of a change, ``5389a1b0c2d4+1f2e3d4c``."""
    head, plus, changed = mark.partition("+")
    return f"{head[:12]}{plus}{changed}" or "none"


def written_date(facts: Mapping[str, Any]) -> str:
    """Of `environment`: when, and with which guardrail."""
    return f"{facts['date']}, guardrail {facts['guardrail']}, commit {written_commit(facts['commit'])}"


def _git(root: Path, *arguments: str) -> bytes:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],  # noqa: S607
        capture_output=True,
        check=True,
        timeout=10,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        creationflags=0x08000000 if sys.platform == "win32" else 0,
    )
    return done.stdout
