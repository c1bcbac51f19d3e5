"""A logistic head on a text encoder's state: its file in the data folder, and the head as a scorer.

The file is safetensors and carries the sha256 of the encoder and of the tokenizer's vocabulary that it was fitted for:
a head is never used with others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from guardrail.checks.text.heavy.encoder import Encoder, State
from guardrail.checks.text.heavy.settings import EncoderHead
from guardrail.drafts import write_whole
from guardrail.errors import CheckError, ConfigurationError, WeightsMismatch, WeightsMissing
from guardrail.paths import home

__all__ = ["Head", "HeadScorer", "path_of"]

FORMAT = "guardrail-encoder-head-1"


def path_of(encoder_sha256: str) -> Path:
    """Where the head for this encoder lies."""
    return home() / "encoder-heads" / f"{encoder_sha256[:32]}.safetensors"


@dataclass(frozen=True, eq=False)
class Head:
    """score = calibration(((state − mean) / scale) · weight + bias)

    Args:
        mean, scale, weight: (width,) each.
        bias: a number.
        logits, scores: where the calibration passes; between it is linear, beyond it stays. Both ascend, scores 0..1.
    """

    mean: State
    scale: State
    weight: State
    bias: float
    logits: tuple[float, ...]
    scores: tuple[float, ...]

    def logit(self, state: State) -> float:
        return float(((state - self.mean) / self.scale) @ self.weight + self.bias)

    def score(self, state: State) -> float:
        """0..1, on the scale of the shipped thresholds."""
        return float(np.interp(self.logit(state), self.logits, self.scores))

    def write(self, path: Path, encoder: Encoder) -> str:
        """Write the file, whole or not at all, and give its sha256.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        from safetensors.numpy import save

        tensors: dict[str, npt.NDArray[Any]] = {
            "mean": self.mean,
            "scale": self.scale,
            "weight": self.weight,
            "bias": np.array([self.bias], np.float32),
            "logits": np.array(self.logits, np.float64),
            "scores": np.array(self.scores, np.float64),
        }
        content = save(tensors, metadata=_about(encoder))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror or type(error).__name__}") from None
        return hashlib.sha256(content).hexdigest()

    @classmethod
    def read(cls, path: Path, encoder: Encoder) -> tuple[Head, str]:
        """The head in a file, and the file's sha256.

        Raises:
            WeightsMissing: there is no such file.
            WeightsMismatch: it was fitted for another encoder, or is no sound head.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            content = path.read_bytes()
        except OSError:
            raise WeightsMissing(
                f"no head was fitted for this {encoder.name} (sha256 {encoder.sha256[:16]}…); fit one with "
                "guardrail.checks.text.heavy.fit_encoder_head or: guardrail models fit-encoder-head"
            ) from None
        try:
            tensors = load(content)
            about = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
            logits, scores = (tuple(tensors[n].astype(float).tolist()) for n in ("logits", "scores"))
            mean, scale, weight = (tensors[n].astype(np.float32) for n in ("mean", "scale", "weight"))
            head = cls(mean, scale, weight, float(tensors["bias"][0]), logits, scores)
        except (SafetensorError, KeyError, ValueError, IndexError, TypeError) as error:
            raise WeightsMismatch(f"{path} is no encoder head ({type(error).__name__}); fit it again") from None
        if about != _about(encoder):
            raise WeightsMismatch(f"{path} was fitted for another encoder or tokenizer; fit it again")
        if not head._sound():
            raise WeightsMismatch(f"{path} holds values that make no head; fit it again")
        return head, hashlib.sha256(content).hexdigest()

    def _sound(self) -> bool:
        vectors = (self.mean, self.scale, self.weight)
        flat = all(v.ndim == 1 and v.shape == self.weight.shape and bool(np.isfinite(v).all()) for v in vectors)
        points = np.array([self.logits, self.scores]) if len(self.logits) == len(self.scores) > 1 else np.array(np.nan)
        return (
            flat
            and bool((self.scale > 0).all())
            and bool(np.isfinite([self.bias]).all() and np.isfinite(points).all())
            and bool((np.diff(points) > 0).all())
            and self.scores[0] >= 0.0
            and self.scores[-1] <= 1.0
        )


def _about(encoder: Encoder) -> dict[str, str]:
    # One entry: safetensors writes several in any order, and the same head would have another sha256 each time.
    fitted_for = {"encoder_sha256": encoder.sha256, "tokenizer_sha256": encoder.tokenizer_sha256}
    return {FORMAT: json.dumps(fitted_for, sort_keys=True)}


class HeadScorer:
    """See `guardrail.checks.text.heavy.check.Scorer`."""

    def __init__(self, encoder: Encoder, head: Head, head_sha256: str) -> None:
        self.name = f"encoder-head {encoder.name}"
        self.weights: Mapping[str, str] = {"head": head_sha256, encoder.name: encoder.sha256}
        self._encoder = encoder
        self._head = head

    @classmethod
    def load(cls, asked: EncoderHead) -> HeadScorer:
        """The scorer for what the user asked for.

        Raises:
            ConfigurationError: no such encoder; no head for it (WeightsMissing), or another one's (WeightsMismatch).
        """
        encoder = Encoder.of(asked.source, asked.encoder, asked.device)
        head, sha256 = Head.read(path_of(encoder.sha256), encoder)
        return cls(encoder, head, sha256)

    def score(self, text: str) -> float:
        states = self._encoder.states(text)
        if any(s.shape != self._head.weight.shape for s in states):
            raise CheckError("the text encoder gives states of another width than its head was fitted for")
        return max(self._head.score(s) for s in states)
