"""Secret keys: where they live, how they are made, named, derived and rotated."""

from guardrail.keys.keyring import (
    Keyring,
    existing_keyring,
    find_keyring,
    key_id,
    load_keyring,
    rotate,
    set_key_provider,
)

__all__ = ["Keyring", "existing_keyring", "find_keyring", "key_id", "load_keyring", "rotate", "set_key_provider"]
