"""What a file's own metadata names: the generator, never the prompt; and nothing that hostile bytes can break."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from guardrail.marks.foreign import foreign_layers
from guardrail.marks.foreign.claims import Claim, read_claims
from guardrail.marks.foreign.fields import fields_of
from tests.budget import examples
from tests.marks.foreign.drawings import drawing

SECRET = "a castle at dusk, the owner Ruritania Example"
SETTINGS = f"{SECRET}\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 8x8, "
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"text": SECRET}}})
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def png(*, compressed: bool = False, **texts: str) -> bytes:
    info = PngInfo()
    for keyword, text in texts.items():
        if keyword == "xmp":
            info.add_itxt("XML:com.adobe.xmp", text, zip=compressed)
        else:
            info.add_text(keyword.replace("__", "-"), text, zip=compressed)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def with_exif(form: str, tags: dict[int, str | bytes]) -> bytes:
    exif = Image.Exif()
    for tag, value in tags.items():
        (exif if tag < 0x9000 else exif.get_ifd(0x8769))[tag] = value
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, form, exif=exif)
    return buffer.getvalue()


def xmp(properties: str) -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f"{properties}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def unicode_comment(text: str) -> bytes:
    return b"UNICODE\0" + text.encode("utf-16-be")


CASES = {
    "A1111": (
        png(parameters=SETTINGS + "Version: v1.9.4"),
        [Claim("Stable Diffusion WebUI (AUTOMATIC1111)", "v1.9.4", "PNG text parameters")],
    ),
    "A1111 compressed": (
        png(compressed=True, parameters=SETTINGS + "Version: v1.9.4"),
        [Claim("Stable Diffusion WebUI (AUTOMATIC1111)", "v1.9.4", "PNG text parameters")],
    ),
    "A1111 in JPEG": (
        with_exif("JPEG", {0x9286: unicode_comment(SETTINGS + "Version: v1.6.0")}),
        [Claim("Stable Diffusion WebUI (AUTOMATIC1111)", "v1.6.0", "EXIF UserComment")],
    ),
    "Forge": (
        png(parameters=SETTINGS + "Version: f2.0.1v1.10.1-previous-659-gc055f2d4"),
        [Claim("Stable Diffusion WebUI Forge", "f2.0.1v1.10.1-previous-659-gc055f2d4", "PNG text parameters")],
    ),
    "SD.Next": (
        png(parameters=SETTINGS + "App: SD.Next, Version: 4a3b"),
        [Claim("SD.Next", "4a3b", "PNG text parameters")],
    ),
    "ComfyUI": (png(prompt=GRAPH), [Claim("ComfyUI", "", "PNG text prompt")]),
    "ComfyUI workflow": (png(workflow='{"nodes": [], "links": []}'), [Claim("ComfyUI", "", "PNG text workflow")]),
    "ComfyUI in WebP": (with_exif("WEBP", {0x0110: f"prompt:{GRAPH}"}), [Claim("ComfyUI", "", "EXIF Model")]),
    "InvokeAI": (
        png(invokeai_metadata=json.dumps({"app_version": "5.4.2", "positive_prompt": SECRET})),
        [Claim("InvokeAI", "5.4.2", "PNG text invokeai_metadata")],
    ),
    "InvokeAI 2": (
        png(sd__metadata=json.dumps({"app_id": "invoke-ai/InvokeAI", "app_version": "v2.3.0", "prompt": SECRET})),
        [Claim("InvokeAI", "2.3.0", "PNG text sd-metadata")],
    ),
    "NovelAI": (
        png(Software="NovelAI", Source="NovelAI Diffusion V4 37442FCA", Comment=json.dumps({"prompt": SECRET})),
        [Claim("NovelAI", "NovelAI Diffusion V4 37442FCA", "PNG text Software")],
    ),
    "NovelAI, a prompt for a source": (
        png(Software="NovelAI", Source=SECRET),
        [Claim("NovelAI", "", "PNG text Software")],
    ),
    "Fooocus": (
        png(fooocus_scheme="fooocus", parameters=json.dumps({"version": "Fooocus v2.5.5", "prompt": SECRET})),
        [Claim("Fooocus", "2.5.5", "PNG text parameters")],
    ),
    "Fooocus in JPEG": (
        with_exif("JPEG", {0x0131: "Fooocus v2.5.0", 0x9286: unicode_comment(SECRET)}),
        [Claim("Fooocus", "2.5.0", "EXIF Software")],
    ),
    "SwarmUI": (
        png(parameters=json.dumps({"sui_image_params": {"prompt": SECRET, "swarm_version": "0.9.3.1"}})),
        [Claim("SwarmUI", "0.9.3.1", "PNG text parameters")],
    ),
    "Midjourney": (
        png(Description=f"{SECRET} --v 6.1 Job ID: 01234567-89ab-cdef-0123-456789abcdef"),
        [Claim("Midjourney", "6.1", "PNG text Description")],
    ),
    "diffusers": (with_exif("JPEG", {0x0131: "diffusers/0.36.0"}), [Claim("diffusers", "0.36.0", "EXIF Software")]),
    "Firefly": (
        png(xmp=xmp('xmp:CreatorTool="Adobe Firefly 2.0">')),
        [Claim("Adobe Firefly", "2.0", "XMP CreatorTool")],
    ),
    "Imagen": (
        png(
            xmp=xmp(
                f'photoshop:Credit="Made with Google AI" Iptc4xmpExt:DigitalSourceType="{IPTC}trainedAlgorithmicMedia">'
            )
        ),
        [Claim("Google AI (Imagen, Gemini)", "", "XMP Credit")],
    ),
    "IPTC": (
        png(xmp=xmp(f"><Iptc4xmpExt:DigitalSourceType>{IPTC}compositeSynthetic</Iptc4xmpExt:DigitalSourceType>")),
        [Claim("not named", "", "XMP DigitalSourceType")],
    ),
    "IPTC 2025.1": (
        png(xmp=xmp('Iptc4xmpExt:AISystemUsed="Some Model" Iptc4xmpExt:AISystemVersionUsed="3">')),
        [Claim("Some Model", "3", "XMP AISystemUsed")],
    ),
    "AIGC": (
        png(AIGC=json.dumps({"Label": "1", "ContentProducer": "Provider 00119", "ProduceID": "x"})),
        [Claim("Provider 00119", "", "PNG text AIGC")],
    ),
    "AIGC in XMP": (
        png(xmp=xmp('><TC260:AIGC>{"Label":"1","ContentProducer":"Provider"}</TC260:AIGC>')),
        [Claim("Provider", "", "XMP TC260:AIGC")],
    ),
    "a camera": (with_exif("JPEG", {0x010F: "Canon", 0x0110: "EOS R5", 0x0131: "darktable 4.6"}), []),
    "a camera's XMP": (png(xmp=xmp(f'Iptc4xmpExt:DigitalSourceType="{IPTC}digitalCapture">')), []),
    "words about a sampler": (png(parameters="Steps taken by the sampler", Description=SECRET), []),
    "nothing": (png(), []),
    "no image": (b"%PDF-1.7", []),
}


@pytest.mark.parametrize("name", CASES)
def test_the_generator_is_named_and_nothing_of_the_prompt(name: str) -> None:
    content, wanted = CASES[name]
    assert list(read_claims(content)) == wanted
    said = repr(foreign_layers(None, content))
    assert not any(word in said for word in ("castle", "dusk", "Ruritania", "KSampler"))


def test_several_claims_are_all_given() -> None:
    content = png(prompt=GRAPH, parameters=SETTINGS + "Version: ComfyUI", Software="NovelAI")
    assert {c.generator for c in read_claims(content)} == {"ComfyUI", "NovelAI"}


def with_segment(marker: int, segment: bytes) -> bytes:
    plain = with_exif("JPEG", {})
    return plain[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(segment) + 2) + segment + plain[2:]


@pytest.mark.parametrize(
    ("marker", "head", "field"),
    [(0xEB, b"jumb c2pa GPT-4o ", "C2PA manifest, not validated"), (0xED, b"Photoshop 3.0\0", "IPTC")],
)
def test_the_source_type_counts_wherever_it_stands_in_a_block(marker: int, head: bytes, field: str) -> None:
    content = with_segment(marker, head + f"{IPTC}trainedAlgorithmicMedia\0".encode())
    assert read_claims(content) == (Claim("not named", "", field),)
    assert read_claims(with_segment(marker, head + f"{IPTC}digitalCapture\0".encode())) == ()


NEWS = b"The chief executive of OpenAI, who uses ChatGPT and Midjourney, at a congress"


@pytest.mark.parametrize(
    "content",
    [
        with_segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + NEWS),
        with_segment(0xEB, b"jumb c2pa stds.iptc " + NEWS),
        with_exif("JPEG", {0x010E: NEWS.decode(), 0x927C: NEWS}),
        png(xmp=xmp('photoshop:Credit="Ideogramm Verlag">')),
        png(xmp=xmp('photoshop:Credit="Jane Example for OpenAI">')),
        png(xmp=xmp('photoshop:Credit="OpenAI">')),
        png(xmp=xmp('xmp:CreatorTool="Recrafter 2">')),
        png(Software="Ideogrammatic 2"),
        png(Software="NovelAIde"),
    ],
    ids=["IPTC", "C2PA", "EXIF", "a publisher", "a client", "a company", "CreatorTool", "Software", "NovelAI"],
)
def test_names_in_captions_and_in_other_words_are_no_claims(content: bytes) -> None:
    assert read_claims(content) == ()


@pytest.mark.parametrize(
    ("software", "wanted"),
    [
        ("Midjourney", ("Midjourney", "")),
        ("DALL·E3", ("DALL·E (OpenAI)", "")),
        ("Editor 9 (ComfyUI/1.2-B)", ("ComfyUI", "1.2-B")),
        ("my_diffusers 0.36", ("diffusers", "0.36")),
    ],
)
def test_names_of_programs_are_words_with_a_version_behind(software: str, wanted: tuple[str, str]) -> None:
    (claim,) = read_claims(with_exif("JPEG", {0x0131: software.encode()}))
    assert (claim.generator, claim.version) == wanted


def test_fooocus_says_its_scheme_in_the_makers_note() -> None:
    (claim,) = read_claims(with_exif("JPEG", {0x927C: b"fooocus"}))
    assert claim == Claim("Fooocus", "", "EXIF MakerNote")


def test_descriptions_of_the_parts_of_a_picture_are_not_about_it() -> None:
    part = '<rdf:Description xmp:CreatorTool="ComfyUI"/>'
    assert read_claims(png(xmp=xmp(f"><dc:relation>{part}</dc:relation>"))) == ()


def test_names_from_a_file_are_short_single_lines() -> None:
    (claim,) = read_claims(png(xmp=xmp(f'Iptc4xmpExt:AISystemUsed="a&#10;b&#x202e;{"x" * 400}">')))
    assert claim.generator.startswith("a b x")
    assert len(claim.generator) == 64
    assert claim.generator.isprintable()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_a_small_chunk_that_unpacks_to_gigabytes_is_cut() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(20)) + packer.flush()
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"zTXt", b"parameters\0\0" + bomb) * 8
    fields = fields_of(content)
    assert sum(map(len, fields.values())) <= 16 << 20


@pytest.mark.parametrize(
    "packet",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + xmp(">&a;"),
        "<a>" * 20_000,
        xmp('Iptc4xmpExt:AISystemUsed="x"'),
        xmp(">" + "<dc:title>" * 5000 + "</dc:title>" * 5000),
        "\x00\x01",
    ],
)
def test_hostile_xml_says_nothing(packet: str) -> None:
    assert read_claims(b"\x89PNG\r\n\x1a\n" + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet.encode())) == ()


def test_directories_that_point_at_themselves_end() -> None:
    block = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8)
    fields_of(b"\x89PNG\r\n\x1a\n" + chunk(b"eXIf", block))


@pytest.mark.parametrize("name", ["A1111", "A1111 in JPEG", "ComfyUI in WebP", "Imagen", "Fooocus in JPEG"])
def test_no_damage_raises(name: str) -> None:
    content, rng = CASES[name][0], np.random.default_rng(9)
    for end in range(0, len(content), max(1, len(content) // examples(600))):
        assert isinstance(read_claims(content[:end]), tuple)
    for _ in range(examples(1200)):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), rng.integers(1, 12)):
            damaged[at] = rng.integers(256)
        assert isinstance(read_claims(bytes(damaged)), tuple)


@pytest.mark.parametrize(
    "head", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x1cftypavif"], ids=str
)
def test_no_random_bytes_raise(head: bytes) -> None:
    rng = np.random.default_rng(10)
    for _ in range(examples(600)):
        assert isinstance(read_claims(head + rng.bytes(int(rng.integers(0, 2000)))), tuple)


def uuid_box(body: bytes) -> bytes:
    body = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + body
    return struct.pack(">I", 8 + len(body)) + b"uuid" + body


AVIF = b"\0\0\0\x1cftypavif" + b"\0" * 16


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (AVIF + b"\0" * 24 + xmp('xmp:CreatorTool="ComfyUI">').encode() + b"\0" * 9, ("ComfyUI", "XMP CreatorTool")),
        (with_exif("AVIF", {0x0131: "ComfyUI"}), ("ComfyUI", "EXIF Software")),
        (
            AVIF + uuid_box(f"jumb c2pa {IPTC}trainedAlgorithmicMedia\0".encode()),
            ("not named", "C2PA manifest, not validated"),
        ),
    ],
    ids=["a packet found by looking", "EXIF", "a manifest"],
)
def test_avif_files_name_their_generators(content: bytes, wanted: tuple[str, str]) -> None:
    assert [(c.generator, c.field) for c in read_claims(content)] == [wanted]


def hidden(signature: bytes, *, alpha: bool) -> np.ndarray:
    pixels = np.dstack([drawing(1, 40, 50), np.full((40, 50), 255, np.uint8)])
    bits = np.unpackbits(np.frombuffer(signature, np.uint8))
    flat = pixels.transpose(1, 0, 2).copy()
    target = flat[..., 3].reshape(-1) if alpha else flat[..., :3].reshape(-1)
    target[: len(bits)] = (target[: len(bits)] & 0xFE) | bits
    flat[..., 3 if alpha else slice(0, 3)] = target.reshape(flat[..., 3 if alpha else slice(0, 3)].shape)
    return np.ascontiguousarray(flat.transpose(1, 0, 2))


@pytest.mark.parametrize(
    ("signature", "alpha", "place"),
    [
        (b"stealth_pnginfo", True, "alpha channel"),
        (b"stealth_pngcomp", True, "alpha channel"),
        (b"stealth_rgbinfo", False, "colour channels"),
        (b"stealth_rgbcomp", False, "colour channels"),
    ],
)
def test_hidden_metadata_is_told_by_its_signature(signature: bytes, alpha: bool, place: str) -> None:
    layers = foreign_layers(hidden(signature, alpha=alpha), None)
    assert [(la.name, la.verdict, la.says.get("field")) for la in layers] == [
        ("invisible-watermark", "not applicable", None),
        ("hidden metadata", "claimed", place),
    ]


@pytest.mark.parametrize("signature", [b"stealth_pnginfx", b"\0" * 15])
def test_no_other_bits_are_taken_for_a_signature(signature: bytes) -> None:
    assert [la.name for la in foreign_layers(hidden(signature, alpha=True), None)] == ["invisible-watermark"]
