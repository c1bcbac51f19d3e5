"""WordPiece over a pruned vocabulary: the tokens of the encoder.

Greedy longest match first, as BERT's tokenizer does (Devlin et al. 2019; Wu et al. 2016). Texts come folded already.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["WordPiece"]

_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_LONGEST_WORD = 100


class WordPiece:
    """A vocabulary and how texts are cut with it.

    Args:
        vocabulary: the pieces in the order of their numbers; pieces inside a word begin with ``##``. ``[UNK]``,
            ``[CLS]`` and ``[SEP]`` must be among them.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._number = {piece: i for i, piece in enumerate(vocabulary)}
        self.cls, self.sep, self._unknown = (self._number[name] for name in ("[CLS]", "[SEP]", "[UNK]"))
        self._pieces = lru_cache(maxsize=20_000)(self._cut)

    def ids(self, text: str) -> list[int]:
        """The numbers of all pieces of a text in lower case, without ``[CLS]`` and ``[SEP]``."""
        out: list[int] = []
        for match in _WORD.finditer(text):
            out.extend(self._pieces(match[0]))
        return out

    def _cut(self, word: str) -> tuple[int, ...]:
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in self._number:
                    pieces.append(self._number[piece])
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(pieces)
