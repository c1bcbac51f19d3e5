"""What is said of faces: the wheels of OpenCV and ONNX Runtime, and what a GPU is used for."""

from __future__ import annotations

from collections.abc import Callable

from guardrail.checks.image.backends.opencv import WHEELS, opencv_fault

__all__ = ["gpu_remarks", "opencv_remarks"]

_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")


def opencv_remarks(version: Callable[[str], str]) -> list[str]:
    """Two wheels that own the module cv2, or one that cannot be loaded where insightface needs it.

    Args:
        version: that of an installed distribution, empty where it is absent.
    """
    remarks: list[str] = []
    wheels = [name for name in WHEELS if version(name)]
    if len(wheels) > 1:
        remarks.append(
            f"{' and '.join(wheels)} are installed together and own the same module cv2: the one installed last runs, "
            "and removing one breaks the other. To keep the one that needs no libGL, run: "
            f"pip uninstall -y {' '.join(wheels)}; pip install opencv-python-headless"
        )
    # Nothing else here needs it: YuNet runs without.
    if version("insightface") and (fault := opencv_fault(wheels)):
        remarks.append(f"insightface will not start: {fault}")
    return remarks


def gpu_remarks(version: Callable[[str], str]) -> list[str]:
    """Several builds of ONNX Runtime, of which one hides the other."""
    builds = [name for name in _RUNTIMES if version(name)]
    if len(builds) < 2:
        return []
    keep = builds[-1]
    return [
        f"{' and '.join(builds)} are installed together and own the same module: the GPU may not be used. Run: "
        f"pip uninstall -y {' '.join(builds)}; pip install {keep}"
    ]
