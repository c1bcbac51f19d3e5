"""The PIL image that a guarded pipeline returns: it knows its label and writes it when saved.

Imported late, since it needs Pillow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from PIL import Image

from guardrail.marks.files import encode_image
from guardrail.marks.label import Label

__all__ = ["GuardedImage", "guarded"]


class GuardedImage(Image.Image):
    """A PIL image with a label. Images derived from it (resized, converted, copied, pickled) keep the label."""

    guardrail_label: Label | None = None

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """As PIL's own, with the label in the file.

        Raises:
            MarkError: the format cannot carry a label (anything but PNG, JPEG, WebP and AVIF).
        """
        if self.guardrail_label is None or params.get("save_all"):
            super().save(fp, format, **params)
            return
        name = format or Path(str(getattr(fp, "name", fp))).suffix
        content = encode_image(self, name, self.guardrail_label, **params)
        if hasattr(fp, "write"):
            fp.write(content)
        else:
            Path(fp).write_bytes(content)

    def _new(self, im: Any) -> Any:
        # Pillow makes every derived image through this.
        return _adopt(cast(Any, super())._new(im), self.guardrail_label)

    def copy(self) -> Any:
        return _adopt(super().copy(), self.guardrail_label)

    def __reduce__(self) -> Any:
        return _restore, (super().__getstate__(), self.guardrail_label)


def _restore(state: Any, label: Label | None) -> GuardedImage:
    image = GuardedImage()
    Image.Image.__setstate__(image, state)
    image.guardrail_label = label
    return image


def _adopt(image: Image.Image, label: Label | None) -> GuardedImage:
    """Make a plain PIL image a guarded one in place; no pixel is copied."""
    if type(image) is Image.Image:
        image.__class__ = GuardedImage
    result = cast(GuardedImage, image)
    result.guardrail_label = label
    return result


def guarded(image: Image.Image, label: Label) -> GuardedImage:
    """`image` as one that writes `label` when it is saved."""
    # A file-backed image (PngImageFile …) has parts of its own: it is copied into a plain one first.
    plain = image if type(image) in (Image.Image, GuardedImage) else Image.Image.copy(image)
    return _adopt(plain, label)
