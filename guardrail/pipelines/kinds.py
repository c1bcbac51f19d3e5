"""What an argument of a pipeline call holds, by its name and by its value.

Names and annotations lie (one pipeline has `prompt` and `image` the wrong way round, `image` may carry latents), so the
value decides wherever it can: a text is a text and a picture is a picture, whatever the argument is called. Names only
tell apart tensors that look alike.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from guardrail.media import Role
from guardrail.media.arrays import is_array, is_pil, is_tensor

__all__ = ["Kind", "classify", "is_negative", "role_of"]


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
    UNKNOWN = "unknown"


# Strings that steer the program and are never drawn or read by a model.
_NO_TEXT = frozenset({"output_type", "sampling_method", "padding_mode", "scheduler_type", "mode", "device", "dtype"})
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
    """Whether the words of an argument are to be avoided rather than drawn."""
    return "negative" in name or name.startswith("neg_")


def role_of(name: str) -> Role:
    """What a picture is for, as far as the name tells. All roles are checked."""
    if "mask" in name:
        return Role.MASK
    if "video" in name or "frames" in name:
        return Role.VIDEO
    if any(word in name for word in ("control", "hint", "depth", "pose", "kps", "cond")):
        return Role.CONTROL
    return Role.REFERENCE


def classify(name: str, value: Any) -> Kind:
    """The kind of one value of the argument `name`. Lists, tuples and mappings are `NESTED`: walk into them."""
    if isinstance(value, str):
        return Kind.PLAIN if name in _NO_TEXT else Kind.TEXT
    if is_pil(value):
        return Kind.IMAGE
    if is_array(value):
        return _array_kind(name, value)
    if value is None or isinstance(value, bool | int | float | complex) or callable(value):
        return Kind.PLAIN
    if isinstance(value, list | tuple | dict | set | frozenset):
        return Kind.NESTED
    if isinstance(value, bytes | bytearray | memoryview):
        return Kind.UNKNOWN
    if _is_setting(value):
        return Kind.PLAIN
    return Kind.NESTED if hasattr(value, "__dict__") or hasattr(value, "__dataclass_fields__") else Kind.UNKNOWN


def _is_setting(value: Any) -> bool:
    """Generators, dtypes, devices, enumerations: objects that hold no content."""
    module, name = type(value).__module__, type(value).__name__
    if module.split(".")[0] == "torch" or module == "torch._C":
        return name in ("Generator", "dtype", "device", "Size", "layout", "memory_format")
    return name.endswith("Enum") or any(c.__name__ == "Enum" for c in type(value).__mro__)


def _array_kind(name: str, value: Any) -> Kind:
    if _AUDIO.search(name):
        return Kind.AUDIO
    if _TOKENS.search(name):
        return Kind.TOKEN_IDS
    if _ATTENTION.search(name):
        return Kind.PLAIN
    if _IMAGE_EMBEDDING.search(name):
        return Kind.IMAGE_EMBEDDING
    if _TEXT_EMBEDDING.search(name):
        return Kind.TEXT_EMBEDDING
    if _FREE_LATENT.search(name):
        return Kind.LATENT
    if _CONDITION_LATENT.search(name):
        return Kind.CONDITION_LATENT
    if looks_like_picture(value):
        return Kind.IMAGE
    if value.ndim <= 1 or _GEOMETRY.search(name) or (value.ndim == 2 and _NUMBERS.search(name)):
        return Kind.PLAIN
    # A tensor where a picture should be, with the channels of a latent: the encoder would be skipped.
    return Kind.CONDITION_LATENT if value.ndim in (3, 4, 5) else Kind.UNKNOWN


def looks_like_picture(value: Any) -> bool:
    """Whether the shape is that of pictures: 1 or 3 channels (4 for 8-bit arrays), in 2 to 5 dimensions."""
    shape = tuple(int(n) for n in value.shape)
    if len(shape) == 2:
        return min(shape) >= 8
    if len(shape) not in (3, 4, 5):
        return False
    if is_tensor(value):
        # (C, H, W), (B, C, H, W), (B, F, C, H, W); video tensors also come as (B, C, F, H, W).
        return shape[-3] in (1, 3) or (len(shape) == 5 and shape[1] in (1, 3))
    eight_bit = str(value.dtype) == "uint8"
    return shape[-1] in (1, 3) or (shape[-1] == 4 and eight_bit) or (len(shape) == 3 and shape[0] in (1, 3))
