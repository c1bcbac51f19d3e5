"""Everything that guardrail raises, as one tree.

    GuardrailError
    ├── ConfigurationError      found at construction, before anything was checked
    │   ├── PolicyError         a rule file is wrong: every finding with code, file:line:col and mend
    │   ├── SignalUnavailable   a policy needs a signal that no installed check gives
    │   ├── MissingExtra        an optional package is absent; the message has the pip line
    │   ├── PluginError         an entry point is broken or contradicts another one
    │   ├── KeyringError        a secret key is absent, unreadable or of the wrong length
    │   └── WeightsError
    │       ├── WeightsMissing  a model file is not there; the message has the command that brings it
    │       └── WeightsMismatch a model file has another sha256 than the pinned one
    ├── InputError              what came in cannot be read; `code` names why
    │   ├── UnsupportedInput    a type or a file format that nothing here understands
    │   ├── UnreadableImage     truncated, corrupt, NaN, or not an image at all
    │   ├── ImageTooLarge       over the limit of pixels, bytes, frames or length
    │   └── TextTooLong         over the limit of characters
    ├── CheckError              a check could not give its signal; it becomes a missing signal
    ├── ActionError             an alteration could not be planned or did not hold
    ├── MarkError               an output could not be marked, or the mark could not be read back
    │   └── RegistryError       the registry of marks cannot be read or written, or has the entry already
    ├── AuditError
    │   ├── AuditUnavailable    the record cannot be written now (disk full, read-only, locked)
    │   └── AuditBroken         the chain of records does not verify
    ├── GalleryError            an identity could not be enrolled, found or revoked
    │   └── GalleryConflict     the face to enrol is enrolled already, or is protected; carries the conflicts
    ├── KnownImagesError        a list of known images was changed or cannot be read; a service could not answer
    └── Blocked                 raised with on_block="raise"; carries the decisions

No message contains a prompt, a name, pixels or an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail.decision import Decisions

__all__ = [
    "ActionError",
    "AuditBroken",
    "AuditError",
    "AuditUnavailable",
    "Blocked",
    "CheckError",
    "ConfigurationError",
    "Finding",
    "GalleryConflict",
    "GalleryError",
    "GuardrailError",
    "ImageTooLarge",
    "InputError",
    "KeyringError",
    "KnownImagesError",
    "MarkError",
    "MissingExtra",
    "PluginError",
    "PolicyError",
    "RegistryError",
    "SignalUnavailable",
    "TextTooLong",
    "UnreadableImage",
    "UnsupportedInput",
    "WeightsError",
    "WeightsMismatch",
    "WeightsMissing",
]


class GuardrailError(Exception):
    """Root of the tree: catch this to catch whatever guardrail raises on purpose."""


class ConfigurationError(GuardrailError):
    """Something that could be known before the first request is wrong."""


class Finding:
    """One remark about a rule file: where, what, and how to mend it.

    Args:
        code: stable identifier such as ``GP003``, listed in ``docs/policy-codes.md``.
        path: the file as the author named it.
        line: 1-based line, 0 where the whole file is meant.
        column: 1-based column.
        message: what is wrong, in one clause.
        mend: what to do about it; may be empty.
        source: the offending line of the file, for display.
        warning: True when the policy still loads.
    """

    __slots__ = ("code", "column", "line", "mend", "message", "path", "source", "warning")

    def __init__(
        self,
        code: str,
        path: str,
        line: int,
        column: int,
        message: str,
        mend: str = "",
        source: str = "",
        *,
        warning: bool = False,
    ) -> None:
        self.code = code
        self.path = path
        self.line = line
        self.column = column
        self.message = message
        self.mend = mend
        self.source = source
        self.warning = warning

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        text = f"{where}: {self.code} {self.message}"
        return f"{text} — {self.mend}" if self.mend else text

    def __repr__(self) -> str:
        return f"Finding({str(self)!r})"

    def to_json(self) -> dict[str, str | int | bool]:
        return {
            "code": self.code,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "mend": self.mend,
            "warning": self.warning,
        }


class PolicyError(ConfigurationError):
    """A rule file does not load. `findings` holds every remark, not only the first."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(f) for f in self.findings))


class SignalUnavailable(ConfigurationError):
    """A policy needs a signal that no installed check gives.

    The message names the signal, the rules that read it, and each way out.
    """


class MissingExtra(ConfigurationError):
    """An optional package is not installed.

    Args:
        what: what needs it, e.g. ``"nudity detection with NudeNet"``.
        extra: the extra of this distribution that brings it.
        note: a licence note or another caution.
    """

    def __init__(self, what: str, extra: str, note: str = "") -> None:
        self.extra = extra
        line = f'{what} needs an optional package: pip install "guardrail-diffusion[{extra}]"'
        super().__init__(f"{line} ({note})" if note else line)


class PluginError(ConfigurationError):
    """An entry point could not be loaded, or two of them contradict each other."""


class KeyringError(ConfigurationError):
    """A secret key is absent, unreadable or malformed. Never contains key material."""


class WeightsError(ConfigurationError):
    """A model file cannot be used."""


class WeightsMissing(WeightsError):
    """A model file is not there."""


class WeightsMismatch(WeightsError):
    """A model file has another sha256 than the pinned one."""


class InputError(GuardrailError):
    """What came in cannot be read. `code` is stable and safe to record."""

    code = "input"


class UnsupportedInput(InputError, TypeError):
    """A type, mode or file format that nothing here understands."""

    code = "unsupported-input"


class UnreadableImage(InputError, ValueError):
    """Truncated, corrupt, NaN, or not an image at all."""

    code = "unreadable-image"


class ImageTooLarge(InputError, ValueError):
    """Over the limit of pixels, bytes or frames."""

    code = "image-too-large"


class TextTooLong(InputError, ValueError):
    """Over the limit of characters."""

    code = "text-too-long"


class CheckError(GuardrailError):
    """A check could not give its signal. The runner turns it into a missing signal, never into an allow."""


class ActionError(GuardrailError):
    """An alteration could not be planned, or its post-condition does not hold: the item is blocked."""


class MarkError(GuardrailError):
    """An output could not be marked, or its mark could not be read back: it is not released."""


class RegistryError(MarkError):
    """The registry of marks cannot be read or written, or has the entry already: what was marked is not released."""


class AuditError(GuardrailError):
    """The record of decisions."""


class AuditUnavailable(AuditError):
    """The record cannot be written now. Requests are blocked and counted until it can."""


class AuditBroken(AuditError):
    """The chain of records does not verify: something was changed, removed or cut off."""


class GalleryError(GuardrailError):
    """An identity could not be enrolled, found or revoked."""


class GalleryConflict(GalleryError):
    """A face to be enrolled is that of another identity.

    Args:
        conflicts: what it contradicts (see `guardrail.guard.conflicts.Conflict`), by id, without a name.
    """

    def __init__(self, conflicts: Sequence[Any]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__("; ".join(c.describe() for c in self.conflicts))


class KnownImagesError(GuardrailError):
    """A list of known images was changed or cut off, cannot be read or written; or a service could not answer."""


class Blocked(GuardrailError):
    """Raised instead of returning a placeholder, with ``on_block="raise"``.

    Attributes:
        decisions: one per output; at least one of them is a block.
    """

    def __init__(self, message: str, decisions: Decisions) -> None:
        super().__init__(message)
        self.decisions = decisions
