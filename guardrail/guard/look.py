"""What was found in the images of a request, for the person who brought them and asked.

A decision holds signals, not places, and never a picture. This runs the checks of the reference stage once more and
gives what they found, and where, to the caller alone: nothing of it is decided on, recorded or logged. Whose a face is
it never says; only on which list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from guardrail.errors import InputError
from guardrail.guard.guard import Guard
from guardrail.media import ImageInput, Region, Request, Role, TextInput
from guardrail.media.read import read_image
from guardrail.signals import Stage

__all__ = ["Looked", "described", "labelled", "look"]

# Share by which the aspect of a mask may differ from that of its picture.
SHAPES_DIFFER = 0.02


@dataclass(frozen=True, slots=True)
class Looked:
    """One image and what was found in it.

    Args:
        regions: in pixels of its frames; faces and body parts as the checks found them, and the body or the face that
            an edit reaches.
        fault: why it could not be read; then there is nothing else.
        failures: check name → why it could not look, the same for all images of a request.
        notes: how something that came with the image was read.
    """

    index: int
    image: ImageInput | None = field(repr=False)
    regions: tuple[Region, ...] = ()
    fault: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> tuple[Region, ...]:
        """All regions, one for each place of a kind."""
        return (*self.of("face"), *self.of("nudity"), *self.of("edit"))

    @property
    def telling_frame(self) -> int:
        """Index of the frame with the finding that matters most; the earliest of several, 0 where nothing is found."""
        return max(self.found, key=lambda r: (*_weight(r), -r.frame)).frame if self.found else 0

    def of(self, kind: str) -> tuple[Region, ...]:
        """The regions of one kind, one for each place: the surest where several views of a frame show it."""
        best: dict[tuple[int, tuple[float, ...]], Region] = {}
        for region in self.regions:
            key = (region.frame, region.box)
            if region.kind == kind and (key not in best or region.score > best[key].score):
                best[key] = region
        return tuple(best.values())

    def to_json(self) -> dict[str, Any]:
        """Boxes, sizes and lists; no pixel, no vector, no label of an identity."""
        if self.image is None:
            return {"image": self.index, "fault": self.fault}
        height, width = self.image.size
        found: dict[str, Any] = {"image": self.index, "width": width, "height": height}
        found["frames"] = len(self.image.frames)
        for kind, name in (("face", "faces"), ("nudity", "nudity"), ("edit", "edit")):
            found[name] = [_as_json(r) for r in self.of(kind)]
        return {**found, "failures": dict(self.failures), "notes": list(self.notes)}


def look(
    guard: Guard, images: Sequence[Any], *, masks: Sequence[Any] = (), texts: Sequence[TextInput] = ()
) -> tuple[Looked, ...]:
    """What the checks of `guard` find in `images`, which are judged together as those of one request with `texts`.

    Args:
        images: paths, bytes, PIL images, arrays or tensors; one that cannot be read has its `fault`.
        masks: as for `Guard.check_request`; one that cannot be read is left out here, and blocks there.
    """
    read: list[ImageInput | InputError] = []
    for index, image in enumerate(images):
        try:
            read.append(read_image(image, index=index, limits=guard.limits))
        except InputError as error:
            read.append(error)
    pictures = [p for p in read if isinstance(p, ImageInput)]
    covers: list[ImageInput] = []
    for index, mask in enumerate(masks):
        try:
            covers.append(read_image(mask, argument="mask_image", index=index, role=Role.MASK, limits=guard.limits))
        except InputError:
            continue  # the decision, made before, says so and blocks
    if not pictures:
        return tuple(Looked(i, None, fault=str(e)) for i, e in enumerate(read))
    runner = guard.session().parts.judge.runner
    request = Request(tuple(texts), (*pictures, *covers), context=guard.current_context())
    said = runner.run([request], Stage.PROMPT)[0].signals
    (found,) = runner.run([request], Stage.REFERENCE, [said])
    looked: list[Looked] = []
    for index, one in enumerate(read):
        if not isinstance(one, ImageInput):
            looked.append(Looked(index, None, fault=str(one)))
            continue
        at = pictures.index(one)
        regions = tuple(r for r in found.regions if r.image == at)
        looked.append(Looked(index, one, regions, "", tuple(found.failures.items()), _stretched(one, covers)))
    return tuple(looked)


def described(region: Region) -> str:
    """A few words about a region, e.g. ``face 64×80 px, may be a photograph, identifiable``. Never who it is."""
    fields = region.fields
    if region.kind == "face":
        words = [f"face {region.box[2]:.0f}×{region.box[3]:.0f} px", _style(float(fields.get("real", 1.0)))]
        words.append("identifiable" if fields.get("identifiable") else "too small or unclear to recognise")
        if fields.get("gallery", "none") != "none":
            words.append(f"like somebody on the list: {fields['gallery']}")
        if fields.get("consent") == "yes":
            words.append("consent on file")
        elif fields.get("gallery") == "consented":
            for_other = fields.get("consent") == "no"
            words[-1] = "consented, but not for this purpose" if for_other else f"{words[-1]}, not surely enough"
        return ", ".join(words)
    if region.kind == "edit":
        return f"{fields.get('part', 'body')} of a person, {100 * float(fields.get('masked', 0.0)):.0f} % of it masked"
    part = str(fields.get("part", region.kind)).replace("_", " ").lower()
    return f"{part}, confidence {region.score:.2f}"


def labelled(region: Region) -> str:
    """The same for a drawing, in as few words as can be and in ASCII, e.g. ``face 64 px, real?``."""
    fields = region.fields
    if region.kind == "face":
        real = float(fields.get("real", 1.0))
        words = [f"face {min(region.box[2:]):.0f} px", "real" if real >= 0.9 else "real?" if real >= 0.5 else "drawn"]
        words += [] if fields.get("identifiable") else ["unclear"]
        words += [str(fields["gallery"])] if fields.get("gallery", "none") != "none" else []
        words += ["other purpose"] if (fields.get("gallery"), fields.get("consent")) == ("consented", "no") else []
        return ", ".join(words)
    if region.kind == "edit":
        return f"masked {fields.get('part', 'body')}"
    return str(fields.get("part", region.kind)).replace("_", " ").lower()


def _weight(region: Region) -> tuple[int, float]:
    """How much a finding bears on a decision, then how sure it is; only to choose what is shown first."""
    fields = region.fields
    if region.kind == "nudity":
        return {"partial": 2, "person": 0}.get(str(fields.get("grade", "")), 5), region.score
    if region.kind == "edit":
        return 4, region.score
    if fields.get("gallery") == "protected":
        return 6, region.score
    somebody = bool(fields.get("identifiable")) and float(fields.get("real", 1.0)) >= 0.5
    return 3 if somebody and fields.get("consent") != "yes" else 1, region.score


def _stretched(image: ImageInput, masks: Sequence[ImageInput]) -> tuple[str, ...]:
    """A note for each mask of another shape than the image."""
    height, width = image.size
    notes: list[str] = []
    for mask in masks:
        down, across = mask.size
        # Small masks are rounded to whole pixels.
        if abs(across * height / (down * width) - 1.0) > SHAPES_DIFFER:
            size = f"{across}×{down} px"
            notes.append(f"mask {mask.index + 1} ({size}) has another shape: read as stretched over the whole picture")
    return tuple(notes)


def _style(real: float) -> str:
    if real >= 0.9:
        return "photograph"
    return "may be a photograph" if real >= 0.5 else "drawing or painting"


def _as_json(region: Region) -> dict[str, Any]:
    box = [round(float(v), 1) for v in region.box]
    return {"frame": region.frame, "box": box, "score": round(region.score, 4), **region.fields}
