"""Where a rule file is: a path, the name of a shipped policy, and the test file beside it."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from guardrail.errors import Finding, PolicyError
from guardrail.policy.findings import near

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["locate", "read_bytes", "tests_beside"]


def locate(source: str | PathLike[str], shipped: Path | None) -> Path:
    """The file that `source` means.

    Args:
        source: a path, or a bare name such as ``"default"`` that is looked up in `shipped`.

    Raises:
        PolicyError: no shipped policy has the name.
    """
    from pathlib import Path  # 4 ms to import, which evaluating a loaded policy does not need

    bare = isinstance(source, str) and not any(sign in source for sign in "/\\.")
    if shipped is None or not bare:
        return Path(source)
    path = shipped / f"{source}.yaml"
    if not path.is_file():
        names = sorted(p.stem for p in shipped.glob("*.yaml") if not p.name.endswith(".test.yaml"))
        raise PolicyError(
            [Finding("GP011", str(source), 0, 0, "no shipped policy has this name", near(str(source), names))]
        )
    return path


def read_bytes(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a file.

    Raises:
        PolicyError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        why = getattr(error, "strerror", None) or "not a usable path"
        finding = Finding("GP011", str(path), 0, 0, f"the file cannot be read: {why}", "check the path")
        raise PolicyError([finding]) from error


def tests_beside(path: Path) -> Path:
    """Where the tests of a rule file stand that are not in it: ``default.yaml`` → ``default.test.yaml``."""
    return path.with_name(f"{path.stem}.test{path.suffix}")
