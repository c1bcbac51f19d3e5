"""Which heavier checks there are and how a user names them: in code, or in a file of JSON or YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrail.checks.base import Check, CheckSettings, PromptModel
from guardrail.checks.named_models import read_models
from guardrail.errors import ConfigurationError
from guardrail.signals import CORE, SignalSpec

__all__ = ["GIVES", "Classifier", "EncoderHead", "GenerativeGuard", "read_settings"]

GIVES: tuple[SignalSpec, ...] = (CORE["prompt.sexual"], CORE["prompt.sexual_exempted"])


@dataclass(frozen=True, kw_only=True)
class _Common:
    """What all kinds share.

    Args:
        suggestive, explicit: what the model itself must say, 0..1, for a score of 0.40 and of 0.70, the places of the
            shipped thresholds. Between them, and to 0 and 1, the score is linear. As given the score is what the model
            says: measure on prompts of your users, and set both.
        name: of the check, in decisions; by default from the folder.
        device: where it runs, as torch names it.
        timeout_s: for one request, seconds. A model that takes longer blocks.
        readings: of each text at most: as typed, with disguises that are always safe to undo undone (where that changes
            more than letter case), and further ones of the normaliser.
    """

    suggestive: float = 0.40
    explicit: float = 0.70
    name: str = ""
    device: str = "cpu"
    timeout_s: float = 10.0
    readings: int = 2

    @property
    def gives(self) -> tuple[SignalSpec, ...]:
        return GIVES

    def __post_init__(self) -> None:
        if not 0.0 < self.suggestive < self.explicit < 1.0:
            raise ConfigurationError(
                f"a prompt model's calibration needs 0 < suggestive < explicit < 1, "
                f"not {self.suggestive:g} and {self.explicit:g}"
            )
        if self.readings < 1 or not self.timeout_s > 0:
            raise ConfigurationError("a prompt model needs readings of 1 or more, and a timeout_s over 0")


@dataclass(frozen=True)
class Classifier(_Common):
    """Any sequence classifier of transformers.

    Args:
        model: a folder with ``config.json``, the tokenizer's files and safetensors weights; or an id such as
            ``org/name`` of what is in the hub's cache already.
        unsafe: the labels, as the model's ``id2label`` has them, that mean sexual content.
    """

    model: str | Path
    unsafe: tuple[str, ...] = ()

    def open(self, settings: CheckSettings) -> Check:
        from guardrail.checks.text.heavy.check import HeavyCheck
        from guardrail.checks.text.heavy.sequence import SequenceScorer

        return HeavyCheck(self, SequenceScorer.load(self), settings)


@dataclass(frozen=True)
class GenerativeGuard(_Common):
    """A language model that was trained to judge texts: Qwen3Guard-Gen, Llama Guard 3 or 4, ShieldGemma.

    Args:
        model: as for `Classifier`.
        family: ``qwen3guard``, ``llama-guard``, ``shieldgemma``, or ``auto``: by the architecture.
        any_category: count whatever it calls unsafe, not only what it files under a sexual category first.
        timeout_s: 60 by default: such models take seconds on a processor.
    """

    model: str | Path
    family: str = "auto"
    any_category: bool = False
    timeout_s: float = field(default=60.0, kw_only=True)

    def open(self, settings: CheckSettings) -> Check:
        from guardrail.checks.text.heavy.check import HeavyCheck
        from guardrail.checks.text.heavy.generative import GuardScorer

        return HeavyCheck(self, GuardScorer.load(self), settings)


@dataclass(frozen=True)
class EncoderHead(_Common):
    """A small head on the text encoder that the pipeline draws with; `fit_encoder_head` makes it.

    Args:
        source: a diffusers pipeline, or its folder (an encoder of its own is loaded from it then). The head is looked
            for in the data folder by the sha256 of the encoder's weights; another encoder's is never used.
        encoder: which one of the pipeline: ``text_encoder``, ``text_encoder_2``, ``text_encoder_3``.
        suggestive, explicit: leave them: a head is calibrated when it is fitted.
    """

    source: Any = field(repr=False)
    encoder: str = "text_encoder"

    def open(self, settings: CheckSettings) -> Check:
        from guardrail.checks.text.heavy.check import HeavyCheck
        from guardrail.checks.text.heavy.head import HeadScorer

        return HeavyCheck(self, HeadScorer.load(self), settings)


_KINDS: Mapping[str, Any] = {"classifier": Classifier, "guard": GenerativeGuard, "encoder-head": EncoderHead}


def read_settings(path: str | Path) -> tuple[PromptModel, ...]:
    """The models that a file names: a list of mappings, each with ``kind`` (classifier, guard, encoder-head) and the
    arguments of that class. Folders are relative to the file.

    Raises:
        ConfigurationError: it cannot be read, or names something unknown; with the place in the list.
    """
    return read_models(path, "prompt model", _KINDS, _unsafe)


def _unsafe(given: dict[str, Any], where: str) -> None:
    if "unsafe" in given:
        labels = given["unsafe"]
        given["unsafe"] = (labels,) if isinstance(labels, str) else tuple(map(str, labels or ()))
