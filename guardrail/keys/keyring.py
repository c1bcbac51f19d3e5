"""The keyring: one or more 32-byte root secrets, the first of them active.

Nothing uses a root secret directly: each purpose (marks, audit, gallery, hashes) derives its own subkey with
HKDF-SHA256 (RFC 5869), so that a subkey that leaks says nothing about the others. None is shipped. A lost key makes
marks unreadable and the gallery unopenable, and a new one cannot bring them back.

Sources, the first that is set wins; one that is set and empty is an error, since the next would be used unnoticed:

1. a callback given to `set_key_provider` (a KMS, a vault);
2. ``$GUARDRAIL_KEY``: one or more secrets, comma-separated, 64 hex digits each;
3. ``$GUARDRAIL_KEY_FILE``: a file in the format below;
4. ``keyring.json`` in the data folder, made on first use with mode 0600.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import stat
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from guardrail.drafts import locked
from guardrail.errors import KeyringError
from guardrail.keys.beside import require_nothing_sealed
from guardrail.keys.file import create, replace, writing
from guardrail.paths import home

__all__ = ["Keyring", "existing_keyring", "find_keyring", "key_id", "load_keyring", "rotate", "set_key_provider"]

log = logging.getLogger("guardrail")

SECRET_BYTES = 32
_MAKE = "make one with: openssl rand -hex 32"
_FORMAT = '{"version": 1, "keys": [{"secret": "<64 hex digits>"}]}'
_RESTORE = "put your copy of it back; a new key cannot read older marks"
_LOST = "without it neither the gallery nor the lists of known images open, and marks cannot be read"
_provider: Callable[[], Sequence[bytes]] | None = None
_provider_lock = threading.Lock()


def key_id(secret: bytes) -> str:
    """The public name of a secret: 8 hex digits that say nothing about it (SHA-256 with a label, truncated)."""
    return hashlib.sha256(b"guardrail key id\0" + secret).hexdigest()[:8]


class Keyring:
    """Root secrets, the active one first.

    Args:
        secrets_: 32 bytes each.
        source: where they came from, for `guardrail doctor`.
        created: True when this call made the key.
        dates: when keys were made, by id; of those given from outside it is not known.
    """

    def __init__(
        self,
        secrets_: Sequence[bytes],
        *,
        source: str,
        created: bool = False,
        dates: Mapping[str, dt.datetime] | None = None,
    ) -> None:
        if not secrets_:
            raise KeyringError(f"{source} holds no key; give at least one of {SECRET_BYTES} bytes; {_MAKE}")
        for secret in secrets_:
            if not isinstance(secret, bytes | bytearray):
                raise KeyringError(f"{source}: a key is {SECRET_BYTES} bytes, not {type(secret).__name__}")
            if len(secret) != SECRET_BYTES:
                raise KeyringError(f"{source}: a key has {len(secret)} bytes, {SECRET_BYTES} are needed; {_MAKE}")
        secrets_ = [bytes(secret) for secret in secrets_]
        self._secrets = {key_id(s): s for s in secrets_}
        self.active = key_id(secrets_[0])
        self.source = source
        self.created = created
        self.dates = dict(dates or {})
        self._derived: dict[tuple[str, str], bytes] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of all keys, the active one first."""
        return tuple(self._secrets)

    def derive(self, purpose: str, *, key: str | None = None) -> bytes:
        """The 32-byte subkey for `purpose`, from the active key or from the one named `key`.

        Raises:
            KeyringError: no key of that name is on the ring.
        """
        name = key or self.active
        cached = self._derived.get((name, purpose))
        if cached is not None:
            return cached
        if name not in self._secrets:
            raise KeyringError(f"no key {name} on this ring; it has {', '.join(self.ids)}")
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        subkey = HKDF(SHA256(), SECRET_BYTES, salt=b"guardrail", info=purpose.encode()).derive(self._secrets[name])
        self._derived[name, purpose] = subkey
        return subkey

    def fingerprint(self, content: bytes, *, purpose: str = "hashes") -> str:
        """A keyed hash (HMAC-SHA256, 32 hex digits): equal content gives equal words, to holders of the key only."""
        return hmac.new(self.derive(purpose), content, hashlib.sha256).hexdigest()[:32]

    def __repr__(self) -> str:
        return f"Keyring(active={self.active!r}, keys={len(self._secrets)}, source={self.source!r})"


def set_key_provider(provider: Callable[[], Sequence[bytes]] | None) -> None:
    """Let `provider` hand out the secrets (active first), for a KMS or a vault. ``None`` goes back to files."""
    global _provider
    with _provider_lock:
        _provider = provider


def load_keyring(folder: Path | None = None) -> Keyring:
    """The keyring of this installation; makes a key on first use and says so once.

    Raises:
        KeyringError: a source is set but unreadable, malformed, or readable by other users; or there is none, and a
            gallery or a list of known images in the folder was sealed with one.
    """
    if (found := existing_keyring(folder)) is not None:
        return found
    path = (folder or home()) / "keyring.json"
    created = create(path, {"version": 1, "keys": [_entry(secrets.token_bytes(SECRET_BYTES))]})
    ring = _read(path)
    ring.created = created
    if created:
        log.warning("made a new secret key %s in %s; keep a copy: %s", ring.active, path, _LOST)
    return ring


