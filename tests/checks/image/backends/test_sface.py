"""SFace, whose file is not at hand: a tiny model with random weights and the same interface stands in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.base import CheckSettings
from guardrail.checks.image.backends.base import DetectedFace
from guardrail.errors import CheckError, WeightsError, WeightsMismatch, WeightsMissing
from guardrail.weights.pins import pin

MARKS = np.array([[205, 110], [243, 107], [227, 131], [211, 151], [245, 148]], np.float32)
FACE = DetectedFace((178.0, 70.0, 90.0, 115.0), 0.95, MARKS)
FILENAME = "face_recognition_sface_2021dec.onnx"


def tiny(path: Path, *, side: int = 112, numbers: int = 128) -> Path:
    """(1, 3, side, side) named ``data`` to (1, numbers) named ``fc1``, as the published file has them."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    rng = np.random.default_rng(4)
    cells = side // 28
    weight = rng.normal(size=(3 * cells * cells, numbers)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["data"], ["pooled"], kernel_shape=[28, 28], strides=[28, 28]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weight"], ["fc1"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("fc1", onnx.TensorProto.FLOAT, [1, numbers])],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tiny(tmp_path / FILENAME)
    pin(made)
    return made


def loaded(file: Path) -> Any:
    from guardrail.checks.image.backends.sface import SFace

    return SFace(file)


def test_it_gives_unit_vectors_and_an_id_of_its_own(file: Path, portrait: Any) -> None:
    made = loaded(file)
    vectors = made.embed(portrait, [FACE, FACE])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)
    assert made.name == f"sface-{made.weights[FILENAME][:12]}"
    assert made.embed(portrait, []).shape == (0, 128)


def test_its_thresholds_are_those_published_and_said_to_be_unmeasured(file: Path) -> None:
    scale = loaded(file).scale
    assert scale.same == pytest.approx(1.128, abs=1e-3)
    assert 1 - scale.same**2 / 2 == pytest.approx(0.363)
    assert scale.consent < scale.same
    assert "not measured here" in scale.basis


def test_it_is_what_opencv_does_with_the_same_file(file: Path, portrait: Any) -> None:
    """Alignment, colour order and scaling, against FaceRecognizerSF."""
    cv2 = pytest.importorskip("cv2")
    reference = cv2.FaceRecognizerSF.create(str(file), "")
    row = np.array([*FACE.box, *MARKS.ravel(), FACE.score], np.float32)[None]
    aligned = reference.alignCrop(np.ascontiguousarray(portrait[..., ::-1]), row)
    theirs = reference.feature(aligned).ravel()
    swapped = reference.feature(np.ascontiguousarray(aligned[..., ::-1])).ravel()
    (mine,) = loaded(file).embed(portrait, [FACE])

    def cosine(other: Any) -> float:
        return float(mine @ other / np.linalg.norm(other))

    assert cosine(theirs) > 0.999
    assert cosine(swapped) < 0.99


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda f: tiny(f, side=140), WeightsError, "is not SFace"),
        (lambda f: tiny(f, numbers=64), WeightsError, "is not SFace"),
        (lambda f: f.write_bytes(b"no model"), WeightsError, "cannot be loaded as an ONNX model"),
    ],
    ids=["another size", "another dimension", "no model"],
)
def test_another_model_is_refused(file: Path, make: Any, error: type[WeightsError], says: str) -> None:
    make(file)
    pin(file)
    with pytest.raises(error, match=says):
        loaded(file)


def test_a_file_that_nobody_stated_or_that_changed_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(WeightsMismatch, match="was pinned"):
        loaded(file)
    file.with_name(f"{FILENAME}.sha256").unlink()
    with pytest.raises(WeightsMissing, match="guardrail models pin"):
        loaded(file)


def test_numbers_that_are_none_are_an_error(file: Path, portrait: Any) -> None:
    made = loaded(file)
    made._session = type("Broken", (), {"run": lambda *_: [np.full((1, 128), np.nan, np.float32)]})()
    with pytest.raises(CheckError, match="not finite"):
        made.embed(portrait, [FACE])


def test_the_backend_is_opencv_with_it(yunet_file: Path, portrait: Any) -> None:
    from guardrail.checks.image.faces import FaceCheck

    settings = CheckSettings(face_backend="opencv")
    with pytest.raises(WeightsMissing, match="get it from OpenCV's model zoo"):
        FaceCheck(settings)
    pin(tiny(yunet_file.with_name(FILENAME)))
    check = FaceCheck(settings)
    assert check.effective().name.startswith("faces: yunet + sface-")
    assert "not measured here" in check.about()["thresholds"]
    assert len(check.detector.detect(portrait)) == 1
