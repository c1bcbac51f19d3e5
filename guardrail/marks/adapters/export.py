"""Folders with an exported watermark network: what `training/marks_export` writes, verified before it runs.

A folder has ``guardrail-mark.json``, an encoder and a decoder, both ONNX. Inputs and outputs are the same for every
kind, so that what is peculiar to a network lies in its graph:

- encoder: ``image`` (1, 3, S, S) float32 RGB in 0..1 and ``message`` (1, n) float32, zeros and ones; gives ``residual``
  (1, 3, S, S) float32, to be added to such an image.
- decoder: ``image`` (1, 3, D, D) float32 RGB in 0..1; gives ``bits`` (1, n) float32, a one where positive. A network
  that reads every pixel for itself gives ``dense`` (1, 1 + n, D, D) instead: a mask, then bits, both so.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrail.errors import WeightsError, WeightsMismatch, WeightsMissing

__all__ = ["MANIFEST", "Export", "read_export"]

MANIFEST = "guardrail-mark.json"
VERSION = 1
_LARGEST_MANIFEST = 65_536  # bytes


@dataclass(frozen=True, slots=True)
class Export:
    """A verified folder.

    Attributes:
        kind, variant: such as ``trustmark`` and ``Q``.
        licence: of the weights, as the export script states it.
        bits: how many the network carries, before any code.
        encoder, decoder: the files' content: what was hashed is what runs.
        encoder_side, decoder_side: pixels of the square that each of them looks at.
        strength: by which the residual is multiplied.
    """

    kind: str
    variant: str
    licence: str
    bits: int
    encoder: bytes
    decoder: bytes
    encoder_side: int
    decoder_side: int
    strength: float


def read_export(folder: str | Path, kind: str) -> Export:
    """The networks of a folder, after their sha256 was compared with the manifest.

    Raises:
        WeightsMissing: no manifest, or a file that it names is not there.
        WeightsMismatch: a file has another sha256.
        WeightsError: not such a manifest, or one of another kind.
    """
    path = Path(folder)
    said = _manifest(path, kind)
    try:
        sides = {part: int(said[part]["side"]) for part in ("encoder", "decoder")}
        bits, strength = int(said["bits"]), float(said["strength"])
        variant, licence = said["variant"], said["licence"]
        good = all(isinstance(w, str) and w for w in (variant, licence)) and 1 <= bits <= 4096 and 0 < strength <= 100
        good = good and all(16 <= side <= 4096 for side in sides.values())
    except (KeyError, TypeError, ValueError, OverflowError):
        good = False
    if not good:
        raise WeightsError(f"{path / MANIFEST} lacks a field, or has one out of range; export the network again")
    encoder, decoder = (_verified(path, said[part]) for part in ("encoder", "decoder"))
    return Export(kind, variant, licence, bits, encoder, decoder, sides["encoder"], sides["decoder"], strength)


def _manifest(folder: Path, kind: str) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise WeightsMissing(f"{folder} has no {MANIFEST}; make the folder with training/marks_export/{kind}.py")
    try:
        with file.open("rb") as opened:
            said: Any = json.loads(opened.read(_LARGEST_MANIFEST))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{file} cannot be read: {type(error).__name__}") from None
    if not isinstance(said, dict) or said.get("guardrail_mark") != VERSION:
        raise WeightsError(f"{file} is no manifest of version {VERSION}; export the network again")
    if said.get("kind") != kind:
        raise WeightsError(f"{file} is of kind {str(said.get('kind'))[:40]!r}, not {kind!r}")
    return said


def _verified(folder: Path, part: dict[str, Any]) -> bytes:
    name, stated = part.get("file"), part.get("sha256")
    # A plain name: a manifest leads to no other folder.
    if not isinstance(name, str) or not name.endswith(".onnx") or Path(name).name != name:
        raise WeightsError(f"{folder / MANIFEST} names a file that is no .onnx file in its own folder")
    path = folder / name
    if not path.is_file():
        raise WeightsMissing(f"{path} is not there, though the manifest names it; export the network again")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != stated:
        raise WeightsMismatch(
            f"{path} has sha256 {digest[:16]}…, its manifest states {str(stated)[:16]}…; export the network again"
        )
    return content
