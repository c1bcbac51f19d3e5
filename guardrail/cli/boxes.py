"""Pictures of boxes: what was found where, drawn over a copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from guardrail.media import Region
from guardrail.media.types import Frame

__all__ = ["draw_boxes", "drawn_path", "obstacle"]

COLOURS = {"face": (0, 190, 255), "nudity": (255, 60, 90), "edit": (255, 170, 0)}


def drawn_path(out: Path, index: int) -> Path:
    """Where the drawing of picture `index` goes: `out` of the first, then `out` with a number."""
    return out if not index else out.with_name(f"{out.stem}-{index + 1}{out.suffix}")


def obstacle(path: Path, given: Iterable[Path]) -> str:
    """Why no drawing may be written there; empty where nothing is in the way.

    Args:
        given: files that were brought: none of them is overwritten, under whatever name or link.
    """
    if path.suffix.lower() != ".png":
        return f"{path}: a drawing is a PNG: give a name that ends in .png"
    try:
        if not path.parent.is_dir():
            return f"{path}: there is no folder {path.parent}"
        if path.is_dir():
            return f"{path} is a folder"
        there = path.exists()
        same = next((one for one in given if there and one.exists() and path.samefile(one)), None)
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    if same is not None:
        return f"{path} is the file {same}, which was given: choose another name"
    return "" if os.access(path if there else path.parent, os.W_OK) else f"{path} cannot be written: permission denied"


def _with_score(region: Region) -> str:
    return f"{region.fields.get('part', region.kind)} {region.score:.2f}"


def draw_boxes(
    frames: Sequence[Frame],
    regions: Sequence[Region],
    path: Path,
    label: Callable[[Region], str] = _with_score,
    frame: int | None = None,
) -> None:
    """Write one frame as a PNG without metadata, each of its regions in a frame with a label: by default its score.

    Args:
        frame: index of the frame; by default the first that has a region, else the first.

    Raises:
        OSError: it cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    shown = min((r.frame for r in regions), default=0) if frame is None else frame
    picture = Image.fromarray(np.ascontiguousarray(frames[shown][..., :3]))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / 400))
    font = ImageFont.load_default(size=max(10, max(picture.size) / 60))
    for region in (r for r in regions if r.frame == shown):
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
