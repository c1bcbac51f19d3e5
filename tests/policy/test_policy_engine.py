"""What the engine makes of rules: modes, missing signals, stages, messages, and failing closed."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from guardrail.decision import Action, Verdict
from guardrail.policy import BuiltinEngine, Policy, PolicyEngine
from guardrail.signals import Stage

Make = Callable[[str], Policy]
ALL = frozenset(Stage)
SEXUAL = '{prompt.sexual: ">= 0.5"}'


def decide(policy: Policy, signals: Mapping[str, Any], stage: Stage = Stage.PROMPT, **more: Any) -> Verdict:
    return BuiltinEngine(policy).evaluate(signals, stage=stage, due=more.pop("due", ALL), **more)


def kinds(verdict: Verdict) -> list[str]:
    return [spec.kind for spec in verdict.specs]


# ---- mode and on_missing, of the file and of the rule: what acts, for a condition that holds and one that is unknown

MODES = [
    # file,                rule,                                  then,   holds,   unknown, shadow
    ("", "", "block", "block", "block", False),
    ("", "", "guide", "alter", "block", False),
    ("", "", "label", "label", "allow", False),
    ("", "", "report", "label", "allow", False),
    ("", "", "[block, report]", "block", "block", False),
    ("", "on_missing: ignore", "block", "block", "allow", False),
    ("on_missing: ignore", "", "guide", "alter", "allow", False),
    ("on_missing: ignore", "on_missing: block", "block", "block", "block", False),
    ("on_missing: ignore", "locked: true", "block", "block", "block", False),
    ("", "mode: shadow", "block", "allow", "allow", True),
    ("mode: shadow", "", "guide", "allow", "allow", True),
    ("mode: shadow", "mode: enforce", "block", "block", "block", False),
    ("mode: shadow", "locked: true", "block", "block", "block", False),
    ("mode: shadow", "locked: true, mode: enforce", "guide", "alter", "block", False),
]


@pytest.mark.parametrize(("file", "rule", "then", "holds", "unknown", "shadow"), MODES)
def test_mode_and_on_missing(
    policy_of: Make, file: str, rule: str, then: str, holds: str, unknown: str, shadow: bool
) -> None:
    policy = policy_of(f"{file}\nrules: [{{id: r, at: prompt, when: {SEXUAL}, then: {then}, {rule}}}]")
    held, lost, quiet = (decide(policy, s) for s in ({"prompt.sexual": 0.9}, {}, {"prompt.sexual": 0.1}))
    assert (held.action, lost.action, quiet.action) == (holds, unknown, "allow")
    assert [r.shadow for r in held.reasons] == [shadow]
    if shadow:
        assert [(r.kind, r.shadow) for r in lost.reasons] == [("missing", True)]
        assert (held.specs, held.fired, lost.specs, lost.missing) == ((), (), (), ())
    assert policy.ref.mode == ("shadow" if file == "mode: shadow" else "enforce")


def test_reason_of_a_rule(policy_of: Make) -> None:
    policy = policy_of(
        f"rules: [{{id: r, at: prompt, when: {SEXUAL}, then: block, severity: high, locked: true, "
        "message: no, refs: [AI-Act-50, 1.10]}]\nmessages: {no: {en: We refuse.}}"
    )
    (reason,) = decide(policy, {"prompt.sexual": 0.9}).reasons
    assert (reason.kind, reason.rule, reason.effect, reason.severity) == ("rule", "r", Action.BLOCK, "high")
    assert (reason.locked, reason.shadow, reason.message, reason.refs) == (True, False, "no", ("AI-Act-50", "1.10"))
    json.dumps(reason.to_json())
    missing = decide(policy, {})
    assert missing.reasons[0].message == ""  # the text speaks of what was not established
    assert missing.missing == ("prompt.sexual",)
    assert missing.reasons[0].cause == "missing signal"


# ---- several rules

THREE = f"""
rules:
  - {{id: a, at: prompt, when: {SEXUAL}, then: guide, message: toned}}
  - {{id: b, at: prompt, when: {{prompt.sexual: ">= 0.7"}}, then: [block, {{report: {{queue: csam}}}}], severity: low}}
  - {{id: c, at: [prompt, output], when: always, then: {{label: {{watermark: invisible}}}}}}
