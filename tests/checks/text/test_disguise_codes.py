"""Codes decoded and prompt syntax taken out: what becomes readable, what stays, and where it points."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.text.encodings import decoded
from guardrail.checks.text.normalise import View, read
from guardrail.checks.text.syntax import unwrapped
from tests.budget import examples


def reading(text: str, wanted: str) -> View:
    return next(view for view in read(text) if wanted in view.text)


@pytest.mark.parametrize(
    ("typed", "plainly", "undone"),
    [
        ("bmFrZWQgd29tYW4=", "naked woman", "base64"),
        ("bmFrZWQgd29tYW4", "naked woman", "base64"),  # no padding
        ("YSBuYWtlZCB3b21hbj8_Pw", "a naked woman???", "base64"),  # url-safe
        ("64KY7LK0IOyXrOyekCDsgqzsp4Q=", "나체 여자 사진", "base64"),
        ("draw bmFrZWQgd29tYW4= now", "draw naked woman now", "base64"),
        ("6e616b6564", "naked", "hex"),
        ("6E616B6564", "naked", "hex"),
        ("6e 61 6b 65 64", "naked", "hex"),
        ("0x6e 0x61 0x6b 0x65 0x64", "naked", "hex"),
        ("72656d6f7665 686572 6472657373", "remove her dress", "hex"),  # short words beside long ones
        ("%6e%61ked", "naked", "escapes"),
        ("%EB%82%98%EC%B2%B4", "나체", "escapes"),
        ("&#110;&#x75;de", "nude", "escapes"),
        ("n&shy;u&#100e", "n\xadude", "escapes"),
        ("\\u006e\\u0075\\u0064\\u0065", "nude", "escapes"),
        ("\\ud83c\\udf46", "🍆", "escapes"),
        ("\\x6eude \\u{6e}ude U+006E", "nude nude n", "escapes"),
        ("01101110 01110101 01100100 01100101", "nude", "binary"),
        ("-. .- -.- . -.. / -- .- -.", "naked man", "morse"),
        ("\u202edekan\u202c man", "naked\u202c man", "reversed"),
    ],
)
def test_codes(typed: str, plainly: str, undone: str) -> None:
    view = decoded(typed)
    assert view is not None
    assert (view.text, view.undone) == (plainly, (undone,))


def test_a_code_within_a_code() -> None:
    inner = base64.b64encode(b"a naked woman").decode().encode().hex()
    view = decoded(inner)
    assert view is not None
    assert (view.text, view.undone) == ("a naked woman", ("hex", "base64"))


@pytest.mark.parametrize(
    "text",
    [
        "100% cotton, 50% off, 30%de",
        "R&D at AT&T; Q&A",
        "photorealistic_Highly_Detailed face of a decade",
        "deadbeefcafe 20230415120000 #ff00ff",
        "IMG_20230415_DSC00123 artstation-HQ-Octane",
        "a .... b ---- c ... --- ...",
        "...... ------ ......",
        "C:\\users\\name",
        "01.02.2023 10101010",
        "bm90aGluZw",  # under eight characters
    ],
)
def test_what_is_no_code(text: str) -> None:
    assert decoded(text) is None


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("(naked:1.4)", "naked", "naked"),
        ("((naked))", "naked", "naked"),
        ("[naked]", "naked", "naked"),
        ("{naked}", "naked", "naked"),
        ("na(ked:1.2)", "naked", "naked"),
        ("(na)(ked)", "na ked", "na ked"),
        ("(naked)1.4 man", "naked man", "naked man"),
        ("naked++ (man)", "naked man", "naked man"),
        ("take off (her:1.2) [dress]", "take off her dress", "take off her dress"),
        ("[clothed:naked:0.3] man", "clothed man", "naked man"),
        ("[naked::0.3] man", "naked man", "naked man"),
        ("[naked:5] man", "naked man", "naked man"),
        ("[clothed|naked]", "clothed", "naked"),
        ("{2$$clothed|naked}", "clothed", "naked"),
        ("[[a:naked:0.5]:c:3]", "a", "c"),
        ("a AND naked BREAK man", "a   naked   man", "a   naked   man"),
        ("<lora:NudeStyle_v2:0.8>", " Nude Style_v2 ", " Nude Style_v2 "),
        ("<lyco:nude-style:1:0.5>", " nude-style ", " nude-style "),
        ("easynude_v1", "easy nude_v1", "easy nude_v1"),
        ("woman \\(nude\\)", "woman nude", "woman nude"),
        ("(at 12:30)", "at 12:30", "at 12:30"),
    ],
)
def test_prompt_syntax(typed: str, first: str, last: str) -> None:
    views = [unwrapped(typed, option) for option in (0, -1)]
    assert [view and view.text for view in views] == [first, last]


@pytest.mark.parametrize("text", ["a red house, by the sea", "snake_case and CamelCase", "at 12:30, ratio 16:9", "<3"])
def test_what_is_no_syntax(text: str) -> None:
    view = unwrapped(text, 0)
    assert view is None or view.text == "3"


@pytest.mark.parametrize(
    ("typed", "wanted", "words"),
    [
        ("a (naked:1.4) man", "naked", "naked"),
        ("a na(ked:1.2) man", "naked", "na(ked"),
        ("one 6e616b6564 man", "naked", "6e616b6564"),
        ("a %6e%61ked man", "naked", "%6e%61ked"),
        ("[clothed:naked:0.3] man", "naked man", "[clothed:naked:0.3] man"),
        ("<lora:n4ked_style:1>", "naked", "n4ked"),
    ],
)
def test_it_points_at_what_was_typed(typed: str, wanted: str, words: str) -> None:
    view = reading(typed, wanted)
    at = view.text.index(wanted)
    start, end = view.original(at, at + len(wanted))
    assert words in typed[start:end] or typed[start:end] in words


_PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            ["%6e", "&#110;", "\\u006e", "\\ud83c", "6e616b6564", "bmFrZWQgd29tYW4", "<lora:", "[a:", "|", ":1.2)"]
        ),
        st.sampled_from(
            ["-. ", ".- ", "((", "))", "[", "]", "{", "}", "AND ", "\u202e", "\u202c", "01101110", "&amp;", "\\"]
        ),
        st.text(max_size=6),
    ),
    max_size=10,
).map("".join)


@settings(max_examples=examples(200), deadline=None)
@given(_PIECES)
def test_every_reading_has_a_map_into_the_original(text: str) -> None:
    for view in (decoded(text), unwrapped(text, 0), unwrapped(text, -1)):
        if view is not None:
            assert len(view.text) == len(view.origin) == len(view.end)
            assert all(0 <= a < b <= len(text) for a, b in zip(view.origin, view.end, strict=True))


@pytest.mark.parametrize(
    "unit",
    [
        "((((",
        "))))",
        "[a:",
        "{a|",
        "<lora:",
        "[a:    ",
        "A+/",
        "6e 61 ",
        "%6e",
        "&#",
        "\\u006e",
        "-. ",
        "01101110 ",
        "a_v1",
    ],
)
@pytest.mark.nightly
def test_the_cost_is_linear(unit: str) -> None:
    # Eight times the text costs about eight times as much; what is quadratic would cost sixty-four times.
    import time

    def cost(length: int) -> float:
        text = (unit * length)[:length]
        taken = []
        for _ in range(3):
            begun = time.process_time()
            for option in (0, -1):
                unwrapped(text, option)
            decoded(text)
            taken.append(time.process_time() - begun)
        return min(taken)

    cost(1_000)
    assert cost(80_000) < 32 * max(cost(10_000), 0.001)
