"""The guard that prompts are put to: the policy's own, with the checks that look at prompts.

Nothing else of a policy can have a say here: signals of pictures are not due where there is no picture. So the models
for pictures are not loaded, and the decisions are those of `Guard.check_prompt` with all of them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guardrail.bench.files import DataError
from guardrail.bench.judging import Judged, judged
from guardrail.bench.scores import thresholds_on
from guardrail.bench.text import visible
from guardrail.bench.workers import peak_mib
from guardrail.checks.registry import Declared, declared_checks, vocabulary
from guardrail.decision import PolicyRef, Reason, Verdict
from guardrail.errors import ConfigurationError
from guardrail.guard import Guard
from guardrail.guard.build import OWN_SIGNALS
from guardrail.guard.parts import load
from guardrail.policy import BuiltinEngine, Policy, PolicyEngine
from guardrail.signals import SignalValue, Stage

__all__ = ["Subject", "moved", "titled"]

_LATER = frozenset({Stage.REFERENCE, Stage.STEP, Stage.OUTPUT})
_FIRST = "a lighthouse at dusk"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured; picklable, so that each worker makes its own guard of it.

    Args:
        policy: as `Guard` takes it by name or path.
        checks: names of the only checks to run; empty for all that the policy needs. Rules that read what none of them
            gives are not evaluated.
    """

    policy: str = "default"
    checks: tuple[str, ...] = ()

    def engine(self) -> tuple[PolicyEngine, dict[str, str]]:
        """The policy as it is evaluated; and of rules that are not, why.

        Raises:
            DataError: there are no such checks, or no rule is left that decides about a prompt by what a check says.
            PolicyError: the policy does not load.
            ConfigurationError: it cannot be enforced here.
        """
        engine, declared = load(self.policy), declared_checks()
        whole = engine.needs()
        left_out: dict[str, str] = {}
        if self.checks:
            _known(self.checks, declared)
            engine, left_out = _only(engine, self.checks, declared)
        words = vocabulary(declared)
        needs = {
            name: rules for name, rules in engine.needs().items() if not (name in words and words[name].stage in _LATER)
        }
        if not _decides(engine, needs):
            # Every rate would be 0 % of prompts that nobody looked at, and pass a limit.
            raise DataError(_nothing(engine.ref.id, self.checks, whole, declared))
        return _ForPrompts(engine, needs), left_out

    def open(self, engine: PolicyEngine | None = None) -> _Asked:
        """The guard, loaded and warm.

        Args:
            engine: what `engine` gave, where that was asked already.

        Raises:
            DataError: a check would run that was not asked for.
            ConfigurationError: the policy cannot be enforced here.
        """
        return _Asked(self, engine or self.engine()[0])


class _Asked:
    """A guard that answers, with what it took to make it and what its parts take (`guardrail.bench.workers.Asked`)."""

    def __init__(self, subject: Subject, engine: PolicyEngine) -> None:
        begun = time.perf_counter()
        self._lowest = min(thresholds_on(getattr(engine, "policy", None)).values(), default=None)
        self._guard = Guard(engine, audit=None, gallery=None, known=None, releases=False)
        made = time.perf_counter()
        effective = self._guard.effective()
        extra = sorted({e.name for e in effective} - set(subject.checks)) if subject.checks else []
        if extra:
            self._guard.close()
            raise DataError(
                f"--checks {','.join(subject.checks)}: {', '.join(extra)} would run as well, for a signal that they "
                "need or give together: name it too"
            )
        first = judged(self._guard, _FIRST)
        cold = time.perf_counter()
        self._guard.warmup()
        self.facts: dict[str, Any] = {
            "effective": [e.to_json() for e in effective],
            "policy": self._guard.policy.to_json(),
            "guard_s": made - begun,
            "first_prompt_ms": first.ms,
            "warm_s": time.perf_counter() - cold,
            "peak_mib": peak_mib(),
        }
        self._spent: defaultdict[str, float] = defaultdict(float)

    @property
    def spent(self) -> dict[str, float]:
        return dict(self._spent)

    def ask(self, text: str) -> Judged:
        answer = judged(self._guard, text, self._lowest)
        for part, ms in answer.parts.items():
            self._spent[part] += ms
        return answer._replace(parts={})

    def close(self) -> None:
        self._guard.close()


