"""Stable Diffusion's safety checker: the same verdicts as its own code, on a tiny one with drawn concepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")

from guardrail.checks.image.nudity.hub import SafetyChecker
from guardrail.errors import CheckError, ConfigurationError

from . import models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.save(models.safety_checker(), tmp_path_factory.mktemp("hub") / "checker-tiny")


@pytest.mark.filterwarnings("ignore")
def test_it_flags_what_its_own_code_flags(folder: Path) -> None:
    opinion: Any = SafetyChecker(model=folder).open()
    pictures = models.noise()
    _, flagged = models.safety_checker()(models.rows(pictures), [np.zeros((2, 2, 3), np.float32) for _ in pictures])
    overs = [opinion._loaded.over(p, 0.0) for p in pictures]
    # Its own code rounds to three digits before it compares.
    clear = [(over > 0, flag) for over, flag in zip(overs, flagged, strict=True) if abs(over) > 1e-3]
    assert len(clear) >= 30
    assert all(ours == bool(theirs) for ours, theirs in clear)
    assert 0 < sum(ours for ours, _ in clear) < len(clear)


def test_its_threshold_is_half_and_adjustment_is_stricter(folder: Path) -> None:
    mild, strict = (SafetyChecker(model=folder, adjustment=a).open() for a in (0.0, 0.05))
    scores = [(mild.score(p), strict.score(p)) for p in models.noise()]
    assert all(0 <= a <= b <= 1 for a, b in scores)
    assert any(a < b for a, b in scores)


def test_concepts_that_were_never_trained_are_refused(tmp_path: Path) -> None:
    made = models.save(models.safety_checker(trained=False), tmp_path / "checker")
    with pytest.raises(ConfigurationError, match="never trained"):
        SafetyChecker(model=made).open()


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    made = models.save(models.vit(), tmp_path / "vit")
    with pytest.raises(ConfigurationError, match="another architecture"):
        SafetyChecker(model=made).open()


def test_a_number_that_is_none_is_an_error(tmp_path: Path) -> None:
    import torch

    opinion: Any = SafetyChecker(model=models.save(models.safety_checker(), tmp_path / "checker")).open()
    with torch.no_grad():
        opinion._loaded._model.visual_projection.weight.fill_(float("nan"))
    with pytest.raises(CheckError, match="no number"):
        opinion.score(models.noise()[0])
