"""Reading the whole chain again."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from guardrail.audit.chain import CHECKPOINT_FORMAT, Chain, Receipt
from guardrail.audit.store import Store
from guardrail.errors import AuditBroken

__all__ = ["Problem", "VerifyReport", "log_id_of", "verify_chain"]

Problem = Literal["", "changed", "order", "missing", "cut", "key", "log", "checkpoint", "corrupt"]

_PAGE = 1024
"""Records held in memory at a time, near 2 MiB; also how long an append of the same process may wait: about 3 ms."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What verification found.

    Args:
        ok: every record verifies, and the checkpoint, if one was given, lies on this chain.
        records: how many records were found good before the first bad one.
        first_bad: place of the first bad record; ``None`` when none is.
        problem: empty when ok. ``changed``: the record's body, time, type or hash. ``order``: it does not follow the
            one before it (inserted, moved, or its link changed). ``missing``: it was removed. ``cut``: records that the
            checkpoint saw are gone from the end. ``key``: the log was written with another key. ``log``: this is not
            the log of the checkpoint, or not the same history. ``checkpoint``: the checkpoint itself was changed or
            signed with another key. ``corrupt``: the database cannot be read from here on.
        detail: the same in a sentence.
        log_id: id of the log, empty when it cannot be known.
        head: the last good record.
        checkpoint_seq: place that the checkpoint vouches for; ``None`` without one.
        seconds: wall time.
    """

    ok: bool
    records: int
    first_bad: int | None
    problem: Problem
    detail: str
    log_id: str
    head: Receipt | None
    checkpoint_seq: int | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON."""
        return {
            "ok": self.ok,
            "records": self.records,
            "first_bad": self.first_bad,
            "problem": self.problem,
            "detail": self.detail,
            "log_id": self.log_id,
            "head": {"seq": self.head.seq, "hash": self.head.hash} if self.head else None,
            "checkpoint_seq": self.checkpoint_seq,
            "seconds": round(self.seconds, 3),
        }


class _Bad(Exception):
    # A finding on its way out of the walk, no error.
    def __init__(self, problem: Problem, seq: int | None, detail: str) -> None:
        self.problem, self.seq, self.detail = problem, seq, detail
        super().__init__(detail)


def log_id_of(store: Store) -> str:
    """The id in the first record, which is not verified here; empty when there is none."""
    rows = store.rows("SELECT body FROM events WHERE seq = 1 AND type = 'opened'")
    return _opened(rows[0][0]).get("log_id", "") if rows else ""


def _opened(body: object) -> dict[str, str]:
    try:
        fields = json.loads(body) if isinstance(body, bytes) else None
    except ValueError:
        return {}
    return {k: v for k, v in fields.items() if isinstance(v, str)} if isinstance(fields, dict) else {}


def verify_chain(store: Store, chain: Chain, key_id: str, checkpoint: Mapping[str, Any] | None) -> VerifyReport:
    """See `AuditLog.verify`."""
    start = time.perf_counter()
    walk = _Walk(store, chain)
    seq = None
    problem: Problem = ""
    first_bad, detail = None, ""
    try:
        walk.begin(key_id)
        if checkpoint is not None:
            seq = _checkpoint_seq(chain, checkpoint)
            if walk.log_id and checkpoint.get("log_id") != walk.log_id:
                raise _Bad("log", 1, "this is another log than the checkpoint's")
        walk.run(seq, checkpoint)
    except _Bad as bad:
        problem, first_bad, detail = bad.problem, bad.seq, bad.detail
    except AuditBroken as broken:
        problem, first_bad, detail = "corrupt", walk.seq + 1, str(broken)
    head = Receipt(walk.seq, walk.prev.hex()) if walk.seq else None
    seconds = time.perf_counter() - start
    return VerifyReport(not problem, walk.seq, first_bad, problem, detail, walk.log_id, head, seq, seconds)


