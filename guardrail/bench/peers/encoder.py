"""Embeddings with a linear head: of guardrail's own prompt encoder, and of a MiniLM that the user has.

guardrail's encoder is a MiniLM fine-tuned on prompts: its embeddings know the task already. What the head shows is how
far they carry without n-grams, word lists and calibration; it is no independent system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.bench.peers.base import Peer, package_version, without
from guardrail.bench.peers.learned import Fitted, Training, linear_head, nothing, trained

__all__ = ["hub_embeddings", "own_encoder", "with_output"]

Vectors = NDArray[np.float32]
Embed = Callable[[str], Vectors]
"""(windows, width) of one text."""
MOST_WINDOWS = 8
_POOLED = "both"  # mean and maximum over the tokens, before the encoder's own head


def own_encoder(training: Callable[[], Training] | None, seed: int) -> Peer:
    """The embeddings of `prompt-encoder`, and a linear head."""
    from guardrail.weights import CATALOGUE

    weights = CATALOGUE["prompt-encoder"]
    return Peer(
        "prompt-encoder embeddings + linear head",
        "text",
        partial(trained, partial(_fit, _own, seed), training) if training is not None else nothing,
        f"sha256 {weights.sha256[:16]}",
        f"{weights.licence}; scikit-learn BSD-3-Clause",
        "at most 1 % false alarms on harmless training rows kept back",
        "--train; the encoder itself from what docs/prompt-classifier.md names",
        _lacking(training),
    )


def hub_embeddings(name: str, folder: Path, training: Callable[[], Training] | None, seed: int) -> Peer:
    """A sentence encoder of the user's (all-MiniLM-L6-v2 and its like; mean over its tokens), and a linear head."""

    def embed() -> Embed:
        return _hub(folder)

    return Peer(
        f"{name} embeddings + linear head",
        "text",
        partial(trained, partial(_fit, embed, seed), training) if training is not None else nothing,
        f"{folder.name}, transformers {package_version('transformers')}",
        "of the folder",
        "at most 1 % false alarms on harmless training rows kept back",
        "--train; the encoder itself from what its card names",
        _lacking(training),
    )


def _lacking(training: object) -> str:
    return without("sklearn", "scikit-learn") or (
        "" if training is not None else "nothing to learn from: give --train FILE"
    )


def _fit(open_encoder: Callable[[], Embed], seed: int, given: Training) -> Fitted:
    embed = open_encoder()
    first = np.stack([embed(text)[0] for text in given.texts])
    head = linear_head(first, given.truth, seed)
    return lambda text: max(head(window) for window in embed(text))


def _own() -> Embed:
    import json

    from guardrail.checks.text.classifier.model import WINDOW, legible
    from guardrail.checks.text.classifier.wordpiece import WordPiece
    from guardrail.checks.text.normalise import plain
    from guardrail.weights import read
    from guardrail.weights.session import onnx_session

    session = onnx_session(with_output(read("prompt-encoder"), _POOLED), 1)
    pieces = WordPiece(json.loads(read("prompt-classifier"))["vocabulary"])

    def embed(text: str) -> Vectors:
        ids = pieces.ids(legible(plain(text).text))
        windows = range(0, max(len(ids), 1), WINDOW)[:MOST_WINDOWS]
        made = [
            session.run([_POOLED], {"ids": np.array([[pieces.cls, *ids[i : i + WINDOW], pieces.sep]], np.int64)})[0][0]
            for i in windows
        ]
        return np.stack(made)

    return embed


def with_output(model: bytes, name: str) -> bytes:
    """An ONNX model that gives an inner tensor of floats as well.

    Protocol Buffers merges a message that is given twice: a second ``graph`` with nothing but one more output (field
    12; name 1, type 2, tensor type 1, element type 1 = float) is added to the first. Names of up to 100 bytes.
    """
    kind = _field(2, _field(1, b"\x08\x01"))
    return model + _field(7, _field(12, _field(1, name.encode()) + kind))


def _field(number: int, content: bytes) -> bytes:
    if len(content) > 127:
        raise ValueError("longer than one byte of length can say")
    return bytes([number << 3 | 2, len(content)]) + content


def _hub(folder: Path) -> Embed:
    """Raises ConfigurationError where the folder holds no encoder in safetensors."""
    from guardrail.checks import local_models as local
    from guardrail.checks.text.heavy.windows import id_windows, reach

    what = "the sentence encoder"
    local.require_packages(what)
    import torch
    from transformers import AutoModel

    found = local.find(folder, what)
    tokenizer = local.load_tokenizer(found.folder, what)
    model: Any = local.load_model(AutoModel, found.folder, what, "cpu")
    found.require_unchanged()
    window = reach(tokenizer, model.config, 256)

    def embed(text: str) -> Vectors:
        made: list[Vectors] = []
        with torch.inference_mode():
            for ids in _first(id_windows(tokenizer, text.encode("utf-8", "replace").decode(), window)):
                row = {name: torch.tensor([values]) for name, values in ids.items()}
                made.append(model(**row).last_hidden_state[0].float().mean(0).numpy())
        return np.stack(made)

    return embed


def _first(windows: Any) -> Sequence[Any]:
    return [one for _, one in zip(range(MOST_WINDOWS), windows, strict=False)]
