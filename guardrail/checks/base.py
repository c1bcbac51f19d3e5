"""What a check is: media in, signals out.

A check reads; it never alters, never decides and never draws from a global random state. It is given a batch of
requests and answers for each of them alone: the same request gives the same values in any batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from guardrail.decision import EffectiveCheck
from guardrail.media import Region, Request, Span
from guardrail.signals import SignalSpec, SignalValue, Stage

__all__ = [
    "Check",
    "CheckSettings",
    "Failure",
    "Found",
    "JointCheck",
    "NudityModel",
    "PromptModel",
    "RealnessModel",
    "Region",
    "SignalValues",
    "Span",
]


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
class Found:
    """What is known of a request when a check runs that needs other checks' signals.

    Args:
        signals: those of earlier stages and of the checks that ran before in this one; ``None``: due and missing.
        regions: what those of this stage found in its images.
    """

    signals: Mapping[str, SignalValue] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What a user of the guard may set for its checks.

    Args:
        names: names of people to protect, besides the shipped list of public figures.
        name_files: files with large lists of names, made by `guardrail names build`.
        face_backend: ``auto`` (insightface if a pack is given, else YuNet if its file is there, else the embedded
            models), or one of ``insightface``, ``opencv`` (YuNet and SFace), ``yunet``, ``embedded``.
        insightface_pack: absolute path of a local insightface pack folder, pinned by ``guardrail models pin``.
        gallery: enrolled identities, or ``None``.
        known: known images (see `guardrail.known`), or ``None``.
        threads: per model session.
        words: phrases of the deployment's own that ask for something sexual, with their score in 0..1.
        exempt: phrases that are harmless in this deployment; they lower ``prompt.sexual_exempted`` only.
        prompt_models: heavier checks of the user's own (see `guardrail.checks.text.heavy`).
        nudity_models: second opinions of the user's own (see `guardrail.checks.image.nudity.hub`).
        realness_model: asked where the cues are not sure (see `guardrail.checks.image.realness_clip`), or ``None``.
    """

    names: tuple[str, ...] = ()
    face_backend: str = "auto"
    insightface_pack: str = ""
    gallery: Any = None
    known: Any = None
    threads: int = 1
    words: tuple[tuple[str, float], ...] = ()
    exempt: tuple[str, ...] = ()
    name_files: tuple[str, ...] = ()
    prompt_models: tuple[PromptModel, ...] = ()
    nudity_models: tuple[NudityModel, ...] = ()
    realness_model: RealnessModel | None = None


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


@runtime_checkable
class JointCheck(Check, Protocol):
    """A check that is told what the checks found whose signals it needs."""

    def check_found(
        self, batch: Sequence[Request], stage: Stage, found: Sequence[Found]
    ) -> list[SignalValues | Failure]:
        """Called in the place of `check`; one of `found` for each request, in order."""
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


class NudityModel(Protocol):
    """A classifier of the user's own that gives a second opinion on nudity. What the user names is never left out."""

    @property
    def combination(self) -> Any:
        """How it is joined with the detector (`guardrail.checks.image.nudity.Combination`)."""
        ...

    def open(self) -> Any:
        """The `guardrail.checks.image.nudity.combination.SecondOpinion`, its model loaded.

        Raises:
            ConfigurationError: the model is not there, is of another kind, or a package is missing.
        """
        ...


class RealnessModel(Protocol):
    """A model of the user's own that may be sure of more depictions. What the user names is never left out."""

    def open(self) -> Any:
        """The `guardrail.checks.image.realness.RealnessBackend`, its model loaded.

        Raises:
            ConfigurationError: the model is not there, is of another kind, or a package is missing.
        """
        ...
