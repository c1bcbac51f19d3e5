"""Windows over long texts: every token is in one, and there is an end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from guardrail.checks.text.heavy.windows import MOST_WINDOWS, id_windows, parts, reach
from guardrail.errors import CheckError, ConfigurationError

from .models import WORDS, word_tokenizer


class SlowTokenizer:
    """As tokenizers in Python are: no windows of its own. A character is a token."""

    is_fast = False
    model_max_length = 16

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(c) for c in text]}

    def num_special_tokens_to_add(self, pair: bool) -> int:
        return 2

    def build_inputs_with_special_tokens(self, ids: list[int]) -> list[int]:
        return [1, *ids, 2]


@pytest.mark.parametrize("count", [0, 1, 13, 14, 15, 16, 30, 200])
@pytest.mark.parametrize("slow", [False, True])
def test_every_token_is_in_a_window_and_neighbours_overlap(count: int, slow: bool) -> None:
    tokenizer: Any = SlowTokenizer() if slow else word_tokenizer()
    text = "".join(chr(100 + i) for i in range(count)) if slow else " ".join(WORDS[i % 12] for i in range(count))
    ids = [100 + i if slow else 4 + i % 12 for i in range(count)]
    windows = [w["input_ids"] for w in id_windows(tokenizer, text, 16)]
    assert max(map(len, windows)) <= 16
    assert len({(w[0], w[-1]) for w in windows}) == 1  # each has its special tokens
    inner = [w[1:-1] for w in windows]
    at, seen = 0, 0
    for window in inner:
        assert ids[at : at + len(window)] == window
        assert at <= seen
        seen = at + len(window)
        at += 11  # 14 less the three that the next one shares
    assert seen == count


@pytest.mark.parametrize("tokenizer", [SlowTokenizer(), word_tokenizer()])
def test_too_many_windows_are_an_error(tokenizer: Any) -> None:
    with pytest.raises(CheckError, match=f"more than {MOST_WINDOWS} windows"):
        list(id_windows(tokenizer, "a " * 12 * MOST_WINDOWS, 16))


def test_parts_are_pieces_of_the_text() -> None:
    text = " ".join(WORDS * 5)
    pieces = parts(word_tokenizer(), text, 20)
    assert len(pieces) > 1
    assert all(p in text for p in pieces)
    assert text.startswith(pieces[0])
    assert text.endswith(pieces[-1])
    assert parts(word_tokenizer(), "a  short\ntext ", 20) == ["a  short\ntext "]


@pytest.mark.parametrize(
    ("config", "most", "expected"),
    [
        ({"max_position_embeddings": 12}, 512, 12),
        ({"max_position_embeddings": 512}, 512, 16),  # what the tokenizer says
        ({}, 8, 8),
        ({"max_position_embeddings": 14, "model_type": "xlm-roberta", "pad_token_id": 1}, 512, 12),
        ({"text_config": SimpleNamespace(max_position_embeddings=9)}, 512, 9),
    ],
)
def test_reach(config: dict[str, Any], most: int, expected: int) -> None:
    assert reach(word_tokenizer(), SimpleNamespace(**config), most) == expected


def test_a_model_without_room_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no room for text"):
        reach(word_tokenizer(), SimpleNamespace(max_position_embeddings=5), 512)
