"""Damaged and hostile files: a picture or an InputError, never anything else, and never for long."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.errors import InputError
from guardrail.media import ImageInput, Limits, decode_image
from guardrail.media.read import read_image
from tests.budget import examples
from tests.media.pictures import gif, hostile_seeds

NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"
LIMITS = Limits(pixels=250_000, frames=16)
# A file of a few kilobytes; the slowest of 400,000 took 0.2 s here.
SECONDS = 5.0
KINDS = sorted(hostile_seeds())


def decoded_or_refused(content: bytes) -> ImageInput | None:
    begun = time.monotonic()
    try:
        image = decode_image(content, limits=LIMITS)
    except InputError:
        image = None
    assert time.monotonic() - begun < SECONDS
    if image is not None:
        assert 1 <= len(image.frames) <= 3 * LIMITS.frames
        for frame in image.frames:
            assert frame.dtype == np.uint8
            assert frame.ndim == 3
            assert frame.shape[2] in (3, 4)
            assert frame.shape[0] * frame.shape[1] <= LIMITS.pixels
        assert all(view.shape[2] == 3 for _, view in image.views())
    return image


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off_anywhere(kind: str) -> None:
    content = hostile_seeds()[kind]
    offsets = sorted({*range(min(64, len(content))), *range(64, len(content), max(1, len(content) // 60))})
    results = [decoded_or_refused(content[:n]) for n in offsets]
    assert decoded_or_refused(content) is not None
    # Without its first 64 bytes nothing is a picture.
    assert not any(results[:20])


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_its_last_quarter_is_refused(kind: str) -> None:
    content = hostile_seeds()[kind]
    image = decoded_or_refused(content[: len(content) * 3 // 4])
    # Animations may still have whole frames before the cut.
    assert image is None or kind in ("apng", "gif", "jpeg with others behind it", "webp animated", "avif animated")


FLIPS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.booleans()), min_size=1, max_size=16
)


def damaged(kind: str, flips: list[tuple[float, int, bool]]) -> bytes:
    """`kind` with bytes replaced: half of them in the first 200 bytes, where the headers are."""
    content = bytearray(hostile_seeds()[kind])
    for place, value, early in flips:
        content[int(place * (min(200, len(content)) if early else len(content)))] ^= value
    return bytes(content)


@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(KINDS), FLIPS)
def test_flipped_bits(kind: str, flips: list[tuple[float, int, bool]]) -> None:
    decoded_or_refused(damaged(kind, flips))


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="10,000 damaged files; GUARDRAIL_NIGHTLY=1 runs them")
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(KINDS), FLIPS)
def test_flipped_bits_ten_thousand_times(kind: str, flips: list[tuple[float, int, bool]]) -> None:
    decoded_or_refused(damaged(kind, flips))


@settings(max_examples=examples(100), deadline=None)
@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x1cftypavif"]),
    st.binary(max_size=400),
)
def test_magic_bytes_and_rubbish(magic: bytes, rest: bytes) -> None:
    decoded_or_refused(magic + rest)


@settings(max_examples=examples(100), deadline=None)
@given(st.one_of(st.text(max_size=40), st.binary(max_size=40)))
def test_any_text_or_bytes_is_refused_in_order(source: str | bytes) -> None:
    with pytest.raises(InputError):
        read_image(source)


def test_many_tiny_frames_take_seconds_at_most() -> None:
    # Counting the frames of a GIF means walking through it: 20 MB of 1×1 frames took 2 s.
    content = gif((1, 1), [(1, 1)] * 60_000)
    begun = time.monotonic()
    with pytest.raises(InputError, match="60000 frames, 128 are allowed"):
        decode_image(content)
    assert time.monotonic() - begun < SECONDS
