"""dlib's network in ONNX Runtime: the vectors of dlib itself, and no other file taken for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.backends.dlib_network import CHIP, MEAN, face_network
from guardrail.errors import WeightsError
from guardrail.weights import find, read
from guardrail.weights.session import onnx_session


@pytest.fixture
def content(embedded_models: None) -> bytes:
    return read("dlib-face-embedding")


def test_the_vectors_are_those_of_dlib(content: bytes, portrait: Any) -> None:
    import dlib

    network = dlib.face_recognition_model_v1(str(find("dlib-face-embedding")))
    session = onnx_session(face_network(content), 1)
    rng = np.random.default_rng(0)
    chips = [np.ascontiguousarray(portrait[y : y + CHIP, x : x + CHIP]) for y, x in ((50, 150), (200, 100), (362, 362))]
    chips += [rng.integers(0, 256, (CHIP, CHIP, 3), dtype=np.uint8), np.zeros((CHIP, CHIP, 3), np.uint8)]
    for chip in chips:
        given = np.moveaxis((chip.astype(np.float32) - MEAN) / 256, -1, 0)[None]
        ((vector,),) = session.run(None, {"chips": np.ascontiguousarray(given)})
        assert np.abs(vector - np.asarray(network.compute_face_descriptor(chip))).max() < 1e-5


@pytest.mark.parametrize(
    "change",
    [
        lambda c: b"",
        lambda c: b"no network at all",
        lambda c: c[: len(c) // 2],
        lambda c: c[:-131072],
        lambda c: c.replace(b"con_4\x01\x02\x02", b"con_4\x01\x03\x02", 1),
        lambda c: c.replace(b"con_4\x01\x02\x02\x80\x12", b"con_4\x01\x02\x02\x80\x13", 1),
        lambda c: c.replace(b"affine_\x01\x02", b"affine_\x09\x02", 1),
        lambda c: c.replace(b"fc_2\x01\x80", b"fc_2\x01\x81", 1),
        lambda c: c[: c.index(b"con_4") + 14] + b"\xff\xff\xff\x7f" + c[c.index(b"con_4") + 18 :],
    ],
    ids=["empty", "text", "half", "end cut", "version", "size", "no number", "last layer", "NaN"],
)
def test_another_file_is_refused(content: bytes, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(WeightsError, match="not dlib's face network"):
        face_network(change(content))
