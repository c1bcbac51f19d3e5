"""What a file says about itself: the label in its metadata, written and read.

XMP (ISO 16684-1) with the IPTC Photo Metadata Standard 2025.1: `DigitalSourceType` from the IPTC NewsCodes, and
`AISystemUsed` / `AISystemVersionUsed`. Metadata is the layer that everybody can read and anybody can strip; the
watermark is the layer that stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from guardrail.decision import Decision, Stage

__all__ = ["Label", "label_for", "png_text", "read_xmp", "xmp_packet"]

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_NAMESPACES = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "guardrail": "urn:guardrail:label:1",
}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LARGEST_XMP_BYTES = 65_536
LONGEST_NAME = 256  # characters


@dataclass(frozen=True, slots=True)
class Label:
    """What is said about an output.

    Args:
        source_type: the last part of the IPTC term, e.g. ``trainedAlgorithmicMedia``; empty: no metadata is written.
        system, system_version: the generator.
        created: RFC 3339, UTC.
        decision_id: for appeals; leads to the record, not to a person.
        mark_id: the id in the watermark, in hex; empty when unmarked.
        likeness: a real person is depicted synthetically.
    """

    source_type: str = ""
    system: str = ""
    system_version: str = ""
    created: str = ""
    decision_id: str = ""
    mark_id: str = ""
    likeness: bool = False

    def properties(self) -> dict[str, str]:
        """XMP properties by prefixed name, only those that say something."""
        values = {
            "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPES + self.source_type if self.source_type else "",
            "Iptc4xmpExt:AISystemUsed": self.system,
            "Iptc4xmpExt:AISystemVersionUsed": self.system_version,
            "xmp:CreatorTool": f"{self.system} {self.system_version}".strip(),
            "xmp:CreateDate": self.created,
            "guardrail:DecisionId": self.decision_id,
            "guardrail:MarkId": self.mark_id,
            "guardrail:SyntheticLikeness": "True" if self.likeness else "",
        }
        return {name: value for name, value in values.items() if value}


def label_for(decision: Decision, mark_id: str, *, system: str, system_version: str = "") -> Label:
    """What the metadata of an output says: what the policy asked for, and what follows from the decision.

    A picture made out of another picture is a composite, whatever the policy calls the rest.
    """
    source = str(decision.labels.get("source_type", "trainedAlgorithmicMedia"))
    if source == "trainedAlgorithmicMedia" and Stage.REFERENCE in decision.due:
        source = "compositeWithTrainedAlgorithmicMedia"
    return Label(
        source_type=source,
        system=_words(system),
        system_version=_words(system_version),
        created=decision.created,
        decision_id=decision.id,
        mark_id=mark_id,
        likeness=bool(decision.labels.get("likeness")),
    )


def _words(text: str) -> str:
    """The name of a generator as it can stand in XML and in a PNG chunk: one line, printable, of bounded length."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_NAME].strip()


def xmp_packet(label: Label) -> bytes:
    """The label as an XMP packet, UTF-8."""
    prefixes = "".join(f' xmlns:{p}="{uri}"' for p, uri in _NAMESPACES.items())
    properties = "".join(f"\n   {name}={quoteattr(value)}" for name, value in label.properties().items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF xmlns:rdf="{_RDF}">\n'
        f'  <rdf:Description rdf:about=""{prefixes}{properties}/>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
    ).encode()


def png_text(label: Label) -> Mapping[str, str]:
    """Keywords for PNG text chunks (PNG specification, section 11.3.3), readable without any XMP tool."""
    words = {"Software": f"{label.system} {label.system_version}".strip(), "Creation Time": label.created}
    if label.source_type:
        words["Source"] = f"AI-generated ({label.source_type})"
    if label.decision_id:
        words["Comment"] = f"decision {label.decision_id}"
    return {k: v for k, v in words.items() if v}


def read_xmp(packet: bytes) -> dict[str, str]:
    """The known properties of an XMP packet, by prefixed name; empty where there are none or it is no XML."""
    if len(packet) > LARGEST_XMP_BYTES:
        return {}
    try:
        # In these formats it is UTF-8 always. Another encoding could hide a declaration from the line below.
        text = packet.decode("utf-8-sig").strip("\x00 \n\r\t")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            return {}
        # Entities are refused above, so there is nothing that could expand.
        root = ElementTree.fromstring(text)  # noqa: S314
    except (ElementTree.ParseError, UnicodeDecodeError):
        return {}
    names = {f"{{{uri}}}": f"{prefix}:" for prefix, uri in _NAMESPACES.items()}
    found: dict[str, str] = {}
    for description in root.iter(f"{{{_RDF}}}Description"):
        entries = [*description.attrib.items(), *((child.tag, child.text or "") for child in description)]
        for key, value in entries:
            for uri, prefix in names.items():
                if key.startswith(uri):
                    found.setdefault(prefix + key.removeprefix(uri), value.strip())
    return found
