"""The prompt classifier: two small models and the word lists' score, joined by learned weights.

A cascade: hashed n-grams read every text in every script in about a tenth of a millisecond; the encoder, a fine-tuned
MiniLM in int8, reads what is in Latin script and not clearly harmless. Both see the text in chunks, one at a time, so
a score does not depend on what else is in a batch. How it was trained and what it can do: docs/prompt-classifier.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from guardrail.checks.text.classifier.chunks import chunks
from guardrail.checks.text.classifier.ngrams import NgramModel
from guardrail.checks.text.classifier.wordpiece import WordPiece
from guardrail.errors import CheckError
from guardrail.weights import CATALOGUE, read
from guardrail.weights.session import onnx_session

__all__ = [
    "EXPLICIT",
    "LABELS",
    "LEANING",
    "MOST_BY_A_WORD",
    "NAMES",
    "SUGGESTIVE",
    "WINDOW",
    "PromptClassifier",
    "PromptScores",
    "hashes",
    "is_latin",
    "legible",
    "load",
]

NAMES = ("prompt-ngrams", "prompt-encoder", "prompt-classifier")
LABELS = ("unsafe", "sexual", "nudity-artistic", "undress-edit", "minor-context", "person-depiction")
# Tokens that the encoder sees at once, and of how many chunks at most: those that the n-grams find worst.
WINDOW = 80
MOST_CHUNKS = 8
# How many readings of a disguised text, besides the text as typed.
MOST_READINGS = 2
# Where the thresholds of the shipped policies stand on the scale of a score.
LEANING, SUGGESTIVE, EXPLICIT = 0.25, 0.40, 0.70
MOST_BY_A_WORD = 0.65
_LONGEST_WORD = 40

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PromptScores:
    """Calibrated scores of one text, 0..1 each, on the scale of the shipped thresholds (see `Calibration`)."""

    sexual: float
    artistic: float
    undress: float
    minor: float
    person: float
    deep: bool
    """Whether the encoder was asked."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logits at which a score stands at given places; between them it is linear, beyond them it runs out to 0 and 1."""

    logits: tuple[float, ...]
    scores: tuple[float, ...]

    def __call__(self, logit: float) -> float:
        return float(np.interp(logit, self.logits, self.scores))


