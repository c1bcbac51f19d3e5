"""``guardrail.save``, ``guardrail.encode`` and ``guardrail.verify``: files with their label, and what a file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrail.decision import Decision
from guardrail.drafts import write_whole
from guardrail.errors import MarkError, UnsupportedInput
from guardrail.keys import Keyring, load_keyring
from guardrail.marks.files import encode_image, label_of
from guardrail.marks.label import Label, label_for
from guardrail.marks.verify import Verification, verify_image
from guardrail.media import Role
from guardrail.media.arrays import is_array, is_pil
from guardrail.media.read import read_image

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["encode", "save", "verify"]


def encode(image: Any, format: str, *, decision: Decision | None = None, **params: Any) -> bytes:
    """An image that came out of the guard as file content, with its label in the metadata.

    Args:
        image: a PIL image, an array (H, W, 3) or a tensor (3, H, W).
        format: png, jpeg, webp or avif.
        decision: needed for arrays and tensors, which carry no label: the output's own, ``out.guardrail[i]``.
        params: Pillow's options for the format, such as ``quality``.

    Raises:
        MarkError: nothing is known about the image, its decision is a block, the policy asks for a watermark that was
            never put in, or the format cannot carry a label.
        InputError: several pictures in one array, or what cannot be read as a picture.
    """
    if decision is not None and decision.blocked:
        raise MarkError(f"the decision {decision.id} is a block: there is nothing to save")
    label = label_of(image) or _label(decision)
    return encode_image(_pil(image), format, label, **params)


def save(image: Any, path: str | Path, *, decision: Decision | None = None, **params: Any) -> None:
    """As `encode`, into a file, whole or not at all; its suffix names the format.

    Raises:
        OSError: it cannot be written; also as `encode`.
    """
    target = Path(path)
    write_whole(target, encode(image, target.suffix, decision=decision, **params))


def verify(source: Any, *, keyring: Keyring | None = None) -> Verification:
    """What a file (path or bytes), an image, an array or a tensor says about where it comes from, layer by layer.

    Raises:
        InputError: it cannot be read as an image.
    """
    return verify_image(source, keyring or load_keyring())


def _pil(image: Any) -> Image:
    if is_pil(image):
        return image  # type: ignore[no-any-return]
    if is_array(image) and image.ndim == 4 and len(image) > 1:
        raise UnsupportedInput(f"the array holds {len(image)} pictures: give one, each has a decision of its own")
    from PIL.Image import fromarray

    return fromarray(read_image(image, role=Role.OUTPUT).frames[0])


def _label(decision: Decision | None) -> Label:
    if decision is None:
        raise MarkError(
            "this image carries no label: give the output's decision, save(image, path, decision=out.guardrail[i])"
        )
    if decision.labels.get("watermark") == "invisible" and not decision.mark_id:
        raise MarkError(
            f"the policy of the decision {decision.id} asks for a watermark and none was put in: "
            "save what guard.mark(image, after=decision) returns"
        )
    return label_for(decision, decision.mark_id, system="guardrail")
