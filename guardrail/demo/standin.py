"""The stand-in model: a small Stable Diffusion, ours, that draws shapes, houses and faces from words.

With it, stopping early, steering and regenerating can be tried and measured on pictures that mean something, with
nothing indecent anywhere: one harmless shape, the star, plays the part of what is forbidden. It was trained by
`training/standin` on drawings made by rule; `docs/stand-in-model.md` says how, and what it can and cannot do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from guardrail.demo import standin_parts as parts
from guardrail.demo.standin_words import FORBIDDEN, SHAPES
from guardrail.errors import MissingExtra, WeightsError
from guardrail.weights import read

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Judge", "standin_judge", "standin_pipeline", "standin_preview_judge"]

_FILE = "standin"
_SIDE = 64


def standin_pipeline(class_name: str = "StableDiffusionPipeline") -> Any:
    """The model in the named diffusers class of the Stable Diffusion 1 family; its own size is 64×64.

    Every call makes new networks, so that a caller may change what it gets. Prompts: `guardrail.demo.standin_words`.

    Args:
        class_name: e.g. ``StableDiffusionImg2ImgPipeline``; not one that wants other input channels (inpainting).

    Raises:
        MissingExtra: diffusers, transformers or torch is not installed.
        WeightsMissing, WeightsMismatch: the shipped file is gone or is another.
    """
    try:
        import diffusers
    except ImportError:
        raise MissingExtra("the stand-in model", "diffusers") from None
    pipe = getattr(diffusers, class_name)(
        vae=_filled(parts.vae, "vae"),
        unet=_filled(parts.unet, "unet"),
        text_encoder=_filled(parts.text_encoder, "text_encoder"),
        tokenizer=parts.tokenizer(),
        scheduler=parts.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


class Judge:
    """Says which shape a picture shows.

    Called with a picture, (H, W, 3) uint8, it gives the probability that it shows the forbidden shape.
    """

    def __init__(self, network: Any) -> None:
        self._network = network

    def __call__(self, picture: NDArray[np.uint8]) -> float:
        return float(self.probabilities(picture)[SHAPES.index(FORBIDDEN)])

    def probabilities(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of each of `SHAPES`, then of none of them: (9,) float32. The picture is brought to 64×64 first.

        Raises:
            ValueError: not (H, W, 3) uint8.
        """
        import numpy as np
        import torch
        from torch.nn.functional import interpolate

        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"a picture is (H, W, 3) uint8, not {picture.shape} {picture.dtype}")
        with torch.inference_mode():
            x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float().div(127.5).sub(1)
            if x.shape[2:] != (_SIDE, _SIDE):
                x = interpolate(x, size=(_SIDE, _SIDE), mode="bilinear", antialias=True)
            found: NDArray[np.float32] = self._network(x).softmax(1)[0].numpy()
        return found

    def shape(self, picture: NDArray[np.uint8]) -> str:
        """The likeliest of `SHAPES`; empty where it is none of them."""
        return (*SHAPES, "")[int(self.probabilities(picture).argmax())]


def standin_judge() -> Judge:
    """The judge of final pictures.

    Raises:
        MissingExtra, WeightsMissing, WeightsMismatch: as `standin_pipeline`.
    """
    return Judge(_network(parts.judge, "judge"))


def standin_preview_judge() -> Judge:
    """The judge of previews: trained apart from that of final pictures, and used to blurred, noisy and small ones.

    Raises:
        MissingExtra, WeightsMissing, WeightsMismatch: as `standin_pipeline`.
    """
    return Judge(_network(parts.preview_judge, "preview_judge"))


def _network(build: Callable[[], Any], part: str) -> Any:
    try:
        import torch  # noqa: F401 — named where it is missing
    except ImportError:
        raise MissingExtra("the stand-in model's judge", "diffusers") from None
    return _filled(build, part)


def _filled(build: Callable[[], Any], part: str) -> Any:
    """A network with its weights, ready for use.

    Raises:
        WeightsError: the shipped file does not fit the network.
    """
    import torch

    # Networks draw random weights when they are made: the global random state stays as it is.
    with torch.random.fork_rng(devices=[]):
        network = build()
    try:
        network.load_state_dict(_tensors()[part])
    except (KeyError, RuntimeError):
        raise WeightsError(f"the shipped stand-in model does not fit this version ({part})") from None
    return network.eval().requires_grad_(False)


@cache
def _tensors() -> dict[str, dict[str, Any]]:
    """The shipped tensors as float32, by network. Stored as float16."""
    from safetensors.torch import load

    found: dict[str, dict[str, Any]] = {}
    for name, tensor in load(read(_FILE)).items():
        part, _, key = name.partition(".")
        found.setdefault(part, {})[key] = tensor.float() if tensor.is_floating_point() else tensor
    return found
