"""``guardrail bench policy``: the rules alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.bench.comparison import compare
from guardrail.bench.files import DataError
from guardrail.bench.gate import gate
from guardrail.bench.policies import PolicyPlan, measure
from guardrail.bench.run.folder import read_run, write_run
from guardrail.paths import shipped_policies
from tests.cli.said import running


def few(*policies: str, draws: int = 40) -> PolicyPlan:
    return PolicyPlan(policies, draws=draws, calls=3)


def test_no_shipped_policy_lets_through_what_is_never_allowed() -> None:
    run = measure(few("default", "strict", "art", "research"))
    measures = {m.key: m for m in run.measures}
    for policy in ("default", "strict", "art", "research"):
        for risk in ("real_person_sexual", "minor_sexual"):
            found = measures[f"never_allowed_rate[policy={policy}, risk={risk}]"]
            assert (found.count, found.n) == (40, 40)
        for name in ("tests_passed_rate", "harmless_released_rate"):
            assert measures[f"{name}[policy={policy}]"].value == 1.0
    assert run.timing["default"]["prompt, nothing found"]["p50_us"] > 0


def test_a_policy_whose_rule_is_off_is_caught_and_the_gate_names_the_rule(tmp_path: Path) -> None:
    text = (shipped_policies() / "default.yaml").read_text("utf-8")
    loose = text.replace('prompt.persons: {any: {match: ">= person"}}', 'prompt.persons: {any: {match: "> 0.999"}}', 1)
    assert loose != text
    folders = []
    for name, rules in (("before", text), ("after", loose)):
        (tmp_path / f"{name}.yaml").write_text(rules.replace("changelog: CHANGELOG.md", ""), "utf-8")
        folders.append(tmp_path / name)
        run = measure(few(str(tmp_path / f"{name}.yaml"), draws=100))
        folders[-1].mkdir()
        write_run(run, folders[-1])
    before, after = folders
    key = "never_allowed_rate[policy=default, risk=real_person_sexual]"
    assert read_run(after).measures[key].value < 1.0  # type: ignore[operator]
    against = compare(before, after)
    assert "rule real-person-sexual was changed" in against.differ
    assert key in [f.key for f in gate({}, (), against) if f.failure]


def test_twice_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = running(capsys)
    for name in "ab":
        assert run("bench", "policy", "art", "--draws", 20, "--calls", 2, "--out", tmp_path / name).code == 0
    assert (tmp_path / "a" / "metrics.json").read_bytes() == (tmp_path / "b" / "metrics.json").read_bytes()
    with pytest.raises(DataError, match="does not load"):
        measure(few("no-such-policy"))
