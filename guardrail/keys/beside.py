"""What lies beside a keyring and opens with its keys only: a new key made there would open none of it."""

from __future__ import annotations

from pathlib import Path

from guardrail.errors import KeyringError

__all__ = ["require_nothing_sealed", "sealed_beside"]

# Of the rooms `gallery` and `known`, which import this one. Lists that start with a dot are drafts.
_SEALED = ("gallery.sqlite", "known/[!.]*.hashes")


def sealed_beside(folder: Path) -> tuple[Path, ...]:
    """The gallery and the lists of known images in a data folder. Files without content are none: nothing is sealed."""
    found = [path for pattern in _SEALED for path in sorted(folder.glob(pattern))]
    return tuple(path for path in found if path.is_file() and path.stat().st_size)


def require_nothing_sealed(folder: Path) -> None:
    """Refuses a data folder from which the keyring is gone.

    Raises:
        KeyringError: something there was sealed under a key that is not here; it names the first such file.
    """
    try:
        found = sealed_beside(folder)
    except OSError as error:
        raise KeyringError(f"{folder} cannot be read: {error.strerror or type(error).__name__}") from None
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise KeyringError(
            f"{folder / 'keyring.json'} is gone, and {found[0]}{more} was sealed with its key: put your keyring back, "
            "or give the key by $GUARDRAIL_KEY or $GUARDRAIL_KEY_FILE. To begin anew, move what was sealed away first: "
            "without its key nobody can open it"
        )
