"""Pictures of boxes: what was found where, drawn over a copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from guardrail.media import Region
from guardrail.media.types import Frame

__all__ = ["draw_boxes"]

COLOURS = {"face": (0, 190, 255), "nudity": (255, 60, 90), "edit": (255, 170, 0)}


def _with_score(region: Region) -> str:
    return f"{region.fields.get('part', region.kind)} {region.score:.2f}"


def draw_boxes(
    frames: Sequence[Frame], regions: Sequence[Region], path: Path, label: Callable[[Region], str] = _with_score
) -> None:
    """Write the first frame that has a region (else the first) as a PNG without metadata, each region in a frame with a
    label: by default its score."""
    from PIL import Image, ImageDraw, ImageFont

    first = min((r.frame for r in regions), default=0)
    picture = Image.fromarray(np.ascontiguousarray(frames[first][..., :3]))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / 400))
    font = ImageFont.load_default(size=max(10, max(picture.size) / 60))
    for region in (r for r in regions if r.frame == first):
        x, y, w, h = region.box
        colour = COLOURS.get(region.kind, (255, 255, 0))
        draw.rectangle([x, y, x + w, y + h], outline=colour, width=width)
        # Over the box where there is room, else inside of it; and never out of the picture to the right.
        left, _, right, bottom = draw.textbbox((0, 0), label(region), font=font)
        across = max(0.0, min(x, picture.width - (right - left) - 2))
        at = (across, y - bottom - width if y > bottom + width else y + width)
        draw.rectangle(draw.textbbox(at, label(region), font=font), fill=(0, 0, 0))
        draw.text(at, label(region), fill=colour, font=font)
    picture.save(path, "PNG")
