"""The code: every number of flips that it promises to correct, and no more."""

from __future__ import annotations

import random

import pytest

from guardrail.marks.adapters.bch import BCH

CODES = [(BCH(4, 2, 0b10011), 7, 8), (BCH(7, 5, 137), 64, 35), (BCH(8, 29, 0x11D), 64, 184)]


@pytest.mark.parametrize(("code", "data_bits", "parity"), CODES)
def test_flips_up_to_t_are_corrected(code: BCH, data_bits: int, parity: int) -> None:
    assert code.parity_bits == parity
    source, length = random.Random(3), data_bits + parity
    for flips in range(code.t + 1):
        data = source.getrandbits(data_bits)
        word = damaged = data << parity | code.encode(data)
        for at in source.sample(range(length), flips):
            damaged ^= 1 << at
        assert code.decode(damaged, length) == (word, flips)


@pytest.mark.parametrize(("code", "data_bits", "parity"), CODES[1:])
def test_random_words_are_hardly_ever_near_a_word_of_the_code(code: BCH, data_bits: int, parity: int) -> None:
    source, length = random.Random(4), data_bits + parity
    assert sum(code.decode(source.getrandbits(length), length) is not None for _ in range(20)) == 0


def test_the_known_generator_of_a_small_code() -> None:
    # Lin and Costello, Error Control Coding, example 6.1: (15, 7), g = 1 + x⁴ + x⁶ + x⁷ + x⁸.
    assert BCH(4, 2, 0b10011).encode(1) == 0b111010001 ^ 1 << 8


def test_what_is_decoded_lies_within_t() -> None:
    code, source = CODES[0][0], random.Random(5)
    for _ in range(200):
        word = source.getrandbits(15)
        decoded = code.decode(word, 15)
        if decoded is not None:
            assert (decoded[0] ^ word).bit_count() == decoded[1] <= 2
            assert code.encode(decoded[0] >> 8) == decoded[0] & 0xFF
