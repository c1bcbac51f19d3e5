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

import contextlib
import datetime as dt
import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from guardrail.errors import KeyringError
from guardrail.paths import home

__all__ = ["Keyring", "key_id", "load_keyring", "set_key_provider"]

log = logging.getLogger("guardrail")

SECRET_BYTES = 32
_MAKE = "make one with: openssl rand -hex 32"
_FORMAT = '{"version": 1, "keys": [{"secret": "<64 hex digits>"}]}'
_RESTORE = "put your copy of it back; a new key cannot read older marks"
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
    """

    def __init__(self, secrets_: Sequence[bytes], *, source: str, created: bool = False) -> None:
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
    created = not path.exists() and _create(path)
    ring = _read(path)
    ring.created = created
    if created:
        log.warning("made a new secret key %s in %s; keep a copy: without it marks cannot be read", ring.active, path)
    return ring


def rotate(path: Path) -> Keyring:
    """Put a new secret in front of those in the file `path`; older ones stay, to read what they marked.

    Raises:
        KeyringError: the file is no keyring or cannot be written.
    """
    with _writing(path), _locked(path):
        old = _read(path)
        content = json.loads(path.read_text("utf-8"))
        content["keys"].insert(0, _entry(secrets.token_bytes(SECRET_BYTES)))
        _replace(path, content)
        ring = _read(path)
    log.warning("key %s is active now; %s stays readable", ring.active, old.active)
    return ring


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
    ring = Keyring(entries, source=str(path))
    if any(name is not None and name != key_id(secret) for name, secret in zip(names, entries, strict=True)):
        raise KeyringError(f"{path} is damaged: a key in it is not the one that its id names; {_RESTORE}")
    return ring


def _create(path: Path) -> bool:
    """Make the file unless another process was faster. The link is atomic: nobody ever reads half a file."""
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft(path, {"version": 1, "keys": [_entry(secrets.token_bytes(SECRET_BYTES))]}) as draft:
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
    return True


def _replace(path: Path, content: object) -> None:
    with _draft(path, content) as draft:
        draft.replace(path)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyringError(
            f"{path} cannot be written ({error.strerror or type(error).__name__}); set GUARDRAIL_HOME to a folder "
            f"that can be, or give the key by $GUARDRAIL_KEY or $GUARDRAIL_KEY_FILE"
        ) from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds other processes off: two rotations at once would lose a key."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _draft(path: Path, content: object) -> Iterator[Path]:
    """`content` in a file of its own beside `path`, gone afterwards unless it was renamed."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write_private(draft, content)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _write_private(path: Path, content: object) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
