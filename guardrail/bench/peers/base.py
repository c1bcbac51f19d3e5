"""What a peer is: a name with version and licence, why it does not run here, and a call."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

from guardrail.errors import ConfigurationError

__all__ = ["ACTIONS", "FAILED", "Answer", "Judge", "Kind", "NotHere", "Opened", "Peer", "package_version", "without"]

Kind = Literal["text", "image", "engine"]
ACTIONS = ("allow", "alter", "block")
FAILED = "failed"
"""The action of a peer that raised: it decided nothing, and what a program makes of that is the program's affair."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer says of one row.

    Args:
        action: its own decision, at the threshold that it comes with: one of `ACTIONS`, or `FAILED`.
        score: the higher the worse, on a scale of its own; None where it has none.
        cause: why it failed, without content.
        ms, cpu_ms: what it took, where the caller's own clock would count more than that.
    """

    action: str
    score: float | None = None
    cause: str = ""
    ms: float | None = None
    cpu_ms: float | None = None


Judge = Callable[[Any], Answer]
"""A prompt, an (H, W, 3) RGB uint8 picture, or the signals of a request: one at a time, so that latencies compare."""


class NotHere(ConfigurationError):
    """A peer cannot run on this machine; the message says why and what brings it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A peer that is ready.

    Args:
        judge: asks it.
        told: what was only known once it was there (sha256 of weights, training rows, threshold); words, for the report
            and for the identity of the samples.
        close: lets go of what it holds.
        facts: of guardrail itself, for run.json: policy, checks and lists, as other suites have them.
    """

    judge: Judge
    told: Mapping[str, str] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """A system to compare with.

    Args:
        name: in every table and measure.
        kind: what it judges.
        open: makes it ready; may take minutes. Raises ConfigurationError or ImportError where it cannot.
        version: of the installed package, or of what stands for one.
        licence: of code and weights.
        decides: how its own decision comes about.
        learned: what it was made from, so that a reader sees which rows it may have seen.
        lacking: why it does not run here; empty where it does.
        asked: runs only where it is asked for by name.
    """

    name: str
    kind: Kind
    open: Callable[[], Opened]
    version: str = ""
    licence: str = ""
    decides: str = ""
    learned: str = ""
    lacking: str = ""
    asked: bool = False


def package_version(package: str) -> str:
    """Of what is installed; empty where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def without(module: str, package: str) -> str:
    """Why a peer of another package does not run; empty where its module is there. The module is not imported."""
    if importlib.util.find_spec(module) is not None:
        return ""
    return f"not installed: pip install {package}"
