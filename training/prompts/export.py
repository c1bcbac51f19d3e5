"""The encoder as an ONNX file with int8 weights, written node by node.

One prompt is run at a time, so there is no padding, no mask, and the scales of activations (one per tensor, taken when
it is run) depend on that prompt alone: scores are the same alone and in a batch. Weights have one scale per output
channel, embeddings one per row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from encoder_training import HEADS
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
MICROSOFT = "com.microsoft"


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, name: str, value: Array) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], out: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [out], domain=domain, name=out, **attributes))
        return out

    def dense(self, name: str, x: str, weight: Array, bias: Array) -> str:
        """x · W + b, W int8 with a scale per output, activations quantised as they come."""
        scale = np.maximum(np.abs(weight).max(1), 1e-8).astype(np.float32) / 127
        packed = np.round(weight / scale[:, None]).astype(np.int8).T
        return self.node(
            "DynamicQuantizeMatMul",
            [
                x,
                self.weight(f"{name}.w", packed),
                self.weight(f"{name}.s", scale),
                self.weight(f"{name}.z", np.zeros(len(scale), np.int8)),
                self.weight(f"{name}.b", bias.astype(np.float32)),
            ],
            f"{name}.out",
            MICROSOFT,
        )


def encoder(state: Mapping[str, Array], layers: int, note: str) -> bytes:
    """Input ``ids`` (1, n) int64 with ``[CLS]`` and ``[SEP]``; output ``logits`` (k,) float32.

    Args:
        state: the trained weights as float32 arrays, by their names in `encoder_training.Encoder`.
    """
    g = _Graph()
    words = state["words.weight"]
    scale = np.maximum(np.abs(words).max(1, keepdims=True), 1e-8).astype(np.float32) / 127
    g.weight("words", np.round(words / scale).astype(np.int8))
    g.weight("words.s", scale)
    g.weight("places", state["places"].astype(np.float32))
    x = g.node("Cast", [g.node("Gather", ["words", "ids"], "words.q")], "words.f", to=TensorProto.FLOAT)
    x = g.node("Mul", [x, g.node("Gather", ["words.s", "ids"], "words.sg")], "words.x")
    n = g.node("Shape", ["ids"], "n", start=1, end=2)
    zero, axis = g.weight("zero", np.array([0])), g.weight("axis0", np.array([0]))
    x = g.node("Add", [x, g.node("Slice", ["places", zero, n, axis], "places.x")], "embedded")
    x = g.node(
        "LayerNormalization",
        [x, g.weight("norm.w", state["norm.weight"]), g.weight("norm.b", state["norm.bias"])],
        "normed",
        epsilon=1e-12,
    )
    for i in range(layers):
        x = _layer(g, f"layers.{i}", x, state)
    g.weight("axis1", np.array([1]))
    mean = g.node("ReduceMean", [x, "axis1"], "mean", keepdims=0)
    top = g.node("ReduceMax", [x, "axis1"], "top", keepdims=0)
    both = g.node("Concat", [mean, top], "both", axis=1)
    g.weight("head.w", state["head.weight"].astype(np.float32))
    row = g.node("Gemm", [both, "head.w", g.weight("head.b", state["head.bias"].astype(np.float32))], "row", transB=1)
    g.node("Squeeze", [row, axis], "logits")
    graph = helper.make_graph(
        g.nodes,
        "guardrail-prompt-encoder",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "n"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [state["head.bias"].shape[0]])],
        g.weights,
        doc_string=note,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="guardrail", ir_version=9)
    return model.SerializeToString(deterministic=True)


def _layer(g: _Graph, name: str, x: str, state: Mapping[str, Array]) -> str:
    def of(part: str) -> tuple[Array, Array]:
        return state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"]

    three = g.dense(f"{name}.qkv", x, *of("qkv"))
    q, k, v = f"{name}.q", f"{name}.k", f"{name}.v"
    g.nodes.append(helper.make_node("Split", [three], [q, k, v], axis=2, num_outputs=3, name=f"{name}.split"))
    seen = g.node("MultiHeadAttention", [q, k, v], f"{name}.seen", MICROSOFT, num_heads=HEADS)
    x = _normed(g, f"{name}.norm1", x, g.dense(f"{name}.attended", seen, *of("attended")), of("norm1"))
    up = g.node("Gelu", [g.dense(f"{name}.up", x, *of("up"))], f"{name}.gelu")
    return _normed(g, f"{name}.norm2", x, g.dense(f"{name}.down", up, *of("down")), of("norm2"))


def _normed(g: _Graph, name: str, x: str, added: str, norm: tuple[Array, Array]) -> str:
    # Not SkipLayerNormalization: ONNX Runtime's takes three times as long as the two of them.
    w, b = g.weight(f"{name}.w", norm[0]), g.weight(f"{name}.b", norm[1])
    return g.node("LayerNormalization", [g.node("Add", [x, added], f"{name}.sum"), w, b], f"{name}.x", epsilon=1e-12)
