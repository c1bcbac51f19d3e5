"""The cheap stage of the prompt classifier: hashed character and word n-grams, pooled, and a small network over them.

After Weinberger et al. 2009 (feature hashing) and Joulin et al. 2016 (fastText). It reads every script and no spaces
are needed; a disguised word leaves most of its n-grams as they were.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["BUCKETS", "LONGEST", "NgramModel", "features"]

BUCKETS = 1 << 18
LONGEST = 5
_PRIME = np.uint32(0x01000193)
_MIX = np.uint32(0x85EBCA6B)
_WORD = re.compile(r"[^\W_]+")

Features = npt.NDArray[np.int32]


def features(text: str) -> Features:
    """Bucket numbers of all character 1- to 5-grams, words, word pairs and pairs with one word between.

    Args:
        text: a reading of a prompt (see `normalise.plain`), a few hundred characters at most.

    Returns:
        shape (n,), int32, values in 0..`BUCKETS` - 1, in no particular order; n ≥ 1.
    """
    words = _WORD.findall(text)
    # utf-32 gives code points at once; one space around each run of letters marks where words begin and end.
    codes = np.frombuffer(f" {' '.join(text.split())} ".encode("utf-32-le", "replace"), np.uint32)
    parts = []
    rolling = np.zeros(len(codes), np.uint32)
    for n in range(1, min(LONGEST, len(codes)) + 1):
        rolling = rolling[: len(codes) - n + 1] * _PRIME + codes[n - 1 :]
        mixed = (rolling ^ np.uint32(n * 0x9E3779B9 & 0xFFFFFFFF)) * _MIX
        parts.append(mixed ^ (mixed >> np.uint32(15)))
    grams = [
        *words,
        *(f"{a} {b}" for a, b in pairwise(words)),
        *(f"{a} * {b}" for a, b in zip(words, words[2:], strict=False)),
    ]
    parts.append(np.array([zlib.crc32(g.encode("utf-8", "replace")) for g in grams], np.uint32))
    return (np.concatenate(parts) & np.uint32(BUCKETS - 1)).astype(np.int32)


class NgramModel:
    """Weights of the cheap stage.

    Args:
        tensors: ``table`` (BUCKETS, d) int8 and ``table_scale`` (), ``hidden`` (2 d + 1, h), ``hidden_bias`` (h,),
            ``out`` (h, k), ``out_bias`` (k,), float32.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self._table = tensors["table"]
        self._scale = np.float32(tensors["table_scale"])
        self._hidden, self._hidden_bias = tensors["hidden"], tensors["hidden_bias"]
        self._out, self._out_bias = tensors["out"], tensors["out_bias"]

    def logits(self, text: str) -> npt.NDArray[np.float32]:
        """One row for one text, shape (k,), float32: the same whatever else is scored."""
        rows = self._table[features(text)]
        mean = rows.mean(axis=0, dtype=np.float32) * self._scale
        top = rows.max(axis=0).astype(np.float32) * self._scale
        pooled = np.concatenate([mean * np.float32(16), top, [np.float32(np.log(len(rows)) / 8)]])
        hidden = np.maximum(pooled @ self._hidden + self._hidden_bias, 0)
        return (hidden @ self._out + self._out_bias).astype(np.float32)  # type: ignore[no-any-return]