class PromptClassifier:
    """Immutable and thread-safe once made.

    Args:
        ngrams, session, pieces: the two models; `session` is an ONNX Runtime session of the encoder.
        settings: how they are joined, as ``prompt-classifier.json`` has it.
    """

    def __init__(self, ngrams: NgramModel, session: Any, pieces: WordPiece, settings: dict[str, Any]) -> None:
        self._ngrams, self._session, self._pieces = ngrams, session, pieces
        self.vocabulary: tuple[str, ...] = tuple(settings["vocabulary"])
        self._clear = float(settings["clear"])
        self._joins = {
            name: (np.array(join["weights"], np.float32), np.float32(join["bias"]))
            for name, join in settings["joins"].items()
        }
        self._calibrations = {
            name: Calibration(tuple(c["logits"]), tuple(c["scores"])) for name, c in settings["calibrations"].items()
        }

    def scores(self, readings: Sequence[str], listed: float) -> PromptScores:
        """Scores of one text.

        Args:
            readings: what the reader made of it, the plain one first (see `normalise.read`): each is scored, and the
                highest score counts.
            listed: what the word lists say of it, 0..1.

        Raises:
            CheckError: a model gave something that is no number.
        """
        pieces = list(dict.fromkeys(chunk for text in readings for chunk in chunks(text)))
        cheap = np.stack([self._ngrams.logits(piece) for piece in pieces])
        if not np.isfinite(cheap).all():
            raise CheckError("the prompt classifier (n-grams) gave a value that is no number")
        deep = self._deep(pieces, cheap, listed, readings[0])
        scored = [self._scored(c, d, listed) for c, d in zip(cheap, deep, strict=True)]
        sexual, artistic, undress, minor, person = (max(values) for values in zip(*scored, strict=True))
        return PromptScores(sexual, artistic, undress, minor, person, any(d is not None for d in deep))

    def _deep(self, pieces: Sequence[str], cheap: Logits, listed: float, plain: str) -> list[Logits | None]:
        """The encoder's logits of each chunk; ``None`` where it is not asked."""
        as_typed = chunks(plain)
        words = frozenset(plain.split())
        usual = max(float(cheap[i, 0]) for i, piece in enumerate(pieces) if piece in as_typed)
        wanted = [
            i
            for i, piece in enumerate(pieces)
            if (listed > 0 or cheap[i, 0] >= self._clear)
            and is_latin(legible(piece))
            # Of other readings only what is clearly worse than the text as typed, or quite another text.
            and (piece in as_typed or cheap[i, 0] > usual + 1 or _another(piece, words))
        ]
        most = min(MOST_CHUNKS, len(as_typed) + MOST_READINGS)
        wanted = sorted(wanted, key=lambda i: (-cheap[i, 0], i))[:most]
        found: list[Logits | None] = [None] * len(pieces)
        for i in wanted:
            found[i] = self._encoded(pieces[i])
        return found

    def _encoded(self, piece: str) -> Logits:
        ids = self._pieces.ids(legible(piece))
        best: Logits | None = None
        for start in range(0, max(len(ids), 1), WINDOW):
            window = [self._pieces.cls, *ids[start : start + WINDOW], self._pieces.sep]
            logits = self._session.run(None, {"ids": np.array([window], np.int64)})[0]
            best = logits if best is None else np.maximum(best, logits)
        assert best is not None
        if not np.isfinite(best).all():
            raise CheckError("the prompt classifier (encoder) gave a value that is no number")
        return best

    def _scored(self, cheap: Logits, deep: Logits | None, listed: float) -> tuple[float, float, float, float, float]:
        """Scores of one chunk, in the order of `PromptScores`."""
        words = [listed >= EXPLICIT, SUGGESTIVE <= listed < EXPLICIT, 0.0 < listed < SUGGESTIVE]
        sexual = self._by_ngrams(cheap, words)
        if sexual >= EXPLICIT and listed < EXPLICIT and self._by_ngrams(cheap, [False] * 3) < LEANING:
            # To n-grams a suggestive word makes nothing explicit that does not lean by itself.
            sexual = MOST_BY_A_WORD
        if deep is not None:
            sexual = max(sexual, self._calibrated("both", self._join("both", [cheap[0], deep[0], *words])))
        # The other labels are the n-grams' to tell, in every language alike.
        artistic, undress, minor, person = (
            self._calibrated(name, float(cheap[i])) for i, name in enumerate(LABELS[2:], 2)
        )
        return sexual, artistic, undress, minor, person

    def _by_ngrams(self, cheap: Logits, words: Sequence[bool]) -> float:
        return self._calibrated("ngrams", self._join("ngrams", [cheap[0], *words]))

    def _join(self, name: str, inputs: Sequence[float]) -> float:
        weights, bias = self._joins[name]
        return float(np.clip(np.array(inputs, np.float32), -30, 30) @ weights + bias)

    def _calibrated(self, name: str, logit: float) -> float:
        return self._calibrations[name](logit)


def _another(piece: str, words: frozenset[str]) -> bool:
    """Whether a reading has many words that the text as typed has not: something was disguised."""
    new = sum(word not in words for word in piece.split())
    return new >= 2 and new >= 0.3 * len(words)


def is_latin(text: str) -> bool:
    """Whether the encoder can read it: half of its letters or more are ASCII, and there are any."""
    letters = sum(map(str.isalpha, text))
    plain = sum(c.isascii() and c.isalpha() for c in text)
    return letters > 0 and 2 * plain >= letters


def legible(text: str) -> str:
    """What of a text is to be read: not the codes in it, whose content is a reading of its own.

    Those are words that are too long to be any and, where there are more digits than letters, all that have digits and
    the pieces between them. The words around a code stay, so that none hides a sentence.
    """
    words = text.split()
    short = [word for word in words if len(word) <= _LONGEST_WORD]
    letters, digits = (sum(sum(map(kind, word)) for word in short) for kind in (str.isalpha, str.isdigit))
    if digits > letters:
        short = [word for word in short if len(word) > 2 and not any(map(str.isdigit, word))]
    return text if len(short) == len(words) else " ".join(short)


@lru_cache(maxsize=1)
def load() -> PromptClassifier:
    """The shipped classifier, loaded and verified once in a process.

    Raises:
        WeightsMissing, WeightsMismatch: one of its files is not there, or not the pinned one.
    """
    from safetensors.numpy import load as tensors

    settings = json.loads(read("prompt-classifier"))
    ngrams = NgramModel(tensors(read("prompt-ngrams")))
    session = onnx_session(read("prompt-encoder"), 1)
    return PromptClassifier(ngrams, session, WordPiece(settings["vocabulary"]), settings)


def hashes() -> dict[str, str]:
    """sha256 of each file of the classifier, by name."""
    return {name: CATALOGUE[name].sha256 for name in NAMES}
