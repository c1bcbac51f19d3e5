"""The doctor looks at the second opinions on nudity that the environment asks for, as a guard would."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.checks.base import CheckSettings
from guardrail.checks.image.nudity.hub import HubClassifier
from guardrail.doctor.examine import Examination, _with_nudity_models


def test_what_the_environment_names_is_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nudity.yaml"
    path.write_text("[{kind: classifier, model: org/name}]", "utf-8")
    monkeypatch.setenv("GUARDRAIL_NUDITY_MODELS", str(path))
    found = Examination()
    assert _with_nudity_models(CheckSettings(), found).nudity_models == (HubClassifier(model="org/name"),)
    given = CheckSettings(nudity_models=(HubClassifier(model="org/other"),))
    assert _with_nudity_models(given, found) is given
    assert found.faults == []


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDRAIL_NUDITY_MODELS", str(tmp_path / "gone.yaml"))
    found = Examination()
    assert _with_nudity_models(CheckSettings(), found).nudity_models == ()
    (fault,) = found.faults
    assert "gone.yaml cannot be read" in fault
