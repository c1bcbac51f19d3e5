"""What may stand in a record, and its one spelling in bytes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["BODY_LIMIT_BYTES", "DENIED", "canonical", "event_type"]

BODY_LIMIT_BYTES = 256 * 1024
"""Largest body, in bytes of its canonical form. A decision is near 2 KiB; 256 KiB is far past any honest one."""

_DEPTH_LIMIT = 32
"""Levels of nesting; a decision has six."""

DENIED = frozenset(
    {
        *("prompt", "prompts", "negativeprompt", "text", "texts", "caption", "captions", "query", "instruction"),
        *("pixels", "image", "images", "latent", "latents", "thumbnail", "crop"),
        *("embedding", "embeddings", "embeds", "promptembeds", "imageembeds", "vector", "template"),
        *("name", "names", "fullname", "firstname", "lastname", "username", "displayname", "email", "phone", "address"),
    }
)
"""Keys that name content, in lower case without ``-`` and ``_``. Refused at any depth: the last line of defence, for
the day on which some other room puts content into a decision by mistake. It knows keys, not values."""

# Places in a decision where a denied word is not content: two mappings whose keys are model files and stages ("prompt"
# is a stage). Each is admitted with the type of value it has there and no other.
_HEX = re.compile(r"[0-9a-fA-F]{1,128}")
_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def _admitted(path: tuple[str, ...], value: object) -> bool:
    match path:
        case ("effective", "weights", _):
            return isinstance(value, str) and _HEX.fullmatch(value) is not None
        case ("timings_ms", _):
            return isinstance(value, int | float)
    return False


def _plain(value: Any, path: tuple[str, ...], depth: int) -> Any:
    """`value` as dict, list and scalars. `path` has the keys above it; the places in a list are not part of it."""
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return value
    if depth > _DEPTH_LIMIT:
        raise ValueError(f"a record's body is nested deeper than {_DEPTH_LIMIT} levels")
    if isinstance(value, Mapping):
        return {key: _plain(inner, _below(path, key, inner), depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, path, depth + 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a record's body holds NaN or an infinity, which is not JSON")
    if isinstance(value, str | int | float):
        return value
    raise ValueError(f"a record's body holds a {kind.__name__}, which is not JSON")


def _below(path: tuple[str, ...], key: object, value: object) -> tuple[str, ...]:
    """The path of `value`, if its key may stand there."""
    if not isinstance(key, str):
        raise ValueError(f"a record's body has a key of type {type(key).__name__}; keys are strings")  # noqa: TRY004
    below = (*path, key)
    if (word := key.lower().replace("_", "").replace("-", "")) in DENIED and not _admitted(below, value):
        raise ValueError(
            f"a record's body has the key {word!r}: content is never recorded — record a keyed hash of it, "
            "under a key that says so"
        )
    return below


def canonical(body: Mapping[str, Any]) -> bytes:
    """The one spelling of `body`: keys sorted, no spaces, ASCII with ``\\u`` escapes, shortest floats.

    Raises:
        ValueError: not a mapping, not JSON (NaN and infinities included), over `BODY_LIMIT_BYTES`, or with a key that
            names content. The message holds no value of the body.
    """
    if not isinstance(body, Mapping):
        raise ValueError(f"a record's body is a mapping, not a {type(body).__name__}")  # noqa: TRY004
    plain = _plain(body, (), 0)
    spelled = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(spelled) > BODY_LIMIT_BYTES:
        raise ValueError(f"a record's body has {len(spelled)} bytes; the limit is {BODY_LIMIT_BYTES}")
    return spelled


def event_type(word: str) -> bytes:
    """`word` in bytes.

    Raises:
        ValueError: not 1 to 32 characters of ``a-z 0-9 _ -`` beginning with a letter.
    """
    if not _TYPE.fullmatch(word):
        raise ValueError("the type of a record is 1 to 32 characters of a-z, 0-9, _ and -, beginning with a letter")
    return word.encode("ascii")
