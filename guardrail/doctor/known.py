"""What is said of the lists of known images: whether a guard can open them."""

from __future__ import annotations

from pathlib import Path

from guardrail.doctor.gallery import Sealed
from guardrail.errors import KnownImagesError
from guardrail.keys import Keyring
from guardrail.known import HashLists
from guardrail.known.file import SUFFIX, sealed_under

__all__ = ["look_at_known", "opened_lists"]


def opened_lists(folder: Path, ring: Keyring | None) -> HashLists | None:
    """The lists that a guard would look pictures up in; ``None`` where there are none, or they do not open."""
    try:
        lists = HashLists(folder, ring) if ring is not None else None
    except KnownImagesError:
        return None  # `look_at_known` says so.
    return lists if lists is not None and lists.lists() else None


def look_at_known(folder: Path, ring: Keyring | None) -> Sealed:
    """Opens every list, and changes none.

    Args:
        folder: of the lists; it need not be there.
        ring: ``None`` where there is no key.
    """
    try:
        if ring is not None:
            count = len(HashLists(folder, ring).lists())
        paths = sorted(p for p in folder.glob(f"*{SUFFIX}") if p.name[0] != ".")
        under = {path: sealed_under(path) for path in paths}
    except KnownImagesError as error:
        return Sealed(fault=str(error))
    if not under:
        return Sealed()
    if ring is None:
        path, key = next(iter(under.items()))
        cause = f"{path} is under key {key}, and the keyring is gone"
        return Sealed(fault=f"{cause}; put your copy of it back: a new key does not open it")
    old = sorted(set(under.values()) - {ring.active})
    remark = f"lists in {folder} are under older keys ({', '.join(old)}); run: guardrail known rekey" if old else ""
    return Sealed(f"{count:,} list{'' if count == 1 else 's'}", remark=remark)
