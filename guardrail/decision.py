"""What a policy says (verdict) and what the guard answers (decision), with the reasons for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, overload

from guardrail.signals import SignalValue, Stage

__all__ = [
    "CORE_ACTIONS",
    "REFUSED_ACTIONS",
    "TEXT_JOINT",
    "Action",
    "ActionKind",
    "ActionSpec",
    "Alteration",
    "Coverage",
    "Decision",
    "Decisions",
    "EffectiveCheck",
    "Leaf",
    "Param",
    "PolicyRef",
    "Reason",
    "Stage",
    "Verdict",
    "is_one_line",
    "new_decision_id",
]


class Action(StrEnum):
    """What happens to an item, from loosest to strictest."""

    ALLOW = "allow"
    LABEL = "label"
    ALTER = "alter"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        return _RANK[self]


_RANK = {action: i for i, action in enumerate(Action)}


# ---- actions that a rule may name

TEXT_JOINT = " · "
"""Between the texts of several rules: none of two texts is the stricter, so all are kept."""
# Zero width joiner and non-joiner: Python calls them unprintable, and Persian and Hindi are misspelt without them.
_JOINERS = frozenset("\u200c\u200d")


def is_one_line(text: str) -> bool:
    """Whether people can read `text` in one line: something is in it, and nothing but what is printed."""
    return bool(text.strip()) and all(c.isprintable() or c in _JOINERS for c in text)


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an action in a rule file.

    Args:
        name: the key as written in the file.
        type: how the text is read. ``choice`` takes one of `choices`; ``text`` is one line for people to read.
        choices: for ``choice``, from loosest to strictest: merging two rules takes the stricter.
        minimum, maximum: range of a number, inclusive; of a text, how many characters it has.
        default: used when the rule does not name it; ``None`` makes it required.
        stricter: which of two numbers is stricter.
    """

    name: str
    type: Literal["integer", "number", "choice", "flag", "word", "text"]
    default: float | bool | str | None = None
    choices: tuple[str, ...] = ()
    minimum: float = 0.0
    maximum: float = 1.0
    stricter: Literal["higher", "lower"] = "higher"
    optional: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class ActionKind:
    """Declaration of an action: how strict it is, where it can act, and its parameters.

    Args:
        name: the word in the rule file.
        effect: its place in the order of strictness. `Action.LABEL` effects add up and never stop anything.
        stages: the stages at which it can be carried out; a rule that could only fire elsewhere is refused.
        order: alterations are carried out in this order, whatever the order of the rules.
        params: its parameters.
        merge: parameters whose values tell two specs apart (two blurs with other targets are two actions); all other
            parameters merge to the stricter value.
    """

    name: str
    effect: Action
    stages: frozenset[Stage]
    order: int
    doc: str
    params: tuple[Param, ...] = ()
    merge: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """An action with its parameters, as a rule asks for it."""

    kind: str
    params: Mapping[str, float | bool | str] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.params}


_MEDIA = frozenset({Stage.REFERENCE, Stage.OUTPUT})
_TARGET = Param(
    "target",
    "choice",
    choices=("unconsented-faces", "faces", "nudity"),
    doc="what is covered: faces without consent, every face, or exposed body parts",
)
_FACES = Param(
    "target",
    "choice",
    choices=("unconsented-faces", "faces"),
    doc="what is replaced: faces without consent, or every face",
)

