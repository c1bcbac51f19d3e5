import pytest

from guardrail.checks.text.classifier.model import load
from guardrail.checks.text.classifier.wordpiece import WordPiece

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "gard", "##en", "garden", "a", "##s", ",", "-"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a garden", ["a", "garden"]),
        ("gardens", ["garden", "##s"]),
        ("garden, a-garden", ["garden", ",", "a", "-", "garden"]),
        ("garz", ["[UNK]"]),
        ("", []),
        ("a" + "b" * 200, ["[UNK]"]),
    ],
)
def test_longest_piece_first(text: str, expected: list[str]) -> None:
    pieces = WordPiece(PIECES)
    assert [PIECES[i] for i in pieces.ids(text)] == expected


def test_the_same_pieces_as_the_published_tokenizer_makes() -> None:
    """With the shipped vocabulary, on everyday text; transformers' own implementation is the other side."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = load().vocabulary
    other = tokenizers.models.WordPiece(
        {piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]", max_input_chars_per_word=100
    )
    whole = tokenizers.Tokenizer(other)
    whole.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    ours = WordPiece(vocabulary)
    for text in (
        "a portrait of an astronaut riding a horse, 8k, highly detailed!",
        "un château au crépuscule (peinture à l'huile:1.3)",
        "zwei hunde spielen am strand; unreal-engine render",
        "xqzjk wvbn tttt 12345 c++ @home",
    ):
        assert ours.ids(text) == whole.encode(text, add_special_tokens=False).ids
