"""What can happen to an item, and the actions that a rule may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

from guardrail.signals import Stage

__all__ = [
    "CORE_ACTIONS",
    "REFUSED_ACTIONS",
    "TEXT_JOINT",
    "Action",
    "ActionKind",
    "ActionSpec",
    "Param",
    "is_one_line",
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
                    Param(
                        "signed",
                        "flag",
                        optional=True,
                        doc="files must carry Content Credentials: without a signer no guard starts with this policy, "
                        "and what cannot be signed is not released",
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
