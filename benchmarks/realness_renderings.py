"""Photographs rendered as depictions by other means than the training set's, for measuring only.

OpenCV's own filters, contours traced into polygons, triangles between edge points, a browser's SVG filters: no code is
shared with `training/faces`. Every rendering takes and gives an (H, W, 3) uint8 RGB picture.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["CHANGES", "RENDERINGS"]

Picture = npt.NDArray[np.uint8]


def stylization(p: Picture) -> Picture:
    """Gastal and Oliveira's domain transform (2011), edges kept, as OpenCV ships it."""
    return cv2.stylization(p, sigma_s=60, sigma_r=0.45)


def pencil_grey(p: Picture) -> Picture:
    return cv2.cvtColor(cv2.pencilSketch(p, sigma_s=40, sigma_r=0.08, shade_factor=0.05)[0], cv2.COLOR_GRAY2RGB)


def pencil_colour(p: Picture) -> Picture:
    return cv2.pencilSketch(p, sigma_s=40, sigma_r=0.08, shade_factor=0.05)[1]


def cartoon(p: Picture) -> Picture:
    """Bilateral filters and adaptive-threshold outlines, as in countless tutorials."""
    smooth = p
    for _ in range(4):
        smooth = cv2.bilateralFilter(smooth, 9, 60, 7)
    grey = cv2.medianBlur(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), 5)
    edges = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, 4)
    return cv2.bitwise_and(smooth, smooth, mask=edges)


def mean_shift(p: Picture) -> Picture:
    return cv2.pyrMeanShiftFiltering(p, 12, 38)


def edge_preserving(p: Picture) -> Picture:
    return cv2.edgePreservingFilter(p, flags=cv2.NORMCONV_FILTER, sigma_s=60, sigma_r=0.5)


def traced(p: Picture) -> Picture:
    """Twelve colours, the outline of every area as a polygon: what a vectoriser makes."""
    smooth = cv2.medianBlur(cv2.bilateralFilter(p, 7, 40, 5), 5)
    flat = smooth.reshape(-1, 3).astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 1.0)
    cv2.setRNGSeed(1)
    _, labels, centres = cv2.kmeans(flat, 12, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    labels = labels.reshape(p.shape[:2])
    out = np.empty_like(p)
    out[:] = centres.mean(0)
    for k in np.argsort(-np.bincount(labels.ravel(), minlength=len(centres))):
        mask = (labels == k).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        shapes = [cv2.approxPolyDP(c, 1.2, True) for c in contours if cv2.contourArea(c) > 6]
        cv2.fillPoly(out, shapes, tuple(float(v) for v in centres[k]), cv2.LINE_AA)
    return out


def triangles(p: Picture) -> Picture:
    """Low poly: Delaunay triangles between edge points, each in its mean colour."""
    height, width = p.shape[:2]
    corners = cv2.goodFeaturesToTrack(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), 700, 0.005, max(3, min(p.shape[:2]) / 45))
    plane = cv2.Subdiv2D((0, 0, width, height))
    for x, y in corners.reshape(-1, 2):
        plane.insert((float(x), float(y)))
    for x in np.linspace(0, width - 1, 6):
        for y in (0.0, height - 1.0):
            plane.insert((float(x), y))
    out = p.copy()
    for triangle in plane.getTriangleList().reshape(-1, 3, 2):
        points = np.clip(triangle, 0, (width - 1, height - 1)).astype(np.int32)
        x, y, w, h = cv2.boundingRect(points)
        mask = np.zeros((h, w), np.uint8)
        cv2.fillConvexPoly(mask, points - (x, y), 255)
        cv2.fillConvexPoly(out, points, cv2.mean(p[y : y + h, x : x + w], mask)[:3], cv2.LINE_AA)
    return out


RENDERINGS: dict[str, Callable[[Picture], Picture]] = {
    f.__name__: f
    for f in (
        stylization,
        pencil_grey,
        pencil_colour,
        cartoon,
        mean_shift,
        edge_preserving,
        traced,
        triangles,
    )
}
"""How photographs of ../shared are rendered."""


def _jpeg(p: Picture, quality: int) -> Picture:
    done, file = cv2.imencode(".jpg", p[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.ascontiguousarray(cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1])


def _resized(p: Picture, factor: float, way: int) -> Picture:
    return cv2.resize(p, None, fx=factor, fy=factor, interpolation=way)


def _scaled(p: Picture, factor: float, around: int) -> Picture:
    """Less light (around 0), or less contrast (around 128)."""
    return np.rint(around + (p.astype(np.float32) - around) * factor).astype(np.uint8)


CHANGES: dict[str, tuple[float, Callable[[Picture], Picture]]] = {
    "as it is": (1.0, lambda p: p),
    "JPEG 60": (1.0, lambda p: _jpeg(p, 60)),
    "JPEG 30": (1.0, lambda p: _jpeg(p, 30)),
    "half the size": (0.5, lambda p: _resized(p, 0.5, cv2.INTER_AREA)),
    "double the size": (2.0, lambda p: _resized(p, 2.0, cv2.INTER_CUBIC)),
    "half, double, JPEG 70": (
        1.0,
        lambda p: _jpeg(_resized(_resized(p, 0.5, cv2.INTER_AREA), 2, cv2.INTER_LINEAR), 70),
    ),
    "blurred (sigma 1.5)": (1.0, lambda p: cv2.GaussianBlur(p, (0, 0), 1.5)),
    "grey": (1.0, lambda p: cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)),
    "noise removed (median 3)": (1.0, lambda p: cv2.medianBlur(p, 3)),
    "skin smoothed (bilateral)": (1.0, lambda p: cv2.bilateralFilter(p, 7, 25, 5)),
    "dark (8 %)": (1.0, lambda p: _scaled(p, 0.08, 0)),
    "very dark (4 %)": (1.0, lambda p: _scaled(p, 0.04, 0)),
    "faded (8 %)": (1.0, lambda p: _scaled(p, 0.08, 128)),
    "blurred (sigma 1.5), dark (12 %)": (1.0, lambda p: _scaled(cv2.GaussianBlur(p, (0, 0), 1.5), 0.12, 0)),
    "blurred (sigma 3), dark (8 %)": (1.0, lambda p: _scaled(cv2.GaussianBlur(p, (0, 0), 3), 0.08, 0)),
    "sharpened": (1.0, lambda p: cv2.addWeighted(p, 1.8, cv2.GaussianBlur(p, (0, 0), 1.5), -0.8, 0)),
}
"""What happens to photographs without their becoming anything else: how the box scales, and the change."""
