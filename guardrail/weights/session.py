"""Opening a verified ONNX file, on the CPU or on a GPU, and saying which of them really runs it.

ONNX Runtime falls back to the CPU without an error where a GPU build finds no driver or no CUDA libraries
(insightface issues 1824 and 2394 are people who noticed much later); what a session says of itself is the truth.
"""

from __future__ import annotations

import os
from typing import Any

from guardrail.errors import ConfigurationError

__all__ = ["CPU", "fallback", "gpu_providers", "in_force", "onnx_session", "session_options"]

CPU = "CPUExecutionProvider"
# Those that run any graph with free sizes. TensorRT builds an engine for every size, CoreML wants fixed ones.
_GPU = ("CUDAExecutionProvider", "MIGraphXExecutionProvider", "ROCMExecutionProvider", "DmlExecutionProvider")


def onnx_session(model: bytes, threads: int, *, gpu: bool = False) -> Any:
    """An ONNX Runtime session from verified bytes.

    Args:
        threads: within one operator; operators run one after the other.
        gpu: use a GPU where the installed runtime offers one (see `gpu_providers`).

    Raises:
        ConfigurationError: ``GUARDRAIL_DEVICE`` has a value that means nothing.
    """
    import onnxruntime as ort

    providers = [*(gpu_providers() if gpu else ()), CPU]
    return ort.InferenceSession(model, session_options(threads), providers=providers)


def session_options(threads: int) -> Any:
    """Options of a session that keeps to `threads` and prints nothing but errors."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def gpu_providers() -> tuple[str, ...]:
    """The GPU providers of the installed runtime, best first; none where ``GUARDRAIL_DEVICE`` is ``cpu``.

    Raises:
        ConfigurationError: ``GUARDRAIL_DEVICE`` is neither ``auto`` nor ``cpu``.
    """
    device = os.environ.get("GUARDRAIL_DEVICE", "auto")
    if device not in ("auto", "cpu"):
        raise ConfigurationError(f"GUARDRAIL_DEVICE is {device!r}; it can be auto or cpu")
    if device == "cpu":
        return ()
    import onnxruntime as ort

    offered = ort.get_available_providers()
    return tuple(p for p in _GPU if p in offered)


def in_force(session: Any) -> str:
    """The provider that the session really runs on; empty for the CPU."""
    first = str(session.get_providers()[0])
    return "" if first == CPU else first


def fallback(provider: str) -> str:
    """What to tell the user where a GPU is offered and a session that asked for it runs on the CPU; else empty.

    Args:
        provider: what `in_force` said of the session.
    """
    offered = gpu_providers()
    if not offered or provider:
        return ""
    return (
        f"{offered[0]} is offered by onnxruntime but did not start: the model runs on the CPU. Driver and libraries "
        "must fit the installed onnxruntime; set GUARDRAIL_DEVICE=cpu to ask for the CPU"
    )
