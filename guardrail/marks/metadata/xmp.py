"""XMP properties of a label: written into a packet, merged with one that is there, and read.

Names and values are those of the IPTC Photo Metadata Standard 2025.1 and of the XMP Basic schema (ISO 16684-1, 8.4).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from xml.etree.ElementTree import Element

from guardrail.marks.metadata import aigc
from guardrail.marks.metadata.rdf import LARGEST_XMP_BYTES, NAMESPACES, RDF, Packet, UnusablePacket, parse, written

__all__ = ["LARGEST_XMP_BYTES", "UnusablePacket", "packet_of", "properties_of", "read_xmp"]

_DESCRIPTION, _ABOUT, _LI, _ALT = f"{{{RDF}}}Description", f"{{{RDF}}}about", f"{{{RDF}}}li", f"{{{RDF}}}Alt"
_ARRAYS = (_ALT, f"{{{RDF}}}Bag", f"{{{RDF}}}Seq")
_RESOURCE, _VALUE = f"{{{RDF}}}resource", f"{{{RDF}}}value"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_READ = {uri: prefix for prefix, uri in NAMESPACES.items() if prefix != "TC260"}
# As the standard's examples have it, and as it is also seen.
_AIGC_SPACES = frozenset(s + aigc.NAMESPACE[4:].rstrip("/") + e for s in ("http", "https") for e in ("", "/"))
_AIGC = "TC260:AIGC"
_MOST_PROPERTIES = 256

# Where other programs keep pictures, or say where in the file they are: thumbnails (XMP specification, part 2), depth
# maps and the unblurred original (Google), further pictures behind the first, the rest of a long packet.
_PICTURES = (
    "http://ns.adobe.com/xap/1.0/g/img/",
    "http://ns.google.com/photos/",
    "http://ns.adobe.com/xmp/note/",
)
# No caption looks like this: base64 or hexadecimal, with or without line breaks.
_CODED = re.compile(r"[A-Za-z0-9+/=\r\n]{1000}")
_PROMPTS = frozenset(
    (
        f"{{{NAMESPACES['Iptc4xmpExt']}}}AIPromptInformation",
        f"{{{NAMESPACES['Iptc4xmpExt']}}}AIPromptWriterName",
        "{http://ns.adobe.com/exif/1.0/}UserComment",
    )
)
# Said of one picture together: where one of them is replaced, the others must not stay from an earlier picture.
_TOGETHER = {"Iptc4xmpExt:AISystemUsed": "Iptc4xmpExt:AISystemVersionUsed"}


def packet_of(
    properties: Mapping[str, str], aigc_json: str = "", *, existing: bytes = b"", callers_own: bool = False
) -> bytes:
    """A packet that says `properties`, and what an existing one says besides.

    Args:
        properties: text by prefixed name; they replace those of the same name.
        aigc_json: text of ``TC260:AIGC``.
        existing: a packet. Pictures in it are dropped, and whatever is said of them by guardrail.
        callers_own: it was handed over as an argument. If not, it came along with the picture, and loses its position
            and its prompt.

    Raises:
        UnusablePacket: the existing one cannot be kept.
    """
    old = parse(existing) if existing else Packet((), {})
    replaced = {_full(name) for name in properties}
    replaced |= {_full(other) for name, other in _TOGETHER.items() if name in properties}
    ours = f"{{{NAMESPACES['guardrail']}}}"

    def stays(name: str, value: str | Element) -> bool:
        if name in replaced or name.startswith(ours) or (aigc_json and _is_aigc(name)):
            return False
        return not _is_picture(name, value) and (callers_own or not _is_private(name, value))

    kept = tuple(_reduced(d, stays) for d in old.descriptions if d.tag == _DESCRIPTION)
    # All descriptions of a packet are about the same thing (ISO 16684-1, 7.4).
    about = next((d.get(_ABOUT, "") for d in kept), "")
    new = Element(_DESCRIPTION, {_ABOUT: about, **{_full(name): value for name, value in properties.items()}})
    if aigc_json:
        child = Element(f"{{{aigc.NAMESPACE}}}AIGC")
        child.text = aigc_json
        new.append(child)
    said = tuple(d for d in kept if len(d) or set(d.attrib) - {_ABOUT})
    return written((new, *said), old.prefixes)


def read_xmp(packet: bytes) -> dict[str, str]:
    """The known properties of a packet by prefixed name, the keys of the AIGC field under ``aigc:``.

    Empty where there are none, or where the packet cannot be used.
    """
    found: dict[str, str] = {}
    for name, text in properties_of(packet, _READ):
        if name != _AIGC:
            found.setdefault(name, text)
            continue
        for key, value in aigc.read_aigc(text).items():
            found.setdefault(f"aigc:{key}", value)
    return found


def properties_of(packet: bytes, spaces: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(prefix:name, text) of the properties of some namespaces, and of the AIGC field as ``TC260:AIGC``.

    None where the packet cannot be used. Attributes, elements, arrays (the first text of alternatives), links and
    qualified values are read, whatever the packet's prefixes are; properties of its parts, or of what the picture was
    made from, are not.

    Args:
        spaces: namespace to prefix.
    """
    try:
        descriptions = parse(packet).descriptions
    except UnusablePacket:
        return
    wanted = ((name, value) for name, value in _properties(descriptions) if _known(name, spaces))
    for name, value in islice(wanted, _MOST_PROPERTIES):
        if text := _text(value):
            yield _known(name, spaces), text