messages:
  toned: {{en: Toned down., ko: 줄였습니다.}}
"""


@pytest.mark.parametrize(
    ("score", "action", "fired", "specs", "text"),
    [
        (0.1, "label", ["c"], ["label"], {}),
        (0.6, "alter", ["a", "c"], ["guide", "label"], {"en": "Toned down.", "ko": "줄였습니다."}),
        (0.8, "block", ["b", "a", "c"], ["block", "label", "report"], {}),
        (None, "block", ["b", "a", "c"], ["block", "label"], {}),
    ],
)
def test_all_rules_fire_and_the_strictest_wins(
    policy_of: Make, score: float | None, action: str, fired: list[str], specs: list[str], text: dict[str, str]
) -> None:
    policy = policy_of(THREE)
    verdict = decide(policy, {"prompt.sexual": score})
    assert verdict.action == action
    assert [r.rule for r in verdict.reasons] == fired
    assert kinds(verdict) == specs
    assert BuiltinEngine(policy).messages(verdict.reasons) == text


def test_message_is_the_strictest_that_has_a_text(policy_of: Make) -> None:
    policy = policy_of(
        "rules:\n"
        f"  - {{id: a, at: prompt, when: {SEXUAL}, then: block, severity: high, message: a}}\n"
        f"  - {{id: b, at: prompt, when: {SEXUAL}, then: block, severity: critical}}\n"
        f"  - {{id: c, at: prompt, when: {SEXUAL}, then: block, severity: low, message: c}}\n"
        f"  - {{id: d, at: prompt, when: {SEXUAL}, then: block, severity: critical, mode: shadow, message: c}}\n"
        "messages: {a: {en: A}, c: {en: C}}"
    )
    engine = BuiltinEngine(policy)
    reasons = decide(policy, {"prompt.sexual": 0.9}).reasons
    assert engine.messages(reasons) == engine.messages(reversed(reasons)) == {"en": "A"}
    assert engine.messages([]) == {}


def test_an_action_acts_only_at_its_stages(policy_of: Make) -> None:
    policy = policy_of(
        f"rules: [{{id: r, at: [prompt, step, output], when: {SEXUAL}, then: [guide, {{blur: {{target: nudity}}}}]}}]"
    )
    engine = BuiltinEngine(policy)
    asked = [engine.evaluate({"prompt.sexual": 0.9}, stage=stage, due=ALL) for stage in Stage]
    found = dict(zip(Stage, map(kinds, asked), strict=True))
    assert found == {Stage.PROMPT: ["guide"], Stage.REFERENCE: [], Stage.STEP: [], Stage.OUTPUT: ["blur"]}


def test_needs_names_every_rule_that_reads_a_signal(policy_of: Make) -> None:
    policy = policy_of(
        "rules:\n"
        f"  - {{id: a, at: output, then: block, when: {{any: [{SEXUAL}, {{not: {SEXUAL}}}]}}}}\n"
        "  - {id: b, at: output, then: block, mode: shadow,"
        " when: {output.faces: {none: {gallery: none}}, prompt.sexual: '> 0'}}\n"
        "  - {id: c, at: output, then: label, when: always}"
    )
    engine: PolicyEngine = BuiltinEngine(policy)
    assert engine.needs() == {"prompt.sexual": ("a", "b"), "output.faces": ("b",)}


# ---- failing closed


@pytest.mark.parametrize(
    ("deadline", "blocked"),
    [(None, False), (3600.0, False), (math.inf, False), (0.0, True), (-1.0, True), (math.nan, True)],
)
def test_a_passed_deadline_blocks(policy_of: Make, deadline: float | None, blocked: bool) -> None:
    policy = policy_of(f"rules: [{{id: r, at: prompt, when: {SEXUAL}, then: block}}]")
    at = None if deadline is None else time.monotonic() + deadline
    for stage in (Stage.PROMPT, Stage.OUTPUT):  # no rule is looked at in the second
        verdict = decide(policy, {"prompt.sexual": 0.1}, stage, deadline=at)
        assert (verdict.action is Action.BLOCK) is blocked
        assert [r.cause for r in verdict.reasons] == (["deadline passed"] if blocked else [])


def test_one_slow_signal_costs_the_deadline_but_not_the_report(policy_of: Make) -> None:
    class Slow(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            time.sleep(0.02)
            return super().get(key, default)

    policy = policy_of(
        f"rules: [{{id: a, at: prompt, when: {SEXUAL}, then: [block, report]}},"
        f" {{id: b, at: prompt, when: {SEXUAL}, then: guide}}]"
    )
    verdict = decide(policy, Slow({"prompt.sexual": 0.9}), deadline=time.monotonic() + 0.01)
    assert kinds(verdict) == ["block", "report"]
    assert [(r.kind, r.rule) for r in verdict.reasons] == [("rule", "a"), ("engine", "")]


class _Raising(dict[str, Any]):
    def get(self, key: str, default: Any = None) -> Any:
        if key == "prompt.sexual":
            raise RuntimeError("secret words of the user")
        return super().get(key, default)


def test_an_exception_blocks_names_its_type_and_nothing_else(policy_of: Make) -> None:
    policy = policy_of(
        f"rules: [{{id: a, at: prompt, when: {SEXUAL}, then: guide}}, "
        '{id: b, at: prompt, when: {prompt.minor: ">= 0.5"}, then: report}]'
    )
    verdict = decide(policy, _Raising({"prompt.minor": 0.9}))
    assert verdict.action is Action.BLOCK
    assert kinds(verdict) == ["block", "report"]
    failed = [r for r in verdict.reasons if r.kind == "engine"]
    assert [(r.rule, r.cause) for r in failed] == [("a", "engine error: RuntimeError")]
    assert "secret" not in str(verdict)


@pytest.mark.parametrize("stage", ["nowhere", None, 7, "PROMPT", "prompt"])
def test_an_unknown_stage_blocks(policy_of: Make, stage: Any) -> None:
    engine = BuiltinEngine(policy_of(f"rules: [{{id: a, at: prompt, when: {SEXUAL}, then: guide}}]"))
    engine.evaluate({"prompt.sexual": 0.0}, stage=Stage.PROMPT, due=ALL)
    verdict = engine.evaluate({"prompt.sexual": 0.0}, stage=stage, due=ALL)
    assert verdict.action is Action.BLOCK
    assert (verdict.reasons[0].kind, verdict.reasons[0].cause) == ("engine", "unknown stage")


@pytest.mark.parametrize("signals", [None, 3, [], "prompt.sexual"])
def test_signals_that_are_no_mapping_block(policy_of: Make, signals: Any) -> None:
    policy = policy_of(f"rules: [{{id: a, at: prompt, when: {SEXUAL}, then: block}}]")
    assert decide(policy, signals).action is Action.BLOCK


def test_an_interrupt_is_not_swallowed(policy_of: Make) -> None:
    class Interrupted(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            raise KeyboardInterrupt

    policy = policy_of(f"rules: [{{id: a, at: prompt, when: {SEXUAL}, then: block}}]")
    with pytest.raises(KeyboardInterrupt):
        decide(policy, Interrupted())


def test_many_threads_get_the_same_answers(policy_of: Make) -> None:
    engine = BuiltinEngine(policy_of(THREE))
    wrong: list[Verdict] = []

    def ask(score: float, action: str) -> None:
        for _ in range(300):
            verdict = engine.evaluate({"prompt.sexual": score}, stage=Stage.PROMPT, due=ALL)
            if verdict.action != action:
                wrong.append(verdict)

    asked = [(0.1, "label"), (0.6, "alter"), (0.8, "block")] * 3
    threads = [threading.Thread(target=ask, args=pair) for pair in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
