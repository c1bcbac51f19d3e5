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
import guardrail.marks.verify
from guardrail.errors import InputError
from guardrail.keys import Keyring
from guardrail.marks.files import encode_image
from guardrail.marks.guarded_image import GuardedImage
from guardrail.marks.label import Label
from guardrail.marks.stack import MARK_VERSION, MarkStack
from guardrail.marks.tileline import TileLine
from guardrail.marks.verify import Layer, Verification, verify_image
from tests.marks.conftest import LABEL, MARK_ID, drawing

FOUND, NOTHING = "found", "nothing found"


def saved(image: Image.Image, format: str, **params: Any) -> bytes:
    """As somebody else's program writes it: without a label."""
    buffer = io.BytesIO()
    Image.Image.save(image, buffer, format, **params)
    return buffer.getvalue()


def resaved(content: bytes, format: str, **params: Any) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return saved(image.convert("RGB"), format, **params)


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
        lambda _, drawn: encode_image(Image.fromarray(drawn[:96, :96]), "jpeg", Label("digitalCapture", "a camera")),
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
    said = verify_image(source, ring)
    assert {layer.name: layer.verdict for layer in said.layers} == verdicts
    assert said.ai_generated is ai
    assert said.mark_id == (MARK_ID if verdicts["watermark"] == FOUND else "")
    if isinstance(source, bytes) and verdicts["watermark"] != NOTHING:  # where the search is short
        # A file and its bytes are the same, whatever the file is called.
        (tmp_path / "photo.jpg").write_bytes(source)
        for path in (tmp_path / "photo.jpg", str(tmp_path / "photo.jpg")):
            assert verify_image(path, ring) == said


def test_the_layers_say_where_the_mark_leads(marked: GuardedImage, ring: Keyring) -> None:
    watermark, metadata, text = verify_image(encode_image(marked, "png", LABEL), ring).layers
    assert watermark.says == {"mark id": MARK_ID, "key": ring.active, "version": str(MARK_VERSION)}
    assert watermark.statistic is not None
    assert watermark.statistic > 11.5
    assert metadata.says == LABEL.properties()
    assert text.says["Comment"] == f"decision {LABEL.decision_id}"


# ---- keys


def ring_of(*first: int) -> Keyring:
    return Keyring([bytes([n]) * 32 for n in first], source="a test")


def test_another_key_reads_the_metadata_only(marked: GuardedImage) -> None:
    said = verify_image(encode_image(marked, "webp", LABEL), ring_of(9))
    assert {layer.name: layer.verdict for layer in said.layers} == {"watermark": NOTHING, "metadata": FOUND}
    assert said.mark_id == ""


def test_a_key_more_is_a_chance_more_to_be_wrong(stack: MarkStack) -> None:
    """The union bound: three keys are tried, so the rate that is said is three times as high."""
    pixels = stack.embed(drawing(96, 96), MARK_ID)
    alone = verify_image(pixels, Keyring([bytes(range(32))], source="a test")).layers[0]
    among = verify_image(pixels, Keyring([bytes(range(32)), b"\x08" * 32, b"\x09" * 32], source="a test")).layers[0]
    assert among.statistic == alone.statistic
    assert among.false_positive_rate / alone.false_positive_rate == pytest.approx(3)
    assert 0 < among.false_positive_rate < 1e-9
    unmarked = verify_image(drawing(64, 64), ring_of(1, 2)).layers[0]
    assert 1e-3 < unmarked.false_positive_rate <= 1


def test_a_mark_of_another_version_is_no_id_of_ours(ring: Keyring, drawn: np.ndarray) -> None:
    foreign = TileLine(ring.derive("marks/tileline/1")).embed(drawn, (MARK_VERSION + 1) << 60 | 0xABC)
    said = verify_image(foreign, ring)
    assert said.layers[0].verdict == "marked, payload unreadable"
    assert (said.ai_generated, said.mark_id) == (True, "")


def test_a_mark_in_any_frame_is_found(marked_pixels: np.ndarray, drawn: np.ndarray, ring: Keyring) -> None:
    frames = [Image.fromarray(p) for p in (drawn, marked_pixels)]
    said = verify_image(saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True), ring)
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


VERDICTS = (FOUND, "marked, payload unreadable", NOTHING, "not applicable")


@pytest.mark.parametrize("verdicts", list(itertools.product(VERDICTS, (FOUND, NOTHING, None), (FOUND, NOTHING, None))))
def test_no_combination_of_layers_amounts_to_a_claim(verdicts: tuple[str | None, ...]) -> None:
    names = ("watermark", "metadata", "png text")
    said = Verification([Layer(n, v) for n, v in zip(names, verdicts, strict=True) if v])
    assert said.ai_generated in (True, None)
    assert said.ai_generated is not False
    assert not claims(json.dumps(said.to_json()))
    if said.ai_generated is None:
        assert DISCLAIMER in said.summary
    else:
        # Said by the layers that say it, and by no other.
        speakers = [n for n, v in zip(names, verdicts, strict=True) if v in VERDICTS[:2]]
        assert said.summary == f"AI-generated, says the {' and '.join(speakers)}."


@pytest.mark.parametrize("module", [guardrail.marks.verify, guardrail.cli.verify])
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
    said = verify_image(encode_image(marked, "png", LABEL), ring)
    told = json.loads(json.dumps(said.to_json(), allow_nan=False))
    assert told["ai_generated"] is True
    assert told["mark_id"] == MARK_ID
    assert [layer["name"] for layer in told["layers"]] == ["watermark", "metadata", "png text"]
    assert all(
        layer.keys() == {"name", "verdict", "says", "statistic", "false_positive_rate"} for layer in told["layers"]
    )
