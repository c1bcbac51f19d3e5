"""What a check is: media in, signals out.

A check reads; it never alters, never decides and never draws from a global random state. It is given a batch of
requests and answers for each of them alone: the same request gives the same values in any batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from guardrail.decision import EffectiveCheck
from guardrail.media import Region, Request, Span
from guardrail.signals import SignalSpec, SignalValue, Stage

__all__ = ["Check", "CheckSettings", "Failure", "PromptModel", "Region", "SignalValues", "Span"]


@dataclass(frozen=True, slots=True)
class SignalValues:
    """What one check says about one request: its signals, and the evidence that alterations need."""

    signals: Mapping[str, SignalValue]
    spans: tuple[Span, ...] = ()
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """One check could not answer for one request: its signals are missing. `cause` holds no content."""

    cause: str


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What a user of the guard may set for its checks.

    Args:
        names: names of people to protect, besides the shipped list of public figures.
        name_files: files with large lists of names, made by `guardrail names build`.
        face_backend: ``auto`` (insightface if a pack is given, else YuNet if its file is there, else the embedded
            models), or one of ``insightface``, ``yunet``, ``embedded``.
        insightface_pack: absolute path of a local insightface pack folder.
        gallery: enrolled identities, or ``None``.
        threads: per model session.
        words: phrases of the deployment's own that ask for something sexual, with their score in 0..1.
        exempt: phrases that are harmless in this deployment; they lower ``prompt.sexual_exempted`` only.
        prompt_models: heavier checks of the user's own (see `guardrail.checks.text.heavy`).
    """

    names: tuple[str, ...] = ()
    face_backend: str = "auto"
    insightface_pack: str = ""
    gallery: Any = None
    threads: int = 1
    words: tuple[tuple[str, float], ...] = ()
    exempt: tuple[str, ...] = ()
    name_files: tuple[str, ...] = ()
    prompt_models: tuple[PromptModel, ...] = ()


@runtime_checkable
class Check(Protocol):
    """The protocol of a check. A class registered under the entry-point group ``guardrail.checks`` is called with a
    `CheckSettings` and gives one of these, or raises a ConfigurationError that says what is missing."""

    name: str
    version: str
    stages: frozenset[Stage]
    needs: frozenset[str]
    """Signals of other checks that must be there first."""
    gives: tuple[SignalSpec, ...]
    inline: bool
    """True for checks in pure Python whose work is bounded by the input limits: run on the calling thread."""
    timeout_s: float

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        """One answer per request, in order. May raise CheckError for the whole batch."""
        ...

    def warmup(self) -> None:
        """Load whatever is loaded lazily, so that the first request is not slower than the second."""
        ...

    def effective(self) -> EffectiveCheck:
        """Name, version and sha256 of the weights that this check runs on."""
        ...


class PromptModel(Protocol):
    """A model of the user's own that makes another check of prompts. What the user names is never left out."""

    @property
    def gives(self) -> tuple[SignalSpec, ...]:
        """The signals of the check that `open` makes."""
        ...

    def open(self, settings: CheckSettings) -> Check:
        """The check, its model loaded.

        Raises:
            ConfigurationError: the model is not there, is of another kind, or a package is missing.
        """
        ...
