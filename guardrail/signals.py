"""What a signal is, and the core vocabulary: one source for policy checking, the JSON Schema and the docs.

A check turns media into signals; a policy compares signals with thresholds. A signal belongs to the stage at which it
becomes known and has one of four kinds. Scores lie in 0..1 and grow with risk; they are calibrated per check, not
probabilities across checks.

A signal has three states when a rule looks at it:

* **not due**: its stage has not run, or the request has no such input;
* **missing**: due, but the check failed, timed out or returned NaN (the value is ``None``);
* **present**.

"Due" follows from the request, never from which checks returned: otherwise a crashed check would look like one that
had nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from guardrail.errors import PluginError

__all__ = [
    "CORE",
    "MOST_ITEMS",
    "Choice",
    "Flag",
    "ItemValue",
    "Items",
    "Kind",
    "Score",
    "SignalSpec",
    "SignalValue",
    "Stage",
    "Text",
    "Vocabulary",
]

ItemValue = Mapping[str, "float | bool | str | None"]
SignalValue = float | bool | str | tuple[ItemValue, ...] | None
"""A present value, or ``None`` for a due signal that is missing."""


MOST_ITEMS = 64
"""Longest list that a signal may be: a longer one counts as missing, so that a rule's cost has a bound."""


class Stage(StrEnum):
    """The four points at which a request is judged, in order."""

    PROMPT = "prompt"
    REFERENCE = "reference"
    STEP = "step"
    OUTPUT = "output"

    @property
    def position(self) -> int:
        return _STAGE_ORDER[self]


_STAGE_ORDER = {stage: i for i, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class Score:
    """A number in 0..1 that grows with risk. `family` names the thresholds that may stand in its place."""

    family: str
    benign: float = 0.0

    def admits(self, value: object) -> bool:
        """Whether it is a number in range; NaN is not."""
        return isinstance(value, float | int) and not isinstance(value, bool) and 0.0 <= value <= 1.0


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    benign: bool = False

    def admits(self, value: object) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Choice:
    """One word out of a closed list."""

    values: tuple[str, ...]
    benign: str

    def admits(self, value: object) -> bool:
        return isinstance(value, str) and value in self.values


@dataclass(frozen=True, slots=True)
class Text:
    """A free word set by the caller, compared for equality with a list of words."""

    benign: str = ""

    def admits(self, value: object) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True, slots=True)
class Items:
    """A list of things (faces, persons), each with the named fields."""

    fields: Mapping[str, Score | Flag | Choice | Text]
    benign: tuple[ItemValue, ...] = ()

    def admits(self, value: object) -> bool:
        """Whether it is a list of at most `MOST_ITEMS`, with declared fields only, each valid or ``None`` (unknown)."""
        if not isinstance(value, tuple) or len(value) > MOST_ITEMS:
            return False
        return all(isinstance(item, Mapping) and self._item(item) for item in value)

    def _item(self, item: Mapping[object, object]) -> bool:
        return all(
            isinstance(name, str) and name in self.fields and (v is None or self.fields[name].admits(v))
            for name, v in item.items()
        )


Kind = Score | Flag | Choice | Text | Items


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """Declaration of a signal.

    Args:
        name: ``stage.word`` for what a check measures, ``context.word`` or ``request.word`` for what the guard itself
            knows about the request.
        stage: when it becomes known; ``None`` for what is known from the start.
        kind: type and range.
        doc: one sentence for authors of rule files.
        combine: what two checks that both give it amount to. ``"stricter"``: the higher score, true over false, all
            items. ``"error"``: a second giver is refused at load.
    """

    name: str
    stage: Stage | None
    kind: Kind
    doc: str
    combine: Literal["stricter", "error"] = "error"


@dataclass(frozen=True)
class Vocabulary:
    """The signals that a policy may name: a value, built from the core and from what installed checks declare."""

    signals: Mapping[str, SignalSpec] = field(default_factory=dict)

    def __getitem__(self, name: str) -> SignalSpec:
        return self.signals[name]

    def __contains__(self, name: object) -> bool:
        return name in self.signals

    def __iter__(self) -> Iterator[str]:
        return iter(self.signals)

    def at(self, stage: Stage | None) -> tuple[SignalSpec, ...]:
        """The signals that become known at `stage` (``None``: known from the start)."""
        return tuple(s for s in self.signals.values() if s.stage is stage)

    def families(self) -> frozenset[str]:
        """Names of the threshold families that some score belongs to."""
        kinds: list[Kind] = [s.kind for s in self.signals.values()]
        kinds += [f for k in kinds if isinstance(k, Items) for f in k.fields.values()]
        return frozenset(k.family for k in kinds if isinstance(k, Score))

    def extended(self, declared: Iterable[SignalSpec], *, by: str) -> Vocabulary:
        """A new vocabulary with the declarations of one check added.

        Raises:
            PluginError: a name is declared with another kind or stage than before.
        """
        merged = dict(self.signals)
        for spec in declared:
            known = merged.setdefault(spec.name, spec)
            if known.stage is not spec.stage or known.kind != spec.kind:
                raise PluginError(
                    f"{by} declares the signal {spec.name} with another stage or kind than the vocabulary has"
                )
        return Vocabulary(merged)


