"""What the guard answers: the decision with everything that led to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, overload

from guardrail.decision.actions import Action
from guardrail.decision.reasons import Reason
from guardrail.signals import SignalValue, Stage

__all__ = [
    "Alteration",
    "Coverage",
    "Decision",
    "Decisions",
    "EffectiveCheck",
    "PolicyRef",
    "new_decision_id",
]


@dataclass(slots=True)
class Alteration:
    """One change that was planned, and what became of it.

    `text` and `pixels` hold the changed input in memory only: they are neither printed nor serialised.

    Args:
        kind: the action.
        stage: where it applies.
        status: ``planned``, ``applied``, ``active`` / ``inactive`` for a hint to the generator, ``failed``.
        detail: what was done, in numbers and fixed words, never content.
        argument, index: which input it changes.
    """

    kind: str
    stage: Stage
    status: Literal["planned", "applied", "active", "inactive", "failed"] = "planned"
    detail: str = ""
    argument: str = ""
    index: int = 0
    params: Mapping[str, float | bool | str] = field(default_factory=dict)
    text: str | None = field(default=None, repr=False)
    pixels: Any = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "stage": self.stage.value,
            "status": self.status,
            "detail": self.detail,
            "argument": self.argument,
            "index": self.index,
            "params": dict(self.params),
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """Something that could not be checked or not be marked.

    `what` is a fixed word such as ``text-embedding``, ``latent``, ``unmarked``, ``pixels-only``; `argument` is where it
    stood.
    """

    what: str
    argument: str = ""
    detail: str = ""

    def to_json(self) -> dict[str, str]:
        return {"what": self.what, "argument": self.argument, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class EffectiveCheck:
    """A check that really ran, with what it ran on."""

    name: str
    version: str
    weights: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"check": self.name, "version": self.version, "weights": dict(self.weights)}


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Which rules decided: id, version and the sha256 of everything that was loaded."""

    id: str
    version: str
    sha256: str
    mode: str = "enforce"

    def to_json(self) -> dict[str, str]:
        return {"id": self.id, "version": self.version, "sha256": self.sha256, "mode": self.mode}


_CASE_NUMBER = {
    "en": "Decision",
    "ko": "결정 번호",
    "ja": "決定番号",
    "zh": "决定编号",
    "es": "Decisión",
}
_FALLBACK = {
    Action.BLOCK: {
        "en": "This request was refused.",
        "ko": "요청이 거부되었습니다.",
        "ja": "このリクエストは拒否されました。",
        "zh": "该请求已被拒绝。",
        "es": "Esta solicitud ha sido rechazada.",
    },
    Action.ALTER: {
        "en": "This request was changed before it was carried out.",
        "ko": "요청이 변경되어 처리되었습니다.",
        "ja": "リクエストは変更されたうえで処理されました。",
        "zh": "该请求经修改后执行。",
        "es": "Esta solicitud se ha modificado antes de realizarse.",
    },
}


