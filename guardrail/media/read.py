"""Reading an image in whatever form a caller has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from guardrail.errors import UnsupportedInput
from guardrail.media.arrays import from_array, from_pil, is_array, is_pil
from guardrail.media.decode import decode_image
from guardrail.media.types import ImageInput, Limits, Role

__all__ = ["read_image"]


def read_image(
    source: Any,
    *,
    argument: str = "image",
    index: int = 0,
    role: Role = Role.REFERENCE,
    limits: Limits | None = None,
) -> ImageInput:
    """A path, bytes, a PIL image, an array or a tensor as an `ImageInput`.

    Raises:
        InputError: it cannot be read; UnsupportedInput for any other type, and for URLs: nothing is fetched.
    """
    if isinstance(source, ImageInput):
        return replace(source, index=index, role=role)
    if isinstance(source, str) and "://" in source:
        raise UnsupportedInput(f"{argument} is a URL; nothing is fetched: download it first")
    if isinstance(source, str) and source.startswith("data:"):
        raise UnsupportedInput(f"{argument} is a data URI; give the bytes that its base64 part stands for")
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    if isinstance(source, str | Path | bytes):
        return decode_image(source, argument=argument, index=index, role=role, limits=limits)
    if is_pil(source):
        return from_pil(source, argument=argument, index=index, role=role, limits=limits)
    if is_array(source):
        return from_array(source, argument=argument, index=index, role=role, limits=limits)
    raise UnsupportedInput(
        f"{argument} is {type(source).__name__}; give a path, bytes, a PIL image, an array or a tensor"
    )