CORE_ACTIONS: Mapping[str, ActionKind] = MappingProxyType(
    {
        k.name: k
        for k in (
            ActionKind("block", Action.BLOCK, frozenset(Stage), 0, "Refuse: a neutral placeholder is returned."),
            ActionKind(
                "rewrite",
                Action.ALTER,
                frozenset({Stage.PROMPT}),
                10,
                "Change the prompt so that the named part is gone and the rest of the wish survives.",
                (Param("drop", "choice", choices=("persons", "sexual"), doc="which part goes"),),
                merge=("drop",),
            ),
            ActionKind(
                "guide",
                Action.ALTER,
                frozenset({Stage.PROMPT, Stage.REFERENCE}),
                20,
                "Steer the generation away from a concept where guidance is active; reported inactive where it is not.",
                (
                    Param("away_from", "choice", default="nudity", choices=("nudity",)),
                    Param(
                        "method",
                        "choice",
                        choices=("negative", "projection", "safety"),
                        optional=True,
                        doc="negative prompt (where none is named), projected embeddings, or safety guidance",
                    ),
                    Param(
                        "strength",
                        "choice",
                        choices=("medium", "strong", "max"),
                        optional=True,
                        doc="of safety guidance; strong where none is named",
                    ),
                    Param(
                        "scale",
                        "number",
                        minimum=1.0,
                        maximum=30.0,
                        optional=True,
                        doc="raise the guidance scale to at least this",
                    ),
                ),
                merge=("away_from",),
            ),
            ActionKind(
                "regenerate",
                Action.ALTER,
                frozenset({Stage.OUTPUT}),
                30,
                "Generate again with a new seed; if no attempt passes, the next alteration or a block follows.",
                (
                    Param(
                        "max", "integer", default=2, minimum=1, maximum=8, stricter="lower", doc="number of attempts"
                    ),
                    Param("away_from", "choice", default="nudity", choices=("nudity",)),
                ),
                merge=("away_from",),
            ),
            ActionKind(
                "blur", Action.ALTER, _MEDIA, 40, "Blur until it is not recognised any more.", (_TARGET,), ("target",)
            ),
            ActionKind("pixelate", Action.ALTER, _MEDIA, 41, "Pixelate to few cells.", (_TARGET,), ("target",)),
            ActionKind("fill", Action.ALTER, _MEDIA, 42, "Cover with a flat colour.", (_TARGET,), ("target",)),
            ActionKind(
                "replace",
                Action.ALTER,
                _MEDIA,
                43,
                "Put a drawn face, which is nobody's, over each face.",
                (_FACES,),
                ("target",),
            ),
            ActionKind(
                "label",
                Action.LABEL,
                frozenset(Stage),
                50,
                "Mark the output as AI-generated.",
                (
                    Param("watermark", "choice", default="none", choices=("none", "invisible")),
                    Param(
                        "source_type",
                        "choice",
                        default="none",
                        choices=("none", "trainedAlgorithmicMedia"),
                        doc="IPTC DigitalSourceType in the file's metadata; an edited photograph becomes "
                        "compositeWithTrainedAlgorithmicMedia",
                    ),
                    Param("likeness", "flag", default=False, doc="say that a real person is depicted synthetically"),
                    Param(
                        "visible",
                        "text",
                        minimum=1,
                        maximum=60,
                        optional=True,
                        doc="drawn into the picture for everybody to see; `eu`, `cn`, `cn-long`, `kr` and `en` stand "
                        "for ready wordings",
                    ),
                    Param(
                        "visible_at",
                        "choice",
                        # No place is stricter than another: of two places the later one of this list is taken.
                        choices=("bottom-right", "bottom-left", "bottom", "top-right", "top-left", "top"),
                        optional=True,
                        doc="where visible labels stand, those of other rules too; bottom-right where none is named",
                    ),
                ),
            ),
            ActionKind(
                "report",
                Action.LABEL,
                frozenset(Stage),
                60,
                "Put the decision into a queue for people to look at; hashes only.",
                (Param("queue", "word", default="review"),),
                merge=("queue",),
            ),
        )
    }
)


# What an author may ask for in good faith and would be worse off with: the words, why not, and what instead.
_EYE_BAR = (
    "bars over eyes are no redaction: a recogniser still finds 95 % of the people behind them "
    "(MobileFaceNet, closed gallery; see benchmarks/results/redaction.json)",
    "cover the whole face: fill, replace, pixelate or blur, with target: faces or unconsented-faces",
)
REFUSED_ACTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    dict.fromkeys(("bar", "black-bar", "censor-bar", "cover-eyes", "eye-bar", "eye-bars", "eyebar", "eyes"), _EYE_BAR)
)
"""Names that are refused → the reason, and the mend. Compared in lower case, with ``-`` for ``_`` and blanks."""


