"""Models and pictures for the tests of images. Photographs come out of installed wheels or of ../shared."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def portrait() -> Any:
    """scikit-image's photograph of an astronaut, from NASA: (512, 512, 3)."""
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut())


@pytest.fixture
def centerface(embedded_models: None) -> Any:
    from guardrail.checks.image.backends.centerface import CenterFace

    return CenterFace()


@pytest.fixture
def yunet_file(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with YuNet's file in it, and nothing else."""
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(shared / "models/face_detection_yunet_2023mar.onnx", folder)
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(folder))
    return folder / "face_detection_yunet_2023mar.onnx"


@pytest.fixture
def yunet(yunet_file: Path) -> Any:
    from guardrail.checks.image.backends.yunet import YuNet

    return YuNet()


@pytest.fixture
def pack(shared: Path, tmp_path: Path) -> Path:
    """A pinned insightface-style pack: SCRFD 2.5g and MobileFaceNet."""
    pytest.importorskip("insightface")
    from guardrail.weights.pins import pin

    folder = tmp_path / "pack"
    folder.mkdir()
    for name in ("scrfd_2.5g_bnkps.onnx", "mobilefacenet_128d.onnx"):
        shutil.copy(shared / "models" / name, folder)
    pin(folder, "non-commercial")
    return folder
