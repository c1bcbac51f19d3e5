"""What a file says about itself: the label in its metadata.

XMP (ISO 16684-1) with the IPTC Photo Metadata Standard 2025.1: `DigitalSourceType` from the IPTC NewsCodes,
`AISystemUsed`, `AISystemVersionUsed` and `DigImageGUID`; the field AIGC of GB 45438-2025 where a provider is named.
Metadata is the layer that everybody can read and anybody can strip; the watermark is the layer that stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guardrail.decision import Decision, Stage
from guardrail.marks.metadata import aigc
from guardrail.marks.metadata.xmp import packet_of, read_xmp

__all__ = ["LONGEST_NAME", "SOURCE_TYPES", "Label", "label_for", "one_line", "png_text", "read_xmp", "xmp_packet"]

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
LONGEST_NAME = 256  # characters


@dataclass(frozen=True, slots=True)
class Label:
    """What is said about an output.

    Args:
        source_type: the last part of the IPTC term, e.g. ``trainedAlgorithmicMedia``; empty: none is said.
        system, system_version: the generator.
        created: RFC 3339, UTC.
        decision_id: for appeals; leads to the record, not to a person. Unique for each output.
        mark_id: the id in the watermark, in hex; empty when unmarked.
        likeness: a real person is depicted synthetically.
        provider: who offers the service.
        provider_code: the provider's code for the field AIGC; `provider` stands in for it. If either is given, the
            field is written.
        integrity: for the field's ``ReservedCode1``, e.g. what `integrity_of` of `guardrail.marks.metadata.aigc`
            makes with a key; empty: a SHA-256 without one.
        signed: the file is to be signed (C2PA); without a signer it is not written.
    """

    source_type: str = ""
    system: str = ""
    system_version: str = ""
    created: str = ""
    decision_id: str = ""
    mark_id: str = ""
    likeness: bool = False
    provider: str = ""
    provider_code: str = ""
    integrity: str = ""
    signed: bool = False

    def properties(self) -> dict[str, str]:
        """XMP properties by prefixed name, only those that say something."""
        values = {
            "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPES + self.source_type if self.source_type else "",
            "Iptc4xmpExt:AISystemUsed": self.system,
            "Iptc4xmpExt:AISystemVersionUsed": self.system_version,
            "Iptc4xmpExt:DigImageGUID": self.decision_id or self.mark_id,
            "xmp:CreatorTool": self.software,
            "xmp:CreateDate": self.created,
            "guardrail:Provider": self.provider,
            "guardrail:DecisionId": self.decision_id,
            "guardrail:MarkId": self.mark_id,
            "guardrail:SyntheticLikeness": "True" if self.likeness else "",
        }
        return {name: value for name, value in values.items() if value}

    def aigc(self) -> dict[str, str]:
        """The seven keys of the field AIGC; empty where no provider is named."""
        producer = self.provider_code or self.provider
        return aigc.aigc_field(producer, self.mark_id or self.decision_id, self.integrity) if producer else {}

    def says(self) -> dict[str, str]:
        """What `read_file_label` gives back of it from a file of any format."""
        return {**self.properties(), **{f"aigc:{key}": value for key, value in self.aigc().items()}}

    @property
    def software(self) -> str:
        """The generator with its version, as one name."""
        return f"{self.system} {self.system_version}".strip()


def label_for(
    decision: Decision,
    mark_id: str,
    *,
    system: str,
    system_version: str = "",
    provider: str = "",
    provider_code: str = "",
    integrity: str = "",
    signed: bool = False,
) -> Label:
    """What the metadata of an output says: what the policy asked for, and what follows from the decision.

    A picture made out of another picture is a composite, whatever the policy calls the rest.
    """
    source = str(decision.labels.get("source_type", "trainedAlgorithmicMedia"))
    if source == "trainedAlgorithmicMedia" and Stage.REFERENCE in decision.due:
        source = "compositeWithTrainedAlgorithmicMedia"
    return Label(
        source_type=source,
        system=one_line(system),
        system_version=one_line(system_version),
        created=decision.created,
        decision_id=decision.id,
        mark_id=mark_id,
        likeness=bool(decision.labels.get("likeness")),
        provider=one_line(provider),
        provider_code=one_line(provider_code),
        integrity=one_line(integrity),
        signed=signed or bool(decision.labels.get("signed")),
    )


def one_line(text: str) -> str:
    """A name as it can stand in XML and in a PNG chunk: one line, printable, of bounded length."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_NAME].strip()


def xmp_packet(label: Label) -> bytes:
    """The label as an XMP packet of its own, UTF-8."""
    field = label.aigc()
    return packet_of(label.properties(), aigc.as_json(field) if field else "")


def png_text(label: Label) -> Mapping[str, str]:
    """Keywords for PNG text chunks (PNG specification, section 11.3.3), readable without any XMP tool."""
    words = {"Software": label.software, "Creation Time": label.created}
    if label.source_type:
        words["Source"] = f"AI-generated ({label.source_type})"
    if label.decision_id:
        words["Comment"] = f"decision {label.decision_id}"
    return {k: v for k, v in words.items() if v}
