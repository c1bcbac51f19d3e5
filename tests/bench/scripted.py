"""A check of prompts whose scores stand in the prompts themselves, so that every figure of a report is known."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.decision import EffectiveCheck
from guardrail.media import Request, Span, TextInput
from guardrail.signals import CORE, SignalSpec, Stage
from tests.scripted import install

POLICY = """policy: {id: scripted, version: 1.0.0}
thresholds: {sexual: {suggestive: 0.4, explicit: 0.7}}
rules:
  - {id: stop, at: prompt, when: {prompt.sexual: '>= explicit'}, then: block}
  - {id: steer, at: prompt, when: {prompt.sexual: '>= suggestive'}, then: {guide: {away_from: nudity}}}
"""
WORD = "marmalade"


class ScriptedText:
    """``prompt.sexual`` is the number after ``s=``; 0.9 for `WORD` in any case; no answer for ``broken``; the number
    after ``rest=``; else 0.1. `WORD` has a span, so that it can be taken out."""

    name = "sexual-text"
    version = "scripted"
    stages = frozenset({Stage.PROMPT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["prompt.sexual"], CORE["prompt.sexual_exempted"])
    inline = True
    timeout_s = 5.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        pass

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(request.texts[0].text) for request in batch]

    def _one(self, text: str) -> SignalValues | Failure:
        if "broken" in text:
            return Failure("scripted to fail")
        number, rest = re.search(r"\bs=([\d.]+)", text), re.search(r"rest=([\d.]+)", text)
        left = float(rest[1]) if rest else 0.1
        score = float(number[1]) if number else 0.9 if WORD in text.lower() else left
        spans = tuple(Span(0, *m.span(), "sexual", "explicit", 0.9) for m in re.finditer(WORD, text.lower()))
        return SignalValues({"prompt.sexual": score, "prompt.sexual_exempted": score}, spans)

    def attributed(self, texts: Sequence[TextInput], reference: bool) -> list[Span]:
        return []

    def warmup(self) -> None:
        pass

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version, {"scripted": "ab" * 32})


def scripted(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Install the check; the policy file for it."""
    install(monkeypatch, ScriptedText)
    path = folder / "scripted.yaml"
    path.write_text(POLICY, "utf-8")
    return path


def rows_file(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """The rows as JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


# (score, label, language, source): what became of them follows from the two thresholds 0.4 and 0.7.
TABLE: tuple[tuple[float, str, str, str], ...] = (
    (0.95, "sexual", "en", "a"),
    (0.80, "nudity", "en", "a"),
    (0.50, "sexual", "ko", "b"),
    (0.20, "sexual", "ko", "b"),
    (0.75, "benign", "en", "a"),
    (0.45, "benign", "en", "b"),
    (0.30, "benign", "ko", "b"),
    (0.10, "benign", "ko", "b"),
    (0.00, "benign", "ko", "b"),
    (0.90, "violence", "en", "a"),
)


def table_rows() -> list[dict[str, Any]]:
    return [
        {"text": f"secret orchard s={s:.2f}", "label": label, "lang": lang, "source": source, "id": f"row-{i}"}
        for i, (s, label, lang, source) in enumerate(TABLE)
    ]
