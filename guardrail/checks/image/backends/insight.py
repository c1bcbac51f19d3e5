"""insightface packs from a local folder: the adapter never lets the library download anything.

insightface's code is MIT; its own pretrained packs are for non-commercial research unless licensed. The pack is the
user's: this module only says so. The library takes BGR, prints and fails with bare assertions; all of that is turned
into named errors here.
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
from guardrail.checks.image.backends.base import DetectedFace, FloatArray, MatchScale, fit_long_side
from guardrail.errors import MissingExtra, WeightsError, WeightsMissing
from guardrail.media.types import Frame

__all__ = ["InsightFacePack"]

LONG_SIDE = 1280
THRESHOLD = 0.5


class InsightFacePack:
    """Detector and embedder out of one pack folder.

    Args:
        folder: absolute path of a folder with ``.onnx`` files: an SCRFD detector and a recognition model.

    Raises:
        MissingExtra: insightface is not installed.
        WeightsMissing: the folder is not there or lacks one of the two models.
        WeightsError: the library refuses a file of it.
    """

    name = "insightface"
    # Vectors are normalised: distance² = 2 − 2 · cosine. Cosine 0.252 was measured on held-out identities at a false
    # match rate of 1 %, 0.333 at 0.1 %; consent takes 0.40 and a margin. Both hold for MobileFaceNet: other packs have
    # other scales, and a deployment measures its own.
    scale = MatchScale(
        same=float(np.sqrt(2 - 2 * 0.252)), consent=float(np.sqrt(2 - 2 * 0.40)), margin=0.05, far=float(np.sqrt(2.0))
    )

    def __init__(self, folder: str | Path, *, threads: int = 1) -> None:
        path = Path(folder).expanduser().absolute()
        files = sorted(path.glob("*.onnx"))
        if not files:
            raise WeightsMissing(f"{path} has no .onnx files; give the folder of a local insightface pack")
        # An existing absolute path is loaded as it is; a bare name would be looked for on the network.
        self.weights: Mapping[str, str] = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
        analysis = _load(path, threads)
        missing = {"detection", "recognition"} - set(analysis.models)
        if missing:
            raise WeightsMissing(f"the insightface pack {path} has no {' and no '.join(sorted(missing))} model")
        self._detector = analysis.models["detection"]
        if not getattr(self._detector, "use_kps", False):
            raise WeightsMissing(f"the detection model in {path} gives no landmarks, which the embedder needs")
        self._recogniser = analysis.models["recognition"]
        digest = hashlib.sha256(repr(sorted(self.weights.items())).encode()).hexdigest()[:12]
        self.name = f"insightface-{digest}"
        self.dimension = int(self._recogniser.session.get_outputs()[0].shape[-1])

    def detect(self, image: Frame) -> list[DetectedFace]:
        small, factor = fit_long_side(image, LONG_SIDE)
        boxes, marks = self._detector.detect(np.ascontiguousarray(small[..., ::-1]))
        found: list[DetectedFace] = []
        for box, points in zip(boxes, marks, strict=True):
            left, top, right, bottom, score = (float(v) for v in box)
            scaled = (left / factor, top / factor, (right - left) / factor, (bottom - top) / factor)
            found.append(DetectedFace(scaled, score, np.asarray(points, np.float32) / factor))
        return sorted(found, key=lambda f: -f.score)

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        vectors = np.zeros((len(faces), self.dimension), np.float32)
        for i, face in enumerate(faces):
            # Aligned here: the library's own alignment uses a call that scikit-image is about to remove.
            crop = align_112(image, face.landmarks)
            feature = np.asarray(self._recogniser.get_feat([np.ascontiguousarray(crop[..., ::-1])]), np.float32).ravel()
            vectors[i] = feature / max(float(np.linalg.norm(feature)), 1e-9)
        return vectors


def _load(path: Path, threads: int) -> Any:
    try:
        import onnxruntime as ort
        from insightface.app import FaceAnalysis
    except ImportError as error:
        note = (
            "cv2 cannot be loaded: on a machine without libGL use opencv-python-headless"
            if error.name != ("insightface")
            else "the packs of the project itself are for non-commercial use"
        )
        raise MissingExtra("an insightface pack", "insightface", note) from None
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        # The library prints what it finds.
        with contextlib.redirect_stdout(io.StringIO()):
            analysis = FaceAnalysis(name=str(path), providers=["CPUExecutionProvider"], sess_options=options)
            analysis.prepare(ctx_id=-1, det_thresh=THRESHOLD, det_size=(640, 640))
    except AssertionError:
        raise WeightsMissing(f"insightface finds no detection model in {path}") from None
    except Exception as error:  # noqa: BLE001 - ONNX Runtime has error classes of its own, and the library none
        raise WeightsError(f"insightface cannot load the pack {path}: {type(error).__name__}") from None
    return analysis
