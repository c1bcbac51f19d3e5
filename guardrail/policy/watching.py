"""Noticing that rule files changed.

A change is found by content: the time of a file says nothing where it was restored, copied or swapped behind a link. A
file is taken when two looks in a row see the same bytes, since half a rule file is often a valid one with fewer rules.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from guardrail.errors import ConfigurationError, GuardrailError
from guardrail.policy.files import tests_beside
from guardrail.policy.model import Policy

__all__ = ["DEFAULT_POLL_S", "Watch", "files_of", "fingerprint", "seconds_between"]

DEFAULT_POLL_S = 2.0
"""Hashing the default policy and its tests takes 0.1 ms: a two-second poll is 0.01 % of a core."""

_PATIENCE_S = 10.0  # making a guard's checks anew takes under two seconds; what hangs in native code never ends

_log = logging.getLogger("guardrail")


def seconds_between(reload: object) -> float | None:
    """Seconds between two looks for what a caller says: False, True or a number of seconds.

    Raises:
        ConfigurationError: it is none of these.
    """
    if isinstance(reload, bool):
        return DEFAULT_POLL_S if reload else None
    if isinstance(reload, int | float) and 0 < reload <= threading.TIMEOUT_MAX:
        return float(reload)
    shown = f"{reload!r}" if isinstance(reload, int | float) else type(reload).__name__
    raise ConfigurationError(f"reload is False, True, or seconds between two looks, above 0; not {shown}")


def files_of(policy: Policy) -> tuple[Path, ...]:
    """The files on which a policy depends: its own, everything that it extends, and the tests beside it."""
    sources = getattr(policy, "sources", ()) or (policy.path,)
    return tuple(dict.fromkeys([*map(Path, sources), tests_beside(Path(policy.path))]))


def fingerprint(files: Iterable[Path]) -> Mapping[Path, str]:
    """The sha256 of each file; empty where it cannot be read."""
    return {file: _sha256(file) for file in files}


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except (OSError, ValueError):  # ValueError: a null byte in the path
        return ""


class Watch:
    """Calls `changed` in a thread of its own, when the bytes of one of some files are no longer what they were.

    The thread is a daemon and ends with `stop`, or when the owner of `changed` is gone.

    Args:
        files: what to look at; asked for anew at each look, since a policy may come to extend another file.
        changed: a method; what it raises is logged and does not end the watch.
        every_s: seconds between two looks.
    """

    def __init__(self, files: Callable[[], Iterable[Path]], changed: Callable[[], Any], every_s: float) -> None:
        # Weak, so that a guard that nobody closes can go: its thread does not keep it.
        self._files = weakref.WeakMethod(files)
        self._changed = weakref.WeakMethod(changed)
        self._every_s = every_s
        self._taken: Mapping[Path, str] = {}
        self._seen: Mapping[Path, str] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def take(self, seen: Mapping[Path, str]) -> None:
        """These bytes are known: only others count as a change."""
        self._taken = self._seen = seen

    def start(self) -> None:
        """Begin, or begin again in a process that was forked from the one that began: threads do not come along."""
        if self._pid != os.getpid() and not self._stopping.is_set():
            self._pid = os.getpid()
            self._stopping = threading.Event()
            self._thread = threading.Thread(target=self._run, name="guardrail-reload", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End it. What `changed` is doing just then is waited for, for a while."""
        self._stopping.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and self._pid == os.getpid():
            thread.join(_PATIENCE_S)

    def look(self) -> bool:
        """Look once; True where there is a change that has settled, which is then taken."""
        files = self._files()
        if files is None:
            return False
        now = fingerprint(files())
        # A file that is newly watched, and was not read before, is no change.
        settled, self._seen = now == self._seen, now
        if now == self._taken or not settled:
            return False
        self._taken = now
        return True

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            if self.look():
                changed = self._changed()
                if changed is None:
                    return
                try:
                    changed()
                except GuardrailError:
                    pass  # was said where it was raised
                except Exception:  # noqa: BLE001 - a watch that ended without a word would leave old rules in force for good
                    _log.exception("reloading the policy failed")
                del changed
            elif self._files() is None:
                return
