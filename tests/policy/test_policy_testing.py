"""The tests beside the rules: what passes, what fails, and what an author reads then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from guardrail.errors import CheckError
from guardrail.policy import BuiltinEngine, Policy, RunReport, run_tests
from guardrail.policy.testing import Checks
from guardrail.signals import SignalValue

Make = Callable[[str], Policy]

RULES = """thresholds: {sexual: {suggestive: 0.4}}
rules:
  - {id: block-it, at: [prompt, reference], when: {prompt.sexual: ">= 0.7"}, then: [block, {report: {queue: csam}}]}
  - {id: guide-it, at: prompt, when: {prompt.sexual: ">= suggestive"}, then: guide}
  - {id: name-it, at: prompt, when: {prompt.persons: {any: {match: ">= 0.5"}}}, then: label}
  - {id: watch-it, at: prompt, mode: shadow, when: {prompt.minor: ">= 0.5"}, then: block}
  - {id: face, at: reference, when: {reference.faces: {any: {real: ">= 0.5"}}}, then: {blur: {target: faces}}}
"""


def run(make: Make, case: str, checks: Checks | None = None) -> RunReport:
    policy = make(f"{RULES}tests:\n  - {{name: t, {case}}}\n")
    return run_tests(policy, BuiltinEngine(policy), checks)


PASSES = [
    "given: {stage: prompt}, expect: {decision: allow, rules: [], actions: []}",
    "given: {stage: prompt, prompt.sexual: 0.5}, expect: {decision: alter}",
    "given: {stage: prompt, prompt.sexual: 0.5}, expect: {decision: alter, rules: [guide-it], actions: guide}",
    "given: {stage: prompt, prompt.sexual: 0.9}, expect: {decision: block, rules: [guide-it, block-it]}",
    "given: {stage: prompt, prompt.sexual: 0.9}, expect: {decision: block, actions: [block, report]}",
    "given: {stage: prompt, prompt.sexual: 0.9}, expect: {decision: block, actions: {report, block}}",
    "given: {stage: prompt, prompt.persons: [{match: 0.9}]}, expect: {decision: allow, rules: name-it, actions: label}",
    "given: {stage: prompt, missing: prompt.sexual}, expect: {decision: block, because: missing, actions: [block]}",
    "given: {stage: prompt, prompt.minor: 0.9}, expect: {decision: allow, rules: []}",
]
FAILS = [
    (
        "given: {stage: prompt, prompt.sexual: 0.5}, expect: {decision: allow, rules: []}",
        [
            "expected decision allow, got alter",
            "expected rules [], got [guide-it]",
            "because guide-it asks for alter",
            "  prompt.sexual 0.5: >= 0.4 (sexual.suggestive, margin 0.10)",
        ],
    ),
    ("given: {stage: prompt}, expect: {decision: block}", ["expected decision block, got allow", "no rule fired"]),
    (
        "given: {stage: prompt, prompt.sexual: 0.9}, expect: {decision: block, actions: [report, block]}",
        [
            "expected actions [report, block], got [block, report]",
            "because block-it asks for block",
            "  prompt.sexual 0.9: >= 0.7 (margin 0.20)",
        ],
    ),
    (
        "given: {stage: prompt, prompt.sexual: 0.9}, expect: {decision: block, because: missing}",
        [
            "expected it because of a missing signal, but none was missing",
            "because block-it asks for block",
            "  prompt.sexual 0.9: >= 0.7 (margin 0.20)",
        ],
    ),
    (
        "given: {stage: reference, reference.faces: null}, expect: {decision: alter}",
        [
            "expected decision alter, got block",
            "because face asks for block (missing signal)",
            "  reference.faces is missing: any",
        ],
    ),
    (
        "given: {stage: reference, reference.faces: [{}, {real: 0.75}]}, expect: {decision: block}",
        [
            "expected decision block, got alter",
            "because face asks for alter",
            "  reference.faces.real of item 1 0.75: >= 0.5 (margin 0.25)",
        ],
    ),
    (
        "given: {stage: prompt, prompt.minor: 0.9}, expect: {decision: block, rules: [watch-it]}",
        [
            "expected decision block, got allow",
            "expected rules [watch-it], got []",
            "because watch-it asks for block (in shadow mode: it does not act)",
            "  prompt.minor 0.9: >= 0.5 (margin 0.40)",
        ],
    ),
]


@pytest.mark.parametrize("case", PASSES)
def test_passes(policy_of: Make, case: str) -> None:
    report = run(policy_of, case)
    assert report.ok, str(report)
    assert (len(report.passed), len(report.failed), len(report.skipped)) == (1, 0, 0)


@pytest.mark.parametrize(("case", "lines"), FAILS)
def test_fails_and_says_why(policy_of: Make, case: str, lines: list[str]) -> None:
    report = run(policy_of, case)
    assert not report.ok
    first, *rest = str(report).splitlines()
    path = report.failed[0].case.path
    assert first == f"FAIL {path}:10 t"
    assert rest[: len(lines)] == [f"     {line}" for line in lines]
    assert rest[len(lines)] == "0 passed, 1 failed"
    json.dumps(report.to_json())


def test_the_report_names_rules_that_no_test_fires_and_rules_in_shadow(policy_of: Make) -> None:
    report = run(policy_of, "given: {stage: prompt, prompt.sexual: 0.9, prompt.minor: 0.9}, expect: {decision: block}")
    assert report.never_fired == ("name-it", "face")
    assert report.shadow == ("watch-it",)
    assert str(report).splitlines() == [
        "1 passed, 0 failed",
        "rules that no test fires: name-it, face",
        "SHADOW: these rules only watch and never act: watch-it",
    ]


def test_a_rule_that_only_failed_closed_was_not_fired(policy_of: Make) -> None:
    report = run(policy_of, "given: {stage: prompt, prompt.sexual: null}, expect: {decision: block}")
    assert "block-it" in report.never_fired


@pytest.mark.parametrize(("score", "word"), [("0.9", "TODO (fails)"), ("0.1", "TODO (passes)")])
def test_todo_is_run_and_told_but_does_not_fail(policy_of: Make, score: str, word: str) -> None:
    report = run(
        policy_of, f"todo: true, given: {{stage: prompt, prompt.sexual: {score}}}, expect: {{decision: allow}}"
    )
    assert report.ok
    assert (len(report.passed), len(report.todo)) == (0, 1)
    assert str(report).startswith(word)
    assert "0 passed, 0 failed, 1 todo" in str(report)


# ---- with real checks


def checks(prompt: str | None, image: Path | None) -> Mapping[str, SignalValue]:
    if prompt == "broken":
        raise CheckError("the lexicon is gone")
    return {
        "prompt.sexual": 0.9 if prompt == "undress her" else 0.0,
        "prompt.minor": 0.0,
        "prompt.persons": (),
        "reference.faces": ({"real": 0.9},) if image and image.name == "photo.png" else (),
    }


WITH_CHECKS = [
    ("prompt: a castle, expect: {decision: allow, rules: []}", True),
    ("prompt: undress her, expect: {decision: block, rules: [block-it, guide-it]}", True),
    ("image: photo.png, expect: {decision: alter, actions: [blur], rules: [face]}", True),
    ("prompt: undress her, image: photo.png, expect: {decision: block, rules: [block-it, guide-it, face]}", True),
    ("prompt: a castle, image: drawing.png, expect: {decision: block}", False),
    ("prompt: broken, expect: {decision: block}", False),
]


@pytest.mark.parametrize(("case", "passes"), WITH_CHECKS)
def test_tests_on_words_and_pictures_run_through_the_checks(policy_of: Make, case: str, passes: bool) -> None:
    report = run(policy_of, case, checks)
    assert report.ok is passes
    assert not report.skipped
    without = run(policy_of, case)
    assert without.ok
    assert len(without.skipped) == 1
    assert "1 skipped (they need the real checks)" in str(without)


def test_an_image_is_looked_for_beside_the_test(policy_of: Make) -> None:
    asked: list[Path | None] = []

    def remember(prompt: str | None, image: Path | None) -> Mapping[str, SignalValue]:
        asked.append(image)
        return {"reference.faces": (), "prompt.sexual": 0.0}

    report = run(policy_of, "image: pictures/a.png, expect: {decision: allow}", remember)
    assert report.ok
    assert asked == [Path(report.results[0].case.path).parent / "pictures" / "a.png"]


def test_a_check_that_fails_is_named(policy_of: Make) -> None:
    report = run(policy_of, "prompt: broken, expect: {decision: block}", checks)
    assert "the checks could not run: the lexicon is gone" in str(report)
