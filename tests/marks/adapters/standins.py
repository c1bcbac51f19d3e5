"""Stand-ins for exported watermark networks, made here with onnx: they have the published ones' inputs and outputs and
do nothing clever. The encoder adds each bit's own keyed pattern, the decoder correlates with the patterns.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIDE = 64  # pixels of both networks
AMPLITUDE = 0.04


def patterns(bits: int, side: int) -> np.ndarray:
    """A ±1 pattern a bit, in cells of 2×2 pixels, each orthogonal to all others: (bits, 3 * side * side), float32."""
    cells = (side // 2) ** 2
    rows = np.ones((1, 1), np.float32)
    while len(rows) < cells:  # Sylvester's matrix
        rows = np.block([[rows, rows], [rows, -rows]])
    rng = np.random.default_rng(7)
    scrambled = rows[1 : bits + 1][:, rng.permutation(cells)] * rng.choice(np.array([-1, 1], np.float32), cells)
    planes = scrambled.reshape(bits, side // 2, side // 2).repeat(2, 1).repeat(2, 2)
    return np.repeat(planes[:, None], 3, 1).reshape(bits, -1)


def model(
    nodes: list[Any], inputs: dict[str, list[int]], output: tuple[str, list[int]], tensors: dict[str, Any]
) -> bytes:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    def value(name: str, shape: list[int]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        [helper.make_node(kind, ins, outs, **attributes) for kind, ins, outs, attributes in nodes],
        "standin",
        [value(n, s) for n, s in inputs.items()],
        [value(*output)],
        [numpy_helper.from_array(np.asarray(t), n) for n, t in tensors.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def encoder(bits: int, side: int = SIDE) -> bytes:
    """residual = (2 message - 1) @ patterns, of standard deviation AMPLITUDE."""
    table = patterns(bits, side) * np.float32(AMPLITUDE / np.sqrt(bits))
    return model(
        [
            ("Mul", ["message", "two"], ["doubled"], {}),
            ("Sub", ["doubled", "one"], ["signs"], {}),
            ("MatMul", ["signs", "table"], ["flat"], {}),
            ("Reshape", ["flat", "shape"], ["bare"], {}),
            # The picture takes part, as it does in the real ones.
            ("Mul", ["image", "zero"], ["nothing"], {}),
            ("Add", ["bare", "nothing"], ["residual"], {}),
        ],
        {"image": [1, 3, side, side], "message": [1, bits]},
        ("residual", [1, 3, side, side]),
        {
            "two": np.float32(2),
            "one": np.float32(1),
            "zero": np.float32(0),
            "table": table,
            "shape": np.array([1, 3, side, side], np.int64),
        },
    )


def decoder(bits: int, side: int = SIDE) -> bytes:
    """bits = (image - 0.5) @ patterns."""
    return model(
        [
            ("Sub", ["image", "half"], ["centred"], {}),
            ("Reshape", ["centred", "shape"], ["flat"], {}),
            ("MatMul", ["flat", "table"], ["bits"], {}),
        ],
        {"image": [1, 3, side, side]},
        ("bits", [1, bits]),
        {
            "half": np.float32(0.5),
            "shape": np.array([1, 3 * side * side], np.int64),
            "table": np.ascontiguousarray(patterns(bits, side).T),
        },
    )


def dense_decoder(bits: int, side: int = SIDE, *, mask: float = 1.0) -> bytes:
    """The same bits at every pixel of the left half, which is called marked; noise-free nonsense in the right half."""
    inside = np.full((1, 1, side, side), -1.0, np.float32)
    inside[..., : side // 2] = mask
    return model(
        [
            ("Sub", ["image", "half"], ["centred"], {}),
            ("Reshape", ["centred", "shape"], ["flat"], {}),
            ("MatMul", ["flat", "table"], ["said"], {}),
            ("Reshape", ["said", "column"], ["each"], {}),
            ("Mul", ["each", "inside"], ["everywhere"], {}),
            ("Concat", ["inside", "everywhere"], ["dense"], {"axis": 1}),
        ],
        {"image": [1, 3, side, side]},
        ("dense", [1, 1 + bits, side, side]),
        {
            "half": np.float32(0.5),
            "shape": np.array([1, 3 * side * side], np.int64),
            "table": np.ascontiguousarray(patterns(bits, side).T),
            "column": np.array([1, bits, 1, 1], np.int64),
            "inside": inside,
        },
    )


def export(
    folder: Path, kind: str, variant: str, bits: int, decode: bytes | None = None, changes: dict[str, Any] | None = None
) -> Path:
    """A folder as the export scripts write it, with stand-ins; `changes` go into its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"encoder": encoder(bits), "decoder": decode or decoder(bits)}
    said: dict[str, Any] = {
        "guardrail_mark": 1,
        "kind": kind,
        "variant": variant,
        "licence": "MIT",
        "source": "a stand-in of the tests",
        "bits": bits,
        "strength": 1.0,
    }
    for part, content in files.items():
        (folder / f"{part}.onnx").write_bytes(content)
        said[part] = {"file": f"{part}.onnx", "sha256": hashlib.sha256(content).hexdigest(), "side": SIDE}
    (folder / "guardrail-mark.json").write_text(json.dumps({**said, **(changes or {})}), "utf-8")
    return folder
