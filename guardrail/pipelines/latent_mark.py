"""A mark in the starting noise, for operators who have the same model at detection.

The signs of the noise carry the mark, its sizes are those of a normal variable: Gaussian Shading (Yang et al., 2024,
arXiv 2404.04956) with one bit a value. The signs are a message, repeated and enciphered with a keystream of its own for
every image: with a key stream used twice the noise would not be normal any more for who sees both images (arXiv
2503.11404). Without the key the noise is N(0, 1), value by value and all together, so that the pictures are none the
worse for it.

Reading needs the noise back, which means inverting the sampler with the model that made the picture. How that is done
is for the caller: `LatentMark.detect_image` takes any function.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from guardrail.errors import UnsupportedInput
from guardrail.media.arrays import is_tensor
from guardrail.pipelines.provenance import Origin, ledger_of
from guardrail.pipelines.running import INNER

__all__ = ["FOUND_RATE", "Evidence", "ImageId", "LatentMark", "StartingNoise", "starting_noise"]

ImageId = str | bytes

# Largest false-positive rate, all candidates counted, at which an image counts as made from this key's noise.
FOUND_RATE = 1e-9

_KEY_OCTETS = 32
_LEAST_BITS = 64  # all of 64 by chance: 5e-20, which leaves room for 10^10 candidates
_SIZE_OCTETS = 8

# Classes whose `latents` are plain (B, C, h, w) noise of unit variance, and the part that says how many channels. Each
# was looked up in diffusers 0.42.1: the first four multiply by the scheduler's `init_noise_sigma` themselves, the
# flow-matching ones take the noise as it is.
_PLAIN = {
    **dict.fromkeys(("StableDiffusionPipeline", "StableDiffusionXLPipeline"), "unet"),
    **dict.fromkeys(("PixArtAlphaPipeline", "PixArtSigmaPipeline"), "transformer"),
    **dict.fromkeys(("StableDiffusion3Pipeline", "ZImagePipeline"), "transformer"),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What latents say about where they come from.

    Attributes:
        image_id: the candidate that fits best.
        matching: how many of its message bits were read.
        bits: of how many; half of them match by chance.
        candidates: ids that were tried.
        false_positive_rate: how often the best of so many candidates fits as well on latents that have nothing to do
            with the key: the binomial tail, exact, times the candidates (union bound), at most 1.
    """

    image_id: ImageId
    matching: int
    bits: int
    candidates: int
    false_positive_rate: float

    @property
    def found(self) -> bool:
        """Whether the rate is at most `FOUND_RATE`. False proves nothing."""
        return self.false_positive_rate <= FOUND_RATE