def _known(name: str, spaces: Mapping[str, str]) -> str:
    uri, _, local = name[1:].partition("}")
    return _AIGC if _is_aigc(name) else f"{spaces[uri]}:{local}" if uri in spaces else ""


def _full(name: str) -> str:
    prefix, local = name.split(":", 1)
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _properties(descriptions: tuple[Element, ...]) -> Iterator[tuple[str, str | Element]]:
    for description in descriptions:
        yield from description.items()
        yield from ((str(child.tag), child) for child in description)


def _text(value: str | Element) -> str:
    if isinstance(value, str):
        return value.strip()
    if link := value.get(_RESOURCE) or value.get(_VALUE):
        return link.strip()
    for child in value:
        if child.tag in _ARRAYS:
            items = [item for item in child if item.tag == _LI]
            if child.tag == _ALT:
                items = [*(i for i in items if i.get(_LANGUAGE) == "x-default"), *items][:1]
            return "; ".join(text for item in items if (text := _text(item)))
        if child.tag in (_VALUE, _DESCRIPTION):
            return child.get(_VALUE, "").strip() or _text(child)
    return "" if len(value) else (value.text or "").strip()


def _reduced(description: Element, stays: Callable[[str, str | Element], bool]) -> Element:
    """The description with the properties that stay."""
    attributes = {k: v for k, v in description.items() if k.startswith(f"{{{RDF}}}") or stays(k, v)}
    new = Element(description.tag, attributes)
    new.extend(child for child in description if stays(str(child.tag), child))
    return new


def _is_aigc(name: str) -> bool:
    uri, _, local = name[1:].partition("}")
    return local == "AIGC" and uri in _AIGC_SPACES


def _parts(name: str, value: str | Element) -> Iterator[tuple[str, str]]:
    """(name, text) of a property and of everything in it."""
    if isinstance(value, str):
        yield name, value
        return
    for part in value.iter():
        yield str(part.tag), part.text or ""
        yield from part.items()


def _is_picture(name: str, value: str | Element) -> bool:
    return any(part[1:].startswith(_PICTURES) or _CODED.search(text) for part, text in _parts(name, value))


def _is_private(name: str, value: str | Element) -> bool:
    """A prompt, or a position: ``exif:GPSLatitude``, ``drone-dji:GpsLongitude`` and their like."""
    for part, _ in _parts(name, value):
        local = part.rpartition("}")[2].lower()
        if part in _PROMPTS or local.startswith("gps") or local.endswith(("latitude", "longitude")):
            return True
    return False