def new_decision_id(time_ms: int, random: bytes) -> str:
    """An id that sorts by time: UUID version 7 (RFC 9562) from the wall clock and 10 random bytes."""
    from uuid import UUID

    value = (time_ms & (1 << 48) - 1) << 80 | int.from_bytes(random[:10], "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return str(UUID(int=value))


@dataclass(slots=True)
class Decision:
    """The guard's answer for one output (or for one request, when nothing is generated).

    Attributes:
        id: sorts by time; given to the user for appeals and stored in the audit log.
        action: ``allow``, ``alter`` or ``block``. A label alone is an allow.
        stage: the last stage that ran, or the one that blocked.
        prompt_index: which prompt of the call this output belongs to.
        image_index: which of that prompt's images.
        reasons: every rule that fired and every failure that blocked.
        signals: what the checks said about the request as it came in, before any alteration.
        alterations: what was changed.
        effective: the checks that really ran.
        coverage: what could not be checked or marked.
        timings_ms: wall time by step.
        pixels_sha256: of the generated pixels before marking, after `check_output` of those that were judged (where
            something was covered, of the covered ones); empty when nothing was generated.
        mark_id: the 40-bit id that the watermark carries, in hex; empty when unmarked.
        due: the stages that ran and had media, in order; a later stage builds on them.
        inputs: keyed hashes of the texts and images that came in, by ``text_hashes`` and ``image_hashes``.
        created: when, RFC 3339 in UTC.
        marker: what the guard that decided marks, reads and signs with, for files of this output; in memory only: it
            holds secrets, and is neither printed nor compared, serialised or pickled. Copies keep it.
        signs: whether that guard signs files. It is pickled where the marker is not, so that a decision that lost its
            signer is refused rather than its files written unsigned. Not in the JSON.
    """

    id: str
    action: Action
    stage: Stage
    policy: PolicyRef
    prompt_index: int = 0
    image_index: int = 0
    reasons: tuple[Reason, ...] = ()
    signals: Mapping[str, SignalValue] = field(default_factory=dict)
    alterations: tuple[Alteration, ...] = ()
    effective: tuple[EffectiveCheck, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, float | bool | str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    pixels_sha256: str = ""
    mark_id: str = ""
    due: tuple[Stage, ...] = ()
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    created: str = ""
    marker: Any = field(default=None, repr=False, compare=False)
    signs: bool = field(default=False, repr=False, compare=False)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        state = {f.name: getattr(self, f.name) for f in fields(self)}
        return None, state | {"marker": None, "signs": self.is_signed}

    def __copy__(self) -> Decision:
        # Not by way of the state, which leaves the marker out.
        return replace(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Decision:
        own = {f.name: deepcopy(getattr(self, f.name), memo) for f in fields(self) if f.name != "marker"}
        return replace(self, **own)

    @property
    def is_signed(self) -> bool:
        """Whether the files of this output are to be signed, by the guard that decided."""
        return self.signs or bool(getattr(self.marker, "signs", False))

    @property
    def blocked(self) -> bool:
        return self.action is Action.BLOCK

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that acted, in the order in which they first fired."""
        return tuple(dict.fromkeys(r.rule for r in self.reasons if r.rule and not r.shadow))

    @property
    def shadow_rules(self) -> tuple[str, ...]:
        """Ids of the rules that would have acted if they were not in shadow mode."""
        return tuple(dict.fromkeys(r.rule for r in self.reasons if r.rule and r.shadow))

    def message(self, lang: str = "") -> str:
        """What the end user may read: the policy's text with the decision's id.

        It never names a detector or a threshold. Empty when the request was allowed unchanged.

        Args:
            lang: language; by default the locale of the request's context. English where there is no text in it.
        """
        if self.action not in _FALLBACK:
            return ""
        lang = _tag(lang or self.context.get("locale", "en"))
        short = lang.split("-")[0]
        fallback = _FALLBACK[self.action]
        written = {_tag(k): text for k, text in self.messages.items()}
        text = next((written[k] for k in (lang, short, "en") if k in written), None)
        text = text or fallback.get(short) or fallback["en"]
        return f"{text} ({_CASE_NUMBER.get(short, _CASE_NUMBER['en'])} {self.id})"

    def to_json(self) -> dict[str, Any]:
        """Everything but content: no prompt, no name, no pixel, no embedding."""
        return {
            "id": self.id,
            "created": self.created,
            "action": self.action.value,
            "stage": self.stage.value,
            "prompt_index": self.prompt_index,
            "image_index": self.image_index,
            "rules": list(self.rules),
            "shadow_rules": list(self.shadow_rules),
            "reasons": [r.to_json() for r in self.reasons],
            "signals": {k: _plain(v) for k, v in self.signals.items()},
            "alterations": [a.to_json() for a in self.alterations],
            "policy": self.policy.to_json(),
            "effective": [e.to_json() for e in self.effective],
            "coverage": [c.to_json() for c in self.coverage],
            "timings_ms": {k: round(v, 3) for k, v in self.timings_ms.items()},
            "labels": dict(self.labels),
            "context": dict(self.context),
            "due": [s.value for s in self.due],
            "inputs": {k: list(v) for k, v in self.inputs.items()},
            "pixels_sha256": self.pixels_sha256,
            "mark_id": self.mark_id,
            "message": self.message(),
        }

    def copy(self, **changes: Any) -> Decision:
        """A copy with some fields changed. One that is given no marker still knows whether its files are signed."""
        return replace(self, **{"signs": self.is_signed, **changes})


def _tag(language: str) -> str:
    """A language tag (RFC 5646) as it is compared: without regard to case, and as POSIX writes it too."""
    return language.replace("_", "-").lower()


def _plain(value: SignalValue) -> Any:
    # Not rounded: a record that is decided again must come out as it did, at a threshold too.
    return [dict(item) for item in value] if isinstance(value, tuple) else value


class Decisions(Sequence[Decision]):
    """One decision per output, prompt-major as diffusers orders its images."""

    __slots__ = ("_decisions",)

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = tuple(decisions)

    @overload
    def __getitem__(self, index: int) -> Decision: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Decision, ...]: ...
    def __getitem__(self, index: int | slice) -> Decision | tuple[Decision, ...]:
        return self._decisions[index]

    def __len__(self) -> int:
        return len(self._decisions)

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._decisions)

    @property
    def action(self) -> Action:
        """The strictest action of all outputs."""
        return max((d.action for d in self._decisions), key=lambda a: a.rank, default=Action.ALLOW)

    def by_prompt(self) -> tuple[tuple[Decision, ...], ...]:
        """The decisions grouped by the prompt that they belong to."""
        groups: dict[int, list[Decision]] = {}
        for d in self._decisions:
            groups.setdefault(d.prompt_index, []).append(d)
        return tuple(tuple(groups[i]) for i in sorted(groups))

    def to_json(self) -> list[dict[str, Any]]:
        return [d.to_json() for d in self._decisions]

    def __repr__(self) -> str:
        return f"Decisions({[d.action.value for d in self._decisions]})"
