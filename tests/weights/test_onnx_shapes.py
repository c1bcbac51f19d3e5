"""Freeing the sizes of a graph, compared with what the onnx package makes of the result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.errors import WeightsError
from guardrail.weights.onnx_shapes import free_sizes
from tests.budget import examples

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WEIGHT = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)


def convolution(*, weight_as_input: bool = True, batch: int = 10, side: int = 32) -> Any:
    """As CenterFace was published: fixed sizes, initializers among the inputs, inner shapes written down."""
    tensor = helper.make_tensor_value_info
    inputs = [tensor("image", TensorProto.FLOAT, [batch, 3, side, side])]
    if weight_as_input:
        inputs.append(tensor("weight", TensorProto.FLOAT, WEIGHT.shape))
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "weight"], ["inner"], pads=[1] * 4),
            helper.make_node("Relu", ["inner"], ["out"]),
            helper.make_node("ReduceMax", ["out"], ["top"], keepdims=0),
        ],
        "graph",
        inputs,
        [tensor("out", TensorProto.FLOAT, [batch, 4, side, side]), tensor("top", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(WEIGHT, "weight")],
        doc_string="a graph",
        value_info=[tensor("inner", TensorProto.FLOAT, [batch, 4, side, side])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="guardrail tests")
    model.ir_version = 8
    model.metadata_props.add(key="licence", value="none")
    return model


def dims(value: Any) -> list[int | str]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def freed(model: Any) -> Any:
    return onnx.load_from_string(free_sizes(model.SerializeToString()))


def test_sizes_are_free_channels_stay_and_initializers_are_no_inputs() -> None:
    model = freed(convolution())
    onnx.checker.check_model(model, full_check=True)
    (image,) = model.graph.input
    assert (image.name, dims(image)) == ("image", ["image.0", 3, "image.2", "image.3"])
    assert {o.name: dims(o) for o in model.graph.output} == {"out": ["out.0", 4, "out.2", "out.3"], "top": []}
    assert list(model.graph.value_info) == []


def test_everything_else_is_as_it_was() -> None:
    before, after = convolution(), freed(convolution())
    for model in (before, after):
        del model.graph.input[:], model.graph.output[:], model.graph.value_info[:]
    assert after.SerializeToString(deterministic=True) == before.SerializeToString(deterministic=True)


@pytest.mark.parametrize("weight_as_input", [True, False])
def test_the_runtime_gives_the_same_and_takes_other_sizes(weight_as_input: bool) -> None:
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    published = convolution(weight_as_input=weight_as_input, batch=1)
    old = ort.InferenceSession(published.SerializeToString(), options)
    new = ort.InferenceSession(free_sizes(published.SerializeToString()), options)
    image = np.random.default_rng(1).normal(size=(1, 3, 32, 32)).astype(np.float32)
    for a, b in zip(old.run(None, {"image": image}), new.run(None, {"image": image}), strict=True):
        # Constant weights are folded, which sums in another order.
        assert np.allclose(a, b, rtol=1e-4, atol=1e-5)
    assert new.run(["out"], {"image": np.zeros((2, 3, 40, 56), np.float32)})[0].shape == (2, 4, 40, 56)


def test_twice_is_as_good_as_once() -> None:
    once = free_sizes(convolution().SerializeToString())
    assert free_sizes(once) == once


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([], []),
        ([5], ["x.0"]),
        ([5, 7], ["x.0", 7]),
        (["batch", 3, None, 9], ["x.0", 3, "x.2", "x.3"]),
        ([1, 2**40, 1, 1], ["x.0", 2**40, "x.2", "x.3"]),
        (None, []),
    ],
)
def test_other_shapes(shape: Any, expected: list[int | str]) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    model = freed(helper.make_model(graph))
    assert dims(model.graph.input[0]) == expected
    assert model.graph.input[0].type.tensor_type.HasField("shape") == (shape is not None)


def test_inputs_that_are_no_tensors_are_left_alone() -> None:
    inner = helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 3, 8, 8])
    value = helper.make_value_info("x", helper.make_sequence_type_proto(inner))
    out = helper.make_value_info("y", helper.make_sequence_type_proto(inner))
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph)
    assert freed(model) == model


# ---- what is no model

MODEL = convolution().SerializeToString()


def only_weights_errors(content: bytes) -> None:
    try:
        assert isinstance(free_sizes(content), bytes)
    except WeightsError as error:
        assert str(error).startswith("not an ONNX model")  # noqa: PT017 - both ways are right here


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08\x08",
        b"no model",
        b"\x80" * 20,
        b"\xff" * 200,
        b"\x3a\xff\xff\xff\xff\x0f",
        b"\x3b\x01",
        b"\x3a\x02\x5a\x7f",
        b"\x89PNG\r\n\x1a\n",
        b"\x3a\x05\x5a\x03\x0a\x01\xff",
    ],
)
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(WeightsError, match="not an ONNX model"):
        free_sizes(content)


def test_cut_off_anywhere() -> None:
    for n in range(len(MODEL)):
        only_weights_errors(MODEL[:n])


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(MODEL) - 1), st.integers(1, 255)), min_size=1, max_size=8))
def test_flipped_bits(flips: list[tuple[int, int]]) -> None:
    content = bytearray(MODEL)
    for at, value in flips:
        content[at] ^= value
    only_weights_errors(bytes(content))


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes(content: bytes) -> None:
    only_weights_errors(content)
    # In the place of a graph.
    only_weights_errors(b"\x3a" + bytes([len(content)]) + content)
