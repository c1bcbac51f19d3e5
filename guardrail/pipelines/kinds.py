"""What an argument of a pipeline call holds, by its name and by its value.

Names and annotations lie (one pipeline has `prompt` and `image` the wrong way round, `image` may carry latents), so the
value decides wherever it can: a text is a text and a picture is a picture, whatever the argument is called. Names only
tell apart tensors that look alike.
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Iterator, Mapping, Sequence, Set
from enum import Enum, StrEnum
from typing import Any

import numpy as np

from guardrail.media import Role
from guardrail.media.arrays import is_array, is_pil, is_tensor, to_numpy
from guardrail.pipelines.parameters import Holds, held_by

__all__ = [
    "Kind",
    "below_zero",
    "channels_first_video",
    "classify",
    "is_avoided",
    "is_negative",
    "looks_like_picture",
    "role_of",
]


class Kind(StrEnum):
    """What a value is to the guard."""

    TEXT = "text"
    IMAGE = "image"
    PLAIN = "plain"
    """Numbers, switches, generators, callbacks: nothing to look at."""
    NESTED = "nested"
    TEXT_EMBEDDING = "text-embedding"
    IMAGE_EMBEDDING = "image-embedding"
    LATENT = "latent"
    CONDITION_LATENT = "condition-latent"
    TOKEN_IDS = "token-ids"  # noqa: S105 - no secret
    AUDIO = "audio"
    FILE = "file"
    """A path or an address that the pipeline would open itself."""
    STREAM = "stream"
    """An iterator: whoever looks at it first leaves nothing for the other."""
    UNKNOWN = "unknown"


_BY_NAME = {
    Holds.AUDIO: Kind.AUDIO,
    Holds.TEXT_EMBEDDING: Kind.TEXT_EMBEDDING,
    Holds.IMAGE_EMBEDDING: Kind.IMAGE_EMBEDDING,
    Holds.LATENT: Kind.LATENT,
    Holds.CONDITION_LATENT: Kind.CONDITION_LATENT,
    Holds.TOKEN_IDS: Kind.TOKEN_IDS,
}
_PICTURES = frozenset({Holds.IMAGE, Holds.CONTROL, Holds.CONTROL_VIDEO, Holds.MASK, Holds.VIDEO})
_ROLES = {
    Holds.IMAGE: Role.REFERENCE,
    Holds.CONTROL: Role.CONTROL,
    Holds.CONTROL_VIDEO: Role.CONTROL,
    Holds.MASK: Role.MASK,
    Holds.VIDEO: Role.VIDEO,
}
# Keys of chat messages and condition objects under which a file is named.
_FILE_KEYS = frozenset({"url", "path", "file", "frames", "image_url", "video_url", "image_path", "video_path"})
# What a chat message says of itself, which is neither drawn nor to be emptied.
_MESSAGE_KEYS = frozenset({"role", "type"})
_MESSAGE_WORDS = frozenset(
    {"user", "system", "assistant", "developer", "tool", "text", "image", "image_url", "video", "video_url", "audio"}
)
# A word for the program, e.g. ``pil``, ``cuda:0``, ``latents``: no blank, at most this long.
_WORD = re.compile(r"[\w.:+/#-]{1,32}", re.ASCII)
# `encode_prompt` is told where to work, which no call is: the words of torch for it, no others.
_DEVICE = re.compile(r"(cpu|cuda|mps|xpu|hpu|npu)(:\d{1,3})?")
_AUDIO = re.compile(r"audio|sound|voice|waveform|mel$")
_TOKENS = re.compile(r"(input|token|prior_token|prompt)_?(image_)?ids|input_tokens|token_ids")
_ATTENTION = re.compile(r"attention_mask|prompt_embeds_mask|embeds_mask|_attn_mask|padding_mask_")
_IMAGE_EMBEDDING = re.compile(r"(image|ip_adapter|vision|clip_image|id)_?(\w+_)?embed|id_cond|id_vit|image_embeddings")
_TEXT_EMBEDDING = re.compile(r"embed|encoder_hidden_states|text_model_output|text_encoder_output|pooled")
_CONDITION_LATENT = re.compile(r"(?<!^)(?<!prior_)(?<!audio_)latents?$|_latent_|latent_condition|latents?_mean")
_FREE_LATENT = re.compile(r"^(latents?|noise|(prior|decoder|super_res|action|init)_latents|init_noise|x_t)$")
_NUMBERS = re.compile(
    r"sigmas|timesteps|scale|size|coords|labels|seed|strength|steps|points|guidance|schedule|betas|mu$"
)
_GEOMETRY = re.compile(r"bbox|boxes|camera|poses?$|intrinsics|trajectory|coordinates|positions")


def is_negative(name: str) -> bool:
    """Whether the embedding or picture of an argument is for guidance away from it."""
    return "negative" in name or name.startswith("neg_")


def is_avoided(name: str) -> bool:
    """Whether the words of an argument are to be avoided rather than drawn; only for names that are known to be so."""
    return held_by(name) is Holds.NEGATIVE


def below_zero(value: Any) -> bool:
    """Whether a guidance scale, or any of a list or an array of them, is below zero; ``None`` (not given) is not.

    A scale that cannot be read counts as below zero: the words to be avoided are then judged as words asked for, which
    is the stricter reading.
    """
    if value is None:
        return False
    if isinstance(value, list | tuple):
        return any(below_zero(v) for v in value)
    try:
        numbers = to_numpy(value) if is_tensor(value) else np.asarray(value)
        return not bool(np.all(numbers >= 0))
    except (TypeError, ValueError, RuntimeError):
        return True


def role_of(name: str) -> Role:
    """What a picture is for, as far as the name tells. All roles are checked."""
    holds = held_by(name)
    if holds in _ROLES:
        return _ROLES[holds]
    if "mask" in name:
        return Role.MASK
    if "video" in name or "frames" in name:
        return Role.VIDEO
    if any(word in name for word in ("control", "hint", "depth", "pose", "kps", "cond")):
        return Role.CONTROL
    return Role.REFERENCE


def classify(name: str, value: Any, argument: str = "") -> Kind:
    """The kind of one value.

    Args:
        name: the argument, or the key or attribute that the value has inside of one.
        argument: the argument itself, where `name` is a key or an attribute.

    Returns:
        ``NESTED`` for what is to be walked into: lists, mappings, sets, objects, arrays of objects or of texts.
    """
    inner = bool(argument) and argument != name
    if isinstance(value, str):
        return _string_kind(name, value, inner=inner)
    if is_pil(value):
        return Kind.IMAGE
    if is_array(value):
        return Kind.NESTED if isinstance(value, np.ndarray) and value.dtype.kind in "OUSV" else _array_kind(name, value)
    if value is None or isinstance(value, bool | int | float | complex | np.number | np.bool_):
        return Kind.PLAIN
    if isinstance(value, bytes | bytearray | memoryview):
        return Kind.UNKNOWN
    if isinstance(value, Mapping | Sequence | Set):
        return Kind.NESTED
    if isinstance(value, Iterator) or type(value).__name__ in ("DataLoader", "IterableDataset"):
        return Kind.STREAM
    if _is_function(value) or _is_setting(value) or (held_by(name) is Holds.CALLBACK and callable(value)):
        return Kind.PLAIN
    return Kind.NESTED if _has_fields(value) else Kind.UNKNOWN


def _string_kind(name: str, value: str, *, inner: bool) -> Kind:
    holds = held_by(name)
    if holds in _PICTURES or (inner and name in _FILE_KEYS):
        return Kind.FILE
    if not inner and holds in (Holds.SETTING, Holds.CALLBACK) and _WORD.fullmatch(value):
        return Kind.PLAIN
    if inner and name in _MESSAGE_KEYS and value in _MESSAGE_WORDS:
        return Kind.PLAIN
    if not inner and name == "device" and _DEVICE.fullmatch(value):
        return Kind.PLAIN
    return Kind.TEXT


def _is_function(value: Any) -> bool:
    return isinstance(
        value, type | types.FunctionType | types.MethodType | types.BuiltinFunctionType | functools.partial
    )


def _has_fields(value: Any) -> bool:
    return hasattr(value, "__dict__") or any(getattr(c, "__slots__", ()) for c in type(value).__mro__)


def _is_setting(value: Any) -> bool:
    """Generators, dtypes, devices, enumerations: objects that hold no content."""
    module, name = type(value).__module__, type(value).__name__
    if module.split(".")[0] == "torch":
        return name in ("Generator", "dtype", "device", "Size", "layout", "memory_format")
    return isinstance(value, Enum | np.dtype | range)


def _array_kind(name: str, value: Any) -> Kind:
    holds = held_by(name)
    if holds in _BY_NAME:
        return _BY_NAME[holds]
    if holds is Holds.SEQUENCE_MASK and _is_sequence_mask(value):
        return Kind.PLAIN
    if holds is Holds.GEOMETRY and _is_geometry(value):
        return Kind.PLAIN
    if holds is Holds.SETTING and (value.ndim <= 1 or (value.ndim == 2 and value.shape[0] * value.shape[1] <= 256)):
        return Kind.PLAIN
    return _unnamed_kind(name, value) if holds is None else _shape_kind(value)


def _unnamed_kind(name: str, value: Any) -> Kind:
    """Of an array under a name that is not on the list (``**kwargs``, keys, attributes)."""
    if _AUDIO.search(name):
        return Kind.AUDIO
    if _TOKENS.search(name):
        return Kind.TOKEN_IDS
    if _ATTENTION.search(name) and _is_sequence_mask(value):
        return Kind.PLAIN
    if _IMAGE_EMBEDDING.search(name):
        return Kind.IMAGE_EMBEDDING
    if _TEXT_EMBEDDING.search(name):
        return Kind.TEXT_EMBEDDING
    if _FREE_LATENT.search(name):
        return Kind.LATENT
    if _CONDITION_LATENT.search(name):
        return Kind.CONDITION_LATENT
    if _GEOMETRY.search(name) and _is_geometry(value):
        return Kind.PLAIN
    if value.ndim == 2 and _NUMBERS.search(name) and value.shape[0] * value.shape[1] <= 256:
        return Kind.PLAIN
    return _shape_kind(value)


def _shape_kind(value: Any) -> Kind:
    if looks_like_picture(value):
        return Kind.IMAGE
    # One number, or as many as a schedule has steps. An embedding of one token has more.
    if value.ndim == 0 or (value.ndim == 1 and value.shape[0] <= 64):
        return Kind.PLAIN
    # A tensor where a picture should be, with the channels of a latent: the encoder would be skipped.
    return Kind.CONDITION_LATENT if value.ndim in (3, 4, 5) else Kind.UNKNOWN


def _is_sequence_mask(value: Any) -> bool:
    """Two values at most (kept and left out), or whole numbers in a row (where each sequence begins)."""
    if value.ndim <= 1 and not (value.dtype.is_floating_point if is_tensor(value) else value.dtype.kind == "f"):
        return True
    return len(np.unique(to_numpy(value))) <= 2


def _is_geometry(value: Any) -> bool:
    """Points and boxes (…, up to 4 numbers; rows of 6 for sizes), or matrices up to 4×4."""
    shape = tuple(int(n) for n in value.shape)
    if len(shape) <= 1:
        return True
    if max(shape[-2:]) <= 4:
        return True
    return shape[-1] <= 6 and (len(shape) == 2 or (len(shape) == 3 and not looks_like_picture(value)))


def looks_like_picture(value: Any) -> bool:
    """Whether the shape is that of pictures or videos: 1 or 3 channels (4 for 8-bit arrays), in 2 to 5 dimensions.

    Tensors: (C, H, W), (B, C, H, W), (B, T, C, H, W), (B, C, T, H, W), and channels last from 4 dimensions on.
    Arrays: (H, W, C), (B, H, W, C), (B, T, H, W, C), and channels first.
    """
    shape = tuple(int(n) for n in value.shape)
    if len(shape) == 2:
        return min(shape) >= 8
    if len(shape) not in (3, 4, 5):
        return False
    first = shape[-3] in (1, 3) or (len(shape) == 5 and shape[1] in (1, 3))
    last = shape[-1] in (1, 3)
    if is_tensor(value):
        return first or (last and len(shape) > 3 and min(shape[-3:-1]) >= 8)
    return last or first or (shape[-1] == 4 and str(value.dtype) == "uint8")


def channels_first_video(value: Any) -> bool:
    """Whether 5 dimensions are (B, C, T, H, W) rather than (B, T, C, H, W), which is what diffusers documents.

    Where both could be, the frames come first; a single channel beside three is a single frame.
    """
    if value.ndim != 5 or value.shape[1] not in (1, 3) or int(value.shape[-1]) in (1, 3):
        return False
    return value.shape[2] not in (1, 3) or (value.shape[1] == 3 and value.shape[2] == 1)
