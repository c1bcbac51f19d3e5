"""An image's own XMP, text and colour profile: kept beside the label, replaced where both speak of the same thing."""

from __future__ import annotations

import io
from typing import Any
from xml.dom import minidom

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from guardrail.marks.files import encode_image, read_file_label
from guardrail.marks.guarded_image import guarded
from guardrail.marks.label import Label
from guardrail.marks.metadata.rdf import LARGEST_XMP_BYTES, parse
from guardrail.marks.metadata.xmp import UnusablePacket, packet_of, read_xmp
from tests.budget import examples
from tests.marks.conftest import LABEL

FORMATS = ["png", "jpeg", "webp", "avif"]
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SPACES = (
    f'xmlns:rdf="{RDF}" xmlns:dc="{DC}" xmlns:e="{IPTC}" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:g="urn:guardrail:label:1" xmlns:ns0="urn:other" '
    'xmlns:T="http://www.tc260.org.cn/ns/AIGC/1.0/" xmlns:dji="http://www.dji.com/drone-dji/1.0/" '
    'xmlns:GImage="http://ns.google.com/photos/1.0/image/" xmlns:img="http://ns.adobe.com/xap/1.0/g/img/"'
)
PICTURE = Image.fromarray(np.zeros((16, 24, 3), np.uint8))


