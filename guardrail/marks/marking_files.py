"""Marking picture files that were made elsewhere: watermark, metadata, credentials, registry, and reading it all back.

For the operator's own pictures. A service that marks what its users send it gives the mark away: whoever has a flat
picture marked can read the pattern off it and lay it over any other picture (the copy attack).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guardrail.decision import new_decision_id
from guardrail.drafts import write_whole
from guardrail.errors import ConfigurationError, MarkError, UnsupportedInput
from guardrail.keys import Keyring
from guardrail.marks.files import FORMATS, Sign, encode_image
from guardrail.marks.foreign.layers import CLAIMED
from guardrail.marks.label import Label, one_line
from guardrail.marks.marker import free_mark_id
from guardrail.marks.registry import Entry, Registry, pdq_of
from guardrail.marks.stack import MarkStack, shown
from guardrail.marks.verify import VERIFY_LIMITS, Verification, verify_image
from guardrail.media import decode_image
from guardrail.media.decode import is_wide, read_content, sniff

if TYPE_CHECKING:
    from PIL.Image import Image

    from guardrail.marks.credentials import Signer

__all__ = ["FileMarker", "MarkedFile", "targets_of"]

# As faint as codecs go before the file is many times as large.
_QUALITY: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90},
}
# The box that Content Credentials lie in.
_CREDENTIALS = b"jumb"


@dataclass(frozen=True, slots=True)
class MarkedFile:
    """What became of one file.

    Args:
        source, target: where it was read and written.
        mark_id: of its watermark, in hex.
        grade: ``full``, or ``fragile``: too small for a mark that survives much.
        said: what a reader finds in it.
        notes: what the operator should know.
    """

    source: Path
    target: Path
    mark_id: str
    grade: str
    said: Verification
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "file": str(self.source),
            "out": str(self.target),
            "mark_id": self.mark_id,
            "grade": self.grade,
            "notes": list(self.notes),
            **{name: value for name, value in self.said.to_json().items() if name == "layers"},
        }


class FileMarker:
    """Marks files with the active key.

    Args:
        system, system_version: the generator, as the metadata names it.
        provider: who offers the service, likewise.
        psnr_db: strength of the watermark, 30..60 dB; more is fainter.
        composite: the pictures were made out of other pictures.
        registry: where they are registered, and `policy` what is entered there as the rules.
        signer: signs Content Credentials.

    Raises:
        ConfigurationError: no such strength.
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        system: str = "",
        system_version: str = "",
        provider: str = "",
        psnr_db: float = 43.0,
        composite: bool = False,
        registry: Registry | None = None,
        policy: str = "",
        signer: Signer | None = None,
    ) -> None:
        self._keyring = keyring
        self._stack = MarkStack(keyring, psnr_db=psnr_db)
        try:
            self._stack.warmup()
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        self._system, self._version, self._provider = one_line(system), one_line(system_version), one_line(provider)
        self._source_type = "compositeWithTrainedAlgorithmicMedia" if composite else "trainedAlgorithmicMedia"
        self._registry = registry
        self._policy = one_line(policy)
        self._signer = signer

    def mark(self, source: Path, target: Path) -> MarkedFile:
        """Mark one file; what stands at `target` is replaced (see `targets_of`).

        The picture is registered before it is written: nothing gets out that the registry does not know.

        Raises:
            InputError: it cannot be read as a picture, or is animated.
            MarkError: it cannot be marked, read back, registered or written. Nothing is written then.
        """
        content = read_content(source, "the file", VERIFY_LIMITS)
        picture, carried = _picture(content)
        self._require_unmarked(picture[..., :3])
        # A name as unique as a decision's id, though nobody decided anything.
        name = new_decision_id(time.time_ns() // 1_000_000, secrets.token_bytes(10))
        mark_id = free_mark_id(self._stack, self._registry, name)
        height, width = picture.shape[:2]
        label = Label(
            source_type=self._source_type,
            system=self._system,
            system_version=self._version,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            mark_id=mark_id,
            provider=self._provider,
            signed=self._signer is not None,
        )
        label = self._stack.with_integrity(label)
        marked = np.asarray(self._stack.embed(picture, mark_id), np.uint8)
        form = FORMATS[target.suffix.lower().lstrip(".")]
        image = _as_image(marked, carried)
        written = encode_image(image, form, label, sign=self._sign(label, content), **_QUALITY[form])
        said = self._read_back(written, mark_id)
        if self._registry is not None:
            self._registry.add(self._entry(written, picture, label))
        try:
            write_whole(target, written)
        except OSError as error:
            raise MarkError(f"{target} cannot be written: {error.strerror or type(error).__name__}") from None
        grade = self._stack.grade(height, width)
        return MarkedFile(source, target, mark_id, grade, said, tuple(self._notes(content, form, picture, grade)))

    def _require_unmarked(self, pixels: NDArray[np.uint8]) -> None:
        # Of two marks in one picture nobody can say which will be read.
        payload = self._stack.read(np.ascontiguousarray(pixels), search=False).payload
        if payload is not None:
            raise MarkError(f"it carries the mark {payload.mark_id} already: mark the picture as it was before")

    def _sign(self, label: Label, content: bytes) -> Sign | None:
        if self._signer is None:
            return None
        from guardrail.marks.credentials import signing

        # Credentials that the file came with are kept, as those of an ingredient.
        return signing(label, self._signer, content if _CREDENTIALS in content else None)

    def _read_back(self, written: bytes, mark_id: str) -> Verification:
        said = verify_image(written, self._keyring, search=False)
        found = {layer.name: layer.verdict for layer in said.layers}
        if said.mark_id != mark_id:
            raise MarkError(f"the watermark cannot be read back from the file ({found['watermark']})")
        if found["metadata"] != "found":
            raise MarkError("the metadata cannot be read back from the file")
        # Whether anybody trusts its signer is for readers to say.
        if self._signer is not None and found["content credentials"] not in ("found", CLAIMED):
            raise MarkError(f"the content credentials do not read back ({found['content credentials']})")
        return said

    def _entry(self, written: bytes, picture: NDArray[np.uint8], label: Label) -> Entry:
        pixels = decode_image(written, limits=VERIFY_LIMITS).frames[0]
        payload = self._stack.read(np.ascontiguousarray(pixels[..., :3]), search=False).payload
        if payload is None:
            raise MarkError("the watermark cannot be read back from the file")
        return Entry(
            mark_id=label.mark_id,
            key=self._keyring.active,
            tag=payload.tag,
            pdq=pdq_of(shown(pixels)),
            sha256=hashlib.sha256(written).hexdigest(),
            pixels_sha256=hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest(),
            model=label.software,
            policy=self._policy,
            created=label.created,
        )

    def _notes(self, content: bytes, form: str, picture: NDArray[np.uint8], grade: str) -> list[str]:
        notes = []
        if grade == "fragile":
            notes.append("small picture: the mark will not survive much")
        if form == "JPEG" and picture.shape[2] == 4:
            notes.append("JPEG has no transparency: the picture is written over white")
        if self._signer is None and _CREDENTIALS in content:
            notes.append("the Content Credentials that it came with are lost: with --signer they are kept")
        return notes


def targets_of(
    sources: Sequence[Path], folder: Path, *, force: bool = False
) -> tuple[list[tuple[Path, Path]], list[tuple[Path, MarkError]]]:
    """Where each file is written: under its own name in `folder`.

    Args:
        force: replace files that stand there already, never one of `sources`.

    Returns:
        Pairs of source and target; and the files that are refused, with the reason: two of one name, a file that would
        be overwritten, a format that cannot carry the marks.
    """
    pairs: list[tuple[Path, Path]] = []
    refused: list[tuple[Path, MarkError]] = []
    taken: set[Path] = set()
    inputs = {_real(source) for source in sources}
    for source in sources:
        target = folder / source.name
        cause = ""
        if source.is_dir():
            cause = "a folder; give the files in it"
        elif target.suffix.lower().lstrip(".") not in FORMATS:
            kind = source.suffix or "a file without a suffix"
            cause = f"{kind} cannot carry the marks; save the picture as png, jpeg, webp or avif"
        elif target in taken:
            cause = f"another file of this name is written to {target} already: mark them into different folders"
        elif _real(target) in inputs:
            cause = f"{target} is one of the files to be marked, which are never overwritten: choose another folder"
        elif os.path.lexists(target) and not force:
            cause = f"{target} is there already; --force replaces it"
        if cause:
            refused.append((source, MarkError(cause)))
        else:
            taken.add(target)
            pairs.append((source, target))
    return pairs, refused


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _picture(content: bytes) -> tuple[NDArray[np.uint8], Image]:
    """The pixels, (H, W, 3 or 4), upright; and the opened image for what it carries besides.

    Raises:
        InputError: unreadable, animated, or grey of more than 8 bits.
    """
    from PIL import Image as Images
    from PIL import ImageOps

    decoded = decode_image(content, argument="the file", limits=VERIFY_LIMITS)
    form = sniff(content[:16])
    assert form is not None
    with Images.open(io.BytesIO(content), formats=[form]) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedInput("the file is animated or holds several pictures: give them one by one")
        if is_wide(image.mode):
            raise UnsupportedInput("the file is grey of more than 8 bits: convert it to 8 bits first")
        carried = ImageOps.exif_transpose(image)
    return decoded.frames[0], carried


def _as_image(pixels: NDArray[np.uint8], carried: Image) -> Image:
    """The marked pixels as the kind of image that the file had (grey or colour), with its metadata."""
    from PIL import Image as Images

    image = Images.fromarray(pixels)
    if carried.mode in ("L", "1"):
        image = image.convert("L")
    elif carried.mode == "LA":
        image = image.convert("LA")
    image.info = {name: value for name, value in carried.info.items() if name != "transparency"}
    return image
