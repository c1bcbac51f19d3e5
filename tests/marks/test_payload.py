"""The parts of the 64 bits, and the classes of shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.marks.payload import Payload, shape_of


@given(st.integers(0, 2**64 - 1))
def test_any_64_bits_have_parts_that_give_them_back(bits: int) -> None:
    assert Payload.from_int(bits).to_int() == bits


@pytest.mark.parametrize(
    "parts",
    [
        ("0123456789", 1 << 20, 0, 1),
        ("0123456789", -1, 0, 1),
        ("0123456789", 0, 8, 1),
        ("0123456789", 0, 0, 2),
        ("012345678", 0, 0, 1),
        ("012345678A", 0, 0, 1),
        ("012345678g", 0, 0, 1),
    ],
)
def test_what_does_not_fit_is_refused(parts: tuple[str, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"bits|digits|base 16"):
        Payload(*parts)


def test_usual_cuts_and_canvases_are_of_another_class() -> None:
    for before, after in (
        ((9, 16), (1, 1)), ((9, 16), (3, 4)), ((9, 16), (9, 8)), ((2, 3), (1, 1)), ((3, 4), (1, 1)),
        ((1, 2), (1, 1)), ((1, 1), (1, 2)), ((9, 16), (9, 21)), ((1, 1), (9, 16)), ((4, 5), (1, 1)),
    ):  # fmt: skip
        assert shape_of(*before) != shape_of(*after), (before, after)
    assert shape_of(768, 1024) == shape_of(383, 512) == shape_of(1536, 2048)
