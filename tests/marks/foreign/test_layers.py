"""The readers' findings as layers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from guardrail.marks.foreign import foreign_layers
from guardrail.marks.foreign.dwtdct import FOUND_RATE, MESSAGES
from tests.marks.foreign.drawings import drawing, marked


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_marked_picture_is_found_with_a_rate() -> None:
    pixels = marked(drawing(11, 384, 512), MESSAGES["Stable Diffusion XL"])
    watermark, metadata = foreign_layers(pixels, png(pixels))
    assert (watermark.name, watermark.verdict) == ("invisible-watermark", "found")
    assert watermark.says == {"generator": "Stable Diffusion XL", "matching bits": "48 of 48"}
    assert watermark.false_positive_rate is not None
    assert watermark.false_positive_rate <= FOUND_RATE
    assert (metadata.name, metadata.verdict) == ("generator metadata", "nothing found")


def test_an_unmarked_picture_says_nothing_of_any_generator() -> None:
    watermark, _ = foreign_layers(drawing(12), png(drawing(12)))
    assert (watermark.verdict, watermark.says) == ("nothing found", {})
    assert watermark.false_positive_rate is not None
    assert watermark.false_positive_rate > FOUND_RATE


def test_claims_have_no_rate() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0131] = "diffusers"
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    (layer,) = foreign_layers(None, buffer.getvalue())
    assert (layer.name, layer.verdict, layer.false_positive_rate) == ("generator metadata", "claimed", None)
    assert layer.says == {"generator": "diffusers", "field": "EXIF Software"}


def test_nothing_given_says_nothing() -> None:
    assert foreign_layers(None, None) == []


@pytest.mark.parametrize("pixels", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((8, 8, 2), np.uint8)])
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"pixels are uint8 of shape \(H, W, 3 or 4\)"):
        foreign_layers(pixels, None)