_CONSENT = Choice(("yes", "no", "unknown"), benign="yes")
_GALLERY = Choice(("protected", "consented", "none"), benign="none")
_REFERENCE_FACE: dict[str, Score | Flag | Choice | Text] = {
    "real": Score("real"),
    "identifiable": Flag(),
    "match": Score("match"),
    "gallery": _GALLERY,
    "consent": _CONSENT,
}
_OUTPUT_FACE: dict[str, Score | Flag | Choice | Text] = {
    name: kind for name, kind in _REFERENCE_FACE.items() if name != "consent"
}
_PERSON: dict[str, Score | Flag | Choice | Text] = {
    "match": Score("match"),
    "kind": Choice(("public", "private", "fictional", "historic", "style"), benign="public"),
    "evidence": Choice(
        ("list", "fuzzy", "role", "own-name", "relation", "reference", "handle", "title", "cue"), benign="list"
    ),
}

CORE = Vocabulary(
    {
        s.name: s
        for s in (
            SignalSpec(
                "prompt.sexual",
                Stage.PROMPT,
                Score("sexual"),
                "How strongly the texts ask for nudity or sexual content, undressing included.",
                "stricter",
            ),
            SignalSpec(
                "prompt.sexual_exempted",
                Stage.PROMPT,
                Score("sexual"),
                "As prompt.sexual, but without the phrases that a deployment exempts. Where there are any, unlocked "
                "rules read this one in the place of prompt.sexual.",
                "stricter",
            ),
            SignalSpec(
                "prompt.minor",
                Stage.PROMPT,
                Score("minor"),
                "How likely the texts name somebody under 18.",
                "stricter",
            ),
            SignalSpec(
                "prompt.persons",
                Stage.PROMPT,
                Items(_PERSON),
                "Who the texts name or mean. kind: public (a living public figure), private (anybody else alive), and "
                "three of which no living person is depicted: fictional (characters and figures of myth), historic "
                "(dead for more than fifty years) and style (an artist named for a style or as the author). match: "
                "how surely a living person is meant; of the last three it is 0.25, so that a rule that asks for "
                "match >= 0.5 never sees them and one that wants them asks for their kind alone. evidence: what told "
                "so. list: the shipped lists. fuzzy: a listed name misspelt. role: an office that one person holds. "
                "own-name: a name that the deployment protects. relation: to the writer, such as my classmate. "
                "reference: pointing at an image of the request. handle: a user name. title: a title before a name. "
                "cue: a name on no list, by its form and the words around it.",
                "stricter",
            ),
            SignalSpec(
                "reference.faces",
                Stage.REFERENCE,
                Items(_REFERENCE_FACE),
                "Faces in the images that go in: real (a photograph of a person; what is unsure counts as real), "
                "identifiable, match and gallery (nearest enrolled identity), consent.",
                "stricter",
            ),
            SignalSpec(
                "reference.nudity", Stage.REFERENCE, Score("nudity"), "Nudity in the images that go in.", "stricter"
            ),
            SignalSpec(
                "reference.minor",
                Stage.REFERENCE,
                Score("minor"),
                "Somebody under 18 in the images that go in. No shipped check gives it.",
                "stricter",
            ),
            SignalSpec(
                "reference.hash_match",
                Stage.REFERENCE,
                Flag(),
                "An image that goes in is on a list of known images.",
                "stricter",
            ),
            SignalSpec(
                "reference.edit",
                Stage.REFERENCE,
                Score("sexual"),
                "How strongly the request as a whole asks to undress or sexualise a real person in its images: their "
                "faces, the texts and where a mask lies, judged together. 0 where no image shows one.",
                "stricter",
            ),
            SignalSpec(
                "step.nudity", Stage.STEP, Score("nudity"), "Nudity in a preview made while denoising.", "stricter"
            ),
            SignalSpec("output.nudity", Stage.OUTPUT, Score("nudity"), "Nudity in the generated image.", "stricter"),
            SignalSpec(
                "output.faces",
                Stage.OUTPUT,
                Items(_OUTPUT_FACE),
                "Faces in the generated image, with the nearest enrolled identity.",
                "stricter",
            ),
            SignalSpec(
                "output.minor",
                Stage.OUTPUT,
                Score("minor"),
                "Somebody under 18 in the generated image. No shipped check gives it.",
                "stricter",
            ),
            SignalSpec(
                "output.hash_match",
                Stage.OUTPUT,
                Flag(),
                "The generated image is on a list of known images.",
                "stricter",
            ),
            SignalSpec(
                "output.markable",
                Stage.OUTPUT,
                Choice(("full", "fragile", "none", "latent"), benign="full"),
                "How well the output can carry the watermark: full, fragile (short side 64 to 255 px), none (under "
                "64 px), or latent (not pixels, cannot be marked).",
            ),
            SignalSpec(
                "context.purpose", None, Text(), "The purpose that the caller set with guard.context(purpose=…)."
            ),
            SignalSpec("context.locale", None, Text(), "The locale that the caller set with guard.context(locale=…)."),
            SignalSpec(
                "request.unverified",
                None,
                Items(
                    {
                        "kind": Choice(
                            (
                                "text-embedding",
                                "image-embedding",
                                "latent",
                                "condition-latent",
                                "token-ids",
                                "audio",
                                "unknown",
                            ),
                            benign="latent",
                        )
                    }
                ),
                "Inputs that no check can read: embeddings, latents, token ids, audio, unknown types.",
            ),
            SignalSpec(
                "request.adapters",
                None,
                Items({"kind": Choice(("lora", "ip-adapter", "textual-inversion"), benign="lora")}),
                "What was loaded into the pipeline after its training. It may hold a person or a concept that no word "
                "of the prompt names, so that only the output shows it.",
            ),
        )
    }
)
