"""Counting the records that could not be written, for the ``gap`` record that owns up to them."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from guardrail.audit.chain import iso

__all__ = ["RefusalCounter", "Refused"]


@dataclass(frozen=True, slots=True)
class Refused:
    """The records that this process could not write since its last success.

    Args:
        count: how many.
        since, until: when the first and the last of them were refused (UTC); ``None`` when there is none.
        cause: fixed word for why the first was: ``full``, ``read-only``, ``locked``, ``missing``, ``denied``,
            ``unopenable``, ``io``, ``corrupt`` or ``foreign``; empty when there is none.
    """

    count: int = 0
    since: datetime | None = None
    until: datetime | None = None
    cause: str = ""

    def followed_by(self, later: Refused) -> Refused:
        """Both as one."""
        if not (self.count and later.count):
            return self if self.count else later
        return Refused(self.count + later.count, self.since, later.until, self.cause)

    def gap(self) -> dict[str, Any]:
        """The body of a ``gap`` record."""
        assert self.since is not None
        assert self.until is not None
        return {"count": self.count, "from": iso(self.since), "to": iso(self.until), "cause": self.cause}


class RefusalCounter:
    """`Refused` of this process, with a lock of its own: the log's may be the one that cannot be had."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused = Refused()
        self._pid = os.getpid()

    def now(self) -> Refused:
        """What has been refused so far."""
        with self._lock:
            return self._mine()

    def add(self, records: int, cause: str) -> None:
        """Count `records` that were refused just now."""
        now = datetime.now(UTC)
        with self._lock:
            self._refused = self._mine().followed_by(Refused(records, now, now, cause))

    def take(self) -> Refused:
        """Begin to count anew and hand over what there was; whoever fails to record it brings it back."""
        with self._lock:
            taken, self._refused = self._mine(), Refused()
            return taken

    def bring_back(self, taken: Refused) -> None:
        """Undo `take`."""
        with self._lock:
            self._refused = taken.followed_by(self._mine())

    def _mine(self) -> Refused:
        if self._pid != os.getpid():  # a forked child did not refuse what its parent did
            self._pid, self._refused = os.getpid(), Refused()
        return self._refused