class _ForPrompts:
    """An engine that asks for the checks of prompts alone; its verdicts are those of the engine it stands for."""

    def __init__(self, engine: PolicyEngine, needs: Mapping[str, tuple[str, ...]]) -> None:
        self._engine, self._needs = engine, needs
        policy = getattr(engine, "policy", None)
        if policy is not None:
            self.policy = policy

    @property
    def ref(self) -> PolicyRef:
        return self._engine.ref

    def needs(self) -> Mapping[str, tuple[str, ...]]:
        return self._needs

    def evaluate(
        self,
        signals: Mapping[str, SignalValue],
        *,
        stage: Stage,
        due: frozenset[Stage],
        deadline: float | None = None,
    ) -> Verdict:
        return self._engine.evaluate(signals, stage=stage, due=due, deadline=deadline)

    def messages(self, reasons: Iterable[Reason]) -> Mapping[str, str]:
        return self._engine.messages(reasons)


def _known(checks: Sequence[str], declared: Sequence[Declared]) -> None:
    of_prompts = {d.name for d in declared if Stage.PROMPT in d.factory.stages}
    for name in checks:
        if name not in of_prompts:
            what = "looks at pictures only" if name in {d.name for d in declared} else "is no check that is installed"
            raise DataError(f"--checks {name}: it {what}; those for prompts are {', '.join(sorted(of_prompts))}")


def _only(
    engine: PolicyEngine, checks: Sequence[str], declared: Sequence[Declared]
) -> tuple[PolicyEngine, dict[str, str]]:
    """The policy without the rules that read what none of `checks` gives; and those that would have had a say."""
    policy = getattr(engine, "policy", None)
    if not isinstance(engine, BuiltinEngine) or not isinstance(policy, Policy):
        raise DataError("--checks works with rule files: rules of other engines cannot be taken out one by one")
    given = {s.name for d in declared if d.name in checks for s in d.gives}
    words = vocabulary(declared)
    lost: dict[str, list[str]] = {}
    for signal, rules in engine.needs().items():
        of_pictures = signal in words and words[signal].stage in _LATER
        if signal not in given and signal not in OWN_SIGNALS and not of_pictures:
            for rule in rules:
                lost.setdefault(rule, []).append(signal)
    kept = tuple(rule for rule in policy.rules if rule.id not in lost)
    at_prompts = {rule.id for rule in policy.rules if Stage.PROMPT in rule.at}
    left_out = {
        f"rule {rule}": f"reads {', '.join(signals)}, which none of the checks {', '.join(checks)} gives"
        for rule, signals in lost.items()
        if rule in at_prompts
    }
    return BuiltinEngine(replace(policy, rules=kept)), left_out


def _decides(engine: PolicyEngine, needs: Mapping[str, Sequence[str]]) -> bool:
    """Whether a rule looks at a prompt, and reads what a check says of it."""
    reading = {rule for signal, rules in needs.items() if signal not in OWN_SIGNALS for rule in rules}
    policy = getattr(engine, "policy", None)
    if isinstance(policy, Policy):
        return any(rule.id in reading and Stage.PROMPT in rule.at for rule in policy.rules)
    return bool(reading)


def _nothing(policy: str, checks: Sequence[str], reads: Mapping[str, object], declared: Sequence[Declared]) -> str:
    of_prompts = [d for d in declared if Stage.PROMPT in d.factory.stages]
    if not checks:
        given = sorted(s.name for d in of_prompts for s in d.gives)
        return (
            f"no rule of {policy} decides about a prompt by what a check says of it, so there is nothing to measure; "
            f"the checks of prompts give {', '.join(given)}"
        )
    asked = sorted(d.name for d in of_prompts if any(s.name in reads for s in d.gives))
    return (
        f"--checks {','.join(checks)}: no rule of {policy} is left that decides by these checks alone; its rules read "
        f"what {', '.join(asked) or 'no check of prompts'} give: name more of these, or leave --checks out"
    )


def moved(policy: str, ref: PolicyRef) -> str:
    """`` (FILE, differs from the shipped one)``: a file with the id and version of a shipped policy, and other rules.

    Empty for every other policy.
    """
    file = Path(policy) if Path(policy).is_file() else Path(policy.partition(":")[2])
    if not file.is_file():
        return ""
    try:
        shipped = load(ref.id).ref
    except ConfigurationError:
        return ""
    if (shipped.id, shipped.version) != (ref.id, ref.version) or shipped.sha256 == ref.sha256:
        return ""
    return f" ({visible(file.name)}, differs from the shipped one)"


def titled(policy: str, ref: PolicyRef) -> str:
    """The id of a policy, for a title; with its version where that alone would be misread."""
    differs = moved(policy, ref)
    return f"{ref.id} {ref.version}{differs}" if differs else ref.id
