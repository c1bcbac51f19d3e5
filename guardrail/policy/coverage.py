"""What the tests of a policy leave untried: rules that never fire, comparisons that never come out one of two ways.

    print(coverage(policy, load_cases(policy)))

A comparison that no test makes false could be removed, and one that no test makes true be misspelt, without any test
noticing. It counts in every test in which its rule is looked at and its signal is due, whether or not another part of
the rule settled the matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from guardrail.policy.model import Case, Policy, Rule
from guardrail.policy.places import leaf_places
from guardrail.policy.trace import Traced, leaves_of, trace

__all__ = ["Coverage", "LeafCoverage", "RuleCoverage", "coverage"]


class LeafCoverage(NamedTuple):
    """One comparison, and in how many tests it came out true, false, or missing so that the rule was unknown by it."""

    text: str
    line: int
    column: int
    true: int = 0
    false: int = 0
    missing: int = 0

    @property
    def covered(self) -> int:
        """Of two outcomes."""
        return bool(self.true) + bool(self.false)

    @property
    def never(self) -> tuple[str, ...]:
        counts = (("true", self.true), ("false", self.false), ("missing", self.missing))
        return tuple(name for name, n in counts if not n)


class RuleCoverage(NamedTuple):
    """One rule and its comparisons. In shadow mode it is enough that it would have fired."""

    rule: Rule
    fired: int
    leaves: tuple[LeafCoverage, ...]


class Coverage(NamedTuple):
    """What was tried of a policy.

    Attributes:
        tests: how many tests were counted.
        skipped: tests that were not: they need the real checks, or are marked `todo`.
    """

    path: str
    rules: tuple[RuleCoverage, ...]
    tests: int
    skipped: int = 0

    @property
    def rules_fired(self) -> int:
        return sum(bool(r.fired) for r in self.rules)

    @property
    def outcomes(self) -> tuple[int, int]:
        """Outcomes of comparisons that some test shows, of all: true and false of each."""
        leaves = [leaf for r in self.rules for leaf in r.leaves]
        return sum(leaf.covered for leaf in leaves), 2 * len(leaves)

    @property
    def percent(self) -> float:
        """Of rules and outcomes together. Less than 100 unless nothing is left, however little it is."""
        shown, of = self.outcomes
        return 100.0 * (self.rules_fired + shown) / (len(self.rules) + of) if self.rules else 100.0

    def __str__(self) -> str:
        lines = list(self._gaps())
        shown, of = self.outcomes
        lines.append(
            f"{self.rules_fired} of {len(self.rules)} rules fire, {shown} of {of} outcomes of comparisons are shown: "
            f"{int(self.percent * 10) / 10:g} % by {self.tests} {'test' if self.tests == 1 else 'tests'}"
        )
        if self.skipped:
            lines.append(f"tests not counted, for they need the real checks or are marked todo: {self.skipped}")
        unasked = [leaf for r in self.rules for leaf in r.leaves if not leaf.missing]
        if unasked:
            lines.append(
                "not in the percentage: comparisons for which no test shows what a missing signal does: "
                f"{len(unasked)} (--missing lists them)"
            )
        return "\n".join(lines)

    def unasked(self) -> Iterator[str]:
        """A line for each comparison that no test has missing."""
        for r in self.rules:
            for leaf in (leaf for leaf in r.leaves if not leaf.missing):
                yield f"{r.rule.path or self.path}:{leaf.line}:{leaf.column}: {r.rule.id}: {leaf.text} is never missing"

    def _gaps(self) -> Iterator[str]:
        for r in self.rules:
            path = r.rule.path or self.path
            if not r.fired:
                yield f"{path}:{r.rule.line}:{r.rule.column}: {r.rule.id} never fires"
            for leaf in r.leaves:
                never = " and never ".join(word for word in leaf.never if word != "missing")
                if never:
                    yield f"{path}:{leaf.line}:{leaf.column}: {r.rule.id}: {leaf.text} is never {never}"

    def to_json(self) -> dict[str, Any]:
        shown, of = self.outcomes
        return {
            "percent": round(self.percent, 3),
            "rules": {"fired": self.rules_fired, "of": len(self.rules)},
            "outcomes": {"shown": shown, "of": of},
            "tests": self.tests,
            "skipped": self.skipped,
            "by_rule": [
                {
                    "rule": r.rule.id,
                    "path": r.rule.path or self.path,
                    "line": r.rule.line,
                    "fired": r.fired,
                    "leaves": [{**leaf._asdict(), "never": list(leaf.never)} for leaf in r.leaves],
                }
                for r in self.rules
            ],
        }


def coverage(policy: Policy, cases: Iterable[Case], *, own: bool = False) -> Coverage:
    """Count what the tests show of each rule and each comparison; tests on raw prompts and images are left out.

    Args:
        own: only the rules that stand in the policy's own file or are overridden there, not those it extends.
    """
    cases = tuple(cases)
    counted = [c for c in cases if not c.needs_checks and not c.todo]
    places = leaf_places(policy)
    asked = [rule for rule in policy.rules if not own or rule.path == policy.path]
    rules = tuple(_rule(policy, rule, counted, places[rule.id]) for rule in asked)
    return Coverage(policy.path, rules, len(counted), len(cases) - len(counted))


def _rule(policy: Policy, rule: Rule, cases: Iterable[Case], places: tuple[tuple[int, int], ...]) -> RuleCoverage:
    names = leaves_of(rule.when)
    leaves = [LeafCoverage(name.text, *place) for name, place in zip(names, places, strict=True)]
    fired = 0
    for case in cases:
        if case.stage not in rule.at or not any(case.stage in policy.actions[s.kind].stages for s in rule.then):
            continue
        tree = trace(rule.when, case.signals, case.due, policy.vocabulary)
        fired += tree.low is True
        # A list has its fields once for each item: a test counts once for each outcome all the same.
        for number, state in {(part.number, part.state) for part in tree.walk() if part.number >= 0}:
            leaf = leaves[number]
            leaves[number] = leaf._replace(true=leaf.true + (state == "yes"), false=leaf.false + (state == "no"))
        for number in _unknown(tree):
            leaves[number] = leaves[number]._replace(missing=leaves[number].missing + 1)
    shown = (leaf for name, leaf in zip(names, leaves, strict=True) if not name.only)
    return RuleCoverage(rule, fired, tuple(shown))


def _unknown(tree: Traced) -> set[int]:
    """The leaves by which a rule is unknown: of a list that is there, also the fields that are missing in its items."""
    blamed = list(tree.accountable("missing"))
    return {part.number for leaf in blamed for part in leaf.walk() if part.number >= 0 and part.state == "missing"}
