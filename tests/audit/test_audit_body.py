"""What the log takes and what it refuses, whoever asks."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from guardrail.audit.body import BODY_LIMIT_BYTES, DENIED, canonical, event_type

SECRET = "zebra-quartz"


@pytest.mark.parametrize("word", sorted(DENIED))
@pytest.mark.parametrize(
    "wrap",
    [
        lambda k: {k: SECRET},
        lambda k: {"a": {"b": {k: SECRET}}},
        lambda k: {"a": [{"b": ({k: [SECRET]},)}]},
        lambda k: {k.upper(): SECRET},
        lambda k: {f"{k[:2]}_{k[2:]}": SECRET},
        lambda k: {f"{k[:2]}-{k[2:]}": 1},
        lambda k: {"signals": {k: 0.5}},
    ],
)
def test_keys_that_name_content_are_refused_at_any_depth(word, wrap):
    with pytest.raises(ValueError, match="content is never recorded") as caught:
        canonical(wrap(word))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        {"effective": [{"check": "faces", "weights": {"text": "ab" * 32}}]},
        {"timings_ms": {"prompt": 1.5, "image": 2}},
        {"prompt_index": 0, "image_index": 1, "pixels_sha256": "ab", "prompt.sexual": 0.9},
    ],
)
def test_the_places_of_a_decision_that_only_sound_like_content_pass(body):
    assert json.loads(canonical(body)) == body


@pytest.mark.parametrize(
    "body",
    [
        {"effective": [{"name": "a sentence about somebody"}]},
        {"effective": [{"weights": {"text": SECRET}}]},
        {"effective": [{"prompt": "faces"}]},
        {"timings_ms": {"prompt": SECRET}},
        {"timings_ms": {"steps": {"prompt": 1.0}}},
        {"x": {"effective": [{"name": "faces"}]}},
    ],
)
def test_those_places_take_nothing_else(body):
    with pytest.raises(ValueError, match="content is never recorded"):
        canonical(body)


def test_a_real_decision_passes(decision):
    body = decision(mark_id="0abc").to_json()
    assert json.loads(canonical(body)) == json.loads(json.dumps(body))


def nested(levels):
    return {"a": nested(levels - 1)} if levels else {}


def circle():
    body = {}
    body["a"] = [body]
    return body


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([1], "mapping"),
        ("text", "mapping"),
        (None, "mapping"),
        ({1: 2}, "keys are strings"),
        ({"a": float("nan")}, "NaN"),
        ({"a": [float("-inf")]}, "NaN or an infinity"),
        ({"a": b"bytes"}, "bytes, which is not JSON"),
        ({"a": {1, 2}}, "set, which is not JSON"),
        ({"a": object()}, "object, which is not JSON"),
        (nested(40), "deeper than 32"),
        (circle(), "deeper than 32"),
        ({"a": "x" * BODY_LIMIT_BYTES}, "limit is 262144"),
    ],
)
def test_what_is_not_a_body(body, says):
    with pytest.raises(ValueError, match=says):
        canonical(body)


def test_one_spelling():
    one = canonical({"b": (1, 2.50), "a": MappingProxyType({"z": None, "y": "é\ud800\x00"})})
    assert one == canonical({"a": {"y": "é\ud800\x00", "z": None}, "b": [1, 2.5]})
    assert one == b'{"a":{"y":"\\u00e9\\ud800\\u0000","z":null},"b":[1,2.5]}'


def test_the_limit_is_in_bytes_and_inclusive():
    frame = len(canonical({"a": ""}))
    assert len(canonical({"a": "x" * (BODY_LIMIT_BYTES - frame)})) == BODY_LIMIT_BYTES
    with pytest.raises(ValueError, match="262145 bytes"):
        canonical({"a": "x" * (BODY_LIMIT_BYTES - frame + 1)})


@pytest.mark.parametrize("word", ["", "Decision", "a b", "1st", "x" * 33, "decisión", "a\n"])
def test_types_are_short_words(word):
    with pytest.raises(ValueError, match="1 to 32 characters"):
        event_type(word)
