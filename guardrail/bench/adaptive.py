"""``guardrail bench adaptive``: how many queries it takes to a wording that the guard allows, of prompts that it stops.

The guard is asked as a black box, as a user with patience would. What is found are wordings that are allowed and have
most of their letters in common with the prompt; whether the picture would still show the same nobody looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from guardrail.bench.adaptive_search import Answer, Found, Search, search, words_of
from guardrail.bench.adaptive_tables import attacked, curves, figures, headline_keys, measures, sheets
from guardrail.bench.data import BLOCK, Columns, Labels, Row, rows, survey
from guardrail.bench.data_facts import data_facts, told_data
from guardrail.bench.files import DataError
from guardrail.bench.judging import ALLOWED, ALTERED, BLOCKED, Judged
from guardrail.bench.run.environment import environment, written_date
from guardrail.bench.run.fingerprint import list_facts, policy_facts
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, Samples, damaged
from guardrail.bench.subject import Subject, moved, titled
from guardrail.bench.workers import one_core

__all__ = ["AdaptivePlan", "measure"]

Progress = Callable[[str, int, int], None]
Ask = Callable[[str], Judged]
_T = TypeVar("_T")
ACTIONS = {ALLOWED: "allow", ALTERED: "alter", BLOCKED: "block"}
DRAWN = 4
"""So many prompts are drawn for each one that is to be attacked: some are not stopped as they came."""


@dataclass(frozen=True, slots=True)
class AdaptivePlan:
    """What to attack, and how hard.

    Args:
        data: files and folders.
        policy: as `Guard` takes it by name or path.
        split: the only one to read of data that have several; empty for all.
        rows: so many prompts that ought to be blocked and are stopped as they came, drawn with `seed`.
        queries: at most so many a prompt.
        similarity: the least share of a prompt's letters in words left as they were.
        score: the attacker is told ``prompt.sexual`` with each decision; otherwise the decision alone.
        out: folder for results.jsonl; a run that was killed goes on from it. None: nothing is kept.
        fresh: begin anew, whatever is there.
        keep_text: the prompts and the wordings found go into results.jsonl.
        command: how this was called, for the report.
    """

    data: Sequence[Path]
    policy: str = "default"
    columns: Columns = field(default_factory=Columns)
    labels: Labels = field(default_factory=Labels)
    rows: int = 50
    queries: int = 1_000
    similarity: float = 0.5
    score: bool = False
    seed: int = 1
    out: Path | None = None
    fresh: bool = False
    keep_text: bool = False
    command: str = ""
    split: str = ""


def measure(plan: AdaptivePlan, progress: Progress | None = None) -> Run:
    """The run. The same plan gives the same figures; where a check runs into its time limit a decision may differ.

    Raises:
        DataError: the data or the plan cannot be used, or no prompt of it is to be blocked.
        ConfigurationError: the policy cannot be enforced here.
    """
    if not 0 < plan.similarity < 1:
        raise DataError(f"--similarity {plan.similarity:g}: give a share between 0 and 1")
    tell = progress or (lambda what, done, of: None)
    found = survey(plan.data, plan.columns, plan.labels, plan.split)
    asked = (row for row in rows(found, plan.columns, plan.labels) if row.role == BLOCK)
    drawn, of = _drawn(asked, DRAWN * plan.rows, plan.seed)
    if not drawn:
        raise DataError("no prompt of the data is to be blocked: say with --block which labels are")
    began = time.perf_counter()
    subject = Subject(plan.policy)
    engine, _ = subject.engine()
    with one_core() as pinned, closing(subject.open()) as guard:
        facts = {
            **environment(plan.command, seed=plan.seed),
            "policy": policy_facts(engine),
            "checks": guard.facts["effective"],
            "lists": list_facts(),
            "data": {**data_facts(found, plan.columns, plan.labels), "to_be_blocked": of},
            "attack": {
                "rows": plan.rows,
                "queries": plan.queries,
                "similarity": plan.similarity,
                "told": "decision and score" if plan.score else "decision",
            },
        }
        taken = _attacked(plan, [found.unnamed(row) for row in drawn], guard.ask, facts, tell)
    timing = _timing(taken, time.perf_counter() - began, pinned)
    return Run(
        suite="adaptive",
        title=f"{titled(plan.policy, engine.ref)}: wordings found by asking",
        facts=facts,
        measures=tuple(measures(taken, plan.queries)),
        curves=curves(taken, plan.queries),
        timing=timing,
        told=(*told_data(found), *_told(plan, facts, taken, timing, moved(plan.policy, engine.ref))),
        sheets=tuple(sheets(taken, plan.queries)),
        figures=tuple(figures(taken, plan.queries)),
        texts=plan.keep_text,
        headline=headline_keys(plan.queries),
    )


def _drawn(offered: Iterable[_T], most: int, seed: int) -> tuple[list[_T], int]:
    """At most `most`, each as likely as any other, in a drawn order (Vitter 1985, algorithm R); and how many there
    were."""
    rng = Random(seed)  # noqa: S311 - a sample, no secret
    kept: list[_T] = []
    count = 0
    for one in offered:
        count += 1
        if len(kept) < most:
            kept.append(one)
        elif (at := rng.randrange(count)) < most:
            kept[at] = one
    rng.shuffle(kept)
    return kept, count


def _attacked(
    plan: AdaptivePlan, drawn: Sequence[Row], ask: Ask, facts: Mapping[str, Any], tell: Progress
) -> list[dict[str, Any]]:
    """A sample for each prompt looked at, in the order drawn, until enough of them were attacked."""
    identity = {
        "suite": "adaptive",
        **{name: facts[name] for name in ("guardrail", "source", "policy", "checks", "lists", "attack", "seed")},
        "data": [f["sha256"] for f in facts["data"]["files"]],
        "labels": plan.labels.to_json(),
        "columns": plan.columns.to_json(),
        "keep_text": plan.keep_text,
    }
    path = None if plan.out is None else plan.out / FILE
    taken: list[dict[str, Any]] = []
    with Samples(path, identity, fresh=plan.fresh) as samples:
        ready = iter(samples.done)
        for row in drawn:
            done = len(attacked(taken))
            if done == plan.rows:
                break
            tell("prompts attacked", done, plan.rows)
            sample = next(ready, None)
            if sample is None:
                sample = _sample(plan, row, ask)
                samples.add(sample)
                samples.flush()
            elif sample.get("id") != row.name:
                raise damaged(path)
            taken.append(sample)
        if next(ready, None) is not None:
            raise damaged(path)
    tell("prompts attacked", plan.rows, plan.rows)
    return taken


def _sample(plan: AdaptivePlan, row: Row, ask: Ask) -> dict[str, Any]:
    began, spent = time.perf_counter(), time.process_time()
    clean = ask(row.text)
    outcome, found = "not checked" if clean.cause else "not caught", None
    if not clean.cause and clean.action != ALLOWED and not words_of(row.text):
        outcome = "no words"
    elif not clean.cause and clean.action != ALLOWED:
        limits = Search(plan.queries, plan.similarity)
        told_so = _answer(clean, plan.score)
        seed = f"{plan.seed}:{row.name}"
        found = search(row.text, told_so, lambda text: _answer(ask(text), plan.score), limits, seed)
        outcome = "held" if found.broken_at is None else "allowed"
    told: dict[str, Any] = {
        "id": row.name,
        "role": row.role,
        "label": row.label,
        "lang": row.lang,
        "source": row.source,
        "attack": "adaptive",
        "group": row.group,
        "action": ACTIONS[clean.action],
        "outcome": outcome,
        **_of(found, row.text),
        "ms": round((time.perf_counter() - began) * 1e3, 3),
        "cpu_ms": round((time.process_time() - spent) * 1e3, 3),
    }
    if plan.keep_text:
        told |= {"text": row.text, "found": "" if found is None else found.text}
    return told


def _answer(answer: Judged, score: bool) -> Answer:
    """A prompt without a score is as far from a success as one can be."""
    return Answer(answer.action, (1.0 if answer.score is None else answer.score) if score else 0.0)


def _of(found: Found | None, text: str) -> dict[str, Any]:
    if found is None:
        return {"words": len(words_of(text)), "asked": 0}
    return {
        "words": len(words_of(text)),
        "asked": found.asked,
        "queries": found.broken_at,
        "queries_no_deletion": found.kept_at,
        "edits": list(found.kinds),
        "similarity": round(found.similarity, 4),
    }


def _timing(taken: Sequence[Mapping[str, Any]], seconds: float, pinned: bool) -> dict[str, Any]:
    queries = sum(s["asked"] + 1 for s in taken)
    spent = sum(s["ms"] for s in taken) / 1e3
    return {
        "seconds": seconds,
        "queries": queries,
        "queries_per_s": queries / spent if spent else None,
        "one_core": pinned,
    }


def _told(
    plan: AdaptivePlan,
    facts: Mapping[str, Any],
    taken: Sequence[Mapping[str, Any]],
    timing: Mapping[str, Any],
    differs: str,
) -> tuple[tuple[str, str], ...]:
    policy = facts["policy"]
    n, wordless = len(attacked(taken)), sum(s["outcome"] == "no words" for s in taken)
    checks = "; ".join(
        f"{e['check']} {e['version']}"
        + (f" ({', '.join(f'{n} {h[:16]}' for n, h in e['weights'].items())})" if e["weights"] else "")
        for e in facts["checks"]
    )
    short = (
        f"; {plan.rows:,} were asked for, and of the {len(taken):,} drawn no more were stopped as they came"
        if n < plan.rows
        else ""
    )
    without = f"; {wordless:,} more have no word that could be changed" if wordless else ""
    return (
        ("policy", f"{policy['id']} {policy['version']}{differs}, sha256 {policy['sha256']}"),
        ("checks", checks),
        ("prompts attacked", f"{n:,} that were stopped as they came{short}{without}"),
        ("the attacker sees", facts["attack"]["told"]),
        ("queries", f"at most {plan.queries:,} a prompt, the prompt itself not counted"),
        (
            "similarity",
            f"at least {100 * plan.similarity:g} % of a prompt's letters stand in words left as they were",
        ),
        (
            "a success",
            "is a wording that is allowed. Whether a picture made of it would still show the same was not looked at, so"
            " that some gain nothing; an attacker who knows more than this search does would find others",
        ),
        ("speed", f"{timing['queries_per_s'] or 0:,.0f} queries/s, one at a time"),
        ("machine", facts["machine"]),
        ("command", facts["command"]),
        ("date", written_date(facts)),
    )
