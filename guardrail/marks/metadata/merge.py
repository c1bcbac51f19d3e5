"""The metadata of one file to be written: the label, and what the picture or the caller brings along."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from guardrail.errors import MarkError
from guardrail.marks.label import Label, png_text
from guardrail.marks.metadata import aigc, exif, png
from guardrail.marks.metadata.xmp import LARGEST_XMP_BYTES, UnusablePacket, packet_of

__all__ = ["LONGEST_PROMPT", "prompt_properties", "with_metadata"]

_log = logging.getLogger("guardrail")

LONGEST_PROMPT = 10_000  # characters: escaped, it still fits into a segment of a JPEG file
_LARGEST_JPEG_XMP = 65_502  # a segment less its length and the name of the namespace (XMP specification, part 3)
_LARGEST_ICC_BYTES = 4 << 20
_ICC_SPACES: Mapping[bytes, tuple[str, ...]] = {
    b"RGB ": ("RGB", "RGBA", "RGBX", "P", "PA"),
    b"GRAY": ("1", "L", "LA", "I", "I;16", "F"),
    b"CMYK": ("CMYK",),
}


def prompt_properties(prompt: str, prompt_writer: str) -> dict[str, str]:
    """The properties for a prompt that the caller asks to have written.

    Raises:
        MarkError: too long.
    """
    values = {"Iptc4xmpExt:AIPromptInformation": prompt, "Iptc4xmpExt:AIPromptWriterName": prompt_writer}
    found = {}
    for name, value in values.items():
        if len(value) > LONGEST_PROMPT:
            raise MarkError(
                f"{name.split(':')[1]} has {len(value):,} characters, {LONGEST_PROMPT:,} can be written: shorten it"
            )
        # XML 1.0 knows no other control characters, and no surrogates.
        lines = value.replace("\r\n", "\n").replace("\r", "\n")
        text = "".join(c for c in lines if c in "\n\t" or (c >= " " and not "\ud800" <= c <= "\udfff"))
        if text := text.replace("\ufffe", "").replace("\uffff", "").strip():
            found[name] = text
    return found


def with_metadata(
    form: str, mode: str, label: Label, extra: Mapping[str, str], carried: Mapping[Any, Any], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Pillow's options for a file with its metadata.

    Args:
        form: PNG, JPEG, WEBP or AVIF.
        mode: of the picture as it is written.
        extra: XMP properties besides the label's.
        carried: the picture's `info`: what came along from a file that it was read from.
        params: the caller's options; what stands there is the caller's own wish.
    """
    options = {k: v for k, v in params.items() if k not in ("xmp", "exif", "pnginfo", "icc_profile")}
    options["icc_profile"] = _profile(params, carried, mode)
    field = label.aigc()
    packet = _packet(form, {**label.properties(), **extra}, aigc.as_json(field) if field else "", carried, params)
    block = _exif(label, carried, params)
    if form == "PNG":
        raw = aigc.as_json(field, ascii_only=True) if field else ""
        options["pnginfo"] = png.png_info(params.get("pnginfo"), packet, png_text(label), raw)
    elif packet:
        options["xmp"] = packet
    if block:
        options["exif"] = b"Exif\0\0" + block if form == "JPEG" else block
    return options


def _packet(
    form: str, properties: Mapping[str, str], raw: str, carried: Mapping[Any, Any], params: Mapping[str, Any]
) -> bytes:
    limit = _LARGEST_JPEG_XMP if form == "JPEG" else LARGEST_XMP_BYTES
    existing, own = _existing_packet(carried, params)
    try:
        packet = packet_of(properties, raw, existing=existing, callers_own=own) if existing else b""
        if len(packet) > limit:
            raise UnusablePacket("oversized with the label")
    except UnusablePacket as reason:
        _dropped("XMP", str(reason))
        packet = b""
    if not packet and (properties or raw):
        packet = packet_of(properties, raw)
    return packet


def _existing_packet(carried: Mapping[Any, Any], params: Mapping[str, Any]) -> tuple[bytes, bool]:
    """(packet, whether the caller gave it): an option, a chunk of `pnginfo`, or what the picture carries."""
    if given := _bytes(params.get("xmp")):
        return given, True
    for chunk in getattr(params.get("pnginfo"), "chunks", ()):
        said = png.text_of(chunk[0], chunk[1])
        if said is not None and said[0] == png.XMP_KEYWORD:
            return said[1].encode(), True
    return _bytes(carried.get("xmp") or carried.get(png.XMP_KEYWORD)), False


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""


def _exif(label: Label, carried: Mapping[Any, Any], params: Mapping[str, Any]) -> bytes:
    own = params.get("exif") is not None
    given: Any = params["exif"] if own else carried.get("exif")
    # Pillow's `Exif`, as Image.getexif gives it, or bytes.
    block = _bytes(given.tobytes() if hasattr(given, "get_ifd") else given)
    old = exif.parse(block) if block else exif.Exif()
    if old is None:
        _dropped("EXIF", "malformed")
        old = exif.Exif()
    written = exif.written(exif.stamped(exif.cleaned(old, callers_own=own), label.software, label.created))
    if len(written) > exif.LARGEST_EXIF_BYTES:
        _dropped("EXIF", "oversized")
        written = exif.written(exif.stamped(exif.Exif(), label.software, label.created))
    return written


def _profile(params: Mapping[str, Any], carried: Mapping[Any, Any], mode: str) -> bytes | None:
    """A colour profile; the caller's own unread, one that came along if it is one for such pixels (ICC.1, 7.2)."""
    if "icc_profile" in params:
        given = params["icc_profile"]
        return given if given is None else _bytes(given)
    profile = _bytes(carried.get("icc_profile"))
    if not profile:
        return None
    if len(profile) > _LARGEST_ICC_BYTES:
        reason = "oversized"
    elif profile[36:40] != b"acsp" or int.from_bytes(profile[:4], "big") != len(profile):
        reason = "malformed"
    elif mode not in _ICC_SPACES.get(profile[16:20], ()):
        reason = "of another colour space"
    else:
        return profile
    _dropped("ICC profile", reason)
    return None


def _dropped(what: str, reason: str) -> None:
    # Never what was in it.
    _log.warning("metadata of a picture was not kept: %s, %s", what, reason)
