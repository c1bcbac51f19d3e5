"""Secret keys: where they live, how they are made, named, derived and rotated."""

from guardrail.keys.keyring import Keyring, key_id, load_keyring, set_key_provider

__all__ = ["Keyring", "key_id", "load_keyring", "set_key_provider"]
