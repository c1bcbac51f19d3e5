"""Fixed messages of other generators: found where they are, not where they are not."""

from __future__ import annotations

import importlib.util
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from guardrail.marks.foreign import dwtdct
from tests.marks.foreign.drawings import drawing, marked

GENERATORS = list(dwtdct.MESSAGES)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("offset", [0.5, 128.0])
def test_a_message_is_found_whichever_pixels_it_was_put_into(generator: str, offset: float) -> None:
    reading = dwtdct.read_dwtdct(marked(drawing(1, 384, 512), dwtdct.MESSAGES[generator], offset=offset))
    assert reading is not None
    assert reading.found
    assert reading.generator == generator
    assert reading.matching >= 0.95 * reading.length


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_found_in_unmarked_drawings(seed: int) -> None:
    reading = dwtdct.read_dwtdct(drawing(seed, 256 + 8 * seed, 320))
    assert reading is not None
    assert not reading.found
    assert reading.rate > 1e-4


@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_flat_pictures_and_noise_say_nothing(value: int) -> None:
    for pixels in (
        np.full((256, 256, 3), value, np.uint8),
        np.random.default_rng(value).integers(0, 256, (256, 256, 3), dtype=np.uint8),
    ):
        reading = dwtdct.read_dwtdct(pixels)
        assert reading is not None
        assert not reading.found


def test_another_message_is_not_taken_for_a_known_one() -> None:
    other = tuple(int(b) for b in np.random.default_rng(5).integers(0, 2, 48))
    reading = dwtdct.read_dwtdct(marked(drawing(2, 384, 512), other))
    assert reading is not None
    assert not reading.found


def test_a_crop_by_one_pixel_hides_the_message_as_the_docs_say() -> None:
    whole = marked(drawing(3, 384, 512), dwtdct.MESSAGES["Stable Diffusion XL"])
    reading = dwtdct.read_dwtdct(whole[1:, 1:])
    assert reading is not None
    assert not reading.found


def test_small_pictures_are_never_marked_and_never_read() -> None:
    assert dwtdct.read_dwtdct(drawing(1, 255, 256)) is None
    assert dwtdct.read_dwtdct(np.zeros((4, 65_536, 3), np.uint8)) is None


@pytest.mark.parametrize("shape", [(257, 263), (260, 256), (513, 131)])
def test_sides_that_are_no_multiples_of_eight(shape: tuple[int, int]) -> None:
    grids = dwtdct.votes(drawing(4, *shape))
    assert {g.shape for g in grids.values()} == {(shape[0] // 4 * 4 // 8, shape[1] // 4 * 4 // 8)}
    assert all(set(np.unique(g)) <= {-1, 1} for g in grids.values())


def test_strips_of_rows_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = drawing(6, 520, 256)
    whole = dwtdct.votes(pixels)
    monkeypatch.setattr(dwtdct, "_STRIP", 64)
    assert all((dwtdct.votes(pixels)[k] == grid).all() for k, grid in whole.items())


@pytest.mark.parametrize("length", [32, 46, 48, 64, 136])
def test_the_rate_is_a_tail_and_lies_above_that_of_fair_coins(length: int) -> None:
    tails = [dwtdct.chance(k, length) for k in range(length + 2)]
    assert tails[0] == pytest.approx(1)
    assert tails[-1] == 0
    assert all(a >= b for a, b in itertools.pairwise(tails))
    coins = [sum(math.comb(length, k) for k in range(least, length + 1)) / 2**length for least in range(length + 1)]
    assert all(
        tail >= coin * (1 - 1e-9)
        for tail, coin in zip(tails[length // 2 + 1 :], coins[length // 2 + 1 :], strict=False)
    )


def test_the_messages_are_those_that_the_generators_write() -> None:
    # Read, not imported: that would load torch.
    package = importlib.util.find_spec("diffusers")
    if package is None or package.origin is None:
        pytest.skip("diffusers is not installed")
    source = Path(package.origin).parent / "pipelines/stable_diffusion_xl/watermark.py"
    stated = re.search(r"^WATERMARK_MESSAGE = 0b([01]+)$", source.read_text("utf-8"), re.MULTILINE)
    assert stated
    assert tuple(map(int, stated.group(1))) == dwtdct.MESSAGES["Stable Diffusion XL"]
    lengths = {g: len(m) for g, m in dwtdct.MESSAGES.items()}
    assert lengths == {
        "Stable Diffusion XL": 48,
        "Stable Diffusion 1": 136,
        "Stable Diffusion 2": 32,
        "FLUX.1": 46,
        "InvokeAI": 64,
    }


@pytest.mark.skipif(importlib.util.find_spec("imwatermark") is None, reason="invisible-watermark is not installed")
@pytest.mark.parametrize("floats", [True, False])
def test_what_the_original_package_marks_is_read(floats: bool) -> None:
    from imwatermark import WatermarkEncoder

    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", list(dwtdct.MESSAGES["Stable Diffusion XL"]))
    bgr = np.ascontiguousarray(drawing(8, 512, 512)[..., ::-1])
    out = encoder.encode(bgr.astype(np.float32) if floats else bgr, "dwtDct")[..., ::-1]
    reading = dwtdct.read_dwtdct(np.clip(np.rint(out), 0, 255).astype(np.uint8))
    assert reading is not None
    assert reading.found
    assert reading.generator == "Stable Diffusion XL"
