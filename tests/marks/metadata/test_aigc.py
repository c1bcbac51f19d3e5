"""The field AIGC: its keys, its integrity value, and what is read of what others wrote."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from guardrail.marks.label import Label, xmp_packet
from guardrail.marks.metadata.aigc import KEYS, aigc_field, as_json, integrity_of, read_aigc
from guardrail.marks.metadata.xmp import read_xmp

# By hand, from the text of the standard: not by the code under test.
OTHERS = (
    '{"Label":"1","ContentProducer":"a \\"studio\\" 生成","ProduceID":"beef",'
    '"ContentPropagator":"","PropagateID":"","ReservedCode2":""}'
)


def test_the_seven_keys_stand_in_the_order_of_the_standard() -> None:
    field = aigc_field('a "studio" 生成', "beef")
    assert as_json(field) == OTHERS.replace(
        '"beef",', f'"beef","ReservedCode1":"sha256:{hashlib.sha256(OTHERS.encode()).hexdigest()}",'
    )
    assert json.loads(as_json(field, ascii_only=True)) == field
    assert as_json(field, ascii_only=True).isascii()


def test_the_integrity_value_changes_with_each_of_the_other_six() -> None:
    field, key = aigc_field("a studio", "beef"), b"k" * 32
    assert integrity_of(field, key) == "hmac-sha256:" + (
        hmac.new(key, OTHERS.replace('a \\"studio\\" 生成', "a studio").encode(), "sha256").hexdigest()
    )
    for name in KEYS:
        changed = {**field, name: field[name] + "x"}
        for secret in (None, key):
            assert (integrity_of(changed, secret) == integrity_of(field, secret)) is (name == "ReservedCode1")
    assert integrity_of(field, b"another") != integrity_of(field, key)
    assert aigc_field("a studio", "beef", "given")["ReservedCode1"] == "given"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"Label":"1"}', {"Label": "1"}),
        # A number, a wrapper, white space, other keys: seen in the wild, or easily written.
        ('{"Label":1,"ProduceID":1e999}', {"Label": "1", "ProduceID": "1e999"}),
        (' {"AIGC": {"Label": "2", "Other": "x"}}\n', {"Label": "2"}),
        ('{"Label":"1","ProduceID":' + "9" * 7000 + "}", {"Label": "1", "ProduceID": "9" * 1024}),
        ('{"Label":["1"],"ContentProducer":null,"ProduceID":true,"PropagateID":{}}', {}),
        ("", {}),
        ("{", {}),
        ("[1]", {}),
        ('"Label"', {}),
        ("null", {}),
        ("[" * 8000, {}),
        ('{"a":' * 1600, {}),
        ('{"Label":"1"}' + " " * 8192, {}),
        ("\x00", {}),
    ],
)
def test_what_others_wrote_is_read_or_left_out(text: str, said: dict[str, str]) -> None:
    assert read_aigc(text) == said


@pytest.mark.parametrize(
    "inner",
    [
        '<rdf:Description><T:AIGC>{"Label":"1"}</T:AIGC></rdf:Description>',
        '<rdf:Description><T:AIGC><![CDATA[{"Label":"1"}]]></T:AIGC></rdf:Description>',
        '<rdf:Description T:AIGC=\'{"Label":"1"}\'/>',
        '<rdf:Description T:AIGC="{&quot;Label&quot;:&quot;1&quot;}"/>',
        '<rdf:Description><T:AIGC><rdf:Alt><rdf:li>{"Label":"1"}</rdf:li></rdf:Alt></T:AIGC></rdf:Description>',
    ],
)
@pytest.mark.parametrize("uri", ["http://www.tc260.org.cn/ns/AIGC/1.0/", "http://www.tc260.org.cn/ns/AIGC/1.0"])
def test_element_and_attribute_are_read_in_xmp(uri: str, inner: str) -> None:
    text = f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:T="{uri}">{inner}</rdf:RDF>'
    assert read_xmp(text.encode()) == {"aigc:Label": "1"}
    assert read_xmp(text.replace("AIGC/1.0", "AIGC/2.0").encode()) == {}


def test_quotes_and_brackets_in_a_name_stay_inside_the_field() -> None:
    label = Label(provider='","Label":"2","x":"</TC260:AIGC><x>&amp;', decision_id="d")
    said = read_xmp(xmp_packet(label))
    assert said["aigc:Label"] == "1"
    assert said["aigc:ContentProducer"] == label.provider
