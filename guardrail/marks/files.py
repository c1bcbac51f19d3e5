"""Writing images so that their label is in the file, and reading it back.

Pillow drops metadata silently on save: everything that leaves the guard as a file goes through `encode_image`, which
reads back what it wrote.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrail.errors import MarkError
from guardrail.marks.label import Label, png_text
from guardrail.marks.metadata.aigc import read_aigc
from guardrail.marks.metadata.containers import find
from guardrail.marks.metadata.exif import read_exif
from guardrail.marks.metadata.xmp import read_xmp

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Confirm", "Sign", "encode_image", "label_of", "read_file_label", "save_image"]

FORMATS: Mapping[str, str] = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "avif": "AVIF"}

_STRAIGHT: Mapping[str, str] = {"La": "LA", "RGBa": "RGBA"}

Sign = Callable[[bytes, str], bytes]
"""Signs a file: (content, ``png``, ``jpeg``, ``webp`` or ``avif``) → the signed content."""
Confirm = Callable[[Label, bytes], tuple[Label, Sign | None]]
"""Looks at a file before it is signed: (label, content) → what may be said of its pixels, and who signs that."""


def label_of(image: object) -> Label | None:
    """The label that an image carries in memory, if it came out of the guard."""
    label = getattr(image, "guardrail_label", None)
    return label if isinstance(label, Label) else None


def encode_image(
    image: Image,
    format: str,
    label: Label | None,
    *,
    sign: Sign | None = None,
    confirm: Confirm | None = None,
    prompt: str = "",
    prompt_writer: str = "",
    **params: Any,
) -> bytes:
    """Encode with the label in the file, sign it, and read both back.

    XMP, EXIF and colour profile that the picture or `params` bring along are kept, see docs/metadata.md. JPEG has no
    transparency: the picture is written over white, as it is seen on most pages. Pillow's own `convert("RGB")` drops
    the transparency instead, and other colours show.

    Args:
        image: a PIL image; Pillow's own options go in `params`. With ``save_all=True`` all its frames are written.
        format: png, jpeg, webp or avif, with or without a dot.
        label: what to write; ``None`` writes nothing, and keeps nothing.
        sign: called last with the content and its format.
        confirm: called with the label and the content that has it; where it gives back another label, the file is
            written again with that one. Its signer takes the place of `sign`.
        prompt, prompt_writer: written only if given here (IPTC ``AIPromptInformation``, ``AIPromptWriterName``).

    Raises:
        MarkError: the format cannot carry the label, or all frames; the label is not in what was written or signed; it
            asks for a signature and there is no signer, or none was made, or the file
            cannot be read any more with it.
    """
    form = FORMATS.get(format.lower().lstrip("."))
    if form is None:
        raise MarkError(f"{format or 'a file without a suffix'} cannot carry a label; use png, jpeg, webp or avif")
    if label is None and (prompt or prompt_writer):
        raise MarkError("a prompt is written beside a label, and this picture has none: give its decision")
    if confirm is None:
        _require_signer(label, sign)
    frames, params = _frames(image, form, params)
    content, said = _labelled(frames, form, label, prompt, prompt_writer, params)
    if confirm is not None and label is not None:
        true, sign = confirm(label, content)
        _require_signer(true, sign)
        if true != label:
            content, said = _labelled(frames, form, true, prompt, prompt_writer, params)
    if sign is None:
        return content
    return _signed(content, form, said or read_file_label(content), sign)


def save_image(image: Image, path: str | Path, label: Label | None, **params: Any) -> None:
    """As `encode_image`, into a file named by its suffix."""
    target = Path(path)
    target.write_bytes(encode_image(image, target.suffix, label, **params))


def _require_signer(label: Label | None, sign: Sign | None) -> None:
    if label is not None and label.signed and sign is None:
        raise MarkError(
            "this picture is to be signed and has lost its signer (a pickled picture or decision has none): "
            "save it with guardrail.save(image, path, marking=...), and decision=... where it is an array"
        )


def _labelled(
    frames: Sequence[Image], form: str, label: Label | None, prompt: str, writer: str, params: Mapping[str, Any]
) -> tuple[bytes, dict[str, str]]:
    """The file with its label, not signed, and what it says; nothing is read where there is no label.

    Raises:
        MarkError: the label is not in it.
    """
    if label is None:
        return _encoded(frames, form, params), {}
    from guardrail.marks.metadata.merge import prompt_properties, with_metadata

    extra = prompt_properties(prompt, writer)
    content = _encoded(frames, form, with_metadata(form, frames[0].mode, label, extra, frames[0].info, params))
    said = read_file_label(content)
    if not {**_expected(label, form), **extra}.items() <= said.items():
        raise MarkError(f"the label did not get into the {form} file")
    return content, said


def read_file_label(content: bytes) -> dict[str, str]:
    """What a file says about itself, whoever wrote it; empty for other formats and for what is no file at all.

    The known XMP properties by prefixed name (``Iptc4xmpExt:DigitalSourceType``), the field AIGC under ``aigc:``, EXIF
    under ``exif:``, PNG keywords under ``png:``. Never raises; what is cut off, too large or malformed is left out.
    """
    found = find(content)
    said = read_xmp(found.xmp) if found.xmp else {}
    for key, value in read_aigc(found.texts.get("AIGC", "")).items():
        said.setdefault(f"aigc:{key}", value)
    texts = {f"png:{keyword}": text for keyword, text in found.texts.items()}
    return {**said, **(read_exif(found.exif) if found.exif else {}), **texts}


def _expected(label: Label, form: str) -> dict[str, str]:
    """What must be read back."""
    expected = label.says()
    if label.software:
        expected["exif:Software"] = label.software
    if form == "PNG":
        expected |= {f"png:{keyword}": text for keyword, text in png_text(label).items()}
    return expected


def _frames(image: Image, form: str, params: Mapping[str, Any]) -> tuple[list[Image], dict[str, Any]]:
    """Plain copies of what is written, and the options without the frames that were appended.

    Plain, since the image's own save may be the one that calls this; and single, since a copy has one frame only.
    """
    from PIL.ImageSequence import Iterator as Frames

    params = dict(params)
    extra = params.pop("append_images", None) or ()
    every = params.pop("save_all", None)
    if not (every or (every is None and extra)):
        return [_plain(image, form)], params
    if form == "JPEG":
        if extra or getattr(image, "n_frames", 1) > 1:
            raise MarkError("a JPEG file holds one picture; use png, webp or avif for several")
        return [_plain(image, form)], params
    frames: list[Image] = []
    for source in (image, *extra):
        place = source.tell()
        frames += [_plain(frame, form) for frame in Frames(source)]
        source.seek(place)
    times = [frame.info.get("duration", 0) for frame in frames]
    if "duration" not in params and any(times):
        hidden = form == "PNG" and params.get("default_image", frames[0].info.get("default_image"))
        # AVIF counts whole milliseconds; a picture for readers that know no animation has no time.
        params["duration"] = [round(t) for t in times] if form == "AVIF" else times[1:] if hidden else times
    if form == "WEBP" and "loop" in frames[0].info:
        params.setdefault("loop", frames[0].info["loop"])
    params["save_all"] = True
    return frames, params


def _plain(image: Image, form: str) -> Image:
    import PIL.Image

    plain = PIL.Image.Image.copy(image)
    # Each frame was decoded to the whole picture: how it was put together says nothing about it any more.
    for name in ("blend", "disposal", "bbox"):
        plain.info.pop(name, None)
    if plain.mode in _STRAIGHT:
        # Colours multiplied by their alpha: no format holds them, and few conversions know them.
        plain = plain.convert(_STRAIGHT[plain.mode])
    if form == "JPEG":
        if plain.has_transparency_data:
            plain = _over_white(plain)
        elif plain.mode not in ("RGB", "L", "CMYK"):
            plain = plain.convert("RGB")
    return plain


def _over_white(image: Image) -> Image:
    import PIL.Image

    flat = PIL.Image.new("RGBA", image.size, "white")
    flat.alpha_composite(image.convert("RGBA"))
    flat = flat.convert("RGB")
    flat.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return flat


def _encoded(frames: Sequence[Image], form: str, params: Mapping[str, Any]) -> bytes:
    import PIL.Image

    buffer = io.BytesIO()
    more = {"append_images": list(frames[1:])} if len(frames) > 1 else {}
    PIL.Image.Image.save(frames[0], buffer, form, **more, **params)
    return buffer.getvalue()


def _signed(content: bytes, form: str, said: Mapping[str, str], sign: Sign) -> bytes:
    signed = sign(content, form.lower())
    if not isinstance(signed, bytes) or signed == content:
        raise MarkError(f"the {form} file was not signed: the signer gave back no other content")
    if read_file_label(signed) != said:
        raise MarkError(f"the label was lost when the {form} file was signed")
    try:
        same = _frames_digest(signed, form) == _frames_digest(content, form)
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they like; nothing is released
        raise MarkError(f"the signed {form} file cannot be opened any more ({type(error).__name__})") from None
    if not same:
        raise MarkError(f"the picture was changed when the {form} file was signed")
    return signed


def _frames_digest(content: bytes, form: str) -> str:
    """Of the pixels of all frames."""
    import PIL.Image
    from PIL.ImageSequence import Iterator as Frames

    digest = hashlib.sha256()
    with PIL.Image.open(io.BytesIO(content), formats=[form]) as image:
        for frame in Frames(image):
            digest.update(f"{frame.mode} {frame.size}".encode())
            digest.update(frame.tobytes())
    return digest.hexdigest()
