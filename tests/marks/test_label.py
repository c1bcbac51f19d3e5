"""What the metadata says, in XML that others can read, and what is believed of XML that others wrote."""

from __future__ import annotations

from collections.abc import Callable
from xml.dom import minidom

import pytest

from guardrail.decision import Decision, Stage
from guardrail.marks.label import LONGEST_NAME, Label, label_for, png_text, xmp_packet
from guardrail.marks.metadata.xmp import LARGEST_XMP_BYTES, read_xmp
from tests.marks.conftest import LABEL

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.mark.parametrize(
    ("labels", "due", "term"),
    [
        ({}, (), "trainedAlgorithmicMedia"),
        ({"source_type": "trainedAlgorithmicMedia"}, (Stage.PROMPT, Stage.OUTPUT), "trainedAlgorithmicMedia"),
        # A picture made out of a picture is a composite, whether or not the rule thought of it.
        ({}, (Stage.REFERENCE,), "compositeWithTrainedAlgorithmicMedia"),
        (
            {"source_type": "trainedAlgorithmicMedia"},
            (Stage.PROMPT, Stage.REFERENCE, Stage.OUTPUT),
            "compositeWithTrainedAlgorithmicMedia",
        ),
        # A policy that says something of its own is not overruled.
        ({"source_type": "compositeSynthetic"}, (Stage.REFERENCE,), "compositeSynthetic"),
    ],
)
def test_source_type_follows_from_the_decision(
    decide: Callable[..., Decision], labels: dict[str, str], due: tuple[Stage, ...], term: str
) -> None:
    label = label_for(decide(labels=labels, due=due), "", system="x")
    assert label.properties()["Iptc4xmpExt:DigitalSourceType"] == TERMS + term
    assert png_text(label)["Source"] == f"AI-generated ({term})"


def test_a_likeness_is_said_only_where_the_policy_says_so(decide: Callable[..., Decision]) -> None:
    said = "guardrail:SyntheticLikeness"
    assert label_for(decide(labels={"likeness": True}), "", system="x").properties()[said] == "True"
    assert said not in label_for(decide(), "", system="x").properties()


def test_another_xml_parser_reads_the_packet() -> None:
    document = minidom.parseString(xmp_packet(LABEL))
    (description,) = document.getElementsByTagNameNS(RDF, "Description")
    assert description.getAttributeNS(IPTC, "DigitalSourceType") == TERMS + "trainedAlgorithmicMedia"
    assert description.getAttributeNS(IPTC, "AISystemUsed") == "a generator"
    assert description.getAttributeNS(IPTC, "AISystemVersionUsed") == "2.1"
    assert description.getAttributeNS("http://ns.adobe.com/xap/1.0/", "CreatorTool") == "a generator 2.1"
    # ISO 16684-1: the wrapper that readers scan for, with the id that is the same for every packet.
    packet = xmp_packet(LABEL)
    assert packet.startswith('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'.encode())
    assert packet.endswith(b'<?xpacket end="w"?>')


def test_nothing_else_is_said() -> None:
    """No prompt, no name, no user, no place: the whole list."""
    assert list(LABEL.properties()) == [
        "Iptc4xmpExt:DigitalSourceType",
        "Iptc4xmpExt:AISystemUsed",
        "Iptc4xmpExt:AISystemVersionUsed",
        "Iptc4xmpExt:DigImageGUID",
        "xmp:CreatorTool",
        "xmp:CreateDate",
        "guardrail:DecisionId",
        "guardrail:MarkId",
        "guardrail:SyntheticLikeness",
    ]
    assert png_text(LABEL) == {
        "Software": "a generator 2.1",
        "Creation Time": LABEL.created,
        "Source": "AI-generated (trainedAlgorithmicMedia)",
        "Comment": f"decision {LABEL.decision_id}",
    }
    assert LABEL.says() == LABEL.properties()
    assert Label().says() == {}
    assert png_text(Label()) == {}


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("Stable Diffusion XL", "Stable Diffusion XL"),
        ("  a model ", "a model"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("""<x a="1" b='2'>&amp;""", """<x a="1" b='2'>&amp;"""),
        ("生成モデル – 한국어", "生成モデル – 한국어"),
        # Not allowed in XML 1.0 at all, escaped or not.
        ("a\x00b\x0bc\ufffed", "a b c d"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("x" * 100_000, "x" * LONGEST_NAME),
    ],
)
def test_whatever_the_generator_is_called_the_packet_is_read_back(
    decide: Callable[..., Decision], given: str, written: str
) -> None:
    label = label_for(decide(), "", system=given, system_version=given, provider=given, provider_code=given)
    assert read_xmp(xmp_packet(label)) == label.says()
    assert label.aigc()["ContentProducer"] == written
    assert label.properties()["guardrail:Provider"] == written
    assert label.properties()["Iptc4xmpExt:AISystemUsed"] == written
    assert label.properties()["Iptc4xmpExt:AISystemVersionUsed"] == written


def test_a_picture_without_a_decision_has_its_mark_for_an_id() -> None:
    assert Label(mark_id="beef").properties() == {"Iptc4xmpExt:DigImageGUID": "beef", "guardrail:MarkId": "beef"}