def packet(inner: str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {SPACES}>{inner}</rdf:RDF></x:xmpmeta>'.encode()


STUDIO = packet(
    '<rdf:Description rdf:about="uuid:1" e:DigitalSourceType="x" ns0:Job="7 &lt; 8&#10;lines">'
    "<dc:creator><rdf:Seq><rdf:li>A Studio</rdf:li></rdf:Seq></dc:creator></rdf:Description>"
    '<rdf:Description rdf:about="uuid:1"><e:AISystemUsed>an older one</e:AISystemUsed>'
    "<e:AISystemVersionUsed>0.1</e:AISystemVersionUsed><g:MarkId>dead</g:MarkId>"
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Ein Titel &amp; mehr</rdf:li></rdf:Alt></dc:title>'
    "</rdf:Description>"
)


def xmp_of(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        value = image.info["xmp"]
    assert isinstance(value, bytes)
    return value


def given_as(how: str, value: bytes) -> tuple[Image.Image, dict[str, Any]]:
    image, params = PICTURE.copy(), {}
    if how == "info":
        image.info["xmp"] = value
    elif how == "PNG info":
        image.info["XML:com.adobe.xmp"] = value.decode()
    elif how == "option":
        params["xmp"] = value
    else:
        params["pnginfo"] = PngInfo()
        params["pnginfo"].add_itxt("XML:com.adobe.xmp", value.decode(), zip=how == "packed chunk")
    return image, params


@pytest.mark.parametrize("how", ["info", "PNG info", "option", "chunk", "packed chunk"])
@pytest.mark.parametrize("format", FORMATS)
def test_properties_of_others_are_kept_and_those_of_the_same_name_replaced(format: str, how: str) -> None:
    image, params = given_as(how, STUDIO)
    content = encode_image(image, format, LABEL, **params)
    merged = xmp_of(content)
    assert read_file_label(content).items() >= LABEL.properties().items()
    document = minidom.parseString(merged)
    assert [n.firstChild.nodeValue for n in document.getElementsByTagNameNS(RDF, "li")] == [
        "A Studio",
        "Ein Titel & mehr",
    ]
    assert document.getElementsByTagNameNS(DC, "title")[0].prefix == "dc"
    described = document.getElementsByTagNameNS(RDF, "Description")
    assert {d.getAttributeNS(RDF, "about") for d in described} == {"uuid:1"}
    assert "7 < 8\nlines" in [d.getAttributeNS("urn:other", "Job") for d in described]
    assert sum(d.hasAttributeNS(IPTC, "DigitalSourceType") for d in described) == 1
    assert b"an older one" not in merged
    # The PNG file has one packet, not two.
    assert content.count(b"W5M0MpCehiHzreSzNTczkc9d") == 1


def test_what_an_earlier_guard_said_does_not_stay_where_this_one_says_less() -> None:
    said = read_xmp(packet_of(Label("x", system="new", decision_id="d").properties(), existing=STUDIO))
    assert "guardrail:MarkId" not in said
    assert "Iptc4xmpExt:AISystemVersionUsed" not in said
    assert read_xmp(packet_of({}, existing=STUDIO))["Iptc4xmpExt:AISystemVersionUsed"] == "0.1"


def test_the_field_aigc_of_another_producer_stays_until_ours_takes_its_place() -> None:
    other = packet('<rdf:Description><T:AIGC>{"Label":"1","ContentProducer":"other"}</T:AIGC></rdf:Description>')
    assert read_xmp(packet_of(LABEL.properties(), existing=other))["aigc:ContentProducer"] == "other"
    ours = packet_of({}, '{"Label":"1","ContentProducer":"us"}', existing=other)
    assert read_xmp(ours)["aigc:ContentProducer"] == "us"
    assert b"other" not in ours


CODED = "QUJD" * 400
THUMBNAIL = "<xmp:Thumbnails><rdf:Alt><rdf:li><img:image>QUJD</img:image></rdf:li></rdf:Alt></xmp:Thumbnails>"


@pytest.mark.parametrize(
    "inner",
    [
        f"<rdf:Description>{THUMBNAIL}</rdf:Description>",
        '<rdf:Description GImage:Data="QUJD"/>',
        f'<rdf:Description ns0:anything="{CODED}"/>',
        f"<rdf:Description><ns0:a><rdf:Bag><rdf:li ns0:b='{CODED}'/></rdf:Bag></ns0:a></rdf:Description>",
        f"<rdf:Description><ns0:a>{CODED[:400]}&#xA;{CODED}QUJD</ns0:a></rdf:Description>",
        '<rdf:Description xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="QUJD"/>',
    ],
)
@pytest.mark.parametrize("how", ["info", "option"])
def test_pictures_inside_a_packet_are_dropped(inner: str, how: str) -> None:
    """A small copy of the picture as it was would undo a redaction, whoever handed it over."""
    image, params = given_as(how, packet(inner + '<rdf:Description dc:source="kept"/>'))
    merged = xmp_of(encode_image(image, "webp", LABEL, **params))
    assert b"QUJD" not in merged
    assert b"kept" in merged


@pytest.mark.parametrize(
    "inner",
    [
        '<rdf:Description exif:GPSLatitude="52,30N"/>',
        "<rdf:Description><e:LocationCreated><rdf:Bag><rdf:li exif:GPSLatitude='52,30N'/></rdf:Bag></e:LocationCreated>"
        "</rdf:Description>",
        '<rdf:Description dji:GpsLongitude="52,30N"/>',
        '<rdf:Description e:AIPromptInformation="52,30N"/>',
        "<rdf:Description><e:AIPromptWriterName>52,30N</e:AIPromptWriterName></rdf:Description>",
    ],
)
@pytest.mark.parametrize("how", ["info", "option"])
def test_position_and_prompt_go_along_only_if_the_caller_hands_them_over(inner: str, how: str) -> None:
    image, params = given_as(how, packet(inner + '<rdf:Description dc:source="kept"/>'))
    merged = xmp_of(encode_image(image, "webp", LABEL, **params))
    assert (b"52,30N" in merged) is (how == "option")
    assert b"kept" in merged


def test_a_prompt_given_now_takes_the_place_of_an_older_one() -> None:
    image, params = given_as("option", packet('<rdf:Description e:AIPromptInformation="older"/>'))
    content = encode_image(image, "png", LABEL, prompt="a fox", **params)
    assert read_file_label(content)["Iptc4xmpExt:AIPromptInformation"] == "a fox"
    assert b"older" not in content


ENTITY = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
UNUSABLE = {
    "malformed": STUDIO[:-20],
    "not UTF-8": STUDIO + b"\xff",
    "document type": ENTITY + STUDIO.replace(b"A Studio", b"&a;"),
    "no RDF": b"<x/>",
    "too deep": packet("<ns0:a>" * 70 + "</ns0:a>" * 70),
    "oversized": STUDIO + b" " * LARGEST_XMP_BYTES,
}


@pytest.mark.parametrize("reason", UNUSABLE)
@pytest.mark.parametrize("how", ["info", "option"])
@pytest.mark.parametrize("format", FORMATS)
def test_packets_that_cannot_be_kept_are_named_in_the_log_and_left_out(
    caplog: pytest.LogCaptureFixture, format: str, how: str, reason: str
) -> None:
    image, params = given_as(how, UNUSABLE[reason])
    content = encode_image(image, format, LABEL, **params)
    assert read_file_label(content).items() >= LABEL.properties().items()
    assert b"Studio" not in content
    assert [(r.name, r.getMessage()) for r in caplog.records] == [
        ("guardrail", f"metadata of a picture was not kept: XMP, {reason}")
    ]
    with pytest.raises(UnusablePacket, match=f"^{reason}$"):
        parse(UNUSABLE[reason])


def test_a_packet_that_does_not_fit_into_jpeg_beside_the_label_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    large = packet(f'<rdf:Description dc:source="{"many words " * 5_900}"/>')
    image, params = given_as("info", large)
    assert b"many words" in encode_image(image, "webp", LABEL, **params)
    assert caplog.records == []
    content = encode_image(image, "jpeg", LABEL, **params)
    assert b"many words" not in content
    assert read_file_label(content).items() >= LABEL.properties().items()
    assert "XMP, oversized with the label" in caplog.text


def test_png_text_of_the_caller_is_kept_but_for_what_we_say_ourselves() -> None:
    mine = PngInfo()
    for keyword, text in {"Author": "a studio", "Software": "mine", "Source": "a scan", "Comment": "my own"}.items():
        mine.add_text(keyword, text)
    mine.add_text("Software", "packed", zip=True)
    mine.add_text("Raw profile type exif", "a thumbnail", zip=True)
    content = encode_image(PICTURE, "png", LABEL, pnginfo=mine)
    assert content.count(b"Software\0") == 1
    assert b"a scan" not in content
    assert b"Raw profile" not in content
    # Several comments may stand in a file.
    assert b"my own" in content
    said = read_file_label(content)
    assert (said["png:Author"], said["png:Software"]) == ("a studio", "a generator 2.1")
    assert len(mine.chunks) == 6


def test_text_that_came_along_is_not_written_again() -> None:
    """Generators keep prompts there."""
    image = PICTURE.copy()
    image.info["parameters"] = "a fox, nude"
    for format in FORMATS:
        assert b"a fox" not in encode_image(image, format, LABEL)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("format", FORMATS)
def test_a_colour_profile_goes_along_if_it_is_one_for_such_pixels(
    caplog: pytest.LogCaptureFixture, format: str
) -> None:
    def profile_in(image: Image.Image, **params: Any) -> bytes | None:
        with Image.open(io.BytesIO(encode_image(image, format, LABEL, **params))) as written:
            return written.info.get("icc_profile")

    image = PICTURE.copy()
    image.info["icc_profile"] = SRGB
    assert profile_in(image) == SRGB
    assert profile_in(image, icc_profile=None) is None
    assert profile_in(PICTURE, icc_profile=SRGB) == SRGB
    assert caplog.records == []
    for wrong, reason in (
        (SRGB[:-4], "malformed"),
        (b"no profile", "malformed"),
        (SRGB[:16] + b"CMYK" + SRGB[20:], "of another colour space"),
    ):
        image.info["icc_profile"] = wrong
        assert profile_in(image) is None
        assert caplog.records[-1].getMessage().endswith(f"ICC profile, {reason}")


def test_a_guarded_image_keeps_what_it_carries() -> None:
    image, _ = given_as("info", STUDIO)
    buffer = io.BytesIO()
    guarded(image, LABEL).resize((8, 8)).save(buffer, "webp")
    assert b"A Studio" in xmp_of(buffer.getvalue())


NAMES = st.sampled_from(["dc:source", "ns0:a", "ns0:b", "exif:Make"])
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30)


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(st.dictionaries(NAMES, TEXT, max_size=4), st.lists(st.tuples(NAMES, TEXT), max_size=4))
def test_any_text_of_others_survives_the_merge(attributes: dict[str, str], elements: list[tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        return "".join(f"&#{ord(c)};" if c not in "\ufffe\uffff" else "" for c in text)

    inner = "".join(f' {name}="{quoted(text)}"' for name, text in attributes.items())
    children = "".join(f"<{name}>{quoted(text)}</{name}>" for name, text in elements)
    before = packet(f"<rdf:Description{inner}>{children}</rdf:Description>")
    merged = packet_of(LABEL.properties(), existing=before, callers_own=True)

    def said(content: bytes) -> list[tuple[str, str]]:
        found = []
        for description in parse(content).descriptions:
            found += [*description.items(), *((str(c.tag), c.text or "") for c in description)]
        return sorted((k, v) for k, v in found if not k.startswith(f"{{{RDF}}}"))

    ours = said(packet_of(LABEL.properties()))
    assert said(merged) == sorted(said(before) + ours)
