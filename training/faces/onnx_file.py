"""The realness classifier as an ONNX file, written node by node: batch norms folded, weights in half precision.

Half precision halves the file; the weights are cast to single before use, so nothing is computed in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from cameras import SIDE
from network import STRIDES
from onnx import TensorProto, checker, helper, numpy_helper

Array = npt.NDArray[Any]


def onnx_bytes(state: Mapping[str, Array]) -> bytes:
    """Input ``face`` (n, SIDE, SIDE, 3) uint8 RGB; output ``depiction`` (n,) float32, a logit.

    Args:
        state: the trained weights by their names in `network.Network`.
    """
    nodes: list[Any] = []
    weights: list[Any] = []

    def constant(name: str, value: Array) -> str:
        weights.append(numpy_helper.from_array(value.astype(np.float16), f"{name}.half"))
        nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        return name

    def node(kind: str, inputs: list[str], out: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    x = node("Cast", ["face"], "numbers", to=TensorProto.FLOAT)
    x = node("Transpose", [x], "planes", perm=[0, 3, 1, 2])
    x = node("Sub", [x, constant("middle", np.array(127.5))], "centred")
    x = node("Div", [x, constant("spread", np.array(64.0))], "scaled")
    for k in range(len(STRIDES)):
        norm = f"norms.{k}."
        scale = state[norm + "weight"] / np.sqrt(state[norm + "running_var"] + 1e-5)
        weight = state[f"convolutions.{k}.weight"] * scale[:, None, None, None]
        bias = state[norm + "bias"] - state[norm + "running_mean"] * scale
        inputs = [x, constant(f"weight{k}", weight), constant(f"bias{k}", bias)]
        x = node(
            "Conv", inputs, f"convolved{k}", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[STRIDES[k], STRIDES[k]]
        )
        x = node("Relu", [x], f"layer{k}")
    x = node("Flatten", [node("GlobalAveragePool", [x], "pooled")], "flat", axis=1)
    head = [x, constant("head", state["head.weight"].T), constant("head_bias", state["head.bias"])]
    x = node("Gemm", head, "logits")
    weights.append(numpy_helper.from_array(np.array([-1], np.int64), "all"))
    node("Reshape", [x, "all"], "depiction")
    face = helper.make_tensor_value_info("face", TensorProto.UINT8, ["n", SIDE, SIDE, 3])
    out = helper.make_tensor_value_info("depiction", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(nodes, "realness", [face], [out], weights)
    model = helper.make_model(
        graph, producer_name="guardrail", opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    model.doc_string = "Photograph or depiction, from a face crop. Apache-2.0. See docs/realness.md."
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
