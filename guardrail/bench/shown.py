"""A few rows by name: what slipped through with the lowest scores, and harmless ones stopped with the highest."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any

from guardrail.bench.data import BENIGN, BLOCK
from guardrail.bench.tables import Sheet
from guardrail.bench.text import visible

__all__ = ["Shown"]

LONGEST_TEXT = 500  # characters of a prompt that are shown

_Entry = tuple[float, int, tuple[str, ...]]


class Shown:
    """At most `most` of each kind, out of the samples; with their texts where the samples have them."""

    def __init__(self, most: int, *, texts: bool) -> None:
        self._most = most
        self._texts = texts
        self._missed: list[_Entry] = []
        self._alarms: list[_Entry] = []
        self._seen = 0

    def offer(self, sample: Mapping[str, Any]) -> None:
        """Take the sample in if it is one of those to name."""
        self._seen += 1
        if not self._most or "of" in sample:
            return
        score = sample["score"] if sample["score"] is not None else 0.0
        if sample["role"] == BLOCK and sample["action"] == "allow":
            self._push(self._missed, -score, sample)
        elif sample["role"] == BENIGN and sample["action"] != "allow":
            self._push(self._alarms, score, sample)

    def _push(self, heap: list[_Entry], rank: float, sample: Mapping[str, Any]) -> None:
        score = "–" if sample["score"] is None else f"{sample['score']:.3f}"
        told = [sample["id"], sample["label"], sample["action"], score]
        if self._texts:
            cut = str(sample.get("text", ""))[:LONGEST_TEXT]
            told.append(visible(cut) + ("…" if len(sample.get("text", "")) > len(cut) else ""))
        # The earlier of two rows with the same score stays.
        entry = (rank, -self._seen, tuple(told))
        if len(heap) < self._most:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def sheets(self) -> Iterator[Sheet]:
        """The two tables, those that have rows."""
        head = ("row", "label", "decision", "score") + (("text",) if self._texts else ())
        note = "This table holds prompts, because --keep-text asked for it." if self._texts else ""
        for title, heap in (
            ("Allowed, lowest scores first", self._missed),
            ("Harmless but stopped, highest first", self._alarms),
        ):
            if heap:
                rows = tuple(e[2] for e in sorted(heap, key=lambda e: e[:2], reverse=True))
                yield Sheet(title, head, rows, note, words=5)
