"""Peers that judge pictures: NudeNet's own package, and the oldest method there is, the share of skin colour."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.bench.peers.base import Answer, Opened, Peer, package_version, without

__all__ = ["SKIN_SHARE", "nudenet", "skin", "skin_share"]

Pixels = NDArray[np.uint8]
"""(H, W, 3), RGB."""
SKIN_SHARE = 0.15
"""Ap-apid (2005): a picture with less skin than this share of its pixels shows no nude person."""
# Chai and Ngan (1999): where skin lies in the two colour-difference channels, of 0..255.
_CB, _CR = (77.0, 127.0), (133.0, 173.0)
# What NudeNet calls exposed and this project counts as explicit.
_EXPLICIT = frozenset(
    f"{part}_EXPOSED" for part in ("BUTTOCKS", "FEMALE_BREAST", "FEMALE_GENITALIA", "ANUS", "MALE_GENITALIA")
)


def skin() -> Peer:
    """The share of pixels with the colour of skin; nothing else is looked at."""
    return Peer(
        "skin-colour share",
        "image",
        lambda: Opened(_skin),
        "1",
        "Apache-2.0",
        f"share ≥ {SKIN_SHARE:g} (Ap-apid 2005)",
        "nothing",
    )


def _skin(pixels: Pixels) -> Answer:
    share = skin_share(pixels)
    return Answer("block" if share >= SKIN_SHARE else "allow", share)


def skin_share(pixels: Pixels) -> float:
    """0..1 of an (H, W, 3) RGB uint8 picture: pixels whose Cb and Cr (ITU-R BT.601, full range) are those of skin.

    Chai and Ngan, "Face segmentation using skin-color map in videophone applications" (1999).
    """
    rgb = pixels.astype(np.float32)
    cb = rgb @ np.array([-0.168736, -0.331264, 0.5], np.float32) + 128
    cr = rgb @ np.array([0.5, -0.418688, -0.081312], np.float32) + 128
    of_skin = (cb >= _CB[0]) & (cb <= _CB[1]) & (cr >= _CR[0]) & (cr <= _CR[1])
    return float(of_skin.mean())


def nudenet() -> Peer:
    """NudeNet's package as it comes: its own scaling, its own boxes, its own floor."""
    return Peer(
        "NudeNet",
        "image",
        _nudenet,
        package_version("nudenet"),
        "to be treated as AGPL-3.0",
        "any exposed private part that it reports (from 0.2 on)",
        "what its authors collected",
        without("nudenet", '"guardrail-diffusion[nudity-agpl]"'),
        asked=True,
    )


def _nudenet() -> Opened:
    detector: Any = importlib.import_module("nudenet").NudeDetector()

    def judge(pixels: Pixels) -> Answer:
        # The package takes arrays for what OpenCV reads: blue, green, red.
        found = detector.detect(np.ascontiguousarray(pixels[..., ::-1]))
        scores = [float(one["score"]) for one in found if one["class"] in _EXPLICIT]
        return Answer("block" if scores else "allow", max(scores, default=0.0))

    return Opened(judge)