# ---- why


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison that made a rule true.

    `margin` is how far a score lies beyond its threshold (never negative for a leaf that held); ``None`` for what is
    not a score. `item` is the index in a list signal.
    """

    signal: str
    value: float | bool | str | None
    op: str
    limit: float | bool | str | tuple[str, ...] | None
    threshold: str = ""
    item: int | None = None

    @property
    def margin(self) -> float | None:
        if isinstance(self.value, bool) or isinstance(self.limit, bool):
            return None
        if isinstance(self.value, int | float) and isinstance(self.limit, int | float):
            return abs(float(self.value) - float(self.limit))
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "signal": self.signal,
            "value": self.value,
            "op": self.op,
            "limit": list(self.limit) if isinstance(self.limit, tuple) else self.limit,
            "threshold": self.threshold,
            "item": self.item,
            "margin": self.margin,
        }


ReasonKind = Literal["rule", "missing", "engine", "input", "action", "mark", "audit"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something happened.

    Args:
        kind: ``rule``: the condition held. ``missing``: a due signal was missing and the rule fails closed. All others:
            the guard itself failed closed; `cause` says at what.
        rule: id of the rule; empty when no rule is concerned.
        effect: what this reason asks for.
        cause: for all kinds but ``rule``: a short text without any content of the request.
        leaves: the comparisons that held, or the missing signals (value ``None``).
        shadow: the rule only watches; it does not act.
    """

    kind: ReasonKind
    rule: str
    stage: Stage
    effect: Action
    severity: str = "medium"
    cause: str = ""
    leaves: tuple[Leaf, ...] = ()
    locked: bool = False
    shadow: bool = False
    message: str = ""
    refs: tuple[str, ...] = ()

    def describe(self) -> str:
        """In one line: what was compared with what, or what failed. For operators, not for end users."""
        if self.kind == "missing":
            return f"missing: {', '.join(dict.fromkeys(leaf.signal for leaf in self.leaves))}"
        if self.kind != "rule":
            return self.cause
        parts: Counter[str] = Counter()
        for leaf in self.leaves:
            limit = "|".join(leaf.limit) if isinstance(leaf.limit, tuple) else _written(leaf.limit)
            threshold = f" ({leaf.threshold})" if leaf.threshold else ""
            value = f"{leaf.value:.2f}" if isinstance(leaf.value, float) else _written(leaf.value)
            parts[f"{leaf.signal} {value} {leaf.op} {limit}{threshold}"] += 1
        # Six faces of which the same holds are one line, not six.
        return "; ".join(f"{p} (×{n})" if n > 1 else p for p, n in parts.items()) or "always"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "rule": self.rule,
            "stage": self.stage.value,
            "effect": self.effect.value,
            "severity": self.severity,
            "cause": self.cause,
            "leaves": [leaf.to_json() for leaf in self.leaves],
            "locked": self.locked,
            "shadow": self.shadow,
            "refs": list(self.refs),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy engine says at one stage.

    Args:
        action: strictest effect of all rules that act.
        specs: the actions asked for, merged, in the order in which they are carried out.
        reasons: one per rule that fired or failed closed; rules in shadow mode too (``shadow=True``).
    """

    action: Action
    specs: tuple[ActionSpec, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def fired(self) -> tuple[str, ...]:
        """Ids of the rules whose condition held and which act."""
        return tuple(r.rule for r in self.reasons if r.kind == "rule" and not r.shadow)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the missing signals because of which rules failed closed."""
        names = [leaf.signal for r in self.reasons if r.kind == "missing" and not r.shadow for leaf in r.leaves]
        return tuple(dict.fromkeys(names))


# ---- what the guard answers


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
        """A copy with some fields changed."""
        return replace(self, **changes)


def _written(value: object) -> str:
    """A value as a policy file writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


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
