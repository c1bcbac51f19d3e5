"""OpenCV, which comes in several wheels that own one module.

``opencv-python`` needs libGL and libgthread, which a slim machine has not; ``opencv-python-headless`` needs neither.
insightface asks for the first. Both put their files into the folder ``cv2``: the one installed last is what runs, and
removing either takes files of the other away.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

__all__ = ["WHEELS", "installed_wheels", "opencv_fault"]

WHEELS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
_AGAIN = "pip uninstall -y {wheels}; pip install opencv-python-headless"


def installed_wheels() -> tuple[str, ...]:
    """The wheels that are installed and own the module cv2."""
    found: list[str] = []
    for name in WHEELS:
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    return tuple(found)


def opencv_fault(wheels: Sequence[str] | None = None) -> str:
    """Why cv2 cannot be used and what to run; empty where it can.

    Args:
        wheels: those that are installed; looked up by default.
    """
    wheels = installed_wheels() if wheels is None else wheels
    try:
        import cv2
    except ImportError as error:
        if not wheels:
            return "cv2 is not installed; run: pip install opencv-python-headless"
        why = _cause(str(error))
        return f"cv2 cannot be loaded: {why}; run: {_AGAIN.format(wheels=' '.join(wheels))}"
    # Half of a module is left where one of two wheels was removed: it imports, and has nothing in it.
    if not hasattr(cv2, "resize"):
        named = " ".join(wheels or WHEELS[:2])
        return f"cv2 is a folder without its library, left by a removed wheel; run: {_AGAIN.format(wheels=named)}"
    return ""


def _cause(message: str) -> str:
    for library in ("libGL.so.1", "libgthread-2.0.so.0"):
        if library in message:
            return f"{library} is not on this machine, which the wheel with windows needs"
    return message.splitlines()[0] if message else "no cause given"
