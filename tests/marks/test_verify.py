"""What is said about a file, layer by layer; what cannot be read is an error; and nothing ever says "not AI"."""

from __future__ import annotations

import ast
import inspect
import io
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import guardrail.cli.verify
import guardrail.marks.picture
import guardrail.marks.verify
import guardrail.marks.verify_layers
from guardrail.errors import InputError
from guardrail.keys import Keyring
from guardrail.marks.files import encode_image
from guardrail.marks.foreign.layers import CLAIMED
from guardrail.marks.guarded_image import GuardedImage, guarded
from guardrail.marks.label import Label
from guardrail.marks.marker import Marker
from guardrail.marks.payload import PAYLOAD_VERSION
from guardrail.marks.picture import picture_of_found
from guardrail.marks.registry import Entry, Registry, pdq_of
from guardrail.marks.settings import Marking
from guardrail.marks.stack import MarkStack
from guardrail.marks.tileline import TileLine
from guardrail.marks.tileline.layout import VERSION
from guardrail.marks.verify import VERIFY_LIMITS, Layer, Verification, verify_image
from guardrail.marks.verify_layers import INVALID, SIMILAR, UNLIKE, credentials_layer, file_layers, registry_layer
from guardrail.media import Limits, decode_image
from tests.marks.conftest import LABEL, MARK_ID, drawing

FOUND, NOTHING = "found", "nothing found"


def saved(image: Image.Image, format: str, **params: Any) -> bytes:
    """As somebody else's program writes it: without a label."""
    buffer = io.BytesIO()
    Image.Image.save(image, buffer, format, **params)
    return buffer.getvalue()


def ours(image: GuardedImage, format: str) -> bytes:
    """As the picture writes itself."""
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def resaved(content: bytes, format: str, **params: Any) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return saved(image.convert("RGB"), format, **params)


# Layers that are looked at everywhere, and mostly say nothing.
OTHERS = ("content credentials", "invisible-watermark", "generator metadata")


def verdicts_of(said: Verification) -> dict[str, str]:
    """Of our own layers, and of others that say anything."""
    silent = (NOTHING, "not applicable", "not looked at")
    return {x.name: x.verdict for x in said.layers if x.name not in OTHERS or x.verdict not in silent}


