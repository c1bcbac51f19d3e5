"""The demo is the whole way once: every case as expected, and a case that goes otherwise is said to."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.cli import main
from guardrail.demo import cases as cases_module
from guardrail.demo import pictures
from guardrail.demo import run as run_module
from guardrail.demo.cases import CASES, PROTECTED_NAMES


def demo(folder: Path, capsys: Any) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["demo", "--out", str(folder), "--json"])
    assert isinstance(end.value.code, int)
    return end.value.code, json.loads(capsys.readouterr().out)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`only(*cases)`: the demo has these cases."""

    def choose(*chosen: Any) -> None:
        monkeypatch.setattr(cases_module, "CASES", chosen)
        monkeypatch.setattr(run_module, "CASES", chosen)

    return choose


@pytest.mark.usefixtures("embedded_models", "nudenet")
def test_every_case_goes_as_expected_and_the_report_shows_it(tmp_path: Path, capsys: Any) -> None:
    code, said = demo(tmp_path, capsys)
    assert [c["title"] for c in said["cases"] if not c["ok"]] == []
    assert (code, said["ok"]) == (0, True)
    report = (tmp_path / "report.html").read_text("utf-8")
    for case in CASES:
        assert case.title in report
    assert "stand-in model" in report
    # One file that shows everything without a network.
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", report)
    released = sum(action != "block" for c in said["cases"] for action in c["actions"])
    assert sum("watermark found" in v for c in said["cases"] for v in c["verified"]) == released > 10


@pytest.mark.usefixtures("embedded_models", "nudenet")
def test_a_case_that_goes_otherwise_ends_with_1_and_says_how(tmp_path: Path, capsys: Any, only: Any) -> None:
    wrong = replace(CASES[0], expect=("block",), rules=frozenset({"explicit-request"}))
    only(wrong, CASES[2])
    code, said = demo(tmp_path, capsys)
    assert code == 1
    first, second = said["cases"]
    assert "expected block, got allow" in first["differences"]
    assert any("expected the rule explicit-request" in d for d in first["differences"])
    assert second["ok"]


def test_the_cases_cover_what_they_must() -> None:
    """The list of the project's charter, by what each case is."""
    actions = {action for case in CASES for action in case.expect}
    assert actions == {"allow", "alter", "block"}
    rules = {rule for case in CASES for rule in case.rules}
    assert rules >= {"real-person-sexual", "minor-sexual", "explicit-request", "suggestive-request"}
    assert rules >= {"named-public-figure", "face-without-consent"}
    assert {case.faces for case in CASES} >= {"depiction", "unsure"}
    assert any(len(case.prompts) == 4 and case.compare for case in CASES)
    assert sum(any("가" <= c <= "힣" for c in p) for case in CASES for p in case.prompts) >= 4
    assert {case.locale for case in CASES} == {"en", "ko"}


def test_no_sexual_text_names_a_child_or_a_known_person() -> None:
    minor = next(case for case in CASES if "minor-sexual" in case.rules)
    assert minor.prompts == ()
    assert minor.signals
    for case in CASES:
        if case.likeness:
            assert case.expect == ("allow",)
    assert all("Placeholder" in name or "가상" in name for name in PROTECTED_NAMES)


def test_the_drawn_face_is_the_same_every_time_and_no_photograph() -> None:
    one, two = np.asarray(pictures.drawn_face()), np.asarray(pictures.drawn_face())
    assert np.array_equal(one, two)
    assert one.shape == (512, 512, 3)
    assert len(np.unique(one.reshape(-1, 3), axis=0)) < 4000
