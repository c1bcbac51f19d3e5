"""What is given out of a file's own metadata: names of programs, times and ids; never a prompt, a caption, a person."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from guardrail.marks.files import encode_image, read_file_label
from guardrail.marks.label import png_text
from guardrail.marks.verify import verify_image
from guardrail.marks.verify_layers import file_layers
from tests.marks.conftest import LABEL, drawing

GRAPH = '{"3": {"class_type": "KSampler", "inputs": {"text": "a secret castle"}}}'


def says(said: dict[str, str], layer: str = "metadata") -> dict[str, str]:
    return next((x.says for x in file_layers(said) if x.name == layer), {})


def test_persons_shown_and_captions_are_not_given_out() -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:p="http://ns.adobe.com/xap/1.0/" '
        'e:PersonInImage="Ruritania Example" e:Event="a wedding" p:Label="secret" '
        'e:AISystemUsed="m" p:CreatorTool="t"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    buffer = io.BytesIO()
    Image.fromarray(drawing(64, 64)).save(buffer, "WEBP", xmp=packet.encode())
    said = read_file_label(buffer.getvalue())
    assert said["Iptc4xmpExt:PersonInImage"] == "Ruritania Example"  # it is there, for whoever merges it
    assert says(said) == {"Iptc4xmpExt:AISystemUsed": "m", "xmp:CreatorTool": "t"}


@pytest.mark.parametrize("form", ["WEBP", "JPEG", "PNG"])
def test_graphs_in_make_and_model_are_not_given_out(form: str) -> None:
    exif = Image.Exif()
    exif[0x0110], exif[0x010F], exif[0x0131] = f"prompt:{GRAPH}", "workflow:{}", "Editor 1"
    buffer = io.BytesIO()
    Image.fromarray(drawing(64, 64)).save(buffer, form, exif=exif)
    said = verify_image(buffer.getvalue(), None, search=False).to_json()
    assert not any(word in json.dumps(said) for word in ("castle", "KSampler", "workflow"))
    (layer,) = (x for x in said["layers"] if x["name"] == "metadata")
    assert layer["says"] == {"exif:Software": "Editor 1"}


@pytest.mark.parametrize("name", ["exif:Make", "exif:Model", "exif:Software", "exif:ModifyDate"])
def test_names_of_devices_and_programs_are_short_lines(name: str) -> None:
    for value in ("EOS R5", "x" * 64, "2020:01:02 03:04:05"):
        assert says({name: value}) == {name: value}
    for value in ("x" * 65, "two\nlines", "\x1b[31mred", "a \u202e b", '{"a": 1}', "prompt:{"):
        assert says({name: value}) == {}


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("Source", "a castle at dusk"),
        ("Source", "AI-generated castle"),
        ("Comment", "decision of a castle"),
        ("Comment", "a castle"),
        ("Software", "a castle, " * 10),
        ("Software", "ed\x1b]0;it\x07"),
        ("Creation Time", GRAPH),
        ("Title", "castle"),
    ],
)
def test_png_keywords_that_hold_anything_else_are_not_given_out(keyword: str, text: str) -> None:
    assert says({f"png:{keyword}": text}, "png text") == {}


def test_our_own_label_is_given_out_whole() -> None:
    said = read_file_label(encode_image(Image.fromarray(drawing(64, 64)), "png", LABEL))
    assert LABEL.properties().items() <= says(said).items()
    assert says(said, "png text") == dict(png_text(LABEL))
    assert set(says(said)) - set(LABEL.properties()) <= {
        f"exif:{x}" for x in ("Software", "ModifyDate", "CreateDate", "DateTimeOriginal")
    }
