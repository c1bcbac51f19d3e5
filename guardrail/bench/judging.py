"""One prompt through the guard, timed; what a sample says of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from guardrail.bench.data import Row
from guardrail.bench.workers import one_core
from guardrail.decision import Action, Decision, Stage
from guardrail.guard import Guard

__all__ = ["ALLOWED", "ALTERED", "BLOCKED", "REFUSED", "SIGNAL", "Judged", "judged", "one_core", "sample_of"]

ALLOWED, ALTERED, BLOCKED = 0, 1, 2
SIGNAL = "prompt.sexual"
REFUSED = "refused"
"""How a cause begins that lies in the prompt (too long) and not in a check that failed."""

_CODES = {Action.ALLOW: ALLOWED, Action.LABEL: ALLOWED, Action.ALTER: ALTERED, Action.BLOCK: BLOCKED}
_NAMES = ("allow", "alter", "block")


class Judged(NamedTuple):
    """The decision on a prompt.

    Args:
        action: `ALLOWED`, `ALTERED` or `BLOCKED`.
        score: ``prompt.sexual`` in 0..1; None where it is missing or the policy does not ask for it.
        cause: why it was blocked unread, without content; empty where a rule decided. It counts as blocked.
        ms: wall time of the whole decision.
        cpu_ms: processor time that this process spent on it: what is left of `ms` on a machine that others use too.
        rules: ids of the rules that acted.
        bypassed: of a prompt that was rewritten, whether the new text still shows what it must not (see `judged`);
            None where no text was changed.
        parts: milliseconds by part of the decision, as `Decision.timings_ms` has them.
    """

    action: int
    score: float | None
    cause: str
    ms: float
    cpu_ms: float
    rules: tuple[str, ...] = ()
    bypassed: bool | None = None
    parts: Mapping[str, float] = {}


def judged(guard: Guard, text: str, lowest: float | None = None) -> Judged:
    """What the guard decides about a prompt on its own.

    A prompt that it rewrote is put to it once more, as the text that the generator gets. It is bypassed where that text
    is stopped again or scores `lowest` or more: the alteration left in it what it was to take out. A prompt that is
    only steered (``guide``) keeps its text; whether that helps shows in pictures, so nothing is said of it here.

    Args:
        lowest: the lowest limit that the policy sets for ``prompt.sexual``; None where it sets none.
    """
    begun, spent = time.perf_counter(), time.process_time()
    decision = guard.check_prompt(text)
    ms, cpu_ms = (time.perf_counter() - begun) * 1e3, (time.process_time() - spent) * 1e3
    rewritten = _rewritten(decision)
    bypassed = None
    if rewritten is not None:
        again = guard.check_prompt(rewritten)
        score = _score(again)
        bypassed = _CODES[again.action] != ALLOWED or (score is not None and lowest is not None and score >= lowest)
    return Judged(
        _CODES[decision.action],
        _score(decision),
        _cause(decision),
        ms,
        cpu_ms,
        decision.rules,
        bypassed,
        decision.timings_ms,
    )


def sample_of(row: Row, answer: Judged, *, text: str | None = None) -> dict[str, Any]:
    """A line of results.jsonl. The score has six digits: more would not be the same on every processor.

    Args:
        text: written along where it is given.
    """
    sample: dict[str, Any] = {
        "id": row.name,
        "role": row.role,
        "label": row.label,
        "lang": row.lang,
        "source": row.source,
        "attack": row.attack,
        "group": row.group,
        "pair": row.pair,
        "action": _NAMES[answer.action],
        "score": None if answer.score is None else round(answer.score, 6),
        "cause": answer.cause,
        "rules": list(answer.rules),
        "ms": round(answer.ms, 4),
        "cpu_ms": round(answer.cpu_ms, 4),
    }
    if answer.bypassed is not None:
        sample["bypassed"] = answer.bypassed
    return sample | ({} if text is None else {"text": text})


def _score(decision: Decision) -> float | None:
    score = decision.signals.get(SIGNAL)
    return score if isinstance(score, float) else None


def _rewritten(decision: Decision) -> str | None:
    """The text that the generator gets in the place of the prompt; None where it is the same."""
    if decision.action is not Action.ALTER:
        return None
    texts = [a.text for a in decision.alterations if a.text is not None and a.stage is Stage.PROMPT]
    return texts[-1] if texts else None


def _cause(decision: Decision) -> str:
    """A rule blocks on what it knows; all other blocks are for want of knowledge."""
    blocking = [r for r in decision.reasons if r.effect is Action.BLOCK and not r.shadow]
    if not decision.blocked or any(r.kind == "rule" for r in blocking):
        return ""
    for reason in blocking:
        if reason.kind == "missing":
            return reason.describe()
        if reason.kind == "input":
            return f"{REFUSED}: {reason.cause.partition(':')[0]}"
    return blocking[0].kind if blocking else "unknown"
