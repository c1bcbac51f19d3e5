"""YuNet with and without OpenCV: the same boxes within a pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.errors import CheckError


@pytest.fixture
def opencv(yunet_file: Path) -> Any:
    pytest.importorskip("cv2")
    from guardrail.checks.image.backends.yunet import OpenCVYuNet

    return OpenCVYuNet()


def windows(shared: Path, portrait: Any) -> list[Any]:
    """Upright windows of several sizes, some not a multiple of 32, some without a face."""
    faces = shared / "data/images/faces"
    names = ("lz_10.jpg", "insightface_t1.jpg", "insp_left_face.jpg", "colin_powell_0001.jpg", "insp_mask2.jpg")
    out = [portrait, portrait[:, ::-1], portrait[40:301, 100:377], np.full((97, 211, 3), 120, np.uint8)]
    for name in names:
        photo = Image.open(faces / name).convert("RGB")
        photo.thumbnail((640, 640))
        out.append(np.asarray(photo))
    return out


def test_both_give_the_same_faces_within_a_pixel(yunet: Any, opencv: Any, shared: Path, portrait: Any) -> None:
    compared = 0
    for window in windows(shared, portrait):
        mine, theirs = yunet.candidates(window), opencv.candidates(window)
        assert len(mine) == len(theirs)
        # Two of nearly the same score may come in another order.
        for face in mine:
            other = min(theirs, key=lambda f: float(np.abs(np.array(f.box) - face.box).max()))
            assert np.abs(np.array(other.box) - face.box).max() < 1.0
            assert np.abs(other.landmarks - face.landmarks).max() < 1.0
            assert other.score == pytest.approx(face.score, abs=0.01)
            compared += 1
    assert compared >= 30


def test_candidates_are_sorted_and_over_the_threshold(yunet: Any, shared: Path, portrait: Any) -> None:
    for window in windows(shared, portrait):
        scores = [f.score for f in yunet.candidates(window)]
        assert scores == sorted(scores, reverse=True)
        assert all(s > yunet.thresholds.candidate for s in scores)


def test_numbers_that_are_none_are_an_error(yunet: Any, portrait: Any) -> None:
    outputs = [np.full((1, 4096, 14), np.nan, np.float32)] * 12
    yunet._session = type("Broken", (), {"run": lambda *_: outputs})()
    with pytest.raises(CheckError, match="yunet gave a number that is not finite"):
        yunet.candidates(portrait)


def test_red_and_blue_are_not_exchanged(yunet: Any, portrait: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    run = yunet._session.run

    class Spy:
        def run(self, names: Any, feed: Any) -> Any:
            given.append(feed["input"])
            return run(names, feed)

    yunet._session = Spy()
    yunet.candidates(portrait)
    assert np.array_equal(given[0][0], np.moveaxis(portrait[..., ::-1], -1, 0).astype(np.float32))
