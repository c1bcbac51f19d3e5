"""SARIF for code review, and the table of codes that it and the docs share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardrail.errors import Finding
from guardrail.policy import lint_file
from guardrail.policy.codes import codes
from guardrail.policy.sarif import sarif

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"


def test_the_table_in_the_docs_is_the_table_in_the_package() -> None:
    """A code that is added needs its line in guardrail/policy/codes.py and in docs/policy-codes.md, word by word."""
    page = (ROOT / "docs" / "policy-codes.md").read_text("utf-8")
    rows = re.findall(r"^\| (GP[0-9]+) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    assert [(c.code, c.meaning, c.mend) for c in codes().values()] == rows
    errors, _, warnings = page.partition("## Warnings")
    assert {c.code for c in codes().values() if c.warning} == set(re.findall(r"^\| (GP[0-9]+)", warnings, re.MULTILINE))
    assert {c.code for c in codes().values() if not c.warning} == set(
        re.findall(r"^\| (GP[0-9]+)", errors, re.MULTILINE)
    )


def test_every_golden_finding_is_a_result_with_its_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    findings = [finding for path in sorted(Path().glob("*.yaml")) for finding in lint_file(path)]
    log = sarif(findings, "1.2.3")
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("guardrail", "1.2.3")
    assert len(run["results"]) == len(findings) > 60
    for finding, result in zip(findings, run["results"], strict=True):
        rule = driver["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"] == finding.code
        assert result["level"] == rule["defaultConfiguration"]["level"]
        assert result["level"] == ("warning" if finding.warning else "error")
        assert result["message"]["text"].startswith(finding.message)
        assert finding.mend in result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] == finding.path
        region = place.get("region")
        assert region == ({"startLine": finding.line, "startColumn": finding.column} if finding.line else None)


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("policies/my.yaml", "policies/my.yaml"),
        ("my policy ü.yaml", "my%20policy%20%C3%BC.yaml"),
        ("/srv/my policy.yaml", "file:///srv/my%20policy.yaml"),
    ],
)
def test_paths_are_uris(path: str, uri: str) -> None:
    (result,) = sarif([Finding("GP001", path, 1, 2, "m")], "1")["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_code_of_another_engine_is_a_result_without_a_listed_rule() -> None:
    (result,) = sarif([Finding("XX1", "a.yaml", 0, 0, "m")], "1")["runs"][0]["results"]
    assert result["ruleId"] == "XX1"
    assert "ruleIndex" not in result


def test_codes_have_texts() -> None:
    assert len(codes()) > 50
    assert list(codes()) == sorted(codes())
    for code in codes().values():
        assert re.fullmatch("GP[0-9]{3}", code.code)
        assert code.meaning
        assert code.mend
        assert code.warning == (code.code >= "GP100")