class LatentMark:
    """Starting noise that the holder of a key can recognise.

    Instances hold no mutable state: one may be used by many threads.

    Args:
        key: 32 bytes, for example ``keyring.derive("marks/latent/1")``. Whoever has it can read and forge the mark.
        bits: message bits, at least 64. More bits with fewer copies give the smallest rates on a good inversion.
        copies: how often each bit is repeated; ``None``: as often as the latents have room for.

    Raises:
        ValueError: the key is not 32 bytes, or a number is too small.
    """

    def __init__(self, key: bytes, *, bits: int = 256, copies: int | None = None) -> None:
        if not isinstance(key, bytes) or len(key) != _KEY_OCTETS:
            raise ValueError(f"a latent mark's key is {_KEY_OCTETS} bytes")
        if bits < _LEAST_BITS:
            raise ValueError(f"{bits} bits are too few to tell a mark from chance: at least {_LEAST_BITS}")
        if copies is not None and copies < 1:
            raise ValueError(f"a bit is there once or more often, not {copies} times")
        self._key = key
        self._bits = bits
        self._copies = copies
        octets = hashlib.shake_256(_seed(key, b"message")).digest(-(-bits // 8))
        self._message = _bits_of(octets, bits)

    def __repr__(self) -> str:
        return f"LatentMark(bits={self._bits}, copies={self._copies})"  # never the key

    def noise(
        self, shape: Sequence[int], image_id: ImageId | Sequence[ImageId], dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """Standard normal noise for one image or a batch. The same id gives the same noise.

        Args:
            shape: (C, h, w), or (B, C, h, w).
            image_id: one id for each image, used for no other image ever: two images from one noise give the mark
                away. A sequence of B ids for a batch.
            dtype: float16, float32 or float64.

        Returns:
            Noise of that shape, of unit variance, as a pipeline's ``latents=`` takes it before any scaling.

        Raises:
            ValueError: not such a shape, id or type; ids that are not distinct; fewer values than bits × copies.
        """
        if np.dtype(dtype) not in (np.float16, np.float32, np.float64):
            raise ValueError(f"noise is float16, float32 or float64, not {np.dtype(dtype)}")
        batch, plane = _split(shape)
        ids = [image_id] if isinstance(image_id, str | bytes) else list(image_id)
        if len(ids) != batch or len({_octets(i) for i in ids}) != batch:
            raise ValueError(f"{batch} images want {batch} ids, each another; {len(ids)} were given")
        return np.stack([self._one(plane, i) for i in ids]).reshape(tuple(shape)).astype(dtype)

    def _one(self, plane: tuple[int, int, int], image_id: ImageId) -> NDArray[np.float64]:
        from scipy.special import ndtri

        cells = int(np.prod(plane))
        marked = self._bits * self._copies_in(cells)
        octets = hashlib.shake_256(self._nonce(plane, image_id, b"sizes")).digest(_SIZE_OCTETS * cells)
        # The middle of one of 2^52 equal parts of (0, 1), then the quantile of the half normal distribution.
        share = ((np.frombuffer(octets, "<u8") >> 12) + 0.5) / 2.0**52
        size = -ndtri(share / 2)
        cipher = self._keystream(plane, image_id)
        cipher[:marked] ^= np.tile(self._message, marked // self._bits)
        out = np.empty(cells)
        out[_places(cells)] = size * (1.0 - 2.0 * cipher)
        return out

    def _keystream(self, plane: tuple[int, int, int], image_id: ImageId) -> NDArray[np.uint8]:
        """Fresh bits for every value, in the order of `_places`."""
        cells = int(np.prod(plane))
        octets = hashlib.shake_256(self._nonce(plane, image_id, b"keystream")).digest(-(-cells // 8))
        return _bits_of(octets, cells)

    def _nonce(self, plane: tuple[int, int, int], image_id: ImageId, purpose: bytes) -> bytes:
        where = "x".join(str(n) for n in (*plane, self._bits, self._copies or 0))
        return _seed(self._key, purpose + b" " + where.encode() + b"\0" + _octets(image_id))

    def _copies_in(self, cells: int) -> int:
        copies = self._copies or cells // self._bits
        if copies < 1 or copies * self._bits > cells:
            need = self._bits * (self._copies or 1)
            raise ValueError(
                f"latents of {cells} values are too small for {need} of the mark: take fewer bits or copies"
            )
        return copies

    def detect(self, latents: Any, candidates: Iterable[ImageId]) -> Evidence:
        """Holds inverted latents against the ids that the image may have.

        Args:
            latents: (C, h, w) or (1, C, h, w), an array or a tensor, at any scale: the noise as the inversion found it.
            candidates: ids from the operator's records. Each one costs a factor in the rate; the time for each is
                that of a hash and a sum.

        Raises:
            ValueError: not such latents, values that are not finite, or no candidates.
        """
        values = _array(latents)
        batch, plane = _split(values.shape)
        if batch != 1:
            raise ValueError(f"one image at a time: {batch} were given")
        if not np.isfinite(values).all():
            raise ValueError("latents with values that are not finite say nothing: the inversion failed")
        copies = self._copies_in(values.size)
        marked = copies * self._bits
        found = values.reshape(-1)[_places(values.size)][:marked]
        message = 1.0 - 2.0 * self._message
        tried, best = 0, -1
        best_id: ImageId = b""
        for image_id in candidates:
            tried += 1
            # The keystream is fair coins to latents that do not depend on the key, so each sum is as often above as
            # below zero whatever they are; one of exactly zero counts against the mark.
            stream = 1.0 - 2.0 * self._keystream(plane, image_id)[:marked]
            read = (found * stream).reshape(copies, self._bits).sum(0)
            matching = int(np.count_nonzero(read * message > 0))
            if matching > best:
                best, best_id = matching, image_id
        if not tried:
            raise ValueError("no candidates: give the ids that the image may have")
        return Evidence(best_id, best, self._bits, tried, min(1.0, tried * _tail(best, self._bits)))

    def detect_image(self, image: Any, candidates: Iterable[ImageId], *, invert: Callable[[Any], Any]) -> Evidence:
        """`detect` on what ``invert(image)`` gives back: (C, h, w) or (1, C, h, w) starting noise of the model."""
        return self.detect(invert(image), candidates)


@dataclass(frozen=True, slots=True, eq=False)
class StartingNoise:
    """Marked noise for one call.

    Attributes:
        latents: a tensor (B, C, h, w) for the call's ``latents=``.
        image_ids: one id for each image, to be kept beside its decision: without them nothing is found again.
    """

    latents: Any
    image_ids: tuple[ImageId, ...]


def starting_noise(
    pipe: Any,
    mark: LatentMark,
    *,
    height: int,
    width: int,
    images: int = 1,
    image_ids: Sequence[ImageId] | None = None,
) -> StartingNoise:
    """Marked noise in the shape and type that a call of `pipe` takes.

    A guard over the pipeline is told where the noise comes from, so that it is neither decoded for a check nor reported
    as something unread: it was made from no text and no picture. That holds for this very tensor and its rows.

    Args:
        pipe: a diffusers text-to-image pipeline, guarded or not, whose latents are plain pictures.
        height, width: of the image, in pixels, as they are given to the call.
        images: prompts times images for each prompt.
        image_ids: one for each image; fresh random ones where there are none.

    Raises:
        UnsupportedInput: a pipeline of another class: packed latents, latents of videos, or a start from a picture.
        ValueError: the sizes are no multiples of what the pipeline makes a latent from, or as `LatentMark.noise`.
    """
    import torch

    inner = vars(pipe).get(INNER)
    bare = pipe if inner is None else inner.pipe
    name = type(bare).__name__
    if name not in _PLAIN or not type(bare).__module__.startswith("diffusers."):
        raise UnsupportedInput(f"{name} takes starting noise in a form that is not known here: {', '.join(_PLAIN)} do")
    denoiser = getattr(bare, _PLAIN[name])
    side = int(bare.vae_scale_factor) * (2 if name == "ZImagePipeline" else 1)
    if height < side or width < side or height % side or width % side:
        raise ValueError(f"{name} makes images of multiples of {side} pixels, not {width}×{height}")
    scale = int(bare.vae_scale_factor)
    shape = (images, int(denoiser.config.in_channels), height // scale, width // scale)
    ids = tuple(secrets.token_hex(16) for _ in range(images)) if image_ids is None else tuple(image_ids)
    latents = torch.from_numpy(mark.noise(shape, ids)).to(denoiser.dtype)
    if inner is not None:
        ledger_of(inner.guard).add(latents, [Origin()] * images, Origin())
    return StartingNoise(latents, ids)


def _seed(key: bytes, purpose: bytes) -> bytes:
    return hmac.new(key, b"guardrail/latent-mark/1 " + purpose, hashlib.sha256).digest()


def _octets(image_id: ImageId) -> bytes:
    octets = image_id.encode() if isinstance(image_id, str) else image_id
    if not isinstance(octets, bytes) or not octets:
        raise ValueError("an image id is a text or bytes, and not empty")
    return octets


def _bits_of(octets: bytes, count: int) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(octets, np.uint8), count=count)


@lru_cache(maxsize=8)
def _places(cells: int) -> NDArray[np.int64]:
    """Where the copies lie: a fixed shuffle, so that a spoilt part of the picture takes a little from every bit."""
    octets = hashlib.shake_256(b"guardrail/latent-mark/1 places").digest(8 * cells)
    out = np.argsort(np.frombuffer(octets, "<u8"), kind="stable")
    out.setflags(write=False)
    return out


def _split(shape: Sequence[int]) -> tuple[int, tuple[int, int, int]]:
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise ValueError(f"plain latents are (C, h, w) or (B, C, h, w), not {tuple(shape)}: packed ones are not known")
    channels, height, width = (int(n) for n in shape[-3:])
    return (int(shape[0]) if len(shape) == 4 else 1), (channels, height, width)


def _array(latents: Any) -> NDArray[np.float64]:
    if is_tensor(latents):
        latents = latents.detach().cpu().double().numpy()
    if not isinstance(latents, np.ndarray) or latents.dtype.kind != "f":
        raise ValueError(f"latents are an array or a tensor of floats, not {type(latents).__name__}")
    return latents.astype(np.float64)


def _tail(matching: int, bits: int) -> float:
    """P(X >= matching) of a binomial variable with `bits` fair coins."""
    from scipy.stats import binom

    return float(binom.sf(matching - 1, bits, 0.5))
