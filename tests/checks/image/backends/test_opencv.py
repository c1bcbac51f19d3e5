"""The wheels of OpenCV: which are installed, whether the module loads, what to run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from guardrail.checks.image.backends.opencv import opencv_fault

ROOT = Path(__file__).resolve().parents[4]
LIBGL = "libGL.so.1: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("module", "wheels", "says"),
    [
        (f"raise ImportError({LIBGL!r})", ["opencv-python"], "libGL.so.1 is not on this machine"),
        (f"raise ImportError({LIBGL!r})", ["opencv-python"], "pip uninstall -y opencv-python; pip install"),
        ("raise ImportError('libgthread-2.0.so.0: cannot open')", ["opencv-python"], "libgthread-2.0.so.0 is not on"),
        ("raise ImportError('numpy is too old')", ["opencv-python-headless"], "numpy is too old"),
        ("", ["opencv-python", "opencv-python-headless"], "left by a removed wheel"),
        ("", [], "left by a removed wheel"),
        (
            "raise ImportError('No module named cv2')",
            [],
            "cv2 is not installed; run: pip install opencv-python-headless",
        ),
        ("resize = None", ["opencv-python-headless"], ""),
    ],
    ids=["no libGL", "the mend", "no libgthread", "another cause", "half", "an empty folder", "absent", "well"],
)
def test_what_is_wrong_with_cv2_and_what_to_run(tmp_path: Path, module: str, wheels: list[str], says: str) -> None:
    """In a process of its own, with a stand-in in front of the real module."""
    (tmp_path / "cv2.py").write_text(module)
    program = f"from guardrail.checks.image.backends.opencv import opencv_fault; print(opencv_fault({wheels!r}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    said = done.stdout.strip()
    assert says in said
    assert bool(said) is bool(says)


def test_here_it_loads_or_the_mend_is_said() -> None:
    fault = opencv_fault()
    try:
        import cv2
    except ImportError:
        assert "pip install opencv-python-headless" in fault
    else:
        assert (fault == "") is hasattr(cv2, "resize")
