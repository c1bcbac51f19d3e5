"""``guardrail bench peers``: guardrail and everybody else that runs here, on the same rows, as one `Run`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

from guardrail.bench.peers import engines, tables
from guardrail.bench.peers.base import Opened, Peer
from guardrail.bench.peers.figures import Answers, agreements, latency, rates, roc, silent
from guardrail.bench.peers.judging import ask_all
from guardrail.bench.peers.learned import Training, read_training
from guardrail.bench.peers.plan import PeerPlan
from guardrail.bench.peers.published import default_file, read_published, sheet
from guardrail.bench.peers.registry import REFERENCES, chosen, known
from guardrail.bench.peers.rows import Rows, rows_of
from guardrail.bench.run.environment import environment, written_date
from guardrail.bench.run.measures import Measure, by_key
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, Samples
from guardrail.bench.tables import Sheet
from guardrail.bench.workers import one_core
from guardrail.errors import ConfigurationError

__all__ = ["peers_run"]

Tell = Callable[[str, int, int], None]
_FIRST = ("block_rate", "over_block_rate", "agreement_rate")  # what a reader looks for, peer by peer
_TITLES = {"text": "Prompt filters", "image": "Nudity detectors", "engine": "Policy engines"}
_PACKAGES = (
    "better-profanity",
    "scikit-learn",
    "nudenet",
    "cel-expr-python",
    "cel-python",
    "cedarpy",
    "regopy",
    "timm",
)
LOOP_CALLS = 2_000  # of one decision, for the time of an engine


def peers_run(
    plan: PeerPlan, out: Path | None, progress: Tell | None = None, *, peers: Sequence[Peer] | None = None
) -> Run:
    """Ask all peers about all rows.

    Args:
        out: where results.jsonl is written, and gone on from; None for nowhere.
        progress: told (what is done, how many so far, of how many).
        peers: instead of those of the registry; for tests.

    Raises:
        DataError: the data or the samples cannot be used.
        ConfigurationError: guardrail itself, which the others are compared with, does not run.
    """
    tell = progress or (lambda what, done, of: None)
    facts = environment(plan.command, seed=plan.seed, also=_PACKAGES)
    figures = _published(plan)
    rows = rows_of(plan)
    all_peers = list(peers) if peers is not None else known(plan, _training(plan, rows))
    running, not_run = chosen(plan, all_peers)
    with ExitStack() as stack:
        pinned = stack.enter_context(one_core())
        opened, opening = _open(running, not_run, REFERENCES[plan.kind], stack, tell)
        running = [peer for peer in running if peer.name in opened]
        judges = {name: one.judge for name, one in opened.items()}
        identity = _identity(plan, facts, rows, running, opened)
        with Samples(out / FILE if out is not None else None, identity, fresh=plan.fresh) as samples:
            asked = ask_all(rows.items, judges, samples, rows.total, tell)
        loops = {n: engines.loops(judge, LOOP_CALLS) for n, judge in judges.items()} if plan.kind == "engine" else {}
    answers = Answers(asked, [peer.name for peer in running])
    not_run |= silent(answers)
    measures = tuple(_measures(plan, answers))
    curves = {} if plan.kind == "engine" else roc(answers)
    timing: dict[str, Any] = {"one_core": pinned, "rows": latency(answers), "opening_s": opening}
    timing |= {"decision_us": loops} if loops else {}
    return Run(
        "peers",
        f"{_TITLES[plan.kind]} in one run",
        facts | _facts(plan, rows, running, opened),
        measures,
        curves={"roc": curves} if curves else {},
        timing=timing,
        told=tuple(_told(plan, rows, answers, facts, opened, pinned=pinned)),
        sheets=tuple(s for s in _sheets(plan, running, opened, by_key(measures), timing, figures) if s.rows),
        figures=tuple(tables.figures(by_key(measures), answers.names, curves)),
        not_run=not_run,
        texts=plan.keep_text and plan.kind == "text",
        headline=tuple(m.key for name in _FIRST for m in measures if m.name == name and _of_one_peer(m)),
    )


def _of_one_peer(measure: Measure) -> bool:
    """Not of a language or a label; of an engine, whatever the kind of case."""
    return measure.value is not None and {name for name, _ in measure.of} <= {"peer", "case"}


def _published(plan: PeerPlan) -> Sheet | None:
    path = plan.published or default_file()
    if plan.kind == "engine":
        return None  # nobody publishes decisions, and a time of another machine says nothing of this one
    return sheet(read_published(path), plan.kind) if path is not None else None


def _training(plan: PeerPlan, rows: Rows) -> Callable[[], Training] | None:
    """Read once, when the first trained peer is opened."""
    if not plan.train or plan.kind != "text":
        return None

    @lru_cache(maxsize=1)
    def read() -> Training:
        return read_training(
            plan.train, plan.columns, plan.labels, most=plan.train_rows, seed=plan.seed, groups=rows.groups,
            texts=rows.texts,
        )  # fmt: skip

    return read


def _open(
    peers: Sequence[Peer], not_run: dict[str, str], reference: str, stack: ExitStack, tell: Tell
) -> tuple[dict[str, Opened], dict[str, float]]:
    """(peers that are ready, seconds that it took each); the others go into `not_run`."""
    opened: dict[str, Opened] = {}
    seconds: dict[str, float] = {}
    for i, peer in enumerate(peers):
        begun = time.perf_counter()
        try:
            one = peer.open()
        except ModuleNotFoundError as error:
            if peer.name == reference:
                raise
            not_run[peer.name] = f"a package that it needs is not installed: pip install {error.name}"
        except (ConfigurationError, ImportError, OSError) as error:
            if peer.name == reference:
                raise
            not_run[peer.name] = str(error).splitlines()[0] if str(error) else type(error).__name__
        except Exception as error:
            if peer.name == reference:
                raise
            # Of theirs: a version that does not fit, a broken file. The others run on.
            not_run[peer.name] = f"does not start: {type(error).__name__}"
        else:
            stack.callback(one.close)
            opened[peer.name] = one
            seconds[peer.name] = time.perf_counter() - begun
        tell("peers ready", i + 1, len(peers))
    return opened, seconds


def _identity(
    plan: PeerPlan, facts: Mapping[str, Any], rows: Rows, peers: Sequence[Peer], opened: Mapping[str, Opened]
) -> dict[str, Any]:
    return {
        "suite": "peers",
        "guardrail": facts["guardrail"],
        "source": facts["source"],
        "kind": plan.kind,
        "data": rows.data,
        "labels": plan.labels.to_json(),
        "limit": plan.limit,
        "seed": plan.seed,
        "holds_prompts": plan.keep_text and plan.kind == "text",
        "peers": {p.name: {"version": p.version, **opened[p.name].told} for p in peers},
    }


def _measures(plan: PeerPlan, answers: Answers) -> Iterator[Measure]:
    reference = REFERENCES[plan.kind]
    if plan.kind == "engine":
        own = [name for name in answers.names if name.startswith("guardrail")]
        yield from agreements(answers, reference, own)
    else:
        yield from rates(answers, reference)


def _facts(plan: PeerPlan, rows: Rows, peers: Sequence[Peer], opened: Mapping[str, Opened]) -> dict[str, Any]:
    return {
        "kind": plan.kind,
        "data": rows.data,
        "labels": plan.labels.to_json(),
        "limit": plan.limit,
        "reference": REFERENCES[plan.kind],
        **opened[REFERENCES[plan.kind]].facts,
        "peers": [
            {
                "name": p.name, "version": p.version, "licence": p.licence, "decides": p.decides, "learned": p.learned,
                **({"told": dict(opened[p.name].told)} if opened[p.name].told else {}),
            }
            for p in peers
        ],
    }  # fmt: skip


def _told(
    plan: PeerPlan,
    rows: Rows,
    answers: Answers,
    facts: Mapping[str, Any],
    opened: Mapping[str, Opened],
    *,
    pinned: bool,
) -> Iterator[tuple[str, str]]:
    reference = REFERENCES[plan.kind]
    yield "compared with", reference
    if policy := opened[reference].told.get("policy"):
        yield "policy", policy
    yield from rows.told
    unread = f", {answers.unreadable:,} of them unreadable and in no figure" if answers.unreadable else ""
    yield "rows asked about", f"{len(answers) + answers.unreadable:,}{unread}"
    busy = "" if facts["load"] is None else f"; load average {facts['load']:.1f} before it began"
    core = "on one core" if pinned else "not held to one core: this system does not offer that"
    yield "machine", f"{facts['machine']}, {core}{busy}"
    yield "command", plan.command
    yield "date", written_date(facts)
    if plan.published is None and default_file() is None:
        yield "published figures", "not shown: name a file with --published"


def _sheets(
    plan: PeerPlan,
    peers: Sequence[Peer],
    opened: Mapping[str, Opened],
    measures: Mapping[str, Measure],
    timing: Mapping[str, Any],
    published: Sheet | None,
) -> Iterator[Sheet]:
    names = [peer.name for peer in peers]
    if plan.kind == "engine":
        yield from tables.engine_sheets(measures, names, timing.get("decision_us", {}))
    else:
        yield from tables.judge_sheets(measures, names, REFERENCES[plan.kind])
        yield tables.time_sheet(timing["rows"], names)
    yield tables.peers_sheet(peers, opened)
    if published is not None:
        yield published
