"""Writing images so that their label is in the file, and reading it back.

Pillow drops metadata silently on save: everything that leaves the guard as a file goes through `encode_image`, which
reads back what it wrote.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrail.errors import MarkError
from guardrail.marks.label import Label, png_text, read_xmp, xmp_packet
from guardrail.media.decode import sniff

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["encode_image", "label_of", "read_file_label", "save_image"]

FORMATS: Mapping[str, str] = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "avif": "AVIF"}


def label_of(image: object) -> Label | None:
    """The label that an image carries in memory, if it came out of the guard."""
    label = getattr(image, "guardrail_label", None)
    return label if isinstance(label, Label) else None


def encode_image(image: Image, format: str, label: Label | None, **params: Any) -> bytes:
    """Encode with the label in the file.

    Args:
        image: a PIL image; Pillow's own options go in `params`.
        format: png, jpeg, webp or avif, with or without a dot.
        label: what to write; ``None`` writes nothing.

    Raises:
        MarkError: the format cannot carry the label, or the label is not in what was written.
    """
    form = FORMATS.get(format.lower().lstrip("."))
    if form is None:
        raise MarkError(f"{format or 'a file without a suffix'} cannot carry a label; use png, jpeg, webp or avif")
    import PIL.Image
    from PIL.PngImagePlugin import PngInfo

    # A plain copy: the image's own save may be the one that calls this.
    plain = PIL.Image.Image.copy(image)
    if form == "JPEG" and plain.mode not in ("RGB", "L", "CMYK"):
        plain = plain.convert("RGB")
    if label is not None and form == "PNG":
        info = PngInfo()
        # The caller's own chunks go along; its object stays as it is, or the next picture would carry this label.
        info.chunks = list(getattr(params.get("pnginfo"), "chunks", ()))
        info.add_itxt("XML:com.adobe.xmp", xmp_packet(label).decode())
        for keyword, text in png_text(label).items():
            info.add_text(keyword, text)
        params["pnginfo"] = info
    elif label is not None:
        params["xmp"] = xmp_packet(label)
    buffer = io.BytesIO()
    PIL.Image.Image.save(plain, buffer, form, **params)
    content = buffer.getvalue()
    if label is not None and not label.properties().items() <= read_file_label(content).items():
        raise MarkError(f"the label did not get into the {form} file")
    return content


def save_image(image: Image, path: str | Path, label: Label | None, **params: Any) -> None:
    """As `encode_image`, into a file named by its suffix."""
    target = Path(path)
    target.write_bytes(encode_image(image, target.suffix, label, **params))


def read_file_label(content: bytes) -> dict[str, str]:
    """What a file says about itself: the known XMP properties, and for PNG the keywords under ``png:``."""
    import PIL.Image

    form = sniff(content[:16])
    if form is None:
        return {}
    with PIL.Image.open(io.BytesIO(content), formats=[form]) as image:
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        texts = {f"png:{k}": str(v) for k, v in getattr(image, "text", {}).items() if k != "XML:com.adobe.xmp"}
    return {**read_xmp(packet if isinstance(packet, bytes) else packet.encode()), **texts}
