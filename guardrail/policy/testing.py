"""Running the tests that stand beside the rules, and telling an author why one of them failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from guardrail.decision import Action, Leaf, Reason, Verdict
from guardrail.errors import GuardrailError
from guardrail.policy.engine import PolicyEngine
from guardrail.policy.loader import load_cases
from guardrail.policy.model import Case, Policy
from guardrail.signals import SignalValue, Stage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CaseResult", "Checks", "RunReport", "run_tests"]


class Checks(Protocol):
    """Runs real checks on a prompt and an image, either of which may be absent, and returns their signals."""

    def __call__(self, prompt: str | None, image: Path | None) -> Mapping[str, SignalValue]: ...


class CaseResult(NamedTuple):
    """What became of one test. `passed` is None when it was skipped; `differences` say expected and got."""

    case: Case
    passed: bool | None
    verdict: Verdict | None = None
    differences: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the outcome makes the run pass or fail: it ran, and is not marked `todo`."""
        return self.passed is not None and not self.case.todo

    def __str__(self) -> str:
        case = self.case
        if self.passed is None:
            return f"SKIP {case.path}:{case.line} {case.name}: needs the real checks"
        word = (
            ("PASS" if self.passed else "FAIL")
            if not case.todo
            else ("TODO (passes)" if self.passed else "TODO (fails)")
        )
        lines = [f"{word} {case.path}:{case.line} {case.name}", *(f"     {text}" for text in self.differences)]
        return "\n".join(lines + (_why(self.verdict) if not self.passed else []))


class RunReport(NamedTuple):
    """All tests of a policy.

    Attributes:
        results: one per test, in the order of the files.
        never_fired: ids of the file's own rules whose condition held in no test; in shadow mode it is enough that they
            would have. Inherited rules have their tests where they stand.
        shadow: ids of the rules that only watch.
    """

    results: tuple[CaseResult, ...]
    never_fired: tuple[str, ...]
    shadow: tuple[str, ...] = ()

    @property
    def passed(self) -> tuple[CaseResult, ...]:
        return tuple(r for r in self.results if r.counts and r.passed)

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        return tuple(r for r in self.results if r.counts and not r.passed)

    @property
    def skipped(self) -> tuple[CaseResult, ...]:
        return tuple(r for r in self.results if r.passed is None)

    @property
    def todo(self) -> tuple[CaseResult, ...]:
        return tuple(r for r in self.results if r.passed is not None and r.case.todo)

    @property
    def ok(self) -> bool:
        """No test failed. Skipped tests and those marked `todo` do not count."""
        return not self.failed

    def __str__(self) -> str:
        lines = [str(r) for r in self.results if not r.passed or r.case.todo]
        counts = [f"{len(self.passed)} passed", f"{len(self.failed)} failed"]
        if self.skipped:
            counts.append(f"{len(self.skipped)} skipped (they need the real checks)")
        if self.todo:
            counts.append(f"{len(self.todo)} todo")
        lines.append(", ".join(counts))
        if self.never_fired:
            lines.append(f"rules that no test fires: {', '.join(self.never_fired)}")
        if self.shadow:
            lines.append(f"SHADOW: these rules only watch and never act: {', '.join(self.shadow)}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        return {
            "ok": self.ok,
            "passed": len(self.passed),
            "failed": len(self.failed),
            "skipped": len(self.skipped),
            "todo": len(self.todo),
            "never_fired": list(self.never_fired),
            "shadow": list(self.shadow),
            "tests": [
                {
                    "name": r.case.name,
                    "path": r.case.path,
                    "line": r.case.line,
                    "passed": r.passed,
                    "todo": r.case.todo,
                    "differences": list(r.differences),
                    "reasons": [reason.to_json() for reason in r.verdict.reasons] if r.verdict else [],
                }
                for r in self.results
            ],
        }


