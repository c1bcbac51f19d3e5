"""What a pipeline returns: finding the pictures in it, looking at them as 8-bit frames, and putting others in place.

PIL images (videos: lists of them), numpy arrays (B, H, W, 3) or (B, T, H, W, 3) and tensors (B, 3, H, W),
(B, T, 3, H, W) or (B, 3, T, H, W), both floats in 0..1, or in -1..1 where values say so, or uint8. Everything keeps its
type, dtype, device, range and place, and its transparency, which is a fourth channel. Other ranges are refused, and so
are pictures of more than 8 bits and animated ones: what leaves would not be what was judged.

Frames are read one at a time, when they are looked at: a video of floats is never there a second time as a whole, but
once, as the copy that altered and marked frames are written into.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.decision import Coverage
from guardrail.errors import UnsupportedInput
from guardrail.media import ImageInput, Role
from guardrail.media.arrays import is_array, is_pil, is_tensor, to_numpy
from guardrail.pipelines.beside import Beside, returned_in_tuples
from guardrail.pipelines.pixels import (
    OnDemand,
    by_frame,
    clipped,
    copied,
    eight_bits,
    frames_of_array,
    frames_of_pil,
    lowest_meant,
    require_pixels,
    require_still,
    scaled_for,
    with_channels,
    write,
)

__all__ = ["MEDIA_FIELDS", "Result"]

MEDIA_FIELDS = ("images", "frames", "videos", "image", "video")
Form = Literal["pil", "array", "tensor", "latent"]


@dataclass(slots=True)
class Result:
    """The return value of a pipeline, opened.

    Args:
        value: what the pipeline returned; replaced pieces go into a shallow copy, never into the original.
        field: name of the attribute, or index in the tuple, that holds the pictures.
        media: the pictures, one entry per output.
        form: how they are given.
        beside: what else is in it, ``None`` where another room sees to that.
    """

    value: Any = dataclasses.field(repr=False)
    field: str | int
    media: list[Any] = dataclasses.field(repr=False)
    form: Form
    batched: Any = dataclasses.field(default=None, repr=False)
    beside: Beside | None = dataclasses.field(default=None, repr=False)
    _copy: Any = dataclasses.field(default=None, repr=False)
    _owned: set[int] = dataclasses.field(default_factory=set)
    _others: set[int] = dataclasses.field(default_factory=set)
    _lows: dict[int, float] = dataclasses.field(default_factory=dict)

    @classmethod
    def open(cls, value: Any, *, latent: bool, call: Any = None, alone: bool = False) -> Result:
        """Open a return value.

        Args:
            latent: latents were asked for.
            call: the function that returned it, to tell from its source what stands where in a tuple.
            alone: whoever opens it looks at what stands beside the pictures itself.

        Raises:
            UnsupportedInput: no pictures or videos are in it, or latents in a list.
        """
        self = cls._open(value, latent=latent)
        if not alone:
            self.beside = Beside(value, self.field, returned_in_tuples(call) if call is not None else {})
        return self

    @classmethod
    def _open(cls, value: Any, *, latent: bool) -> Result:
        field, media = _find(value)
        media = list(media) if isinstance(media, tuple) else media
        # Pipelines without latents ignore the wish for them and give pictures: numpy is never a latent.
        if latent and is_tensor(media):
            return cls(value, field, [media[i : i + 1] for i in range(len(media))], "latent", media)
        if is_array(media):
            return cls(
                value, field, [media[i] for i in range(len(media))], "tensor" if is_tensor(media) else "array", media
            )
        if isinstance(media, list) and media and _is_picture_list(media):
            return cls(value, field, list(media), "pil")
        if latent and isinstance(media, list) and any(is_tensor(m) for m in media):
            raise UnsupportedInput(f"{type(value).__name__} holds a list of latents, which cannot be told apart")
        if isinstance(media, list) and media and all(is_array(m) for m in media):
            return cls(value, field, list(media), "tensor" if is_tensor(media[0]) else "array")
        raise UnsupportedInput(f"{type(value).__name__} holds {type(media).__name__}, which is no picture or video")

    def __len__(self) -> int:
        return len(self.media)

    def frames(self, index: int) -> Sequence[NDArray[Any]]:
        """The pixels of one output, channels last: uint8 for PIL, otherwise uint8 or floats, brought to 0..1. Read on
        demand.

        Raises:
            UnsupportedInput: a tensor or an array whose shape is none of a picture or a video.
        """
        if self.form == "pil":
            return frames_of_pil(self._pictures(index))
        return OnDemand(frames_of_array(self.media[index], self._low(index)), clipped)

    def _pictures(self, index: int) -> Sequence[Any]:
        one = self.media[index]
        return one if isinstance(one, list | tuple) else [one]

    def _low(self, index: int) -> float:
        """What black is among the floats of one output: a batch has one range, found once, before anything is put."""
        key = index if self.batched is None else -1
        if key not in self._lows:
            looked_at = [self.media[index]] if self.batched is None else self.media
            self._lows[key] = min(map(lowest_meant, looked_at))
        return self._lows[key]

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of one output. No pixels are read of PIL images.

        Raises:
            UnsupportedInput: a tensor or an array whose shape is none of a picture or a video.
        """
        one = self.media[index]
        if self.form == "pil":
            width, height = (one[0] if isinstance(one, list | tuple) else one).size
            return int(height), int(width)
        height, width = self.frames(index)[0].shape[:2]
        return int(height), int(width)

    def image(self, index: int) -> ImageInput:
        """One output as the checks see it.

        Raises:
            UnsupportedInput: it is no picture or video, or none that leaves as it is judged (see `require_pixels` and
                `require_still`).
        """
        if self.form == "pil":
            for picture in self._pictures(index):
                require_still(picture)
            frames = self.frames(index)
        else:
            frames = frames_of_array(self.media[index], self._low(index))
            for frame in frames:
                require_pixels(frame)
        if not len(frames):
            raise UnsupportedInput("the output has no frames")
        return ImageInput(OnDemand(frames, eight_bits), "output", index, Role.OUTPUT)

    def sha256(self, index: int) -> str:
        """Of the native pixels as the pipeline made them: shape, type and values."""
        one = self.media[index]
        h = hashlib.sha256()
        frames: Sequence[NDArray[Any]]
        match self.form:
            case "latent":
                frames = (to_numpy(one),)
            case "pil":
                frames = self.frames(index)
            case _:
                frames = frames_of_array(one)
        for frame in frames:
            h.update(f"{frame.shape} {frame.dtype}".encode())
            h.update(np.ascontiguousarray(frame).tobytes())
        return h.hexdigest()

    def put(self, index: int, frames: Iterable[NDArray[Any]], wrap: Any = None) -> None:
        """Replace one output by as many other frames (uint8, or floats in 0..1), in the native form.

        Args:
            frames: taken one at a time, each put in its place before the next is asked for. If it raises on the way,
                an array or a tensor is left half replaced.
            wrap: applied to each PIL image, e.g. to attach a label.
        """
        if self.form == "pil":
            from PIL.Image import fromarray

            pictures = [fromarray(eight_bits(f)) for f in frames]
            pictures = [wrap(p) for p in pictures] if wrap else pictures
            self.media[index] = pictures if isinstance(self.media[index], list | tuple) else pictures[0]
            return
        low = self._low(index)
        places, axis = by_frame(self._own(index))
        for place, frame in zip(places, frames, strict=True):
            write(place, np.moveaxis(scaled_for(place, with_channels(frame, place.shape[axis]), low), -1, axis))

    def put_native(self, index: int, other: Any) -> None:
        """Replace one output by another of the same native form (``None`` only in lists of PIL images).

        Raises:
            UnsupportedInput: it has another shape than the others of its batch.
        """
        self._others.add(index)
        if self.batched is None or self.form == "latent":
            self._lows.pop(index, None)
            self.media[index] = other
            self._owned.add(index)
            return
        if tuple(other.shape) != tuple(self.media[index].shape):
            raise UnsupportedInput("an output has another shape than the one that it would take the place of")
        write(self._own(index), other)

    def _own(self, index: int) -> Any:
        """One output as an array or tensor that may be written to: in a copy of the batch, made once, or of its own."""
        if not self._owned and self.batched is not None:
            self._copy = copied(self.batched)
            self.media = [self._copy[i] for i in range(len(self._copy))]
        elif self.batched is None and index not in self._owned:
            self.media[index] = copied(self.media[index])
        self._owned.add(index)
        return self.media[index]

    def coverage(self) -> list[Coverage]:
        """What stands beside the pictures and is not judged: taken out, or sound."""
        return self.beside.coverage() if self.beside is not None else []

    def close(self, blocked: Collection[int] | None = None) -> Any:
        """The return value with the replaced pictures in it, of the same class; what could show them otherwise is
        ``None``.

        Args:
            blocked: outputs of which nothing may leave; all of them where it is not said.
        """
        media: Any = self.media
        if self.form == "latent":
            media = _joined(self.media) if self._owned else self.batched
        elif self.batched is not None:
            media = self._copy if self._owned else self.batched
        if isinstance(self.value, list) or is_array(self.value):
            return media
        changed: dict[Any, Any] = {self.field: media}
        if self.beside is not None:
            away = self._others | set(range(len(self)) if blocked is None else blocked)
            changed |= self.beside.leaving(away, len(self)) | dict.fromkeys(self.beside.same, media)
        if isinstance(self.value, tuple):
            return tuple(changed.get(i, v) for i, v in enumerate(self.value))
        result = copy.copy(self.value)
        for name, other in changed.items():
            if name == self.field or name in set(result.keys()):
                result[name] = other
            else:
                object.__setattr__(result, name, other)
        return result


def _find(value: Any) -> tuple[str | int, Any]:
    if isinstance(value, tuple) and not hasattr(value, "keys"):
        if value and value[0] is not None:
            return 0, value[0]
    elif hasattr(value, "keys"):
        for name in MEDIA_FIELDS:
            media = getattr(value, name, None)
            if media is not None:
                return name, media
    elif isinstance(value, list) or is_array(value):
        return "", value
    raise UnsupportedInput(f"{type(value).__name__} holds no pictures or videos")


def _is_picture_list(media: Sequence[Any]) -> bool:
    return all(is_pil(m) or (isinstance(m, list | tuple) and m and all(is_pil(p) for p in m)) for m in media)


def _joined(parts: Sequence[Any]) -> Any:
    import torch

    return torch.cat(list(parts))
