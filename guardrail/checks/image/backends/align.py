"""Aligning a face to the 112-pixel template that ArcFace-style embedders expect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardrail.checks.image.backends.base import FloatArray
from guardrail.errors import CheckError
from guardrail.media.types import Frame

__all__ = ["align_112"]

SIDE = 112
# Where the five landmarks of an upright face lie in the template (Deng et al. 2019, arXiv 1801.07698, and its code).
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)


def align_112(image: Frame, landmarks: FloatArray) -> Frame:
    """The face as (112, 112, 3) RGB uint8, rotated, scaled and shifted so that its landmarks fit the template.

    Raises:
        CheckError: the landmarks lie in one point, or are not finite: nothing can be aligned by them.
    """
    from PIL import Image

    if not np.isfinite(landmarks).all() or float(np.ptp(landmarks, axis=0).max()) < 1e-3:
        raise CheckError("the landmarks of a face lie in one point, or nowhere")
    forward = similarity(landmarks.astype(np.float64), TEMPLATE)
    inverse = np.linalg.inv(forward)
    # Only what the crop shows is given to the library, which would copy the whole picture for each face.
    corners = (inverse @ np.array([[0, SIDE, 0, SIDE], [0, 0, SIDE, SIDE], [1, 1, 1, 1]]))[:2]
    left, top = np.clip(np.floor(corners.min(1)) - 2, 0, (image.shape[1] - 1, image.shape[0] - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(1)) + 2, (left + 1, top + 1), image.shape[1::-1]).astype(int)
    inverse[:2, 2] -= (left, top)
    data = tuple(float(v) for v in inverse[:2].ravel())
    picture = Image.fromarray(np.ascontiguousarray(image[top:bottom, left:right]))
    return np.asarray(picture.transform((SIDE, SIDE), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR))


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 3×3 similarity transform that maps `source` points to `target` with least squares (Umeyama 1991)."""
    mean_source, mean_target = source.mean(0), target.mean(0)
    centred_source, centred_target = source - mean_source, target - mean_target
    covariance = centred_target.T @ centred_source / len(source)
    u, scales, vt = np.linalg.svd(covariance)
    flip = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(flip) @ vt
    variance = max(float(centred_source.var(0).sum()), 1e-9)
    scale = float((scales * flip).sum()) / variance
    transform = np.eye(3)
    transform[:2, :2] = scale * rotation
    transform[:2, 2] = mean_target - scale * rotation @ mean_source
    return transform
