"""The RivaGAN reader: raw bits, and what they are worth against a message that is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from guardrail.errors import WeightsMissing
from guardrail.marks.foreign.rivagan import BITS, RivaGan
from guardrail.weights import CATALOGUE, GROUPS, status
from tests.marks.foreign.drawings import drawing


@pytest.fixture
def reader() -> RivaGan:
    if not any(s.weight.name == "rivagan-decoder" and s.state == "ready" for s in status()):
        pytest.skip("rivagan_decoder.onnx is not pulled; run: guardrail models pull other-marks")
    return RivaGan()


def test_an_absent_file_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsMissing, match="guardrail models pull other-marks"):
        RivaGan()


def test_the_file_is_pinned_and_says_its_licence() -> None:
    weight = CATALOGUE["rivagan-decoder"]
    assert (weight.licence, weight.name in GROUPS["other-marks"]) == ("MIT", True)


def test_bits_alone_have_no_rate_and_prove_nothing(reader: RivaGan) -> None:
    reading = reader.read(drawing(1))
    assert reading is not None
    assert len(reading.bits) == BITS
    assert (reading.matching, reading.rate) == (None, None)


def test_an_expected_message_gives_a_rate(reader: RivaGan) -> None:
    bits = reader.read(drawing(1)).bits  # type: ignore[union-attr]
    same = reader.read(drawing(1), expected=bits)
    other = reader.read(drawing(1), expected=tuple(1 - b for b in bits))
    assert same is not None
    assert other is not None
    assert (same.matching, same.rate) == (32, 2.0**-32)
    assert (other.matching, other.rate) == (0, 1)


def test_small_pictures_and_other_input(reader: RivaGan) -> None:
    assert reader.read(drawing(1, 64, 64)) is None
    with pytest.raises(ValueError, match="pixels are uint8"):
        reader.read(np.zeros((256, 256, 4), np.uint8))
    with pytest.raises(ValueError, match="32 zeros and ones"):
        reader.read(drawing(1), expected=(0, 1, 2))
