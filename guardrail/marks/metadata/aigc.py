"""The field ``AIGC`` of GB 45438-2025, the Chinese standard for labels of generated content: JSON with seven keys.

In XMP it is the property ``TC260:AIGC``; in PNG files it stands in a text chunk ``AIGC`` as well, where some platforms
look for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

__all__ = ["KEYS", "NAMESPACE", "aigc_field", "as_json", "integrity_of", "read_aigc"]

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
KEYS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
_LONGEST = 8_192  # characters of JSON that are read
_LONGEST_VALUE = 1_024
_INTEGRITY = "ReservedCode1"


def aigc_field(producer: str, produce_id: str, integrity: str = "") -> dict[str, str]:
    """The seven keys, in the order of the standard.

    Args:
        producer: the provider's code or name.
        produce_id: the provider's id of this picture.
        integrity: for ``ReservedCode1``, as `integrity_of` makes it; empty: the SHA-256 without a key, which shows
            accidents, not forgeries.
    """
    values = ("1", producer, produce_id, "", "", "", "")
    field = dict(zip(KEYS, values, strict=True))
    field[_INTEGRITY] = integrity or integrity_of(field)
    return field


def integrity_of(field: Mapping[str, str], key: bytes | None = None) -> str:
    """``hmac-sha256:`` or, without a key, ``sha256:`` and the hex digest over the other six keys and their values.

    It is taken over their compact JSON in UTF-8, in the order of the standard. A platform that fills in its own three
    keys changes it: compare with those empty.
    """
    content = as_json({key: field.get(key, "") for key in KEYS if key != _INTEGRITY}).encode()
    if key is None:
        return "sha256:" + hashlib.sha256(content).hexdigest()
    return "hmac-sha256:" + hmac.new(key, content, hashlib.sha256).hexdigest()


def as_json(field: Mapping[str, str], *, ascii_only: bool = False) -> str:
    """Compact JSON; with `ascii_only` in escapes that any text chunk can hold."""
    return json.dumps(field, ensure_ascii=ascii_only, separators=(",", ":"))


def read_aigc(text: str) -> dict[str, str]:
    """The known keys of the field, of whatever anybody wrote there; empty where it is no such JSON. Never raises."""
    if len(text) > _LONGEST:
        return {}
    try:
        # Numbers stay as they are written: nothing is computed from them.
        said = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return {}
    if isinstance(said, dict) and isinstance(said.get("AIGC"), dict):
        said = said["AIGC"]
    if not isinstance(said, dict):
        return {}
    return {key: said[key][:_LONGEST_VALUE] for key in KEYS if isinstance(said.get(key), str)}
