"""The shipped default policy: what was agreed about it. What it shares with the others: test_policy_shipped.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardrail.policy import BuiltinEngine, Policy, lint_file, load_policy, run_tests

FOLDER = Path(__file__).resolve().parents[2] / "policies"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy("default", shipped=FOLDER)


def test_its_own_tests_pass_and_fire_every_rule(policy: Policy) -> None:
    report = run_tests(policy, BuiltinEngine(policy))
    assert report.ok, str(report)
    assert len(report.passed) >= 80
    assert report.never_fired == ()
    assert lint_file("default", shipped=FOLDER) == ()


def test_its_tests_show_what_each_missing_signal_does(policy: Policy) -> None:
    from guardrail.policy import load_cases
    from guardrail.policy.coverage import coverage

    assert list(coverage(policy, load_cases(policy)).unasked()) == []


def test_it_is_what_was_agreed(policy: Policy) -> None:
    assert (policy.id, policy.version, policy.ref.mode) == ("default", "1.0.0", "enforce")
    locked = ["real-person-sexual", "minor-sexual", "protected-identity", "undressing-edit", "known-image"]
    assert [r.id for r in policy.rules if r.locked] == locked
    assert policy.thresholds == {
        "sexual": {"leaning": 0.25, "suggestive": 0.4, "explicit": 0.7},
        "nudity": {"trace": 0.25, "partial": 0.35, "explicit": 0.65},
        "real": {"likely": 0.5},
        "minor": {"possible": 0.2},
        "match": {"person": 0.5},
    }
    assert {r.message for r in policy.rules if r.message} == set(policy.messages)
    assert {r.id for r in policy.rules if not r.message} == {"named-public-figure", "mark-everything"}


def test_the_first_rule_of_the_readme_loads_without_remarks_and_passes(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    path = tmp_path / "my.yaml"
    path.write_text(example, encoding="utf-8")
    assert lint_file(path) == ()
    policy = load_policy(path)
    report = run_tests(policy, BuiltinEngine(policy))
    assert (report.ok, len(report.passed)) == (True, 3), str(report)
