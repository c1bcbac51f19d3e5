"""``reference.faces``, ``output.faces``: faces, whether they are real, whose they are, whether they consented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from guardrail.checks.base import CheckSettings, Failure, Region, SignalValues
from guardrail.checks.image.backend_choice import choose_backend
from guardrail.checks.image.backends.base import DetectedFace, Embedder, FaceDetector, FloatArray, overlap
from guardrail.checks.image.detection import GuardDetector
from guardrail.checks.image.identifiable import FaceQuality, face_quality
from guardrail.checks.image.realness import REAL_SCORE, RealnessBackend, judge_face
from guardrail.checks.image.recognition import recognised
from guardrail.decision import EffectiveCheck
from guardrail.errors import CheckError
from guardrail.media import ImageInput, Request
from guardrail.media.renderings import renderings
from guardrail.media.types import Frame
from guardrail.signals import CORE, ItemValue, SignalSpec, Stage
from guardrail.weights.session import fallback

if TYPE_CHECKING:
    from guardrail.gallery import GalleryIndex

__all__ = ["FaceCheck", "FaceEvidence"]

SAME_PLACE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class FaceEvidence:
    """What is needed to recognise a face again.

    Args:
        face: the detection.
        vector: (dimension,), once computed.
        embedder: which one computed it.
        quality: how good the face is.
        view: in which rendering of its frame it was seen, counted from 0 (see `guardrail.media.renderings`).
    """

    face: DetectedFace
    vector: FloatArray | None
    embedder: str
    quality: FaceQuality | None = None
    view: int = 0


class FaceCheck:
    """Detector, realness, embedder and gallery behind one signal.

    Raises:
        ConfigurationError: models or packages of the chosen backend are missing (see `CheckSettings.face_backend`), or
            those of the realness model that the user named.
    """

    name = "faces"
    version = "2"
    stages = frozenset({Stage.REFERENCE, Stage.OUTPUT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["reference.faces"], CORE["output.faces"])
    inline = False
    timeout_s = 30.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        settings = settings or CheckSettings()
        model, embedder = choose_backend(settings)
        self._model = model
        self.detector: FaceDetector = GuardDetector(model)
        self.embedder: Embedder = embedder
        self._realness: RealnessBackend | None = settings.realness_model.open() if settings.realness_model else None
        self._gallery = settings.gallery

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        answers: list[SignalValues | Failure] = []
        for request in batch:
            images = request.media(stage)
            regions: list[Region] = []
            for i, image in enumerate(images):
                if isinstance(image, ImageInput):
                    regions += self._image(i, image, request.context.purpose, stage)
            signal = f"{stage.value}.faces"
            items: tuple[ItemValue, ...] = tuple(r.fields for r in regions)
            answers.append(SignalValues({signal: items}, regions=tuple(regions)))
        return answers

    def _image(self, index: int, image: ImageInput, purpose: str, stage: Stage) -> list[Region]:
        gallery: GalleryIndex | None = self._gallery.index(self.embedder.name) if self._gallery is not None else None
        regions: list[Region] = []
        judged: list[tuple[int, Frame, DetectedFace]] = []
        views: Counter[int] = Counter()
        for frame, pixels in image.views():
            view = views[frame]
            views[frame] += 1
            before = [(other, face) for f, other, face in judged if f == frame]
            faces = [f for f in self.detector.detect(pixels) if not any(_same(f, pixels, *b) for b in before)]
            judged += [(frame, pixels, face) for face in faces]
            qualities = [face_quality(pixels, f) for f in faces]
            # The embedding costs more than everything else: only of faces that somebody could know, in one call, and
            # only where there is somebody to compare them with.
            known = [i for i, q in enumerate(qualities) if q.identifiable]
            if known and gallery is not None and gallery.uncovered:
                # Nobody can say whether it is one of them, and an empty list of matches would say that it is not.
                raise CheckError(
                    f"{gallery.uncovered} protected people of the gallery have no vector of {self.embedder.name}: "
                    "add photographs of them with this embedder (guardrail gallery add --to ID), or go back to theirs"
                )
            known = known if gallery is not None and len(gallery) else []
            vectors = dict(zip(known, self._embedded(pixels, [faces[i] for i in known]), strict=True))
            for i, (face, quality) in enumerate(zip(faces, qualities, strict=True)):
                fields: dict[str, float | bool | str] = {
                    "real": REAL_SCORE[judge_face(pixels, face.box, self._realness, face.landmarks)],
                    "identifiable": quality.identifiable,
                    **self._matched(vectors.get(i), gallery, purpose, stage),
                }
                evidence = FaceEvidence(face, vectors.get(i), self.embedder.name, quality, view)
                regions.append(Region(index, frame, face.box, "face", face.score, fields, evidence))
        return regions

    def _embedded(self, pixels: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        vectors = self.embedder.embed(pixels, faces)
        if not np.isfinite(vectors).all():
            raise CheckError("the face embedder gave a vector that is not finite")
        return vectors

    def _matched(
        self, vector: FloatArray | None, gallery: GalleryIndex | None, purpose: str, stage: Stage
    ) -> dict[str, float | bool | str]:
        fields: dict[str, float | bool | str] = {"match": 0.0, "gallery": "none"}
        consent = "unknown"
        if vector is not None and gallery is not None:
            found = gallery.match(vector, self.embedder.scale, purpose)
            fields["match"], fields["gallery"], consent = found.match, found.gallery, found.consent
        if stage is Stage.REFERENCE:
            fields["consent"] = consent
        return fields

    def vectors(self, image: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        """Embeddings of faces in an (H, W, 3) image, for enrolment and for checking a redaction."""
        return self.embedder.embed(image, faces)

    def recognisable(self, before: Frame, after: Frame, region: Region) -> bool:
        """Whether the face of `region` in `before` is still the same person to the embedder in `after`.

        Looked at in the rendering of `before` that showed it, and in every rendering of `after`: where the face was,
        whether or not the detector still fires there, and at every face that the detector finds in that place. How:
        `guardrail.checks.image.recognition`.

        Args:
            before, after: the frame, (H, W, 3) RGB or (H, W, 4) RGBA, uint8.

        Raises:
            CheckError: a vector is not finite, the region is not of this check, or `before` is not its frame.
        """
        evidence = region.private
        if not isinstance(evidence, FaceEvidence):
            raise CheckError("the region does not come from this check")
        shown = next(islice(renderings(before), evidence.view, None), None)
        if shown is None:
            raise CheckError("the region does not come from this picture")
        original = evidence.vector if evidence.vector is not None else self.embedder.embed(shown, [evidence.face])[0]
        gallery = self._gallery.index(self.embedder.name) if self._gallery is not None else None
        for pixels in renderings(after):
            candidates = [evidence.face]
            candidates += [f for f in self.detector.detect(pixels) if overlap(f.box, region.box) > 0.2]
            now = self.embedder.embed(pixels, candidates)
            if recognised(self.embedder, shown, evidence.face, original, now, gallery):
                return True
        return False

    def warmup(self) -> None:
        picture = np.full((64, 64, 3), 127, np.uint8)
        self.detector.detect(picture)
        face = DetectedFace(
            (16.0, 16.0, 32.0, 32.0), 1.0, np.array([[26, 28], [38, 28], [32, 34], [27, 41], [37, 41]], np.float32)
        )
        self.embedder.embed(picture, [face])

    def about(self) -> dict[str, str]:
        """What a user should know of the models in force: where their thresholds come from, licence, GPU."""
        told = {"thresholds": self.embedder.scale.basis}
        if licence := getattr(self.embedder, "licence", ""):
            told["licence"] = licence
        if note := fallback(self._model.provider):
            told["gpu"] = note
        return told

    def effective(self) -> EffectiveCheck:
        name = f"{self.name}: {self.detector.name} + {self.embedder.name}"
        if provider := self._model.provider:
            name += f" on {provider}"
        weights = {**self.detector.weights, **self.embedder.weights}
        if self._realness is not None:
            name += f" + {self._realness.name}"
            weights |= self._realness.weights
        return EffectiveCheck(name, self.version, weights)


def _same(face: DetectedFace, pixels: Frame, view: Frame, other: DetectedFace) -> bool:
    """Whether a face of one view of a frame is one that was judged in another view: in its place, and the same pixels.

    One file can show one person over black and somebody else without its transparency, so the place alone says nothing.
    """
    if not overlap(face.box, other.box) > SAME_PLACE:
        return False
    x, y, w, h = face.box
    rows, columns = slice(max(0, int(y)), int(np.ceil(y + h))), slice(max(0, int(x)), int(np.ceil(x + w)))
    return np.array_equal(pixels[rows, columns], view[rows, columns])
