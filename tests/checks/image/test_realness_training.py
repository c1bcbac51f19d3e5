"""What the realness classifier is trained on, how it is written, and the rule by which it may ship."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("skimage")
sys.path.insert(0, str(Path(__file__).parents[3] / "training/faces"))
sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import examples
from cameras import SIDE, camera, journey
from heads import drawn_head, modelled_head
from lines import LINES
from photographs import _OTHERS, WORK, photo_crop
from realness_model import TrainedRealness
from realness_statistics import may_ship, roc
from stylise import FLAT, PAINTED, SMOOTH

RENDERINGS = sorted({*FLAT, *PAINTED, *SMOOTH, *LINES}, key=lambda f: f.__name__)


@functools.cache
def stand_ins() -> dict[str, np.ndarray]:
    """Clouds with grain in place of the photographs, which come with other packages."""
    rng = np.random.default_rng(4)
    made = {}
    for name in _OTHERS:
        clouds = Image.fromarray(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8))
        large = np.asarray(clouds.resize((480, 480), Image.Resampling.BICUBIC)).astype(float)
        made[name] = np.clip(large + rng.normal(0, 6, large.shape), 0, 255).astype(np.uint8)
    return made


def crop() -> np.ndarray:
    return photo_crop(stand_ins(), np.random.default_rng(2))


@pytest.mark.parametrize("render", RENDERINGS, ids=lambda f: f.__name__)
def test_a_rendering_changes_the_picture_and_is_the_same_each_time(render: Callable[..., np.ndarray]) -> None:
    before = crop()
    first, second = (render(before, np.random.default_rng(8)) for _ in range(2))
    assert first.shape == before.shape == (WORK, WORK, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.abs(first.astype(int) - before).mean() > 2


@pytest.mark.parametrize("head", [drawn_head, lambda r: modelled_head(r, True), lambda r: modelled_head(r, False)])
def test_no_two_heads_are_alike(head: Callable[..., np.ndarray]) -> None:
    one, other = head(np.random.default_rng(1)), head(np.random.default_rng(2))
    assert one.shape == other.shape
    assert not np.array_equal(one, other)


def test_a_pair_is_the_same_each_time_and_as_the_model_is_given_it() -> None:
    first, second = (examples.pair(stand_ins(), 12) for _ in range(2))
    for a, b in zip(first[:2], second[:2], strict=True):
        assert a.shape == (SIDE, SIDE, 3)
        assert np.array_equal(a, b)
    assert first[2] == second[2] in examples.KINDS


def test_photograph_and_depiction_travel_alike() -> None:
    """The same picture, sent the same way, comes out the same: nothing in the journey knows the label."""
    picture = crop()
    assert np.array_equal(journey(picture, np.random.default_rng(3)), journey(picture, np.random.default_rng(3)))


def test_a_camera_adds_noise() -> None:
    plain = np.full((WORK, WORK, 3), 128, np.uint8)
    assert camera(plain, np.random.default_rng(1), always=True).std() > 0.5


def test_kinds_sum_to_one() -> None:
    assert sum(examples.KINDS.values()) == pytest.approx(1.0)


# ---- how it is written


def test_the_file_says_what_the_network_says() -> None:
    """Batch norms folded and weights in half precision: the same logit but for rounding."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from network import Network, prepared
    from onnx_file import onnx_bytes

    torch.manual_seed(2)
    model = Network()
    for convolution in model.convolutions:
        convolution.weight.data.mul_(3)
    for norm in model.norms:  # as if trained: not the ones and zeros that they begin with
        for part in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            part.uniform_(0.5, 1.5)
    model.eval()
    noise = np.random.default_rng(3).integers(0, 256, (3, SIDE, SIDE, 3))
    faces = (noise // np.array([1, 4, 9])[:, None, None, None]).astype(np.uint8)
    with torch.no_grad():
        expected = model(prepared(faces)).numpy()
    written = TrainedRealness(onnx_bytes({k: v.numpy() for k, v in model.state_dict().items()}), 0.0)
    got = [written._session.run(None, {"face": face[None]})[0][0] for face in faces]
    assert np.ptp(expected) > 0.02
    assert got == pytest.approx(expected.tolist(), abs=2e-3)


# ---- the rule by which it may ship

PEOPLE = [f"p{k // 5}" for k in range(100)]
PHOTOGRAPHS = np.random.default_rng(6).normal(0, 1, 100)
CUES = np.arange(200) < 40


def _rule(photographs: np.ndarray, depictions: np.ndarray) -> Any:
    return may_ship({"as it is": PHOTOGRAPHS, "JPEG 30": photographs}, PEOPLE, {"all": (depictions, CUES)})


@pytest.mark.parametrize(
    ("photographs", "depictions", "keeps", "finds"),
    [
        (PHOTOGRAPHS, np.full(200, 9.0), True, True),
        (PHOTOGRAPHS, np.full(200, 0.0), True, False),
        # Sure only of what the cues know already.
        (PHOTOGRAPHS, np.where(CUES, 9.0, 0.0), True, False),
        # One person in one change is taken for a depiction.
        (np.where(np.arange(100) < 5, 9.0, PHOTOGRAPHS), np.full(200, 99.0), False, True),
        # A small face has no answer, and is kept.
        (np.full(100, -np.inf), np.full(200, 9.0), True, True),
    ],
    ids=["told apart", "not told apart", "no more than the cues", "one person lost", "no answers"],
)
def test_the_rule_wants_photographs_kept_and_depictions_found(
    photographs: np.ndarray, depictions: np.ndarray, keeps: bool, finds: bool
) -> None:
    found = _rule(photographs, depictions)
    assert (found["keeps_enough"], found["finds_clearly_more"], found["holds"]) == (keeps, finds, keeps and finds)


def test_what_passes_as_real_is_counted_at_stated_shares_of_photographs_kept() -> None:
    photographs, depictions = np.arange(100.0), np.array([50.0, 96.5, 98.5, 200.0])
    found = roc(photographs, depictions)
    assert found["auc"] == pytest.approx((51 - 0.5 + 97 + 99 + 100) / 400, abs=1e-4)
    assert {k: v["hits"] for k, v in found["passed_as_real"].items()} == {
        "95.0% kept": 1,
        "98.0% kept": 2,
        "99.5% kept": 3,
    }
