"""TileLine: a keyed, blind watermark for pixels, with nothing but numpy, scipy and Pillow.

    mark = TileLine(key)                       # 32 bytes
    marked = mark.embed(image, payload)        # (H, W, 3) uint8, or float in 0..1; payload of 64 bits
    mark.detect(marked).payload == payload

The parts: `layout` (what the key decides), `code` (error correction), `frontend` (pixels to spectral lines), `embed`,
`sync` and `geometry` (where the mark lies), `detect`, `calibration` (how sure that is).
"""

from __future__ import annotations

from guardrail.marks.tileline.detect import Detection, Geometry
from guardrail.marks.tileline.mark import TileLine, check_pixels

__all__ = ["Detection", "Geometry", "TileLine", "check_pixels"]
