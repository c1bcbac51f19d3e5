"""insightface packs (2.1) from a local folder: the adapter never lets the library download anything.

insightface's code is MIT; its own pretrained packs are for non-commercial research unless licensed. The pack is the
user's: this module only says so. The library takes BGR, prints, and fails with bare assertions; all of that is turned
into named errors here. A name that is no existing folder would make it download, without a checksum: only an absolute
folder that is there and pinned (`guardrail.weights.pins`) ever reaches it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from guardrail.checks.image.backends.align import align_112
from guardrail.checks.image.backends.base import (
    DetectedFace,
    DetectionThresholds,
    FloatArray,
    MatchScale,
    require_finite,
)
from guardrail.checks.image.backends.opencv import opencv_fault
from guardrail.errors import CheckError, MissingExtra, WeightsError, WeightsMissing
from guardrail.media.types import Frame
from guardrail.weights.pins import verify_pack
from guardrail.weights.session import CPU, gpu_providers, in_force, session_options

__all__ = ["InsightFacePack", "licence_state"]

# A model with free sizes looks at windows of these sides as they are, and at all others enlarged to the largest; a
# model of one size looks at all of them so.
SIDES = (192, 384, 640)


def _distance(cosine: float) -> float:
    return float(np.sqrt(2 - 2 * cosine))


class InsightFacePack:
    """Detector and embedder out of one pack folder.

    Args:
        folder: absolute path of a folder with ``.onnx`` files, an SCRFD detector and a recognition model, and the
            manifest that ``guardrail models pin FOLDER`` writes.

    Raises:
        MissingExtra: insightface is not installed, or cv2 cannot be loaded.
        WeightsMissing: the folder is not there or not pinned, or lacks one of the two models.
        WeightsMismatch: a file of it is not the one pinned.
        WeightsError: the path is relative, or the library refuses a file.
    """

    name = "insightface"
    side = 640
    # SCRFD 2.5g: true upright faces of 14 pixels and more scored 0.69 and more at the second look, the one on its side
    # 0.51. Thresholds of the detectors of other packs were not measured.
    thresholds = DetectionThresholds(candidate=0.3, certain=0.75, confirm=0.6)
    # Vectors are normalised: distance² = 2 − 2 · cosine. Over 1,595 pairs of different people in the test photographs
    # cosine 0.28 is passed by 1.0 %, 0.358 by 0.1 %, 0.390 by one; of the 235 pairs of one person all pass 0.30.
    # Consent takes 0.40 and a margin.
    scale = MatchScale(
        same=_distance(0.28),
        consent=_distance(0.40),
        margin=0.05,
        far=_distance(0.0),
        basis="measured for MobileFaceNet only; other packs have other scales: measure yours",
        rates=((6.3e-4, _distance(0.390)), (1e-3, _distance(0.358)), (1e-2, _distance(0.28))),
    )

    def __init__(self, folder: str | Path, *, threads: int = 1) -> None:
        path = Path(folder).expanduser()
        if not path.is_absolute():
            raise WeightsError(
                f"an insightface pack is given by the absolute path of its folder, not by a name like {str(folder)!r}: "
                "a name would be looked for in the current folder and on the network"
            )
        if not path.is_dir():
            raise WeightsMissing(f"{path} is not a folder; give the folder of a local insightface pack")
        pins = verify_pack(path)
        self.weights: Mapping[str, str] = dict(sorted(pins.files.items()))
        analysis = _load(path, threads)
        # The library opens the files by itself: what it read must still be what was pinned.
        verify_pack(path)
        self.licence = licence_state(path, pins.licence)
        missing = {"detection", "recognition"} - set(analysis.models)
        if missing:
            raise WeightsMissing(f"the insightface pack {path} has no {' and no '.join(sorted(missing))} model")
        self._detector, self._recogniser = analysis.models["detection"], analysis.models["recognition"]
        if not getattr(self._detector, "use_kps", False):
            raise WeightsMissing(f"the detection model in {path} gives no landmarks, which the embedder needs")
        fixed = getattr(self._detector, "static_input_size", None)
        self._sides: tuple[int, ...] = SIDES if fixed is None else (min(int(v) for v in fixed),)
        self.side = self._sides[-1]
        # The mean with the mirror image is part of what a vector is (see `embed`).
        digest = hashlib.sha256(repr([*self.weights.items(), "mirrored"]).encode()).hexdigest()[:12]
        self.name = f"insightface-{digest}"
        self.provider = in_force(self._recogniser.session)
        self.dimension = int(self._recogniser.session.get_outputs()[0].shape[-1])

    def candidates(self, window: Frame) -> list[DetectedFace]:
        height, width = window.shape[:2]
        # The library enlarges what is smaller. That is wanted: of 61 photographs of 250 pixels and more, not enlarged,
        # the landmarks of one were wrong, with a score of 0.75.
        side = max(height, width) if max(height, width) in self._sides else self.side
        # Not thinner than what is left of a pixel when the other side is reduced.
        canvas = np.zeros((max(height, 16), max(width, 16), 3), np.uint8)
        canvas[:height, :width] = window[..., ::-1]
        with _named("detect"):
            boxes, marks = self._detector.detect(canvas, input_size=(side, side))
        require_finite([boxes, marks], self.name)
        found: list[DetectedFace] = []
        for box, points in zip(boxes, marks, strict=True):
            left, top, right, bottom, score = (float(v) for v in box)
            if (left + right) / 2 < width and (top + bottom) / 2 < height:
                landmarks = np.asarray(points, np.float32)
                found.append(DetectedFace((left, top, right - left, bottom - top), score, landmarks))
        return sorted(found, key=lambda f: -f.score)

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        vectors = np.zeros((len(faces), self.dimension), np.float32)
        for i, face in enumerate(faces):
            # Aligned here: the library's own alignment uses a call that scikit-image is about to remove. One by one:
            # some recognition models have a fixed batch of one.
            crop = np.ascontiguousarray(align_112(image, face.landmarks)[..., ::-1])
            # A face and its mirror image are one person: their mean, which is what such models are evaluated with, took
            # the true positive rate from 0.983 to 0.992 (benchmarks/faces.py, `identity`).
            both = sum(self._unit(c) for c in (crop, np.ascontiguousarray(crop[:, ::-1])))
            vectors[i] = both / max(float(np.linalg.norm(both)), 1e-9)
        return vectors

    def _unit(self, crop: Frame) -> FloatArray:
        with _named("embed"):
            feature = np.asarray(self._recogniser.get_feat([crop]), np.float32).ravel()
        require_finite([feature], self.name)
        unit: FloatArray = feature / np.float32(max(float(np.linalg.norm(feature)), 1e-9))
        return unit


def licence_state(folder: Path, stated: str) -> str:
    """What is known of the right to use the pack: a signed licence in it, or what the user said when pinning it.

    Packs of the insightface project without a signed licence are for non-commercial research, whatever was stated.
    """
    from insightface.model_zoo.model_license import inspect_model_package_license

    found = inspect_model_package_license(folder)
    signed = found.status.replace("_", "-")
    if found.status == "default_non_commercial":
        return f"no signed licence; stated by the user: {stated} (packs of the insightface project: non-commercial)"
    return f"{signed}; stated by the user: {stated}"


def _load(path: Path, threads: int) -> Any:
    fault = opencv_fault()
    if fault:
        raise MissingExtra("an insightface pack", "insightface", fault)
    try:
        from insightface.app import FaceAnalysis
    except ImportError as error:
        note = f"{error.name or 'a module of it'} cannot be loaded; its own packs are for non-commercial use"
        raise MissingExtra("an insightface pack", "insightface", note) from None
    providers = [*gpu_providers(), CPU]
    try:
        # The library prints what it finds.
        with contextlib.redirect_stdout(io.StringIO()):
            analysis = FaceAnalysis(
                name=str(path),
                allowed_modules=["detection", "recognition"],
                providers=providers,
                sess_options=session_options(threads),
                static_shape_sessions=False,
            )
            threshold = InsightFacePack.thresholds.candidate
            # A context under 0 would force the CPU.
            analysis.prepare(ctx_id=0 if len(providers) > 1 else -1, det_thresh=threshold, det_size=(640, 640))
    except AssertionError:
        # Some published archives unpack into a folder of the same name inside.
        inner = " itself, only in folders inside it; give one of those" if not list(path.glob("*.onnx")) else ""
        raise WeightsMissing(f"insightface finds no detection model in {path}{inner}") from None
    except Exception as error:  # noqa: BLE001 - ONNX Runtime has error classes of its own, and the library none
        raise WeightsError(f"insightface cannot load the pack {path}: {type(error).__name__}") from None
    return analysis


@contextlib.contextmanager
def _named(what: str) -> Any:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the library fails with whatever its parts raise
        raise CheckError(f"insightface could not {what} a face: {type(error).__name__}") from None
