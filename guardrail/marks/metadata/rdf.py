"""XMP packets (ISO 16684-1) as trees: parsed within limits, and written with the usual prefixes of namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser
from xml.sax.saxutils import escape, quoteattr

__all__ = ["LARGEST_XMP_BYTES", "NAMESPACES", "RDF", "Packet", "UnusablePacket", "parse", "written"]

LARGEST_XMP_BYTES = 1 << 20
_DEEPEST = 64  # levels; those of other programs have about ten
_PIECE = 16_384  # characters
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACES: Mapping[str, str] = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "guardrail": "urn:guardrail:label:1",
    "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
}
_XML = "http://www.w3.org/XML/1998/namespace"
# Line breaks in attributes are read as spaces unless they are written so.
_BREAKS = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


class UnusablePacket(ValueError):
    """A packet that is not read; its text is one of a few words that can stand in a log."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A parsed packet.

    Args:
        descriptions: the elements under ``rdf:RDF``; those further down speak of other pictures.
        prefixes: namespace to prefix, as the packet has them.
    """

    descriptions: tuple[Element, ...]
    prefixes: Mapping[str, str]


def parse(packet: bytes) -> Packet:
    """The descriptions of a packet.

    Raises:
        UnusablePacket: over the limits of size and depth, not UTF-8, with a document type (in which entities could
            expand), no XML, or no RDF in it.
    """
    if len(packet) > LARGEST_XMP_BYTES:
        raise UnusablePacket("oversized")
    try:
        # In these formats it is UTF-8 always. Another encoding could hide a declaration from the line below.
        text = packet.decode("utf-8-sig").strip("\x00 \n\r\t")
    except UnicodeDecodeError:
        raise UnusablePacket("not UTF-8") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnusablePacket("document type")
    # Entities are refused above, so there is nothing that could expand.
    return _parsed(text)


def _parsed(text: str) -> Packet:
    parser: XMLPullParser[Any] = XMLPullParser(("start", "end", "start-ns"))
    prefixes: dict[str, str] = {}
    depth, rdf = 0, None
    try:
        # Piece by piece, so that a packet that is all depth is not built before it is refused.
        for at in range(0, len(text) + 1, _PIECE):
            parser.feed(text[at : at + _PIECE])
            # What comes with an event: (prefix, namespace), or an element.
            for event, value in cast("Iterator[tuple[str, Any]]", parser.read_events()):
                if event == "start-ns":
                    prefix, uri = value
                    prefixes.setdefault(str(uri), str(prefix))
                elif event == "start":
                    depth += 1
                    rdf = value if rdf is None and value.tag == f"{{{RDF}}}RDF" else rdf
                else:
                    depth -= 1
                if depth > _DEEPEST:
                    raise UnusablePacket("too deep")
        parser.close()
    except ParseError:
        raise UnusablePacket("malformed") from None
    if rdf is None:
        raise UnusablePacket("no RDF")
    return Packet(tuple(rdf), prefixes)


def written(descriptions: tuple[Element, ...], prefixes: Mapping[str, str]) -> bytes:
    """A packet of these descriptions, UTF-8.

    All namespaces are declared at ``rdf:RDF``, where programs that cut out that element still see them.
    """
    names = _prefixes(descriptions, prefixes)
    declared = "".join(f"\n  xmlns:{prefix}={quoteattr(uri)}" for uri, prefix in names.items() if uri != _XML)
    body = "".join("\n  " + _element(description, names) for description in descriptions)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF{declared}>{body}\n </rdf:RDF>\n</x:xmpmeta>\n'
        '<?xpacket end="w"?>'
    ).encode("utf-8", "replace")


def _names(element: Element) -> Iterator[str]:
    for part in element.iter():
        yield str(part.tag)
        yield from part.attrib


def _prefixes(descriptions: tuple[Element, ...], given: Mapping[str, str]) -> dict[str, str]:
    """Namespace to prefix for all that is used: the known ones, then those of the packet, then numbers."""
    known = {RDF: "rdf", _XML: "xml", **{uri: prefix for prefix, uri in NAMESPACES.items()}}
    used = {name[1:].split("}")[0] for d in descriptions for name in _names(d) if name.startswith("{")}
    names = {RDF: "rdf"} | {uri: prefix for uri, prefix in known.items() if uri in used}
    taken = {*known.values(), "x", "xmlns"}
    for number, uri in enumerate(sorted(used - set(names))):
        prefix = given.get(uri, "")
        if not prefix or prefix in taken:
            prefix = f"ns{number}"
            while prefix in taken or prefix in given.values():
                prefix += "_"
        names[uri] = prefix
        taken.add(prefix)
    return names


def _element(element: Element, names: Mapping[str, str]) -> str:
    def name(full: str) -> str:
        if not full.startswith("{"):
            return full
        uri, local = full[1:].split("}", 1)
        return f"{names[uri]}:{local}"

    tag = name(str(element.tag))
    attributes = "".join(f" {name(key)}={quoteattr(value, _BREAKS)}" for key, value in element.items())
    inner = escape(element.text or "", {"\r": "&#13;"})
    inner += "".join(_element(child, names) + escape(child.tail or "", {"\r": "&#13;"}) for child in element)
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"
