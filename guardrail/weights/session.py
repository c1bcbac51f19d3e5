"""Opening a verified ONNX file."""

from __future__ import annotations

from typing import Any

__all__ = ["onnx_session"]


def onnx_session(model: bytes, threads: int) -> Any:
    """An ONNX Runtime session on the CPU from verified bytes.

    Args:
        threads: within one operator; operators run one after the other.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
