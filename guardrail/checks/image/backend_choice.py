"""Which detector and which embedder a guard runs."""

from __future__ import annotations

from guardrail.checks.base import CheckSettings
from guardrail.checks.image.backends.base import Embedder, WindowDetector
from guardrail.errors import ConfigurationError

__all__ = ["BACKENDS", "choose_backend"]

BACKENDS = ("auto", "insightface", "opencv", "yunet", "embedded")


def choose_backend(settings: CheckSettings) -> tuple[WindowDetector, Embedder]:
    """Detector and embedder as the settings ask, or the best that is there.

    ``opencv`` is YuNet with SFace, ``yunet`` is YuNet with dlib's embedding, or with that of a pack
    where one is given; ``embedded`` is CenterFace with dlib's.
    ``auto`` never takes SFace: its thresholds were not measured here.

    Raises:
        ConfigurationError: an unknown backend, or a pack that it would ignore; WeightsMissing and MissingExtra with the
            mend.
    """
    wanted = settings.face_backend
    if wanted not in BACKENDS:
        raise ConfigurationError(f"no face backend is called {wanted!r}; there is: {', '.join(BACKENDS)}")
    if settings.insightface_pack and wanted in ("opencv", "embedded"):
        # Vectors of another embedder are never compared: whoever was enrolled with the pack would be nobody here.
        raise ConfigurationError(
            f"the face backend {wanted} takes no pack; leave insightface_pack out, or use auto, insightface or yunet"
        )
    if wanted == "insightface" or (wanted in ("auto", "yunet") and settings.insightface_pack):
        if not settings.insightface_pack:
            raise ConfigurationError("the insightface backend needs the folder of a local pack: insightface_pack=…")
        from guardrail.checks.image.backends.insight import InsightFacePack

        pack = InsightFacePack(settings.insightface_pack, threads=settings.threads)
        return (_yunet(settings.threads) if wanted == "yunet" else pack), pack
    if wanted == "opencv":
        from guardrail.checks.image.backends.sface import SFace, find_sface

        return _opencv_yunet(settings.threads), SFace(find_sface(), threads=settings.threads)
    from guardrail.checks.image.backends.dlib_embedding import DlibEmbedding

    if wanted == "yunet" or (wanted == "auto" and _ready("yunet")):
        return _yunet(settings.threads), DlibEmbedding(threads=settings.threads)
    from guardrail.checks.image.backends.centerface import CenterFace

    return CenterFace(threads=settings.threads), DlibEmbedding(threads=settings.threads)


def _yunet(threads: int) -> WindowDetector:
    from guardrail.checks.image.backends.yunet import YuNet

    return YuNet(threads=threads)


def _opencv_yunet(threads: int) -> WindowDetector:
    from guardrail.checks.image.backends.opencv import opencv_fault
    from guardrail.checks.image.backends.yunet import OpenCVYuNet, YuNet

    return YuNet(threads=threads) if opencv_fault() else OpenCVYuNet()


def _ready(name: str) -> bool:
    from guardrail.weights import status

    return any(s.weight.name == name and s.state == "ready" for s in status())
