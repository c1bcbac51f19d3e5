"""The PIL image that a guarded pipeline returns: it knows its label and writes it when saved.

Imported late, since it needs Pillow.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PIL import Image

from guardrail.marks.label import Label

if TYPE_CHECKING:
    from guardrail.marks.marker import Marker

__all__ = ["GuardedImage", "guarded"]


class GuardedImage(Image.Image):
    """A PIL image with a label, and with the marker that reads its watermark back and signs its files.

    Images that Pillow derives from it (resized, cropped, rotated, converted, filtered, copied, pickled) keep the label,
    and the marker too, except for pickled ones: it holds secrets. Those that are to be signed are then not saved
    unsigned, but refused; `guardrail.save` with ``marking=`` signs them.
    The file names the watermark only where it is read in the pixels that are written (see `encode_guarded`): of a
    picture that was cut, turned by a few degrees or written at a low quality it says that a model made it, and no more.
    What is put together on a new canvas keeps neither: `ImageOps.expand` and `pad`, `ImageEnhance.Brightness` and
    `Contrast`, `Image.new` with `paste`, `Image.fromarray`. Give `guardrail.save` the decision to have the metadata
    written again; where the policy asked for a watermark, it must be read in the file: of a picture that was framed or
    cut it is not.
    """

    guardrail_label: Label | None = None
    guardrail_marker: Marker | None = None

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """As PIL's own, with the label in the file, signed.

        Raises:
            MarkError: the format cannot carry a label (anything but PNG, JPEG, WebP and AVIF), animated or not; or the
                label asks for a signature and the marker was left behind; or the file cannot be registered.
        """
        if self.guardrail_label is None:
            super().save(fp, format, **params)
            return
        stream = hasattr(fp, "write")
        # A stream may have no name, or a number for one.
        name = getattr(fp, "name", "") if stream else os.fsdecode(fp)
        suffix = Path(name).suffix if isinstance(name, str) else ""
        from guardrail.marks.guarded_file import encode_guarded

        content = encode_guarded(self, format or suffix, self.guardrail_label, self.guardrail_marker, **params)
        if stream:
            fp.write(content)
        else:
            Path(name).write_bytes(content)

    def _new(self, im: Any) -> Any:
        # Pillow makes every derived image through this.
        return _adopt(cast(Any, super())._new(im), self.guardrail_label, self.guardrail_marker)

    def transform(self, *args: Any, **kwargs: Any) -> Any:
        # It draws on a new canvas, and so does rotate(), which is made of it.
        return _adopt(super().transform(*args, **kwargs), self.guardrail_label, self.guardrail_marker)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = self.copy()
        twin.info = copy.deepcopy(self.info, memo)
        return twin

    def __reduce__(self) -> Any:
        # The marker stays here.
        return _restore, (super().__getstate__(), self.guardrail_label)


def _restore(state: Any, label: Label | None) -> GuardedImage:
    image = GuardedImage()
    Image.Image.__setstate__(image, state)
    image.guardrail_label = label
    return image


def _adopt(image: Image.Image, label: Label | None, marker: Marker | None) -> GuardedImage:
    """Make a plain PIL image a guarded one in place; no pixel is copied."""
    if type(image) is Image.Image:
        image.__class__ = GuardedImage
    result = cast(GuardedImage, image)
    result.guardrail_label = label
    result.guardrail_marker = marker
    return result


def guarded(image: Image.Image, label: Label, *, marker: Marker | None = None) -> GuardedImage:
    """`image` as one that writes `label` when it is saved, with what it was marked with."""
    # A file-backed image (PngImageFile …) has parts of its own: it is copied into a plain one first.
    plain = image if type(image) in (Image.Image, GuardedImage) else Image.Image.copy(image)
    return _adopt(plain, label, marker)
