"""Any sequence classifier of transformers as a scorer: the probability of the labels that mean sexual content."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Literal

from guardrail.checks import local_models as local
from guardrail.checks.text.heavy.settings import Classifier
from guardrail.checks.text.heavy.windows import id_windows, reach
from guardrail.errors import CheckError, ConfigurationError

__all__ = ["SequenceScorer"]

WHAT = "the prompt classifier"
# Encoders of this kind were trained with 512 tokens; longer windows cost more than they tell.
MOST_TOKENS = 512


class SequenceScorer:
    """See `guardrail.checks.text.heavy.check.Scorer`.

    Args:
        unsafe: indices of the labels.
        squash: ``softmax`` where the labels exclude each other (their probabilities are added), ``sigmoid`` where they
            do not (the highest counts).
    """

    def __init__(
        self,
        name: str,
        weights: Mapping[str, str],
        model: Any,
        tokenizer: Any,
        unsafe: tuple[int, ...],
        squash: Literal["softmax", "sigmoid"],
    ) -> None:
        self.name = name
        self.weights = weights
        self._model = model
        self._tokenizer = tokenizer
        self._unsafe = list(unsafe)
        self._squash = squash
        self._window = reach(tokenizer, model.config, MOST_TOKENS)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, asked: Classifier) -> SequenceScorer:
        """The scorer for what the user asked for.

        Raises:
            ConfigurationError: no such folder, no safetensors, no such label, not a classifier.
        """
        local.require_packages(WHAT)
        found = local.find(asked.model, WHAT)
        key = (cls, found.folder, tuple(found.weights.items()), asked.unsafe, asked.device)
        return local.load_once(key, lambda: cls._load(asked, found))

    @classmethod
    def _load(cls, asked: Classifier, found: local.Found) -> SequenceScorer:
        from transformers import AutoModelForSequenceClassification

        tokenizer = local.load_tokenizer(found.folder, WHAT)
        model = local.load_model(AutoModelForSequenceClassification, found.folder, WHAT, asked.device)
        found.require_unchanged()
        unsafe = _labels(asked.unsafe, model.config, found)
        kind = getattr(model.config, "problem_type", None)
        if kind == "regression":
            raise ConfigurationError(f"{WHAT} {found.folder} is a regression: what it gives is no probability")
        alone = kind == "multi_label_classification" or model.config.num_labels == 1
        return cls(found.name, found.weights, model, tokenizer, unsafe, "sigmoid" if alone else "softmax")

    def score(self, text: str) -> float:
        import torch

        worst = 0.0
        with self._lock, torch.inference_mode():
            for window in id_windows(self._tokenizer, text, self._window):
                # One row at a time: padding and neighbours would move the last bits of a score.
                row = {k: torch.tensor([v], device=self._model.device) for k, v in window.items()}
                logits = self._model(**row).logits[0].float()
                if not bool(torch.isfinite(logits).all()):
                    raise CheckError("the prompt classifier gave a value that is no number")
                worst = max(worst, self._unsafe_share(logits))
        return min(worst, 1.0)

    def _unsafe_share(self, logits: Any) -> float:
        if self._squash == "sigmoid":
            return float(logits.sigmoid()[self._unsafe].max())
        return float(logits.softmax(-1)[self._unsafe].sum())


def _labels(unsafe: tuple[str, ...], config: Any, found: local.Found) -> tuple[int, ...]:
    """Indices of the unsafe labels.

    Raises:
        ConfigurationError: none is given, one does not exist, or none would be left that is safe.
    """
    names = {int(i): str(name) for i, name in config.id2label.items()}
    has = ", ".join(names[i] for i in sorted(names))
    if not unsafe:
        raise ConfigurationError(f"{WHAT} {found.name}: say which labels are unsafe; it has {has}")
    missing = sorted(set(unsafe) - set(names.values()))
    if missing:
        raise ConfigurationError(f"{WHAT} {found.name} has no label {', '.join(missing)}; it has {has}")
    chosen = tuple(i for i in sorted(names) if names[i] in unsafe)
    if len(chosen) == len(names) > 1:
        raise ConfigurationError(f"{WHAT} {found.name}: every label is said to be unsafe; it has {has}")
    return chosen
