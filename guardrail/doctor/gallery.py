"""What is said of the gallery: whether a guard can open it, whom it leaves unprotected, and how fast it is searched."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guardrail.errors import GalleryError
from guardrail.gallery.file import SMALLEST_BYTES
from guardrail.gallery.manifest import Manifest
from guardrail.gallery.sealed import FORMAT, View, opened, sealed_as
from guardrail.gallery.sketches import EXACT_ROWS, faiss_present
from guardrail.gallery.statistics import uncovered
from guardrail.keys import Keyring

__all__ = ["Sealed", "gallery_remarks", "look_at_gallery", "uncovered_fault"]

# Vectors of the shortest embedders here: a file this large holds more than are worth comparing one by one.
SHORTEST_BYTES = 128 * 4
_BACK = "put your copy of it back"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was found of something that is sealed under a key; a `fault` stops every guard, a `remark` does not."""

    says: str = ""
    fault: str = ""
    remark: str = ""


def gallery_remarks(path: Path) -> list[str]:
    """Judged by the size of the file.

    Args:
        path: the gallery, which need not be there.
    """
    if faiss_present() or not path.is_file() or path.stat().st_size <= EXACT_ROWS * SHORTEST_BYTES:
        return []
    return [
        f"{path} is large and faiss is not installed: each face is compared with everybody, which is right and slow; "
        "run: pip install 'guardrail-diffusion[gallery-large]'"
    ]


def look_at_gallery(path: Path, ring: Keyring | None) -> Sealed:
    """Whether a guard could open it. Nothing is written, and no vector or name is read out of what is verified.

    Args:
        path: the gallery, which need not be there.
        ring: ``None`` where there is no key.
    """
    if not path.exists():
        return Sealed()
    try:
        with _reading(path, ring) as view:
            if view is None:
                return Sealed("of an older format; the next guard takes it over")
            view.verify()
    except GalleryError as error:
        return Sealed(fault=str(error))
    old = ring is not None and view.key_id != ring.active
    remark = f"{path} is under the older key {view.key_id}; run: guardrail gallery rekey" if old else ""
    return Sealed(f"sealed under key {view.key_id}", remark=remark)


def uncovered_fault(path: Path, ring: Keyring | None, embedder: str) -> str:
    """Said where protected people have no vector of the embedder in force: it cannot find them. Empty otherwise.

    Raises:
        GalleryError: the gallery does not open.
    """
    if not path.exists():
        return ""
    with _reading(path, ring) as view:
        count = 0 if view is None else uncovered(view, embedder, int(time.time()))
    if not count:
        return ""
    return (
        f"{count:,} of the protected people in the gallery {'has' if count == 1 else 'have'} no vector of the embedder "
        f"in force, {embedder}, which does not find them; add pictures with guardrail gallery add --to, or choose the "
        "face backend that they were enrolled with"
    )


@contextmanager
def _reading(path: Path, ring: Keyring | None) -> Iterator[View | None]:
    """The state that it is in; ``None`` for one of format 1, which a guard takes over when it starts.

    Raises:
        GalleryError: it does not open, or not with a key of the ring.
    """
    try:
        if path.stat().st_size < SMALLEST_BYTES:
            what = "is no gallery" if path.stat().st_size else "is empty"
            raise GalleryError(f"{path} {what}; {_BACK}, or delete it to begin a new one")
        with closing(_connect(path)) as db:
            db.execute("BEGIN")
            yield _view(path, db, ring)
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise GalleryError(f"{path} cannot be read: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    log = path.with_name(f"{path.name}-wal")
    # Where nothing waits in the write-ahead log, nothing is made beside the file either.
    mode = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=5.0, isolation_level=None)


def _view(path: Path, db: sqlite3.Connection, ring: Keyring | None) -> View | None:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables & {"blocks", "identities"}:
        raise GalleryError(f"{path} is no gallery; {_BACK}")
    if "vectors" in tables:
        for (key_id,) in db.execute("SELECT DISTINCT key_id FROM identities"):
            _cipher(path, key_id, ring)
        return None
    rows = db.execute("SELECT format, key_id, changes, sealed FROM seal").fetchall()
    if len(rows) != 1:
        raise GalleryError(f"{path} has no seal, or several: it was changed by something else; {_BACK}")
    written, key_id, changes, sealed = rows[0]
    if written != FORMAT:
        raise GalleryError(f"{path} has format {written}, this guardrail reads {FORMAT}; update it")
    cipher = _cipher(path, key_id, ring)
    manifest = Manifest.decode(opened(path, cipher, sealed, sealed_as(key_id, changes)), changes)
    named = {(kind, number) for kind, of in manifest.blocks.items() for number in of}
    if set(db.execute("SELECT kind, number FROM blocks")) != named:
        raise GalleryError(f"parts of {path} were added or taken away by something else; {_BACK}")
    return View(path, db, cipher, key_id, manifest)


def _cipher(path: Path, key_id: str, ring: Keyring | None) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if ring is None:
        raise GalleryError(
            f"{path} is under key {key_id}, and the keyring is gone; {_BACK}: a new key does not open it"
        )
    if key_id not in ring.ids:
        raise GalleryError(
            f"{path} is under key {key_id}, which is not on the ring of {ring.source}; put it back there"
        )
    return AESGCM(ring.derive("gallery", key=key_id))
