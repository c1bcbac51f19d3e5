"""A small classifier that tells renderings from photographs, as `training/faces` makes it: a backend of `judge_face`.

Not part of the product: the benchmark measures with it whether one may ship.

Seven convolutions over the face at 80×80. It looks at each face twice, close and with its surroundings, and the less
sure look counts. None is shipped: see docs/realness.md for what must be measured first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from guardrail.checks.image.face_view import Box, face_view
from guardrail.errors import CheckError, ConfigurationError
from guardrail.media.types import Frame
from guardrail.weights.session import onnx_session

__all__ = ["SIDE", "SMALLEST_PIXELS", "VIEWS", "TrainedRealness"]

SIDE = 80
"""Side of what the model sees, in pixels."""
VIEWS = (1.0, 1.4)
"""Sides of the looks, in lengths of the longer side of the face's box."""
SMALLEST_PIXELS = 40
"""Shorter side of a face's box under which nothing is called a depiction: it was trained from 32 pixels on."""


class TrainedRealness:
    """See `guardrail.checks.image.realness.RealnessBackend`. Immutable and thread-safe.

    Args:
        model: the ONNX file's bytes, verified by the caller. Input ``face`` (n, 80, 80, 3) uint8 RGB, output
            ``depiction`` (n,) float32 logits.
        at_least: logit from which on it is sure; measured with ``benchmarks/realness.py``.

    Raises:
        ConfigurationError: the threshold is not finite, or the file is no such model.
    """

    name = "trained"

    def __init__(self, model: bytes, at_least: float) -> None:
        if not np.isfinite(at_least):
            raise ConfigurationError("the realness classifier needs a threshold that is a number")
        self.weights: Mapping[str, str] = {"realness.onnx": hashlib.sha256(model).hexdigest()}
        self.at_least = at_least
        self._session = onnx_session(model, 1)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if [(i.name, i.type, i.shape[1:]) for i in inputs] != [("face", "tensor(uint8)", [SIDE, SIDE, 3])] or [
            o.name for o in outputs
        ] != ["depiction"]:
            raise ConfigurationError("the file is no realness classifier: its inputs or outputs are others")

    def is_depiction(self, image: Frame, box: Box) -> bool:
        """Whether every look is sure.

        Raises:
            CheckError: the model gave a value that is no number.
        """
        logit = self.logit(image, box)
        return logit is not None and logit >= self.at_least

    def logit(self, image: Frame, box: Box) -> float | None:
        """How much the face looks rendered: higher is more.

        Args:
            image: (H, W, 3) uint8 RGB.
            box: left, top, width, height of the face in pixels.

        Returns:
            The lowest logit of the looks; ``None`` where the face is too small or does not meet the image.

        Raises:
            CheckError: the model gave a value that is no number.
        """
        if min(box[2:]) < SMALLEST_PIXELS:
            return None
        lowest = np.inf
        for scale in VIEWS:
            view = face_view(image, box, scale, SIDE)
            if view is None:
                return None
            # One look at a time: the last bits of a batch's rows depend on its size.
            logit = float(self._session.run(None, {"face": view[None]})[0][0])
            if not np.isfinite(logit):
                raise CheckError("the realness classifier gave a value that is no number")
            lowest = min(lowest, logit)
        return lowest
