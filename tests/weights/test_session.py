"""Where a model runs: the CPU unless a GPU is asked for, offered and started; a silent fallback is said."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from guardrail.errors import ConfigurationError
from guardrail.weights.session import CPU, fallback, gpu_providers, in_force, onnx_session

CUDA = "CUDAExecutionProvider"


class Runtime:
    """Stands in for onnxruntime: offers what it is told, and starts what it is told."""

    def __init__(self, offered: list[str], starts: list[str]) -> None:
        self.offered, self.starts = offered, starts
        self.asked: list[str] = []

    def get_available_providers(self) -> list[str]:
        return self.offered

    class SessionOptions:
        intra_op_num_threads = inter_op_num_threads = log_severity_level = 0

    def InferenceSession(self, model: bytes, options: Any, providers: list[str]) -> Any:
        self.asked = providers
        started = [p for p in providers if p in self.starts]
        return type("Session", (), {"get_providers": lambda self: started})()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(offered: list[str], starts: list[str]) -> Runtime:
        made = Runtime(offered, starts)
        monkeypatch.setitem(sys.modules, "onnxruntime", made)
        return made

    return put


@pytest.mark.parametrize(
    ("offered", "starts", "gpu", "asked", "runs", "told"),
    [
        ([CPU], [CPU], True, [CPU], "", False),
        (["AzureExecutionProvider", CPU], [CPU], True, [CPU], "", False),
        ([CUDA, CPU], [CUDA, CPU], True, [CUDA, CPU], CUDA, False),
        (["TensorrtExecutionProvider", CUDA, CPU], [CUDA, CPU], True, [CUDA, CPU], CUDA, False),
        ([CUDA, CPU], [CPU], True, [CUDA, CPU], "", True),
        ([CUDA, CPU], [CUDA, CPU], False, [CPU], "", True),
    ],
    ids=["cpu build", "azure is no gpu", "cuda", "no engines are built", "silent fallback", "not asked for"],
)
def test_what_is_asked_what_runs_and_what_is_said(
    runtime: Any, offered: list[str], starts: list[str], gpu: bool, asked: list[str], runs: str, told: bool
) -> None:
    made = runtime(offered, starts)
    session = onnx_session(b"", 1, gpu=gpu)
    assert made.asked == asked
    assert in_force(session) == runs
    assert ("did not start" in fallback(in_force(session))) is told


def test_the_cpu_can_be_asked_for(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = runtime([CUDA, CPU], [CUDA, CPU])
    monkeypatch.setenv("GUARDRAIL_DEVICE", "cpu")
    assert in_force(onnx_session(b"", 1, gpu=True)) == ""
    assert made.asked == [CPU]
    assert fallback("") == ""


def test_a_device_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDRAIL_DEVICE", "gpu0")
    with pytest.raises(ConfigurationError, match="it can be auto or cpu"):
        gpu_providers()