def _checkpoint_seq(chain: Chain, checkpoint: Mapping[str, Any]) -> int:
    seq = checkpoint.get("seq")
    if checkpoint.get("format") != CHECKPOINT_FORMAT or not isinstance(seq, int) or isinstance(seq, bool) or seq < 1:
        raise _Bad("checkpoint", None, f"the checkpoint is not of the format {CHECKPOINT_FORMAT}")
    if not chain.signature_holds(checkpoint):
        raise _Bad("checkpoint", None, "the checkpoint was changed, or signed with another key")
    return seq


class _Walk:
    """From the first record to the last; `seq` and `prev` are place and hash of the last good one."""

    def __init__(self, store: Store, chain: Chain) -> None:
        self.store, self.chain = store, chain
        self.seq, self.prev = 0, chain.genesis
        self.log_id = ""
        self._page_records = _PAGE

    def begin(self, key_id: str) -> None:
        """Tell a wrong key from a changed first record: only with the right key is the constant before it the same."""
        rows = self.store.rows("SELECT prev, seq, time, type, body, hash FROM events WHERE seq = 1")
        if not rows:
            return  # `run` says what is missing
        fields = _opened(rows[0][4])
        if rows[0][0] != self.chain.genesis and not self.chain.holds(self.chain.genesis, *rows[0][1:]):
            named = fields.get("key_id", "")
            other = f"its first record names the key {named!r}, the one given is {key_id!r}" if named != key_id else ""
            raise _Bad("key", 1, "the log was written with another key" + (f": {other}" if other else ""))
        self.log_id = fields.get("log_id", "")

    def run(self, checkpoint_seq: int | None, checkpoint: Mapping[str, Any] | None) -> None:
        """Check page after page. Each page is a snapshot of its own: records once written do not change."""
        sql = "SELECT seq, time, type, body, prev, hash FROM events NOT INDEXED {} ORDER BY seq LIMIT ?"
        # No lower bound at first: a record in front of the first is found as well.
        while rows := self._read(sql.format("WHERE seq > ?" if self.seq else ""), (self.seq,) if self.seq else ()):
            mark = checkpoint_seq if checkpoint_seq is not None and checkpoint_seq > self.seq else None
            self._page(rows, mark, str(checkpoint["hash"]) if checkpoint else "")
        if self.seq == 0:
            raise _Bad("missing", 1, "the log has no record; every log begins with one")
        if checkpoint_seq is not None and checkpoint_seq > self.seq:
            raise _Bad("cut", self.seq + 1, f"records {self.seq + 1} to {checkpoint_seq} were cut off at the end")

    def _read(self, sql: str, after: tuple[int, ...]) -> list[tuple[Any, ...]]:
        try:
            return self.store.rows(sql, (*after, self._page_records))
        except AuditBroken:
            # Somewhere in this page the file is corrupt: go on one by one, to name the record.
            if self._page_records == 1:
                raise
            self._page_records = 1
            return self.store.rows(sql, (*after, 1))

    def _page(self, rows: list[tuple[Any, ...]], mark: int | None, marked_hash: str) -> None:
        link, seq, prev = self.chain.link, self.seq, self.prev
        try:
            for found, time_us, type_, body, stored_prev, stored in rows:
                if found != seq + 1:
                    raise _out_of_place(seq + 1, found)
                if stored_prev != prev:
                    raise _Bad("order", found, f"record {found} does not follow the record before it")
                try:
                    expected = link(prev, found, time_us, type_, body)
                except (struct.error, TypeError):
                    expected = b""
                if stored != expected:
                    raise _Bad("changed", found, f"record {found} was changed")
                if found == mark and stored.hex() != marked_hash:
                    raise _Bad("log", found, f"record {found} is not the one that the checkpoint saw")
                seq, prev = found, stored
        finally:
            self.seq, self.prev = seq, prev


def _out_of_place(expected: int, found: object) -> _Bad:
    if not isinstance(found, int):  # the table itself was changed: a number is all that its primary key can hold
        return _Bad("corrupt", expected, f"a record without a place stands where record {expected} should")
    if found > expected:
        gone = f"record {expected} is" if found == expected + 1 else f"records {expected} to {found - 1} are"
        return _Bad("missing", expected, f"{gone} missing")
    return _Bad("order", found, f"a record {found} stands where record {expected} should")
