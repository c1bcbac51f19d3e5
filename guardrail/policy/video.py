"""``video`` of a rule file: how many frames of a video are looked at, and whether scores are smoothed over them."""

from __future__ import annotations

from collections.abc import Sequence

from guardrail.policy.findings import shown
from guardrail.policy.model import Video
from guardrail.policy.nodes import Scalar
from guardrail.policy.schema import EVERY, OVER, VIDEO, Fields, Keys, Reader

__all__ = ["MOST_APART", "WINDOW", "fewer_frames", "read_video"]

MOST_APART = 32
"""The largest step from one frame that is looked at to the next: just over a second of film."""
WINDOW = (2, 64)
"""Frames of a window that scores are smoothed over, from and to."""


def read_video(fields: Fields, reader: Reader, below: Sequence[Video]) -> Video:
    """What this file says, over what the files say that it builds on. They are not looked at less closely than that."""
    said_every = [v.every for v in below if v.every is not None]
    said_over = [v.over for v in below if v.over is not None]
    lower = Video(min(said_every, default=None), max(said_over, default=None))
    if "video" not in fields:
        return lower
    own = reader.fields(fields["video"].value, VIDEO) or {}
    every = _number(own, "frames", "all", 1, EVERY, (2, MOST_APART), reader)
    over = _number(own, "smoothing", "none", 0, OVER, WINDOW, reader)
    found = Video(lower.every if every is None else every, lower.over if over is None else over)
    why = fewer_frames(lower, found)
    if why:
        reader.findings.add("GP090", fields["video"].key, why, "watch videos at least as closely as that file does")
    return found


def fewer_frames(old: Video, new: Video) -> str:
    """In which way videos are looked at less closely than `old` says; empty where they are not."""
    if old.every is not None and (new.every or 1) > old.every:
        said = "all frames" if old.every == 1 else f"at least every {old.every}th frame"
        return f"{said} of a video are looked at below, and fewer would be here"
    if old.over is not None and (new.over or 0) < old.over:
        return f"scores are smoothed over {old.over} frames below, and over fewer here"
    return ""


def _number(
    own: Fields, key: str, word: str, plain: int, keys: Keys, limits: tuple[int, int], reader: Reader
) -> int | None:
    """`word` as `plain`, or the number in a mapping of one key; ``None`` where there is no `key`, or it is wrong."""
    if key not in own:
        return None
    node = own[key].value
    (name,) = keys.allowed
    low, high = limits
    if isinstance(node, Scalar):
        if node.text == word:
            return plain
        mend = f"write `{word}` or `{{{name}: {low}}}`"
        reader.findings.add("GP024", node, f"`{key}` cannot be {shown(node.text)}", mend)
        return None
    inner = reader.fields(node, keys) or {}
    number = reader.number(inner[name].value, f"`{name}`", low, high) if name in inner else None
    if number is not None and number != int(number):
        reader.findings.add("GP034", inner[name].value, f"`{name}`: {number:g} is not whole", "write a whole number")
        return None
    return int(number) if number is not None else None
