"""The trained classifier as a backend: what it is given, when it is sure, and what stops it. No weights are needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from realness_model import SIDE, SMALLEST_PIXELS, TrainedRealness

from guardrail.checks.image.face_view import face_view
from guardrail.checks.image.realness import judge_face
from guardrail.errors import CheckError, ConfigurationError

onnx = pytest.importorskip("onnx")

BOX = (20.0, 20.0, 80.0, 80.0)
PICTURE = np.random.default_rng(1).integers(0, 256, (120, 120, 3)).astype(np.uint8)
AT_LEAST = 0.0
SURE, NOT_SURE = 0.1, -0.1


def brightness_model(side: int = SIDE, output: str = "depiction") -> bytes:
    """The logit is the mean of the face, less 128."""
    h = onnx.helper
    weights = [onnx.numpy_helper.from_array(np.array(v, np.float32), n) for n, v in (("half", 128.0),)]
    axes = onnx.numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes")
    nodes = [
        h.make_node("Cast", ["face"], ["numbers"], to=onnx.TensorProto.FLOAT),
        h.make_node("ReduceMean", ["numbers", "axes"], ["mean"], keepdims=0),
        h.make_node("Sub", ["mean", "half"], [output]),
    ]
    face = h.make_tensor_value_info("face", onnx.TensorProto.UINT8, ["n", side, side, 3])
    out = h.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["n"])
    graph = h.make_graph(nodes, "brightness", [face], [out], [*weights, axes])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


class Session:
    """Stands in for ONNX Runtime: gives these logits, one a look."""

    def __init__(self, *logits: float) -> None:
        self.logits = list(logits)

    def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert feed["face"].shape == (1, SIDE, SIDE, 3)
        assert feed["face"].dtype == np.uint8
        return [np.array([self.logits.pop(0)], np.float32)]


def scripted(*logits: float) -> TrainedRealness:
    made = TrainedRealness(brightness_model(), AT_LEAST)
    made._session = Session(*logits)
    return made


@pytest.mark.parametrize(("grey", "verdict"), [(200, "depiction"), (60, "unsure")])
def test_it_runs_the_file_that_it_is_given(grey: int, verdict: str) -> None:
    noisy = np.clip(PICTURE // 8 + grey, 0, 255).astype(np.uint8)
    assert judge_face(noisy, BOX, TrainedRealness(brightness_model(), AT_LEAST)) == verdict


@pytest.mark.parametrize(
    ("logits", "verdict"),
    [
        ((SURE, SURE), "depiction"),
        ((SURE, NOT_SURE), "unsure"),
        ((NOT_SURE, SURE), "unsure"),
        ((-9.0, -9.0), "unsure"),
    ],
)
def test_every_look_must_be_sure(logits: tuple[float, ...], verdict: str) -> None:
    assert judge_face(PICTURE, BOX, scripted(*logits)) == verdict


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_logit_that_is_no_number_is_an_error_and_no_answer(bad: float) -> None:
    with pytest.raises(CheckError, match="no number"):
        judge_face(PICTURE, BOX, scripted(SURE, bad))


def test_a_small_face_is_unsure_without_a_look() -> None:
    assert judge_face(PICTURE, (20.0, 20.0, SMALLEST_PIXELS - 1.0, 80.0), scripted()) == "unsure"


@pytest.mark.parametrize("model", [brightness_model(side=64), brightness_model(output="cat")])
def test_another_model_is_refused(model: bytes) -> None:
    with pytest.raises(ConfigurationError, match="no realness classifier"):
        TrainedRealness(model, AT_LEAST)


@pytest.mark.parametrize("at_least", [float("nan"), float("-inf"), float("inf")])
def test_a_threshold_is_a_number(at_least: float) -> None:
    with pytest.raises(ConfigurationError, match="threshold"):
        TrainedRealness(brightness_model(), at_least)


def test_the_same_face_gives_the_same_logit_to_the_last_bit() -> None:
    model = TrainedRealness(brightness_model(), AT_LEAST)
    first = model.logit(PICTURE, BOX)
    model.logit(PICTURE[::-1].copy(), BOX)
    assert model.logit(PICTURE, BOX) == first


@pytest.mark.parametrize(
    ("box", "left_top"),
    [
        ((40.0, 30.0, 40.0, 40.0), (40, 30)),  # inside
        ((-20.0, 30.0, 40.0, 40.0), (0, 30)),  # over the left edge: moved in
        ((100.0, 90.0, 40.0, 40.0), (80, 80)),  # over the lower right corner
        ((40.0, 20.0, 20.0, 40.0), (30, 20)),  # narrow: a square around it
    ],
)
def test_a_view_is_a_square_inside_of_the_picture(box: Any, left_top: tuple[int, int]) -> None:
    ys, xs = np.mgrid[:120, :120]
    image = np.stack([xs, ys, np.zeros_like(xs)], -1).astype(np.uint8)
    view = face_view(image, box, 1.0, side=40)
    assert view is not None
    assert tuple(int(v) for v in view[0, 0, :2]) == left_top
    assert tuple(int(v) for v in view[-1, -1, :2]) == (left_top[0] + 39, left_top[1] + 39)


@pytest.mark.parametrize(
    "box",
    [
        (-50.0, -50.0, 40.0, 40.0),
        (120.0, 0.0, 40.0, 40.0),
        (10.0, 10.0, 0.0, 40.0),
        (10.0, 10.0, 40.0, -1.0),
    ],
)
def test_no_view_of_what_is_not_in_the_picture(box: Any) -> None:
    assert face_view(PICTURE, box, 1.0, SIDE) is None