def existing_keyring(folder: Path | None = None) -> Keyring | None:
    """As `load_keyring`, for what only reads: ``None`` where that would make a key, since nothing was sealed yet.

    Raises:
        KeyringError: as `load_keyring`.
    """
    if (found := find_keyring(folder)) is not None:
        return found
    try:
        require_nothing_sealed(folder or home())
    except KeyringError:
        # Another process may have made the key, and sealed the first things with it, between the two looks.
        if (found := find_keyring(folder)) is not None:
            return found
        raise
    return None


def find_keyring(folder: Path | None = None) -> Keyring | None:
    """The keyring, if there is one; whether something was sealed with one that is gone is not looked at.

    Raises:
        KeyringError: a source is set but unreadable, malformed, or readable by other users.
    """
    if _provider is not None:
        return Keyring(_from_provider(_provider), source="callback")
    if (value := os.environ.get("GUARDRAIL_KEY")) is not None:
        return Keyring([_from_hex(part, "$GUARDRAIL_KEY") for part in value.split(",")], source="$GUARDRAIL_KEY")
    if (name := os.environ.get("GUARDRAIL_KEY_FILE")) is not None:
        path = Path(name).expanduser()
        if not name or not path.is_file():
            raise KeyringError(
                f"$GUARDRAIL_KEY_FILE names {name or 'nothing'}, which is not a file; correct or unset it"
            )
        return _read(path)
    path = (folder or home()) / "keyring.json"
    return _read(path) if path.exists() else None


def rotate(path: Path | None = None) -> Keyring:
    """Put a new secret in front of those in a keyring file; older ones stay, to read what they marked and sealed.

    Args:
        path: ``None`` for the file that `load_keyring` reads here.

    Raises:
        KeyringError: the file is no keyring or cannot be written; the keys in use come from no file, or there are none.
    """
    path = path or _in_use()
    with writing(path), locked(path.with_name(f".{path.name}.lock")):
        old = _read(path)
        content = json.loads(path.read_text("utf-8"))
        content["keys"].insert(0, _entry(secrets.token_bytes(SECRET_BYTES)))
        replace(path, content)
        ring = _read(path)
    log.warning("key %s is active now; %s stays readable", ring.active, old.active)
    return ring


def _in_use() -> Path:
    ring = find_keyring()
    if ring is None:
        raise KeyringError(f"there is no key yet in {home()}; one is made on first use")
    if _provider is not None or "GUARDRAIL_KEY" in os.environ:
        source = "the callback" if _provider is not None else "$GUARDRAIL_KEY"
        raise KeyringError(f"the keys come from {source}: put a new one in front of the others there; {_MAKE}")
    return Path(ring.source)


def _from_provider(provider: Callable[[], Sequence[bytes]]) -> list[bytes]:
    try:
        given: object = provider()
    except Exception as error:  # noqa: BLE001 - somebody else's code, whose text may hold what it fetched
        raise KeyringError(f"the key callback failed ({type(error).__name__}); call it by hand to see why") from None
    if isinstance(given, bytes | bytearray | str) or not isinstance(given, Sequence):
        raise KeyringError(f"the key callback gives a list of keys, the active one first, not {type(given).__name__}")
    return list(given)


def _from_hex(text: str, source: str) -> bytes:
    if not text.strip():
        raise KeyringError(f"{source} is set, but a key in it is empty; unset it, or {_MAKE}")
    try:
        return bytes.fromhex(text.strip())
    except ValueError:
        raise KeyringError(f"{source}: a key is not hexadecimal; {_MAKE}") from None


def _entry(secret: bytes) -> dict[str, str]:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return {"id": key_id(secret), "secret": secret.hex(), "created": now}


def _read(path: Path) -> Keyring:
    try:
        mode = path.stat().st_mode
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise KeyringError(
            f"{path} cannot be read ({type(error).__name__}); a keyring is {_FORMAT}; {_RESTORE}"
        ) from None
    if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyringError(f"{path} can be read by other users; run: chmod 600 {path}")
    try:
        if content["version"] != 1:
            raise KeyringError(f"{path} has another keyring version than 1, the only one that this guardrail reads")
        entries = [_from_hex(entry["secret"], str(path)) for entry in content["keys"]]
        names = [entry.get("id") for entry in content["keys"]]
    except (KeyError, TypeError, AttributeError):
        raise KeyringError(f"{path} is not a keyring, which is {_FORMAT}; {_RESTORE}") from None
    dates = {key_id(s): at for s, e in zip(entries, content["keys"], strict=True) if (at := _date(e.get("created")))}
    ring = Keyring(entries, source=str(path), dates=dates)
    if any(name is not None and name != key_id(secret) for name, secret in zip(names, entries, strict=True)):
        raise KeyringError(f"{path} is damaged: a key in it is not the one that its id names; {_RESTORE}")
    return ring


def _date(given: object) -> dt.datetime | None:
    # Python reads dates without hyphens too, and so would read digits of a key as one.
    if not isinstance(given, str) or not re.match(r"\d{4}-\d\d-\d\dT", given):
        return None
    try:
        return dt.datetime.fromisoformat(given)
    except ValueError:
        return None
