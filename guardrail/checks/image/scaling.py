"""Pictures as a model of the hub wants them: which pieces it looks at, their size and scaling, without torchvision.

A classifier sees a square. A long picture squeezed into one is not what it was trained on, and the middle alone leaves
the ends unseen: so the whole is looked at, and of a long picture overlapping squares as well. The worst counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import ConfigurationError
from guardrail.media.types import Frame

__all__ = ["Scaling", "squares"]

# From this proportion on, squares along the long side are looked at as well.
LONG = 4 / 3
MOST_SQUARES = 8


@dataclass(frozen=True, slots=True)
class Scaling:
    """Size and colours that a model was trained with.

    Args:
        side: of the square, pixels.
        mean, deviation: per channel, of values in 0..1.
        resample: a number of `PIL.Image.Resampling`.
    """

    side: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    resample: int

    def rows(self, image: Frame) -> Iterator[NDArray[np.float32]]:
        """(1, 3, side, side) for each piece of an (H, W, 3) RGB uint8 image."""
        for piece in squares(image):
            yield self.row(piece)

    def row(self, piece: Frame) -> NDArray[np.float32]:
        """(1, 3, side, side) of an (H, W, 3) RGB uint8 image, squeezed into the square."""
        from PIL import Image

        small = Image.fromarray(np.ascontiguousarray(piece)).resize(
            (self.side, self.side), Image.Resampling(self.resample)
        )
        values = (np.asarray(small, np.float32) / 255.0 - np.asarray(self.mean)) / np.asarray(self.deviation)
        return np.ascontiguousarray(np.moveaxis(values, -1, 0)[None], np.float32)

    @classmethod
    def of_folder(cls, folder: Path, config: Mapping[str, Any], where: str) -> Scaling:
        """As ``preprocessor_config.json`` says (transformers), or ``pretrained_cfg`` in `config` (timm).

        Raises:
            ConfigurationError: neither says, or what it says is not understood.
        """
        try:
            cfg = config.get("pretrained_cfg")
            path = folder / "preprocessor_config.json"
            if path.is_file():
                return cls._of_processor(json.loads(path.read_text("utf-8")))
            if isinstance(cfg, dict):
                names = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
                resample = names[str(cfg.get("interpolation", "bicubic"))]
                return cls._checked(int(cfg["input_size"][-1]), cfg["mean"], cfg["std"], resample)
        except (OSError, KeyError, TypeError, ValueError, IndexError):
            raise ConfigurationError(f"{where}: how pictures are scaled for it cannot be read") from None
        raise ConfigurationError(f"{where} does not say how pictures are scaled for it (preprocessor_config.json)")

    @classmethod
    def _of_processor(cls, said: Mapping[str, Any]) -> Scaling:
        size = said.get("crop_size") if said.get("do_center_crop") else said["size"]
        size = said["size"] if size is None else size
        if isinstance(size, dict):
            side = size["height"] if "height" in size else size["shortest_edge"]
            if size.get("width", side) != side:
                raise ValueError("not a square")
        else:
            side = size
        if abs(float(said.get("rescale_factor", 1 / 255)) * 255 - 1) > 1e-3:
            raise ValueError("another scale than 0..1")
        plain = said.get("do_normalize", True)
        mean = said["image_mean"] if plain else (0.0, 0.0, 0.0)
        deviation = said["image_std"] if plain else (1.0, 1.0, 1.0)
        return cls._checked(int(side), mean, deviation, int(said.get("resample", 2)))

    @classmethod
    def _checked(cls, side: int, mean: Any, deviation: Any, resample: int) -> Scaling:
        means, deviations = tuple(float(v) for v in mean), tuple(float(v) for v in deviation)
        if not np.isfinite((*means, *deviations)).all():
            raise ValueError("not a number")
        if len(means) != 3 or len(deviations) != 3 or min(deviations) <= 0 or not 8 <= side <= 2048:
            raise ValueError("not three channels, or no size")
        if resample not in range(6):
            raise ValueError("no such way of resampling")
        return cls(side, (means[0], means[1], means[2]), (deviations[0], deviations[1], deviations[2]), resample)


def squares(image: Frame) -> Iterator[Frame]:
    """The whole image, and of a long one the squares along it, each overlapping the next by a quarter or more.

    At most `MOST_SQUARES`; of a longer strip each piece is longer than wide.
    """
    yield image
    height, width = image.shape[:2]
    long_side, short = max(height, width), min(height, width)
    if long_side < LONG * short:
        return
    count = min(MOST_SQUARES, int(np.ceil((long_side / short - 1) / 0.75)) + 1)
    piece = max(short, int(np.ceil(long_side / (1 + 0.75 * (count - 1)))))
    for start in np.linspace(0, long_side - piece, count).round().astype(int):
        yield image[start : start + piece] if height >= width else image[:, start : start + piece]
