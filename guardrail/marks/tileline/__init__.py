"""TileLine: a keyed, blind watermark for pixels, with nothing but numpy, scipy and Pillow.

    mark = TileLine(key)                       # 32 bytes
    marked = mark.embed(image, payload)        # (H, W, 3) uint8, or float in 0..1; payload of 64 bits
    mark.detect(marked).payload == payload

The parts: `layout` (what the key decides), `code` (error correction), `frontend` (pixels to spectral lines), `embed`,
`sync` and `geometry` (where the mark lies), `detect`, `calibration` (how sure that is).

Names are imported on first use: who only asks for a version, or never marks, does not wait for scipy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail.marks.tileline.detect import Detection as Detection
    from guardrail.marks.tileline.detect import Geometry as Geometry
    from guardrail.marks.tileline.mark import TileLine as TileLine
    from guardrail.marks.tileline.mark import check_pixels as check_pixels

_HOMES = {"Detection": "detect", "Geometry": "detect", "TileLine": "mark", "check_pixels": "mark"}

__all__ = ["Detection", "Geometry", "TileLine", "check_pixels"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
