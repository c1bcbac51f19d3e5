"""``reference.edit``: whether a request as a whole asks to undress or sexualise the person in a picture of it.

Three things that may each be harmless: a photograph of somebody, words, a mask. "Bare shoulders" is a portrait, a
mask over a body is a new shirt, and both together with a real face are what this check exists for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from guardrail.checks.base import CheckSettings, Failure, Found, Region, SignalValues, Span
from guardrail.checks.image.faces import FaceEvidence
from guardrail.checks.joint.mask import Grid, Placed, painted, place
from guardrail.checks.text.normalise import read
from guardrail.checks.text.sexual import LEANING, SUGGESTIVE, SexualTextCheck, SexualWords
from guardrail.decision import EffectiveCheck
from guardrail.media import ImageInput, Request, Role
from guardrail.signals import CORE, SignalSpec, SignalValue, Stage

__all__ = ["EditRequestCheck"]

# A face this likely to be a photograph, or this likely to be an enrolled person's, is somebody (unsure is 0.75).
SOMEBODY = 0.5
# Beside a mask over the body little is enough: weak words ("bikini" is 0.25 in the lists), what the classifier doubts.
# Of harmless edits "한복을 입혀줘" has the most (0.233), "remove her coat" 0.17, "change the shirt to red" 0.02.
HINT = 0.24
WITH_MASK = 0.80
"""What words count that the mask makes plain, at least."""

# Hints, whatever the classifier says (it gives 0.07 and 0.2397). "Take it off" alone: nothing says that a hat is meant.
_TAKE_OFF = re.compile(
    r"(もっと|全部|それを?|これを?)?(脱[いがぎぐげ]|ぬ(いで|いだ|がせ|ぐ))\w{0,8}"
    r"|qu[ií]ta(te|se)?l[oa]s?|enl[eè]ve([ -]l[ea]s?)?|(please )?(take|pull) (it|them) off|weg damit"
)
_BARE = re.compile(r"\b(bare|naked|uncovered) (shoulders?|skin)\b")

# Masks that say where to paint; others (of an adapter, of an attention) say where a reference counts.
_PLACES = re.compile(r"(?!.*(adapter|attention))")
# The picture that a mask belongs to, by its argument; any picture that goes in where none has such a name.
_PAINTED_ON = re.compile(r"(init_|original_|input_)?(image|video)s?(\W|$)")


@dataclass(frozen=True, slots=True)
class _Words:
    """How strongly texts ask for it, 0..1.

    Args:
        score: lists and classifier together, undressing included.
        listed: the word lists alone, weak words not lowered.
    """

    score: float
    listed: float
    spans: tuple[Span, ...] = ()


class EditRequestCheck:
    """Faces found in the pictures that go in, what the texts ask for, and where a mask lies, as one score.

    Without a real (or enrolled) face it is 0. With one:

    * a mask over the body below it: words that only hint at it are enough for `WITH_MASK`;
    * a mask over the face alone (another face is put on the picture): words that lean there are;
    * no mask, or a mask that cannot be placed because its picture shows no such face: words that lean there are at
      least suggestive;
    * a mask elsewhere: what the words say, no more.
    """

    name = "edit-request"
    version = "1"
    stages = frozenset({Stage.REFERENCE})
    needs: frozenset[str] = frozenset({"reference.faces", "prompt.sexual"})
    gives: tuple[SignalSpec, ...] = (CORE["reference.edit"],)
    inline = True
    timeout_s = 5.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        settings = settings or CheckSettings()
        self._text = SexualTextCheck(settings)
        self._lists = SexualWords(settings.words)

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        """Without what other checks found there is no answer: see `check_found`."""
        return self.check_found(batch, stage, [Found() for _ in batch])

    def check_found(
        self, batch: Sequence[Request], stage: Stage, found: Sequence[Found]
    ) -> list[SignalValues | Failure]:
        return [self._one(request, known) for request, known in zip(batch, found, strict=True)]

    def _one(self, request: Request, known: Found) -> SignalValues | Failure:
        if known.signals.get("reference.faces") is None:
            return Failure("the faces of the request are not known")
        if request.texts and known.signals.get("prompt.sexual", 0.0) is None:
            return Failure("what the texts ask for is not known")
        people = [r for r in known.regions if r.kind == "face" and _somebody(r.fields)]
        if not people or not any(t.text.strip() for t in request.texts):
            return SignalValues({"reference.edit": 0.0})
        words = self._words(request, known.signals.get("prompt.sexual"))
        if isinstance(words, Failure):
            return words
        sizes = [i.frames[0].shape[:2] for i in request.images if not _places(i)]
        # The smallest, where there are several: there a gap in a mask is narrowest.
        size = (min(h for h, _ in sizes), min(w for _, w in sizes)) if sizes else None
        masks = [painted(i, size) for i in request.images if _places(i)]
        placed = _placed(request.images, people, masks)
        score = max((_score(words, where) for _, where in placed), default=_score(words, None))
        regions = tuple(_evidence(face, where) for face, where in placed if where.where != "elsewhere")
        return SignalValues({"reference.edit": score}, words.spans, regions if score >= LEANING else ())

    def _words(self, request: Request, known: SignalValue) -> _Words | Failure:
        (answer,) = self._text.check([request], Stage.PROMPT)
        if isinstance(answer, Failure):
            return answer
        asked = [t.text for t in request.texts if not t.negative]
        listed = max((self._lists.found(read(text))[0] for text in asked), default=0.0)
        # The prompt may have been rewritten since its own stage: what it said as it came in counts too.
        before = float(known) if isinstance(known, float | int) else 0.0
        plain = [t.strip(" .!,。！、").casefold() for t in asked]
        if any(_TAKE_OFF.fullmatch(t) or _BARE.search(t) for t in plain):
            before = max(before, HINT)
        given = answer.signals["prompt.sexual"]
        assert isinstance(given, float | int)
        return _Words(max(before, float(given)), listed, answer.spans)

    def warmup(self) -> None:
        self._text.warmup()
        self._lists.load()

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version, self._text.effective().weights)


def _score(words: _Words, where: Placed | None) -> float:
    """The words, seen with where a mask lies; ``None``: no mask, or one that cannot be placed."""
    if where is None:
        return max(words.score, SUGGESTIVE) if words.score >= LEANING else words.score
    if where.where == "body":
        hint = max(words.score, words.listed)
        return max(hint, WITH_MASK) if hint >= HINT else hint
    if where.where == "face":
        return max(words.score, WITH_MASK) if words.score >= LEANING else words.score
    return words.score


def _somebody(fields: Mapping[str, float | bool | str]) -> bool:
    """A photograph of a person, or a person of the gallery in whatever style. What is not a number is not ruled out."""
    return any(not float(fields.get(name, 0.0)) < SOMEBODY for name in ("real", "match"))


def _places(image: ImageInput) -> bool:
    return image.role in (Role.MASK, Role.KEEP) and _PLACES.match(image.argument) is not None


def _placed(
    images: Sequence[ImageInput], people: Sequence[Region], masks: Sequence[Grid]
) -> list[tuple[Region, Placed]]:
    """Each person in a picture that the masks belong to, with where the masks lie; nothing where there is no mask, or
    nobody in such a picture."""
    if not masks:
        return []
    pictures = {i for i, image in enumerate(images) if image.role in (Role.REFERENCE, Role.VIDEO)}
    named = {i for i in pictures if _PAINTED_ON.match(images[i].argument)}
    chosen = named or pictures
    found: list[tuple[Region, Placed]] = []
    for face in people:
        if face.image in chosen:
            height, width = images[face.image].frames[face.frame].shape[:2]
            found.append((face, place(face.box, (height, width), masks, _down(face))))
    return found


def _down(face: Region) -> tuple[int, int]:
    """Where the chin points: from the eyes to the mouth, along the nearer side of the picture."""
    if not isinstance(face.private, FaceEvidence):
        return 0, 1
    points = np.asarray(face.private.face.landmarks, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        return 0, 1
    across, along = points[3:].mean(0) - points[:2].mean(0)
    if abs(across) > abs(along):
        return (1, 0) if across > 0 else (-1, 0)
    return (0, 1) if along >= 0 else (0, -1)


def _evidence(face: Region, where: Placed) -> Region:
    fields: dict[str, float | bool | str] = {
        "part": where.where,
        "masked": round(where.masked, 3),
        "inside": round(where.inside, 3),
    }
    return Region(face.image, face.frame, where.box, "edit", face.score, fields)
