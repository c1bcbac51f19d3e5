"""``guardrail bench policy``: whether the rules do what they are for, and what a verdict costs.

Two things that no shipped policy may ever allow are tried with random signals (seeded): a real person together with
something sexual, and a minor together with something sexual, each seen at a random stage, in whatever company. It is a
sample of a space that no list of cases covers, and says so by its n.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import numpy as np

from guardrail.bench.files import DataError
from guardrail.bench.run.environment import environment, written_date
from guardrail.bench.run.fingerprint import policy_facts
from guardrail.bench.run.measures import Measure, of_all, of_rate
from guardrail.bench.run.record import Run
from guardrail.bench.statistics import Rate
from guardrail.bench.tables import Sheet, share
from guardrail.decision import Action
from guardrail.errors import PolicyError
from guardrail.paths import shipped_policies
from guardrail.policy import BuiltinEngine, Policy, load_cases, load_policy, run_tests
from guardrail.policy.coverage import coverage
from guardrail.signals import SignalValue, Stage, Vocabulary

__all__ = ["PolicyPlan", "measure"]

SHIPPED = ("default", "strict", "art", "research")
_FOREVER = 3600.0
# Scores from which on something is sexual whatever a policy says of its thresholds, and from which on a person or a
# minor is there; and how often another signal of a request says something at all.
_SEXUAL, _SURE, _COMPANY = 0.4, 0.7, 0.3
Signals = dict[str, SignalValue]


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """What to measure.

    Args:
        policies: names of shipped policies, or rule files.
        draws: random requests for each of the two things that are never allowed.
        calls: timed verdicts of each stage and kind.
        seed: of the draws.
        command: how this was called, for the report.
    """

    policies: Sequence[str] = SHIPPED
    draws: int = 2_000
    calls: int = 2_000
    seed: int = 1
    command: str = ""


def measure(plan: PolicyPlan, progress: Callable[[str, int, int], None] | None = None) -> Run:
    """Raises DataError for a policy that does not load, or that is none of a rule file."""
    tell = progress or (lambda what, done, of: None)
    measures: list[Measure] = []
    timing: dict[str, Any] = {}
    facts: list[dict[str, Any]] = []
    failures: list[tuple[str, ...]] = []
    for i, name in enumerate(plan.policies):
        tell("policies", i, len(plan.policies))
        begun = time.perf_counter()
        policy = _loaded(name)
        loaded_ms = (time.perf_counter() - begun) * 1e3
        engine = BuiltinEngine(policy)
        report = run_tests(policy, engine)
        counted = [r for r in report.results if r.counts and r.passed is not None]
        failures += [(policy.id, r.case.name, f"{r.case.path}:{r.case.line}") for r in report.failed]
        passed = Rate(len(report.passed), len(counted))
        measures.append(of_all("tests_passed_rate", passed, "higher", policy=policy.id))
        measures += _tried(policy)
        # Were it blocked, the shares below would say nothing of the rules.
        harmless = _harmless(policy.vocabulary)
        released = Rate(int(not _is_blocked(engine, harmless)), 1)
        measures.append(of_all("harmless_released_rate", released, "higher", policy=policy.id))
        for what, risk in (("real_person_sexual", _person_at), ("minor_sexual", _minor)):
            requests = (_request(harmless, _rng(plan.seed, what, n), risk) for n in range(plan.draws))
            blocked = sum(_is_blocked(engine, given) for given in requests)
            measures.append(
                of_rate("never_allowed_rate", Rate(blocked, plan.draws), "higher", policy=policy.id, risk=what)
            )
        timing[policy.id] = {"load_ms": loaded_ms, **_verdict_times(engine, harmless, plan.calls)}
        facts.append(policy_facts(engine))
    tell("policies", len(plan.policies), len(plan.policies))
    told = {
        **environment(plan.command, seed=plan.seed),
        "policies": facts,
        "policy": facts[0] if len(facts) == 1 else {},
        "draws": plan.draws,
    }
    return Run(
        "policy",
        "Policies",
        told,
        tuple(measures),
        timing=timing,
        told=(
            *(("policy", f"{f['id']} {f['version']}, sha256 {f['sha256']}") for f in facts),
            ("machine", told["machine"]),
            ("command", plan.command),
            ("date", written_date(told)),
        ),
        sheets=tuple(_sheets(measures, timing, failures, plan)),
    )


def _loaded(name: str) -> Policy:
    try:
        return load_policy(name, shipped=shipped_policies())
    except PolicyError as error:
        raise DataError(f"{name} does not load: {str(error).splitlines()[0]}") from None


def _tried(policy: Policy) -> list[Measure]:
    """Which rules fire in some test, and which outcomes of comparisons some test shows."""
    seen = coverage(policy, load_cases(policy))
    shown, of = seen.outcomes
    return [
        of_all("rules_fired_rate", Rate(seen.rules_fired, len(seen.rules)), "higher", policy=policy.id),
        of_all("outcomes_tried_rate", Rate(shown, of), "higher", policy=policy.id),
    ]


# ---- requests


def _harmless(vocabulary: Vocabulary) -> Signals:
    """Everything measured and nothing found."""
    return {spec.name: spec.kind.benign for spec in vocabulary.signals.values()}


def _request(harmless: Mapping[str, SignalValue], rng: Random, risk: Callable[[Random, Signals], None]) -> Signals:
    """Something sexual at one stage at least, a risk at another or the same, and chance for the rest."""
    given = dict(harmless)
    for name in ("prompt.sexual", "reference.nudity", "step.nudity", "output.nudity", "prompt.minor"):
        given[name] = _company(rng)
    if rng.random() < _COMPANY:
        given["prompt.persons"] = ({"match": round(rng.random(), 3), "kind": "public"},)
    for name in ("reference.faces", "output.faces"):
        given[name] = tuple(_face(rng) for _ in range(rng.randrange(3))) if rng.random() < _COMPANY else ()
    given[rng.choice(("prompt.sexual", "reference.nudity", "step.nudity", "output.nudity"))] = _from(rng, _SEXUAL)
    given["prompt.sexual_exempted"] = given["prompt.sexual"]
    risk(rng, given)
    return given


def _company(rng: Random) -> float:
    """Mostly nothing: in the company of much else, some other rule blocks, and a hole in the one tried is not seen."""
    return round(rng.random(), 3) if rng.random() < _COMPANY else 0.0


def _from(rng: Random, low: float) -> float:
    return round(low + (1.0 - low) * rng.random(), 3)


def _rng(*seed: object) -> Random:
    return Random(":".join(map(str, seed)))  # noqa: S311 - a draw, no secret


def _face(rng: Random) -> dict[str, float | bool | str | None]:
    return {
        "real": round(rng.random(), 3),
        "identifiable": rng.random() < 0.5,
        "match": round(rng.random(), 3),
        "gallery": rng.choice(("none", "consented", "protected")),
        "consent": rng.choice(("no", "yes")),
    }


def _person_at(rng: Random, given: Signals) -> None:
    where = rng.choice(("prompt.persons", "reference.faces", "output.faces"))
    if where == "prompt.persons":
        one: dict[str, float | bool | str | None] = {
            "match": _from(rng, _SURE),
            "kind": rng.choice(("public", "private")),
        }
    else:
        one = {**_face(rng), "real": _from(rng, _SURE), "identifiable": True, "match": _from(rng, _SURE)}
    others = given[where]
    assert isinstance(others, tuple)
    at = rng.randrange(len(others) + 1)
    given[where] = (*others[:at], one, *others[at:])


def _minor(rng: Random, given: Signals) -> None:
    given["prompt.minor"] = _from(rng, _SURE)


def _is_blocked(engine: BuiltinEngine, given: Mapping[str, SignalValue]) -> bool:
    """At the last stage, which sees all the others; a release needs its verdict."""
    verdict = engine.evaluate(given, stage=Stage.OUTPUT, due=frozenset(Stage), deadline=time.monotonic() + _FOREVER)
    return verdict.action is Action.BLOCK


# ---- times


def _verdict_times(
    engine: BuiltinEngine, harmless: Mapping[str, SignalValue], calls: int
) -> dict[str, dict[str, float]]:
    """Microseconds of a verdict by stage: where nothing was found, and where most rules fire."""
    worst = _request(harmless, _rng(1), _person_at)
    found = {}
    for stage in Stage:
        due = frozenset(s for s in Stage if s.position <= stage.position)
        for kind, given in (("nothing found", harmless), ("rules fire", worst)):
            deadline = time.monotonic() + _FOREVER
            found[f"{stage.value}, {kind}"] = _timed(
                partial(engine.evaluate, given, stage=stage, due=due, deadline=deadline), calls
            )
    return found


def _timed(call: Callable[[], object], calls: int) -> dict[str, float]:
    for _ in range(min(200, calls)):
        call()
    taken = np.empty(calls)
    for i in range(calls):
        begun = time.perf_counter_ns()
        call()
        taken[i] = time.perf_counter_ns() - begun
    return {f"p{p}_us": float(np.percentile(taken, p)) / 1e3 for p in (50, 95, 99)}


# ---- tables


def _sheets(
    measures: Sequence[Measure], timing: Mapping[str, Any], failures: Sequence[tuple[str, ...]], plan: PolicyPlan
) -> list[Sheet]:
    names = {
        "tests_passed_rate": "tests beside the rules that pass",
        "rules_fired_rate": "rules that some test fires",
        "outcomes_tried_rate": "outcomes of comparisons that some test shows",
        "harmless_released_rate": "a request in which nothing was found is released",
        "never_allowed_rate": "blocked of",
    }
    rows = []
    for measure in measures:
        of = dict(measure.of)
        what = f"{names[measure.name]} {of.get('risk', '').replace('_', ' ')}".strip()
        if measure.interval is None:
            told = measure.remark if measure.value is None else f"{100 * measure.value:.2f} % (all)"
        else:
            told = share(measure.to_json() | {"rate": measure.value})
        rows.append((of["policy"], what, f"{measure.n:,}", told))
    note = (
        f"Never allowed: {plan.draws:,} random requests of each kind (seed {plan.seed}), judged at the output stage, "
        "which sees all others. Tests that need the real checks are not run here: guardrail policy test."
    )
    times = [
        (policy, what, *(f"{of[f'p{p}_us']:.1f}" for p in (50, 95, 99)))
        for policy, stages in timing.items()
        for what, of in stages.items()
        if isinstance(of, Mapping)
    ]
    sheets = [
        Sheet("Rules", ("policy", "measure", "n", "share, % (95 %)"), tuple(rows), note, words=2),
        Sheet("Failed tests", ("policy", "test", "where"), tuple(failures), words=3),
        Sheet("A verdict, µs", ("policy", "stage", "p50", "p95", "p99"), tuple(times), "Wall time.", words=2),
    ]
    return [sheet for sheet in sheets if sheet.rows]