def test_a_provider_makes_the_field_aigc(decide: Callable[..., Decision]) -> None:
    """Without one there is nobody to name in it, and it is not written."""
    assert "aigc:Label" not in label_for(decide(), "beef", system="x").says()
    named = label_for(decide(), "beef", system="x", provider="a studio")
    assert named.aigc()["ContentProducer"] == "a studio"
    assert named.aigc()["ProduceID"] == "beef"
    coded = label_for(decide(), "", system="x", provider="a studio", provider_code="0011", integrity="hmac-sha256:00")
    assert coded.aigc() == {
        "Label": "1",
        "ContentProducer": "0011",
        "ProduceID": LABEL.decision_id,
        "ReservedCode1": "hmac-sha256:00",
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }
    assert coded.properties()["guardrail:Provider"] == "a studio"
    assert coded.signed is False
    assert label_for(decide(), "", system="x", signed=True).signed is True


def of(description: str, head: str = "") -> str:
    return (
        f'{head}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}" xmlns:e="{IPTC}" '
        f'xmlns:n="urn:other">{description}</rdf:RDF></x:xmpmeta>'
    )


AS_ATTRIBUTE = of(f'<rdf:Description rdf:about="" e:DigitalSourceType="{TERMS}compositeSynthetic"/>')
FOUND = {"Iptc4xmpExt:DigitalSourceType": TERMS + "compositeSynthetic"}


@pytest.mark.parametrize(
    "text",
    [
        AS_ATTRIBUTE,
        "\ufeff" + AS_ATTRIBUTE,
        AS_ATTRIBUTE + "\x00" * 2000,
        # ExifTool and Adobe write elements, in several descriptions, with line breaks around the text.
        of(
            '<rdf:Description rdf:about="" n:Other="1"/><rdf:Description rdf:about="">'
            f"<e:DigitalSourceType>\n {TERMS}compositeSynthetic\n</e:DigitalSourceType></rdf:Description>"
        ),
        # A link, as the newer editions of the standard allow, and a qualified value in both its forms.
        of(f'<rdf:Description><e:DigitalSourceType rdf:resource="{TERMS}compositeSynthetic"/></rdf:Description>'),
        of(
            '<rdf:Description><e:DigitalSourceType rdf:parseType="Resource"><n:by>x</n:by>'
            f"<rdf:value>{TERMS}compositeSynthetic</rdf:value></e:DigitalSourceType></rdf:Description>"
        ),
        of(
            f'<rdf:Description><e:DigitalSourceType><rdf:Description rdf:value="{TERMS}compositeSynthetic" n:by="x"/>'
            "</e:DigitalSourceType></rdf:Description>"
        ),
        # Of several languages the default.
        of(
            '<rdf:Description><e:DigitalSourceType><rdf:Alt><rdf:li xml:lang="ko">x</rdf:li>'
            f'<rdf:li xml:lang="x-default">{TERMS}compositeSynthetic</rdf:li></rdf:Alt></e:DigitalSourceType>'
            "</rdf:Description>"
        ),
        # What a picture is made of has properties of its own, which are not the picture's.
        of(
            f'<rdf:Description e:DigitalSourceType="{TERMS}compositeSynthetic"><n:Pantry><rdf:Bag><rdf:li>'
            f'<rdf:Description e:AISystemUsed="another" e:DigitalSourceType="{TERMS}digitalCapture"/>'
            "</rdf:li></rdf:Bag></n:Pantry></rdf:Description>"
        ),
    ],
)
def test_packets_of_other_programs_are_read(text: str) -> None:
    assert read_xmp(text.encode()) == FOUND


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no xml",
        AS_ATTRIBUTE.encode()[:-20],
        AS_ATTRIBUTE.encode("utf-16"),
        AS_ATTRIBUTE.encode() + b"\xff",
        of(AS_ATTRIBUTE, ENTITIES).encode(),
        # The same declaration where a search for its bytes does not find it.
        of(AS_ATTRIBUTE, ENTITIES).encode("utf-16"),
        of(AS_ATTRIBUTE, ENTITIES).encode("utf-16-le"),
        AS_ATTRIBUTE.encode() + b" " * LARGEST_XMP_BYTES,
        of('<rdf:Description rdf:about=""/>').encode(),
        of("<n:a>" * 70 + AS_ATTRIBUTE + "</n:a>" * 70).encode(),
        of("<rdf:Description><e:DigitalSourceType><rdf:Alt/></e:DigitalSourceType></rdf:Description>").encode(),
        of("<rdf:Description><e:DigitalSourceType><n:x>1</n:x></e:DigitalSourceType></rdf:Description>").encode(),
        of('<rdf:Description rdf:about="" n:DigitalSourceType="x"/>').encode(),
    ],
)
def test_other_packets_say_nothing(packet: bytes) -> None:
    assert read_xmp(packet) == {}


def test_the_deepest_packet_says_nothing() -> None:
    depth = LARGEST_XMP_BYTES // 7
    assert read_xmp(b"<a>" * depth + b"</a>" * depth) == {}
