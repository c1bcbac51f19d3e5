"""Under which key an existing log is: it has one for life, and the keyring may have a newer one by now."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from guardrail.audit.connection import connect, patiently

__all__ = ["key_id_of"]


def key_id_of(path: Path, timeout_s: float = 5.0) -> str:
    """The id of the key that the first record of the log names, unverified; empty where there is none to be read.

    A wrong one is no harm: the log is verified under the key that was chosen by it.
    """
    if not path.is_file():
        return ""
    try:
        with closing(connect(path)) as connection:
            sql = "SELECT body FROM events WHERE seq = 1 AND type = 'opened'"
            rows = patiently(connection, sql, (), time.monotonic() + timeout_s)
        said = json.loads(rows[0][0])["key_id"] if rows else ""
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError):
        return ""
    return said if isinstance(said, str) else ""
