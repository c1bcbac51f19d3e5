"""The file of a released picture. It names a watermark only where that is read in the pixels that are written.

A picture changes on its way to a file: it is cut, turned, written over, or written at a low quality. What is left of
its mark is found out by reading the file; what the label says follows from that.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guardrail.errors import MarkError
from guardrail.keys import find_keyring
from guardrail.marks.files import Sign, encode_image
from guardrail.marks.label import Label
from guardrail.marks.marker import Marker
from guardrail.marks.settings import Marking
from guardrail.marks.stack import MarkStack

if TYPE_CHECKING:
    from PIL.Image import Image

    from guardrail.media.types import Frame

__all__ = ["encode_guarded"]


def encode_guarded(
    image: Image,
    format: str,
    label: Label,
    marker: Marker | None,
    *,
    marking: Marking | None = None,
    required: bool = False,
    **params: Any,
) -> bytes:
    """As `encode_image`, with the mark read back (the fast path: no search for cut or turned marks), and the file's
    SHA-256 entered in the registry, where there is one.

    A file in which the mark of the label is not read still says that a model made the picture, and names no watermark.

    Args:
        marker: what the picture was marked with: it reads, signs and registers. ``None`` where that is not known: then
            the keys of this installation read, where there are any.
        marking: who signs where the marker has no signer, and into which registry the file goes where it has none.
        required: the mark must be in the file.

    Raises:
        MarkError: as `encode_image`; the mark is required and is not read; the registry cannot be written.
        KeyringError: the keys of this installation are needed and cannot be read.
    """
    if marker is None and label.mark_id and (keyring := find_keyring()) is not None:
        marker = Marker(MarkStack(keyring), Marking())

    def confirm(said: Label, content: bytes) -> tuple[Label, Sign | None]:
        true = said
        if said.mark_id and not (marker is not None and _carries(content, said.mark_id, marker)):
            if required:
                raise MarkError(_not_read(said.mark_id, marker))
            true = replace(said, mark_id="", integrity="")
            true = true if marker is None else marker.stack.with_integrity(true)
        return true, _signing(true, marker, marking)

    content = encode_image(image, format, label, confirm=confirm, **params)
    if label.mark_id:
        _register(marker, marking, label.mark_id, content)
    return content


def _register(marker: Marker | None, marking: Marking | None, mark_id: str, content: bytes) -> None:
    # No key is needed to say which file a registered picture became.
    if marker is not None and marker.marking.registry is not None:
        marker.register_file(mark_id, content)
    elif marking is not None and marking.registry is not None:
        from guardrail.marks.registry import Registry

        registry = Registry(marking.registry)
        try:
            registry.add_file(mark_id, hashlib.sha256(content).hexdigest())
        finally:
            registry.close()


def _carries(content: bytes, mark_id: str, marker: Marker) -> bool:
    """Whether the mark is read in every picture of a file of ours."""
    return all(any(marker.reads(pixels, mark_id) for pixels in frame) for frame in _pictures(content))


def _pictures(content: bytes) -> Iterator[tuple[Frame, ...]]:
    import PIL.Image
    from PIL.ImageSequence import Iterator as Frames

    from guardrail.media.decode import to_frames

    try:
        with PIL.Image.open(io.BytesIO(content)) as image:
            for frame in Frames(image):
                yield to_frames(frame, "the file")
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they like; nothing is released
        raise MarkError(f"the file cannot be opened to read its watermark ({type(error).__name__})") from None


def _signing(label: Label, marker: Marker | None, marking: Marking | None) -> Sign | None:
    sign = marker.sign(label) if marker is not None else None
    if sign is None and marking is not None and marking.signer is not None:
        from guardrail.marks.credentials import signing

        sign = signing(label, marking.signer)
    return sign


def _not_read(mark_id: str, marker: Marker | None) -> str:
    if marker is None:
        return f"no key is here to read the watermark {mark_id} with: set the key that the picture was marked with"
    return (
        f"the watermark {mark_id} is not read in the file: give the picture that was released, neither cut nor framed, "
        "and write it at a higher quality; where a guard with another key marked it, set that key"
    )
