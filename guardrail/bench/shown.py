"""A few rows by name: what slipped through with the lowest scores, and harmless ones stopped with the highest."""

from __future__ import annotations

import heapq
from typing import Any

from guardrail.bench.data import BENIGN, BLOCK, Row
from guardrail.bench.judging import ALLOWED, Judged
from guardrail.bench.text import visible

__all__ = ["Shown"]

LONGEST_TEXT = 500  # characters of a prompt that are shown

_Entry = tuple[float, int, dict[str, Any]]


class Shown:
    """At most `most` of each kind. Texts are kept only with `with_text`, and only of those."""

    def __init__(self, most: int, *, with_text: bool) -> None:
        self._most = most
        self._with_text = with_text
        self._missed: list[_Entry] = []
        self._alarms: list[_Entry] = []
        self._seen = 0

    def offer(self, row: Row, judged: Judged) -> None:
        """Take the row in if it is one of those to name."""
        self._seen += 1
        score = judged.score if judged.score is not None else 0.0
        if row.role == BLOCK and judged.action == ALLOWED:
            self._push(self._missed, -score, row, judged)
        elif row.role == BENIGN and judged.action != ALLOWED:
            self._push(self._alarms, score, row, judged)

    def _push(self, heap: list[_Entry], rank: float, row: Row, judged: Judged) -> None:
        if not self._most:
            return
        told: dict[str, Any] = {
            "row": row.name,
            "label": row.label,
            "action": ("allow", "alter", "block")[judged.action],
            "score": judged.score,
        }
        if self._with_text:
            cut = row.text[:LONGEST_TEXT]
            told["text"] = visible(cut) + ("…" if len(row.text) > len(cut) else "")
        # The earlier of two rows with the same score stays.
        entry = (rank, -self._seen, told)
        if len(heap) < self._most:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def to_json(self) -> dict[str, Any] | None:
        if not self._most:
            return None
        return {
            "with_text": self._with_text,
            "missed": [e[2] for e in sorted(self._missed, key=lambda e: e[:2], reverse=True)],
            "false_alarms": [e[2] for e in sorted(self._alarms, key=lambda e: e[:2], reverse=True)],
        }
