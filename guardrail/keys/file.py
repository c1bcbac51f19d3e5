"""Writing a keyring file: private, as a whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from guardrail.drafts import draft_of, write_whole
from guardrail.errors import KeyringError

__all__ = ["create", "replace", "writing"]


def create(path: Path, content: object) -> bool:
    """Make the file unless another process was faster. The link is atomic: nobody ever reads half a file.

    Raises:
        KeyringError: it cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(path) as draft:
            write_whole(draft, _content(content), private=True)
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
    return True


def replace(path: Path, content: object) -> None:
    """Put `content` in the place of the file, as a whole or not at all."""
    write_whole(path, _content(content), private=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises what the system says of `path` as a KeyringError with the mend."""
    try:
        yield
    except OSError as error:
        raise KeyringError(
            f"{path} cannot be written ({error.strerror or type(error).__name__}); set GUARDRAIL_HOME to a folder "
            f"that can be, or give the key by $GUARDRAIL_KEY or $GUARDRAIL_KEY_FILE"
        ) from None


def _content(content: object) -> bytes:
    return json.dumps(content, indent=1).encode()
