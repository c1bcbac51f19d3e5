from hypothesis import given
from hypothesis import strategies as st

from guardrail.checks.text.classifier.chunks import SIZE, STEP, chunks


def test_a_short_text_is_one_chunk() -> None:
    assert chunks("a castle") == ["a castle"]
    assert chunks("") == [""]


@given(st.text(alphabet="ab é 字", max_size=3000))
def test_nothing_is_cut_off_and_no_piece_is_too_long(text: str) -> None:
    pieces = chunks(text)
    assert all(len(piece) <= SIZE for piece in pieces)
    at = 0
    for piece in pieces:
        # Each piece is a part of the text, and begins before the last one ended.
        found = text.find(piece, max(0, at - SIZE))
        assert 0 <= found <= at
        at = found + len(piece)
    assert at == len(text)


@given(st.integers(0, 2000))
def test_a_short_clause_stands_whole_in_some_piece_wherever_it_is(lead: int) -> None:
    clause = "somebody takes it all off"
    text = "word " * (lead // 5) + clause + " word" * 200
    assert any(clause in piece for piece in chunks(text))
    assert len(chunks(text)) <= 2 + len(text) // (STEP - 24)
