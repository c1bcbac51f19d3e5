"""The text encoder that a pipeline draws with, as something that a head can read: one vector for each window of a text.

Attacks on a filter are optimised in the space of this encoder, and the state that it makes is what the model will draw
from. CLIP encoders give the state at the end of the text (pooled, or projected where they project); all others the mean
over the tokens of their last layer.
"""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from guardrail.checks import local_models as local
from guardrail.checks.text.heavy.windows import id_windows, reach
from guardrail.errors import CheckError, ConfigurationError

__all__ = ["Encoder", "State"]

WHAT = "the encoder head"
ENCODERS = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2", "text_encoder_3": "tokenizer_3"}
MOST_TOKENS = 512

State = npt.NDArray[np.float32]
"""(width,), float32."""


class Encoder:
    """A text encoder and its tokenizer. Thread-safe.

    Args:
        model: of transformers, in evaluation mode. It may be a pipeline's own: it is read, never changed.
        tokenizer: a copy is made, for a pipeline sets its padding and truncation while others read.

    Raises:
        ConfigurationError: its weights are not in memory.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = copy.deepcopy(tokenizer)
        self._window = reach(self._tokenizer, model.config, MOST_TOKENS)
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self.name = type(model).__name__
        self.sha256 = _weights_sha256(model)
        self.tokenizer_sha256 = _vocabulary_sha256(self._tokenizer)

    @classmethod
    def of(cls, source: Any, encoder: str, device: str = "cpu") -> Encoder:
        """The encoder of a pipeline, or one loaded from a pipeline's folder (or from the hub's cache).

        Raises:
            ConfigurationError: there is no such encoder, or it does not load.
        """
        if encoder not in ENCODERS:
            raise ConfigurationError(f"{WHAT}: encoder is one of {', '.join(ENCODERS)}, not {encoder!r}")
        local.require_packages(WHAT)
        if isinstance(source, str | Path):
            return cls._loaded(source, encoder, device)
        model, tokenizer = (getattr(source, name, None) for name in (encoder, ENCODERS[encoder]))
        if model is None or tokenizer is None:
            raise ConfigurationError(f"{WHAT}: {type(source).__name__} has no {encoder} with a {ENCODERS[encoder]}")
        return cls(model, tokenizer)

    @classmethod
    def _loaded(cls, source: str | Path, encoder: str, device: str) -> Encoder:
        import transformers

        folder = local.folder_of(source, WHAT)
        found = local.find(folder / encoder, WHAT)

        def load() -> Encoder:
            try:
                settings = json.loads((found.folder / "config.json").read_text("utf-8"))
                factory = getattr(transformers, str(settings["architectures"][0]))
            except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                raise ConfigurationError(
                    f"{WHAT}: {found.folder} names no model class of transformers ({type(error).__name__})"
                ) from None
            if not (isinstance(factory, type) and issubclass(factory, transformers.PreTrainedModel)):
                raise ConfigurationError(f"{WHAT}: {found.folder} names {factory!r}, which is no model")
            tokenizer = local.load_tokenizer(folder / ENCODERS[encoder], WHAT)
            model = local.load_model(factory, found.folder, WHAT, device, dtype="auto")
            found.require_unchanged()
            return cls(model, tokenizer)

        return local.load_once((cls, found.folder, tuple(found.weights.items()), device), load)

    def states(self, text: str) -> list[State]:
        """One state for each window of `text`, each computed alone.

        Raises:
            CheckError: the encoder is not the one that it was, is being trained, or gave what is no number.
        """
        with self._lock:
            self._require_same()
            return list(self._states(text))

    def _states(self, text: str) -> Iterator[State]:
        import torch

        for window in id_windows(self._tokenizer, text, self._window):
            ids = torch.tensor([window["input_ids"]], device=self._model.device)
            # Not inference_mode: where weights are moved on demand they would stay marked by it.
            with torch.no_grad():
                state = _pooled(self._model, ids)
            if not bool(torch.isfinite(state).all()):
                raise CheckError("the text encoder gave a value that is no number")
            yield state.float().cpu().numpy()

    def _require_same(self) -> None:
        if self._model.training:
            raise CheckError("the text encoder is being trained")
        stamp = self._stamp()
        if stamp != self._seen:
            # Moved to another device, or changed: the weights themselves tell.
            if _weights_sha256(self._model) != self.sha256:
                raise CheckError("the text encoder is no longer the one that its head was fitted for")
            self._seen = stamp

    def _stamp(self) -> tuple[Any, ...]:
        """What changes when weights are written, replaced or added; cheap, and no proof of the contrary."""
        return tuple((name, p.data_ptr(), _version(p), p.dtype) for name, p in self._model.named_parameters())


def _version(tensor: Any) -> int:
    # Tensors made in inference mode count no versions.
    return -1 if tensor.is_inference() else int(tensor._version)


def _pooled(model: Any, ids: Any) -> Any:
    """(width,) state of one row of token ids."""
    out = model(input_ids=ids)
    for name in ("text_embeds", "pooler_output"):
        state = getattr(out, name, None)
        if state is not None:
            return state[0]
    last = getattr(out, "last_hidden_state", None)
    if last is None:
        last = model(input_ids=ids, output_hidden_states=True).hidden_states[-1]
    return last[0].float().mean(0)


def _weights_sha256(model: Any) -> str:
    """Over class, names, types, shapes and bytes of all weights.

    Raises:
        ConfigurationError: some are not in memory (loaded on demand, layer by layer).
    """
    import torch

    digest = hashlib.sha256(type(model).__name__.encode())
    for name, tensor in sorted(model.state_dict().items()):
        if tensor.is_meta:
            raise ConfigurationError(
                f"{WHAT}: the weights of the pipeline's encoder are not in memory; name its folder instead"
            )
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _vocabulary_sha256(tokenizer: Any) -> str:
    return hashlib.sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode()).hexdigest()
