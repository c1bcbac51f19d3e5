"""``reference.faces``, ``output.faces``: faces, whether they are real, whose they are, whether they consented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guardrail.checks.base import CheckSettings, Failure, Region, SignalValues
from guardrail.checks.image.backends.base import DetectedFace, Embedder, FaceDetector, FloatArray
from guardrail.checks.image.realness import REAL_SCORE, judge_face
from guardrail.decision import EffectiveCheck
from guardrail.errors import CheckError, ConfigurationError
from guardrail.media import ImageInput, Request
from guardrail.media.types import Frame
from guardrail.signals import CORE, ItemValue, SignalSpec, Stage

if TYPE_CHECKING:
    from guardrail.gallery import GalleryIndex

__all__ = ["FaceCheck", "FaceEvidence"]

# Under 16 pixels no recogniser tried here finds a person any more in a closed gallery (rank-1 71 % at 16, 34 % at 12).
IDENTIFIABLE_PIXELS = 16.0
SAME_PLACE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class FaceEvidence:
    """What is needed to recognise a face again: the detection and, once computed, its vector."""

    face: DetectedFace
    vector: FloatArray | None
    embedder: str


class FaceCheck:
    """Detector, realness, embedder and gallery behind one signal.

    Raises:
        ConfigurationError: models or packages of the chosen backend are missing (see `CheckSettings.face_backend`).
    """

    name = "faces"
    version = "1"
    stages = frozenset({Stage.REFERENCE, Stage.OUTPUT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["reference.faces"], CORE["output.faces"])
    inline = False
    timeout_s = 30.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        settings = settings or CheckSettings()
        self.detector, self.embedder = choose_backend(settings)
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
        for frame, pixels in image.views():
            seen = [r.box for r in regions if r.frame == frame]
            faces = [f for f in self.detector.detect(pixels) if not any(_overlap(f.box, b) > SAME_PLACE for b in seen)]
            known = [f for f in faces if _identifiable(f)] if gallery is not None and len(gallery) else []
            vectors = self.embedder.embed(pixels, known) if known else None
            if vectors is not None and not np.isfinite(vectors).all():
                raise CheckError("the face embedder gave a vector that is not finite")
            for face in faces:
                vector = vectors[known.index(face)] if vectors is not None and face in known else None
                fields = self._fields(pixels, face, vector, gallery, purpose, stage)
                evidence = FaceEvidence(face, vector, self.embedder.name)
                regions.append(Region(index, frame, face.box, "face", face.score, fields, evidence))
        return regions

    def _fields(
        self,
        pixels: Frame,
        face: DetectedFace,
        vector: FloatArray | None,
        gallery: GalleryIndex | None,
        purpose: str,
        stage: Stage,
    ) -> dict[str, float | bool | str]:
        fields: dict[str, float | bool | str] = {
            "real": REAL_SCORE[judge_face(pixels, face.box)],
            "identifiable": _identifiable(face),
            "match": 0.0,
            "gallery": "none",
        }
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

        Looked at where the face was, whether or not the detector still fires there, and at every face that the
        detector finds in that place. A featureless patch lies near some people by chance (a flat one was measured at
        0.62 from a face, under the threshold of 0.64): what counts is to be nearer than a flat fill is.
        """
        evidence = region.private
        if not isinstance(evidence, FaceEvidence):
            raise CheckError("the region does not come from this check")
        original = evidence.vector if evidence.vector is not None else self.embedder.embed(before, [evidence.face])[0]
        candidates = [evidence.face]
        candidates += [f for f in self.detector.detect(after) if _overlap(f.box, region.box) > 0.2]
        distances = np.linalg.norm(self.embedder.embed(after, candidates) - original, axis=1)
        flat = self.embedder.embed(_flattened(before, region.box), [evidence.face])[0]
        nothing = float(np.linalg.norm(flat - original)) - self.embedder.scale.margin
        return not bool((distances > min(self.embedder.scale.same, nothing)).all())

    def warmup(self) -> None:
        picture = np.full((64, 64, 3), 127, np.uint8)
        self.detector.detect(picture)
        face = DetectedFace(
            (16.0, 16.0, 32.0, 32.0), 1.0, np.array([[26, 28], [38, 28], [32, 34], [27, 41], [37, 41]], np.float32)
        )
        self.embedder.embed(picture, [face])

    def effective(self) -> EffectiveCheck:
        name = f"{self.name}: {self.detector.name} + {self.embedder.name}"
        return EffectiveCheck(name, self.version, {**self.detector.weights, **self.embedder.weights})


def choose_backend(settings: CheckSettings) -> tuple[FaceDetector, Embedder]:
    """Detector and embedder as the settings ask, or the best that is there.

    Raises:
        ConfigurationError: an unknown backend; WeightsMissing and MissingExtra with the mend.
    """
    from guardrail.weights import status

    wanted = settings.face_backend
    if wanted not in ("auto", "insightface", "yunet", "embedded"):
        raise ConfigurationError(f"no face backend is called {wanted!r}; there is: auto, insightface, yunet, embedded")
    if wanted == "insightface" or (wanted == "auto" and settings.insightface_pack):
        if not settings.insightface_pack:
            raise ConfigurationError("the insightface backend needs the folder of a local pack: insightface_pack=…")
        from guardrail.checks.image.backends.insight import InsightFacePack

        pack = InsightFacePack(settings.insightface_pack, threads=settings.threads)
        return pack, pack
    from guardrail.checks.image.backends.dlib_embedding import DlibEmbedding

    ready = {s.weight.name for s in status() if s.state == "ready"}
    if wanted == "yunet" or (wanted == "auto" and "yunet" in ready):
        from guardrail.checks.image.backends.yunet import YuNet

        return YuNet(threads=settings.threads), DlibEmbedding()
    from guardrail.checks.image.backends.centerface import CenterFace

    return CenterFace(threads=settings.threads), DlibEmbedding()


def _flattened(image: Frame, box: tuple[float, float, float, float]) -> Frame:
    """The image with the face, and a third around it, in one colour: nothing of anybody is left there."""
    x, y, w, h = box
    left, top = max(0, int(x - 0.15 * w)), max(0, int(y - 0.15 * h))
    out = image.copy()
    patch = out[top : max(top, int(y + 1.15 * h) + 1), left : max(left, int(x + 1.15 * w) + 1)]
    if not patch.size:
        return out
    patch[:] = np.rint(patch.mean((0, 1), keepdims=True)).astype(np.uint8)
    return out


def _identifiable(face: DetectedFace) -> bool:
    return min(face.box[2], face.box[3]) >= IDENTIFIABLE_PIXELS


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two (left, top, width, height) boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inner = max(0.0, width) * max(0.0, height)
    return inner / (a[2] * a[3] + b[2] * b[3] - inner + 1e-9)