Source = Callable[[GuardedImage, np.ndarray], Any]
# name: (source, {layer: verdict}, whether it is called AI-generated)
CASES: dict[str, tuple[Source, dict[str, str], bool | None]] = {
    "PNG as saved": (
        lambda i, _: encode_image(i, "png", LABEL),
        {"watermark": FOUND, "metadata": FOUND, "png text": FOUND},
        True,
    ),
    "JPEG as saved": (
        lambda i, _: encode_image(i, "jpeg", LABEL, quality=90),
        {"watermark": FOUND, "metadata": FOUND},
        True,
    ),
    "WebP as saved": (lambda i, _: encode_image(i, "webp", LABEL), {"watermark": FOUND, "metadata": FOUND}, True),
    "saved again as JPEG 75": (
        lambda i, _: resaved(encode_image(i, "png", LABEL), "JPEG", quality=75),
        {"watermark": FOUND, "metadata": NOTHING},
        True,
    ),
    "metadata stripped": (
        lambda i, _: resaved(encode_image(i, "png", LABEL), "PNG"),
        {"watermark": FOUND, "metadata": NOTHING},
        True,
    ),
    "GIF made of it": (lambda i, _: saved(i, "GIF"), {"watermark": FOUND, "metadata": NOTHING}, True),
    "metadata without a watermark": (
        lambda _, drawn: encode_image(Image.fromarray(drawn[:96, :96]), "webp", LABEL),
        {"watermark": NOTHING, "metadata": FOUND},
        True,
    ),
    "metadata of another kind": (
        lambda _, drawn: encode_image(Image.fromarray(drawn[:96, :96]), "jpeg", Label("digitalCapture")),
        {"watermark": NOTHING, "metadata": NOTHING},
        None,
    ),
    "an unmarked PNG": (
        lambda _, drawn: saved(Image.fromarray(drawn), "PNG"),
        {"watermark": NOTHING, "metadata": NOTHING},
        None,
    ),
    "an unmarked JPEG": (
        lambda _, drawn: saved(Image.fromarray(drawn[:96, :96]), "JPEG"),
        {"watermark": NOTHING, "metadata": NOTHING},
        None,
    ),
    "the PIL image in memory": (lambda i, _: i, {"watermark": FOUND, "metadata": FOUND}, True),
    "another PIL image": (lambda _, drawn: Image.fromarray(drawn[:96, :96]), {"watermark": NOTHING}, None),
    "an array: pixels only": (lambda i, _: np.asarray(i), {"watermark": FOUND}, True),
    "floats": (lambda i, _: np.asarray(i, np.float32) / 255, {"watermark": FOUND}, True),
    "a bytearray": (
        lambda i, _: bytearray(encode_image(i, "webp", LABEL)),
        {"watermark": FOUND, "metadata": FOUND},
        True,
    ),
    "one pixel": (
        lambda *_: saved(Image.new("RGB", (1, 1)), "PNG"),
        {"watermark": "not applicable", "metadata": NOTHING},
        None,
    ),
    "a line of pixels": (lambda *_: Image.new("L", (300, 1)), {"watermark": "not applicable"}, None),
    "a tiny picture": (lambda *_: Image.new("RGB", (5, 3)), {"watermark": NOTHING}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_what_each_layer_says(
    marked: GuardedImage, drawn: np.ndarray, ring: Keyring, tmp_path: Path, name: str
) -> None:
    make, verdicts, ai = CASES[name]
    source = make(marked, drawn)
    said = verify_image(source, ring, search=False)
    assert verdicts_of(said) == verdicts
    assert said.ai_generated is ai
    assert said.mark_id == (MARK_ID if verdicts["watermark"] == FOUND else "")
    if isinstance(source, bytes) and verdicts["watermark"] != NOTHING:  # where the search is short
        # A file and its bytes are the same, whatever the file is called.
        (tmp_path / "photo.jpg").write_bytes(source)
        for path in (tmp_path / "photo.jpg", str(tmp_path / "photo.jpg")):
            assert verify_image(path, ring, search=False) == said


def test_the_layers_say_where_the_mark_leads(marked: GuardedImage, ring: Keyring) -> None:
    said = verify_image(encode_image(marked, "png", LABEL), ring, search=False)
    watermark, metadata, text = (x for x in said.layers if x.name in ("watermark", "metadata", "png text"))
    assert watermark.says == {
        "mark id": MARK_ID,
        "key": ring.active,
        "version": str(PAYLOAD_VERSION),
        "binding": "genuine",
    }
    assert watermark.statistic is not None
    assert watermark.statistic > 11.5
    assert LABEL.properties().items() <= metadata.says.items()
    assert text.says["Comment"] == f"decision {LABEL.decision_id}"


# ---- keys


def ring_of(*first: int) -> Keyring:
    return Keyring([bytes([n]) * 32 for n in first], source="a test")


def test_another_key_reads_the_metadata_only(marked: GuardedImage) -> None:
    said = verify_image(encode_image(marked, "webp", LABEL), ring_of(9), search=False)
    assert verdicts_of(said) == {"watermark": NOTHING, "metadata": FOUND}
    assert said.mark_id == ""


def test_a_key_more_is_a_chance_more_to_be_wrong(stack: MarkStack) -> None:
    """The union bound: three keys are tried, so the rate that is said is three times as high."""
    pixels = stack.embed(drawing(96, 96), MARK_ID)
    alone = verify_image(pixels, Keyring([bytes(range(32))], source="a test"), search=False).layers[0]
    among = verify_image(
        pixels, Keyring([bytes(range(32)), b"\x08" * 32, b"\x09" * 32], source="a test"), search=False
    ).layers[0]
    assert among.statistic == alone.statistic
    assert among.false_positive_rate / alone.false_positive_rate == pytest.approx(3)
    assert 0 < among.false_positive_rate < 1e-9
    unmarked = verify_image(drawing(64, 64), ring_of(1, 2), search=False).layers[0]
    assert 1e-3 < unmarked.false_positive_rate <= 1


def test_a_mark_of_another_version_is_no_id_of_ours(ring: Keyring, drawn: np.ndarray) -> None:
    foreign = TileLine(ring.derive(f"marks/tileline/{VERSION}")).embed(drawn, (1 - PAYLOAD_VERSION) << 63 | 0xABC)
    said = verify_image(foreign, ring, search=False)
    assert said.layers[0].verdict == "marked, payload unreadable"
    assert (said.ai_generated, said.mark_id) == (True, "")


def test_a_mark_in_any_frame_is_found(marked_pixels: np.ndarray, drawn: np.ndarray, ring: Keyring) -> None:
    frames = [Image.fromarray(p) for p in (drawn, marked_pixels)]
    said = verify_image(
        saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True), ring, search=False
    )
    assert said.mark_id == MARK_ID


# ---- what cannot be read


def png() -> bytes:
    return saved(Image.fromarray(drawing(64, 64)), "PNG")


UNREADABLE: dict[str, Callable[[Path], Any]] = {
    "a folder": lambda folder: folder,
    "no such file": lambda folder: folder / "nowhere.png",
    "an empty file": lambda folder: written(folder, b""),
    "no bytes": lambda folder: b"",
    "text": lambda folder: written(folder, b"no picture"),
    "a cut-off PNG": lambda folder: written(folder, png()[:-200]),
    "half a header": lambda folder: written(folder, png()[:20]),
    "a damaged PNG": lambda folder: written(folder, png()[:80] + bytes(40) + png()[120:]),
    "a cut-off JPEG": lambda folder: saved(Image.fromarray(drawing(64, 64)), "JPEG")[:300],
    "BMP": lambda folder: saved(Image.fromarray(drawing(8, 8)), "BMP"),
    "a URL": lambda folder: "https://example.org/a.png",
    "nothing": lambda folder: None,
    "a number": lambda folder: 7,
    "an array of NaN": lambda folder: np.full((64, 64, 3), np.nan),
    "an array of no picture": lambda folder: np.zeros((2, 3, 4, 5, 6)),
}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "a.png"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_an_error_and_no_verdict(tmp_path: Path, ring: Keyring, name: str) -> None:
    with pytest.raises(InputError) as caught:
        verify_image(UNREADABLE[name](tmp_path), ring)
    assert not claims(str(caught.value))


# ---- never "not AI"

# What an absence of marks must not be made into, in any wording.
CLAIMS = re.compile(
    r"\bnot\W+(an?\W+)?(AI|artificial|synthetic|generated)|\bno\W+AI\b|\bisn.t\b|human.made|\bauthentic|\bgenuine"
    r"|\breal\b|\boriginal\b|\buntouched|\bunaltered|\bcamera.made\b|ai_generated.{0,4}false",
    re.IGNORECASE,
)


# The one sentence that names a camera denies that anything follows.
DISCLAIMER = "That does not mean that a camera made it:"


def claims(text: str) -> bool:
    return CLAIMS.search(text.replace(DISCLAIMER, "")) is not None


def test_the_search_for_claims_finds_some() -> None:
    for claim in ("This is not AI-generated.", "an authentic photo", '"ai_generated": false', "a camera made it"):
        assert claims(claim)


VERDICTS = (FOUND, "marked, payload unreadable", "copied", NOTHING, "not applicable", "not looked at")
SIGNED = (FOUND, CLAIMED, INVALID, "says nothing of AI", None)
REGISTERED = (FOUND, SIMILAR, UNLIKE, None)
# What says AI-generated; a copied mark, credentials that do not hold and mere likeness do not.
EVIDENCE = (FOUND, "marked, payload unreadable", CLAIMED)


@pytest.mark.parametrize("verdicts", list(itertools.product(VERDICTS, SIGNED, (FOUND, NOTHING), REGISTERED)))
def test_no_combination_of_layers_amounts_to_a_claim(verdicts: tuple[str | None, ...]) -> None:
    names = ("watermark", "content credentials", "metadata", "registry")
    said = Verification([Layer(n, v) for n, v in zip(names, verdicts, strict=True) if v])
    assert said.ai_generated in (True, None)
    assert said.ai_generated is not False
    assert not claims(json.dumps(said.to_json()))
    if said.ai_generated is None:
        assert DISCLAIMER in said.summary
    else:
        # Said by the layers that say it, and by no other.
        speakers = [n for n, v in zip(names, verdicts, strict=True) if v in EVIDENCE]
        assert said.summary.startswith(f"AI-generated, says the {' and '.join(speakers)}.")
    # What does not hold is said whatever else was found.
    for verdict, words in (
        ("copied", "copied onto this one"),
        (INVALID, "do not hold"),
        (CLAIMED, "signer is not trusted"),
        (UNLIKE, "looks different"),
    ):
        assert (words in said.summary) == (verdict in verdicts)


@pytest.mark.parametrize(
    "module",
    [guardrail.marks.verify, guardrail.marks.verify_layers, guardrail.marks.picture, guardrail.cli.verify],
)
def test_no_text_in_the_source_is_a_claim(module: Any) -> None:
    tree = ast.parse(inspect.getsource(module))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {id(n.body[0].value) for n in ast.walk(tree) if isinstance(n, documented) and ast.get_docstring(n)}
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    shown = [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs
    ]
    assert len(texts) > len(shown) > 3
    assert [t for t in shown if claims(t)] == []


def test_the_json_form(marked: GuardedImage, ring: Keyring) -> None:
    said = verify_image(encode_image(marked, "png", LABEL), ring, search=False)
    told = json.loads(json.dumps(said.to_json(), allow_nan=False))
    assert told["ai_generated"] is True
    assert told["mark_id"] == MARK_ID
    names = ["watermark", "content credentials", "metadata", "png text", "invisible-watermark"]
    assert [layer["name"] for layer in told["layers"]] == names
    assert all(
        layer.keys() == {"name", "verdict", "says", "statistic", "false_positive_rate"} for layer in told["layers"]
    )


# ---- no key, no search, limits


def test_without_a_key_the_other_layers_are_looked_at(marked: GuardedImage) -> None:
    said = verify_image(encode_image(marked, "png", LABEL), None)
    assert said.layers[0].verdict == "not looked at"
    assert "key" in said.layers[0].says["why"]
    assert (said.ai_generated, said.mark_id) == (True, "")
    alone = verify_image(drawing(64, 64), None)
    assert alone.ai_generated is None
    assert DISCLAIMER in alone.summary


def test_without_the_search_a_turned_mark_is_not_found(marked: GuardedImage, ring: Keyring) -> None:
    turned = saved(marked.rotate(4, Image.Resampling.BICUBIC), "PNG")
    assert verify_image(turned, ring).mark_id == MARK_ID
    assert verify_image(turned, ring, search=False).mark_id == ""
    assert verify_image(saved(marked, "PNG"), ring, search=False).mark_id == MARK_ID


def test_larger_pictures_are_verified_than_are_generated() -> None:
    assert VERIFY_LIMITS.pixels >= 8192 * 8192 > Limits().pixels
    with pytest.raises(InputError, match="pixels are allowed"):
        verify_image(png(), None, limits=Limits(pixels=1000))


# ---- metadata


def layer_of(said: dict[str, str], name: str) -> Layer:
    return next(layer for layer in file_layers(said) if layer.name == name)


@pytest.mark.parametrize(("label", "verdict"), [("1", FOUND), ("2", "suspected"), ("3", "suspected"), ("", NOTHING)])
def test_the_chinese_field_says_more_than_yes(label: str, verdict: str) -> None:
    layer = layer_of({"aigc:Label": label, "aigc:ProduceID": "17"}, "AIGC field")
    assert layer.verdict == verdict
    said = Verification([layer])
    assert said.ai_generated is (True if verdict == FOUND else None)
    assert ("suspects" in said.summary) == (verdict == "suspected")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_source_type_is_known_under_both_addresses(scheme: str) -> None:
    name = f"{scheme}://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
    assert layer_of({"Iptc4xmpExt:DigitalSourceType": name}, "metadata").verdict == FOUND
    camera = name.replace("compositeSynthetic", "digitalCapture")
    assert layer_of({"Iptc4xmpExt:DigitalSourceType": camera}, "metadata").verdict == NOTHING


def test_prompts_and_names_in_a_file_are_not_given_out(ring: Keyring) -> None:
    """Other generators write prompts into the fields that are read here."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for keyword in ("parameters", "prompt", "Comment", "Author", "Description", "Title"):
        info.add_text(keyword, "a secret castle, Steps: 20, Sampler: Euler")
    content = saved(Image.fromarray(drawing(64, 64)), "PNG", pnginfo=info)
    said = verify_image(content, ring, search=False)
    assert "castle" not in json.dumps(said.to_json())
    assert said.ai_generated is True  # the generator is known by its fields
    assert said.summary == "AI-generated, says the generator metadata."
    ours = {"Iptc4xmpExt:AIPromptInformation": "a castle", "exif:ImageDescription": "a castle", "exif:Software": "s"}
    assert layer_of(ours, "metadata").says == {"exif:Software": "s"}


# ---- credentials


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """(a signed JPEG, the root of its chain)."""
    pytest.importorskip("c2pa")
    from guardrail.marks.credentials import Signer, new_chain, signing

    chain = new_chain(tmp_path_factory.mktemp("chain"))
    sign = signing(LABEL, Signer.from_files(chain.chain, chain.key))
    content = encode_image(Image.fromarray(drawing(96, 96)), "jpeg", LABEL, sign=sign)
    return content, chain.root.read_bytes()


def test_credentials_are_found_trusted_or_invalid(signed: tuple[bytes, bytes]) -> None:
    content, root = signed
    changed = bytearray(content)
    changed[-500] ^= 1
    cases = [
        (content, None, CLAIMED, "Valid"),
        (content, root, FOUND, "Trusted"),
        (bytes(changed), root, INVALID, "Invalid"),
    ]
    for file, anchors, verdict, state in cases:
        layer = credentials_layer(file, anchors, VERIFY_LIMITS)
        assert (layer.verdict, layer.says["state"]) == (verdict, state)
        # Whoever signs with a key of their own says so themselves, as in metadata.
        untrusted = verdict == CLAIMED
        assert (layer.says.get("signer") == "not trusted: the file says so itself") is untrusted
        assert ("say so themselves: their signer is not trusted" in Verification([layer]).summary) is untrusted
    assert "assertion.dataHash.mismatch" in layer.says["problems"]
    # They are no evidence then: what was changed may be what they say.
    assert Verification([layer]).ai_generated is None
    assert "do not hold" in Verification([layer]).summary


def test_credentials_that_say_nothing_of_ai_are_no_evidence(
    signed: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import guardrail.marks.credentials as credentials

    source = "http://cv.iptc.org/newscodes/digitalsourcetype/"
    for words, state, verdict in (
        ("digitalCapture", "Trusted", "says nothing of AI"),
        ("digitalCapture", "Valid", "says nothing of AI"),
        ("digitalCapture, " + source + "algorithmicMedia", "Trusted", FOUND),
    ):
        read = credentials.Credentials(state, {"digital source type": source + words})  # type: ignore[arg-type]
        monkeypatch.setattr(credentials, "read_credentials", lambda *_, read=read, **__: read)
        assert credentials_layer(b"", None, VERIFY_LIMITS).verdict == verdict


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "c2pa", None)
    layer = credentials_layer(png(), None, VERIFY_LIMITS)
    assert layer.verdict == "not looked at"
    assert 'pip install "guardrail-diffusion[c2pa]"' in layer.says["why"]


# ---- the registry


@pytest.fixture
def registry(tmp_path: Path, marked_pixels: np.ndarray, ring: Keyring) -> Registry:
    """With the marked picture in it, as it was released in some file."""
    registry = Registry(tmp_path / "registry.sqlite")
    registry.add(
        Entry(MARK_ID, ring.active, 0, pdq_of(marked_pixels), "ab" * 32, "", "a generator", "default", LABEL.created)
    )
    return registry


def registered(source: Any, ring: Keyring, registry: Registry) -> Layer:
    return verify_image(source, ring, search=False, registry=registry).layers[-1]


def test_the_registry_is_asked_by_the_mark(marked_pixels: np.ndarray, ring: Keyring, registry: Registry) -> None:
    layer = registered(marked_pixels, ring, registry)
    assert (layer.name, layer.verdict) == ("registry", FOUND)
    assert layer.says == {
        "found by": "the mark id",
        "likeness": "0 of 256 bits apart",
        "mark id": MARK_ID,
        "model": "a generator",
        "policy": "default",
        "created": LABEL.created,
    }
    assert registered(drawing(96, 96, 5), ring, registry).verdict == NOTHING


def test_a_registered_mark_in_another_picture_is_no_evidence(
    ring: Keyring, registry: Registry, stack: MarkStack
) -> None:
    other = stack.embed(drawing(320, 384, 7), MARK_ID)
    said = verify_image(other, ring, search=False, registry=registry)
    assert said.layers[-1].verdict == UNLIKE
    assert "looks different" in said.summary


def test_the_registry_is_asked_by_the_bytes(ring: Keyring, registry: Registry) -> None:
    content = png()
    image = decode_image(content)
    registry.add(Entry("77", "k", 0, None, image.file_sha256.hex(), "", "m", "", LABEL.created))
    layer = registered(content, ring, registry)
    assert (layer.verdict, layer.says["found by"], layer.says["mark id"]) == (FOUND, "the bytes of the file", "77")


def test_what_was_pasted_over_a_registered_picture_is_not_vouched_for(
    marked: GuardedImage, ring: Keyring, registry: Registry
) -> None:
    """The bytes are those of a file that we wrote."""
    flat = Image.new("RGB", marked.size, (9, 90, 9))
    for other, verdict in ((None, FOUND), (Image.fromarray(drawing(320, 384, 9)), UNLIKE), (flat, UNLIKE)):
        if other is not None:
            marked.paste(other)
        content = ours(marked, "png")
        registry.add_file(MARK_ID, decode_image(content).file_sha256.hex())
        layer = registered(content, ring, registry)
        assert (layer.verdict, layer.says["found by"]) == (verdict, "the bytes of the file")


def test_a_transparent_picture_is_registered_as_it_looks_over_white(
    stack: MarkStack, ring: Keyring, registry: Registry, decide: Callable[..., Any]
) -> None:
    """As written, over white and in its own JPEG it is that picture."""
    pixels = np.dstack([drawing(256, 256, 3), np.zeros((256, 256), np.uint8)])
    pixels[30:230, 30:230, 3] = 255
    pixels[pixels[..., 3] == 0] = 0
    marker = Marker(stack, Marking(registry=registry.path))
    decision = decide(id="another")
    out, mark_id = marker.mark(pixels, decision, system="a generator")
    image = guarded(Image.fromarray(out), marker.label(decision, mark_id, system="a generator"), marker=marker)
    white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), Image.fromarray(out)).convert("RGB")
    for content in (ours(image, "png"), ours(image, "jpeg"), saved(white, "PNG")):
        layers = {x.name: x for x in verify_image(content, ring, search=False, registry=registry).layers}
        assert (layers["watermark"].verdict, layers["watermark"].says["binding"]) == (FOUND, "genuine")
        assert layers["registry"].verdict == FOUND


def test_a_cut_picture_in_memory_names_no_mark_and_is_no_claim_of_another(marked: GuardedImage, ring: Keyring) -> None:
    cut = marked.crop((40, 40, 300, 250))
    for source, names in ((marked, True), (cut, False), (ours(marked, "png"), True), (ours(cut, "png"), False)):
        layers = {x.name: x for x in verify_image(source, ring, search=False).layers}
        assert (layers["watermark"].verdict, "guardrail:MarkId" in layers["metadata"].says) == (
            (FOUND, True) if names else (NOTHING, False)
        )
        assert layers["metadata"].says["guardrail:DecisionId"] == LABEL.decision_id
        assert "generator metadata" not in layers


def test_likeness_alone_is_no_evidence(drawn: np.ndarray, ring: Keyring, registry: Registry) -> None:
    """The photograph that a registered picture was made from looks like it, and so does its mirror image."""
    for pixels in (drawn, drawn[:, ::-1]):
        said = verify_image(np.ascontiguousarray(pixels), None, registry=registry)
        assert said.layers[-1].verdict == SIMILAR
        assert int(said.layers[-1].says["likeness"].split()[0]) < 20
        assert said.ai_generated is None
        assert "looks like this one" in said.summary


@pytest.mark.parametrize(("verdict", "told"), [("copied", UNLIKE), (FOUND, FOUND)])
def test_where_likeness_cannot_be_told_the_watermark_decides(registry: Registry, verdict: str, told: str) -> None:
    flat = decode_image(saved(Image.new("RGB", (64, 64), (9, 90, 9)), "PNG"))
    layer = registry_layer(registry, flat, Layer("watermark", verdict, {"mark id": MARK_ID}))
    assert (layer.verdict, layer.says["likeness"]) == (told, "cannot be told")


# ---- the picture of what was found


def drawn_of(content: bytes, keyring: Keyring | None) -> np.ndarray:
    said = verify_image(content, keyring, search=False)
    with Image.open(io.BytesIO(picture_of_found(content, said, keyring, search=False))) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_picture_shows_the_grid_where_there_is_a_mark(marked: GuardedImage, ring: Keyring) -> None:
    content = ours(marked, "png")
    shown, bare = drawn_of(content, ring), drawn_of(content, None)
    fitted = np.asarray(marked.resize((480, 400), Image.Resampling.NEAREST)).astype(int)
    # The picture itself is there, under the grid with a mark and bare without one.
    assert (bare[28:428, 28:508] == fitted).all()
    changed = (shown[28:428, 28:508] != fitted).any(-1)
    # Upright: lines a tile apart (a quarter of the short side), counted from the middle.
    assert changed[:, 240].mean() > 0.9
    assert changed[200].mean() > 0.9
    assert changed[100].mean() > 0.9
    assert changed[150].mean() < 0.3


def test_the_picture_of_a_long_report_is_as_high_as_it(marked: GuardedImage, ring: Keyring) -> None:
    long = Verification([Layer(f"layer {n}", FOUND, {"name": "w" * 300}) for n in range(12)])
    content = ours(marked, "png")
    with Image.open(io.BytesIO(picture_of_found(content, long, ring, search=False))) as image:
        assert image.height > 1200
        assert image.width == 480 + 520 + 2 * 28
