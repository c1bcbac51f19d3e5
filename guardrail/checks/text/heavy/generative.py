"""Language models that were trained to judge texts, as scorers: one forward pass for each part of a text.

Nothing is generated. The answer that would count is written behind the question (``unsafe``, then what leads to a
category), and the probabilities of the words in two places are read off at once: how likely the unsafe answers are
against the safe ones, and how likely the first category that it would name is a sexual one. The score is their product.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guardrail.checks import local_models as local
from guardrail.checks.text.heavy.families import FAMILIES, Family, family_of
from guardrail.checks.text.heavy.questions import Question
from guardrail.checks.text.heavy.settings import GenerativeGuard
from guardrail.checks.text.heavy.windows import parts, reach
from guardrail.errors import CheckError, ConfigurationError

__all__ = ["GuardScorer"]

WHAT = "the prompt guard"
# Of text in one question. Guards read more at once, but memory and time grow with it, and so does what dilutes a find.
MOST_TOKENS = 1024


@dataclass(frozen=True)
class _Choice:
    """Words that begin differently: what all begin with, and for each the token after that with what it counts."""

    common: tuple[int, ...]
    tokens: tuple[int, ...]
    counts: tuple[float, ...]

    @classmethod
    def of(cls, words: Mapping[str, float], tokenizer: Any) -> _Choice:
        """Raises ConfigurationError where words that count differently cannot be told apart by one token."""
        spelt = {word: tuple(_ids(tokenizer, word)) for word in words}
        common: tuple[int, ...] = ()
        while all(len(ids) > len(common) for ids in spelt.values()):
            following = {ids[len(common)] for ids in spelt.values()}
            if len(following) > 1:
                break
            common += tuple(following)
        counts: dict[int, float] = {}
        for word, ids in spelt.items():
            token = ids[len(common)] if len(ids) > len(common) else -1
            if token < 0 or token == tokenizer.unk_token_id or counts.setdefault(token, words[word]) != words[word]:
                raise ConfigurationError(
                    f"{WHAT}: its tokenizer does not tell the answer {word.strip()!r} from the others: it is no model "
                    "of this family"
                )
        return cls(common, tuple(counts), tuple(counts.values()))

    def share(self, logits: Any) -> float:
        """Expected count under the probabilities of the tokens, each against the others only."""
        chosen = logits[list(self.tokens)].softmax(-1)
        return float((chosen * chosen.new_tensor(self.counts)).sum())


class GuardScorer:
    """See `guardrail.checks.text.heavy.check.Scorer`."""

    def __init__(
        self,
        name: str,
        weights: Mapping[str, str],
        model: Any,
        tokenizer: Any,
        family: Family,
        *,
        any_category: bool = False,
    ) -> None:
        self.name = name
        self.weights = weights
        # Of a model that sees pictures too, the part that reads: there are none here, and not every version of
        # transformers runs the whole without any.
        reading: Any = getattr(model, "language_model", None)
        self._model: Any = reading if hasattr(reading, "lm_head") else model
        self._tokenizer = tokenizer
        self._question = Question(family, tokenizer)
        self._lock = threading.Lock()
        self._answer = _Choice.of(family.answers, tokenizer)
        self._category: _Choice | None = None
        self._tail: tuple[int, ...] = self._answer.common
        if family.categories and not any_category:
            self._category = _Choice.of({c: float(sexual) for c, sexual in family.categories.items()}, tokenizer)
            answered = tuple(_ids(tokenizer, family.unsafe))[len(self._answer.common) :]
            between = tuple(_ids(tokenizer, family.between))
            self._tail += answered + between + self._category.common
        self._reach = reach(tokenizer, self._model.config, 1 << 30)
        room = self._reach - len(self._ids("")) - 16
        if room < 16:
            raise ConfigurationError(f"{WHAT} {name} reads {self._reach} tokens: its question leaves no room for text")
        self._room = min(MOST_TOKENS, room)
        self._keeps = "logits_to_keep" in inspect.signature(self._model.forward).parameters

    @classmethod
    def load(cls, asked: GenerativeGuard) -> GuardScorer:
        """The scorer for what the user asked for.

        Raises:
            ConfigurationError: no such folder, no safetensors, no such family, or another model than one of it.
        """
        local.require_packages(WHAT)
        if asked.family != "auto" and asked.family not in FAMILIES:
            raise ConfigurationError(f"{WHAT}: family is auto or one of {', '.join(FAMILIES)}, not {asked.family!r}")
        found = local.find(asked.model, WHAT)
        key = (cls, found.folder, tuple(found.weights.items()), asked.family, asked.any_category, asked.device)
        return local.load_once(key, lambda: cls._load(asked, found))

    @classmethod
    def _load(cls, asked: GenerativeGuard, found: local.Found) -> GuardScorer:
        from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

        try:
            config = AutoConfig.from_pretrained(str(found.folder), **local.LOCAL)
        except Exception as error:
            raise ConfigurationError(
                f"{WHAT} {found.folder}: config.json does not load: {type(error).__name__}"
            ) from error
        kind = str(getattr(config, "model_type", ""))
        family = family_of(kind) if asked.family == "auto" else FAMILIES[asked.family]
        if family is None:
            raise ConfigurationError(
                f"{WHAT} {found.folder} is of the kind {kind}, which no family here has; if it is one of "
                f"{', '.join(FAMILIES)} all the same, say which"
            )
        architecture = next(iter(getattr(config, "architectures", None) or ()), "")
        seeing = architecture.endswith("ForConditionalGeneration")
        tokenizer = local.load_tokenizer(found.folder, WHAT)
        factory = AutoModelForImageTextToText if seeing else AutoModelForCausalLM
        # As the files have it: twice the memory would tell nothing more.
        model = local.load_model(factory, found.folder, WHAT, asked.device, dtype="auto")
        found.require_unchanged()
        return cls(found.name, found.weights, model, tokenizer, family, any_category=asked.any_category)

    def score(self, text: str) -> float:
        with self._lock:
            pieces = parts(self._tokenizer, self._question.defused(text), self._room)
            return min(max(self._one(piece) for piece in pieces), 1.0)

    def _one(self, text: str) -> float:
        import torch

        ids = self._ids(text)
        if len(ids) > self._reach:
            raise CheckError("the text is longer than the prompt guard can read")
        # The last logit of `needed` is behind the tail, the first one where the answer's first word is chosen.
        needed = len(self._tail) - len(self._answer.common) + 1
        row = torch.tensor([ids], device=self._model.device)
        options = {"logits_to_keep": needed} if self._keeps else {}
        with torch.inference_mode():
            out = self._model(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False, **options)
        logits = out.logits[0, -needed:].float()
        if bool(torch.isnan(logits).any()) or bool(torch.isinf(logits[:, list(self._answer.tokens)]).any()):
            raise CheckError("the prompt guard gave a value that is no number")
        unsafe = self._answer.share(logits[0])
        return unsafe * (self._category.share(logits[-1]) if self._category else 1.0)

    def _ids(self, text: str) -> Sequence[int]:
        return [*_ids(self._tokenizer, self._question.asked(text)), *self._tail]


def _ids(tokenizer: Any, text: str) -> list[int]:
    """Tokens of a text whose special tokens, if it has any, are written out."""
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