def run_tests(
    policy: Policy,
    engine: PolicyEngine,
    checks: Checks | None = None,
    *,
    cases: Sequence[Case] | None = None,
) -> RunReport:
    """Run the tests of a policy.

    Args:
        policy: where the tests come from.
        engine: what decides; the built-in engine or another one under the same policy.
        checks: runs the real checks for tests with `prompt` or `image`; without it they are skipped, and the report
            says so. An image's path is relative to the file of the test.
        cases: these tests instead of those in the policy's file and in the test file beside it.

    Raises:
        PolicyError: the test file is wrong.
    """
    fired: set[str] = set()
    results: list[CaseResult] = []
    for case in load_cases(policy) if cases is None else cases:
        try:
            verdict = _verdict(case, engine, checks)
        except GuardrailError as error:
            results.append(CaseResult(case, False, None, (f"the checks could not run: {error}",)))
            continue
        if verdict is None:
            results.append(CaseResult(case, None))
            continue
        fired |= {reason.rule for reason in verdict.reasons if reason.kind == "rule"}
        differences = _differences(case, verdict)
        results.append(CaseResult(case, not differences, verdict, differences))
    return RunReport(
        tuple(results),
        tuple(rule.id for rule in policy.own_rules if rule.id not in fired),
        tuple(rule.id for rule in policy.rules if rule.shadow),
    )


def _verdict(case: Case, engine: PolicyEngine, checks: Checks | None) -> Verdict | None:
    if not case.needs_checks:
        return engine.evaluate(case.signals, stage=case.stage, due=case.due)
    if checks is None:
        return None
    from pathlib import Path

    image = None if case.image is None else Path(case.path).parent / case.image
    signals = checks(case.prompt, image)
    stages = [stage for stage, medium in ((Stage.PROMPT, case.prompt), (Stage.REFERENCE, image)) if medium is not None]
    verdicts = [engine.evaluate(signals, stage=stage, due=frozenset(stages[: i + 1])) for i, stage in enumerate(stages)]
    # A request is what its strictest stage says, and every stage's labels and reports add up.
    return Verdict(
        max((v.action for v in verdicts), key=lambda action: action.rank),
        tuple(spec for v in verdicts for spec in v.specs),
        tuple(reason for v in verdicts for reason in v.reasons),
    )


def _differences(case: Case, verdict: Verdict) -> tuple[str, ...]:
    expect, found = case.expect, []
    decision = "allow" if verdict.action is Action.LABEL else verdict.action.value
    if decision != expect.decision:
        found.append(f"expected decision {expect.decision}, got {decision}")
    rules = {reason.rule for reason in verdict.reasons if reason.rule and not reason.shadow}
    if expect.rules is not None and rules != expect.rules:
        found.append(f"expected rules {_listed(sorted(expect.rules))}, got {_listed(sorted(rules))}")
    actions = tuple(spec.kind for spec in verdict.specs)
    if expect.actions is not None:
        same = actions == expect.actions if expect.ordered else set(actions) == set(expect.actions)
        if not same:
            found.append(f"expected actions {_listed(expect.actions)}, got {_listed(actions)}")
    if expect.missing and not verdict.missing:
        found.append("expected it because of a missing signal, but none was missing")
    return tuple(found)


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"


def _why(verdict: Verdict | None) -> list[str]:
    """The reason that decided, with its comparisons."""
    if verdict is None:
        return []
    if not verdict.reasons:
        return ["     no rule fired"]
    reason = max(verdict.reasons, key=lambda r: (not r.shadow, r.effect.rank))
    return [f"     because {_subject(reason)}", *(f"       {_compared(leaf)}" for leaf in reason.leaves)]


def _subject(reason: Reason) -> str:
    words = [reason.rule or "the engine", f"asks for {reason.effect}"]
    if reason.cause:
        words.append(f"({reason.cause})")
    if reason.shadow:
        words.append("(in shadow mode: it does not act)")
    return " ".join(words)


def _compared(leaf: Leaf) -> str:
    where = leaf.signal if leaf.item is None else f"{leaf.signal} of item {leaf.item}"
    value = "is missing" if leaf.value is None else f"{leaf.value:g}" if type(leaf.value) is float else str(leaf.value)
    limit = ", ".join(leaf.limit) if isinstance(leaf.limit, tuple) else "" if leaf.limit is None else str(leaf.limit)
    notes = [leaf.threshold] if leaf.threshold else []
    if leaf.margin is not None:
        notes.append(f"margin {leaf.margin:.2f}")
    return f"{where} {value}: {leaf.op} {limit}".rstrip() + (f" ({', '.join(notes)})" if notes else "")
