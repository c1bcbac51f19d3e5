"""``guardrail.save``, ``guardrail.encode`` and ``guardrail.verify``: files with their label, and what a file says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrail.decision import Decision
from guardrail.drafts import write_whole
from guardrail.errors import MarkError, UnsupportedInput
from guardrail.keys import Keyring, find_keyring
from guardrail.marks.files import label_of
from guardrail.marks.guarded_file import encode_guarded
from guardrail.marks.label import Label, label_for, one_line
from guardrail.marks.marker import Marker
from guardrail.marks.verify import Verification, verify_image
from guardrail.media import Limits, Role
from guardrail.media.arrays import is_array, is_pil
from guardrail.media.read import read_image

if TYPE_CHECKING:
    from PIL.Image import Image

    from guardrail.marks.registry import Registry
    from guardrail.marks.settings import Marking

__all__ = ["encode", "save", "verify"]


def encode(
    image: Any,
    format: str,
    *,
    decision: Decision | None = None,
    marking: Marking | None = None,
    prompt: str = "",
    prompt_writer: str = "",
    **params: Any,
) -> bytes:
    """An image that came out of the guard as file content, with its label in the metadata, signed where that is set up.

    The watermark is read back from what is written, with the keys of the guard that the picture or its decision came
    from, or else of this installation. Where it is not read, an array is refused if the policy asked for a watermark; a
    picture that carries a label (one that was cut, say) still says that a model made it, and names no watermark.

    Args:
        image: a PIL image, an array (H, W, 3) or a tensor (3, H, W).
        format: png, jpeg, webp or avif.
        decision: needed for arrays and tensors, which carry no label: the output's own, ``out.guardrail[i]``. As the
            guard gave it or copied, it brings along the provider and the signer; a pickled one knows only whether its
            files are signed, and needs `marking` then.
        marking: provider, signer and registry, as the guard has them; for what brings none along: pictures and
            decisions that were pickled.
        prompt, prompt_writer: written into the file (IPTC AIPromptInformation, AIPromptWriterName); by default neither
            is, anywhere.
        params: Pillow's options for the format, such as ``quality``.

    Raises:
        MarkError: nothing is known about the image, its decision is a block, the policy asks for a watermark that was
            never put in or is not read in the file, the format cannot carry a label, or the file is to be signed or
            registered and cannot be.
        InputError: several pictures in one array, or what cannot be read as a picture.
    """
    if decision is not None and decision.blocked:
        raise MarkError(f"the decision {decision.id} is a block: there is nothing to save")
    own = label_of(image)
    marker: Marker | None = getattr(image, "guardrail_marker", None) or (decision.marker if decision else None)
    label = own or _label(decision, marker)
    if marking is not None:
        label = _marked(label, marking)
    return encode_guarded(
        _pil(image),
        format,
        label,
        marker,
        marking=marking,
        required=own is None and decision is not None and decision.labels.get("watermark") == "invisible",
        prompt=prompt,
        prompt_writer=prompt_writer,
        **params,
    )


def save(
    image: Any,
    path: str | Path,
    *,
    decision: Decision | None = None,
    marking: Marking | None = None,
    prompt: str = "",
    prompt_writer: str = "",
    **params: Any,
) -> None:
    """As `encode`, into a file, whole or not at all; its suffix names the format.

    Raises:
        OSError: it cannot be written; also as `encode`.
    """
    target = Path(path)
    content = encode(
        image,
        target.suffix,
        decision=decision,
        marking=marking,
        prompt=prompt,
        prompt_writer=prompt_writer,
        **params,
    )
    write_whole(target, content)


def verify(
    source: Any,
    *,
    keyring: Keyring | None = None,
    search: bool = True,
    registry: str | Path | Registry | None = None,
    anchors: bytes | None = None,
    limits: Limits | None = None,
) -> Verification:
    """What a file (path or bytes), an image, an array or a tensor says about where it comes from, layer by layer.

    Args:
        keyring: of the watermarks; by default this installation's. Where it has none, none is made, and the watermark
            is not looked for.
        search: also look for a watermark that was cropped, turned or squeezed; much slower where there is none.
        registry: of released pictures, or its file.
        anchors: certificates in PEM whose holders are trusted to sign Content Credentials
            (`guardrail.marks.credentials.load_anchors`).
        limits: what is too much to look at; by default 8192×8192 pixels and 256 MB.

    Raises:
        InputError: it cannot be read as an image.
        RegistryError: the registry cannot be read.
    """
    if isinstance(registry, str | Path):
        from guardrail.marks.registry import Registry as Opened

        registry = Opened(registry)
    return verify_image(
        source, keyring or find_keyring(), search=search, registry=registry, anchors=anchors, limits=limits
    )


def _pil(image: Any) -> Image:
    if is_pil(image):
        return image  # type: ignore[no-any-return]
    if is_array(image) and image.ndim == 4 and len(image) > 1:
        raise UnsupportedInput(f"the array holds {len(image)} pictures: give one, each has a decision of its own")
    from PIL.Image import fromarray

    return fromarray(read_image(image, role=Role.OUTPUT).frames[0])


def _marked(label: Label, marking: Marking) -> Label:
    """What `marking` adds; a label that names its provider keeps it."""
    if not (label.provider or label.provider_code):
        provider, code = one_line(marking.provider), one_line(marking.provider_code)
        label = replace(label, provider=provider, provider_code=code)
    return replace(label, signed=label.signed or marking.signer is not None)


def _label(decision: Decision | None, marker: Marker | None) -> Label:
    if decision is None:
        raise MarkError(
            "this image carries no label: give the output's decision, save(image, path, decision=out.guardrail[i])"
        )
    if decision.labels.get("watermark") == "invisible" and not decision.mark_id:
        raise MarkError(
            f"the policy of the decision {decision.id} asks for a watermark and none was put in: "
            "save what guard.mark(image, after=decision) returns"
        )
    if marker is not None:
        return marker.label(decision, decision.mark_id, system="guardrail")
    return label_for(decision, decision.mark_id, system="guardrail", signed=decision.is_signed)
