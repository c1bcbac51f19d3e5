"""Other people's watermarks, measured where they are installed and named where they are not.

Nothing here is installed with guardrail. To measure them without touching an environment that is in use:

    pip install --no-deps --target /tmp/peers invisible-watermark blind-watermark PyWavelets
    PYTHONPATH=/tmp/peers guardrail bench marks …
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.bench.marks.methods import Marker, Method, Read

__all__ = ["PEERS", "Peer"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Peer:
    """A watermark of others.

    Attributes:
        package: on the package index; `modules` have to be there for it to work.
        slow: a call takes seconds: it is measured on fewer pictures.
    """

    method: Method
    package: str
    modules: tuple[str, ...]
    slow: bool = False

    @property
    def lacking(self) -> str:
        """Why it is not measured; empty where it is."""
        missing = [name for name in self.modules if importlib.util.find_spec(name) is None]
        return f"not installed ({self.package}: no module {', '.join(missing)})" if missing else ""


class _Bits(ABC):
    """What both packages have in common: pixels as blue, green, red, and bits highest first."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def embed(self, pixels: Pixels, payload: int) -> Pixels:
        bits = [payload >> (self.bits - 1 - i) & 1 for i in range(self.bits)]
        marked = self._write(np.ascontiguousarray(pixels[..., ::-1]), bits)
        return np.ascontiguousarray(np.clip(np.rint(marked), 0, 255).astype(np.uint8)[..., ::-1])

    def read(self, pixels: Pixels, *, search: bool = True) -> Read:
        try:
            bits = self._bits(np.ascontiguousarray(pixels[..., ::-1]))
        except Exception as error:  # noqa: BLE001 — of theirs, on pictures they do not take: a picture not read
            return Read(None, f"error: {type(error).__name__}")
        payload = 0
        for bit in bits:
            payload = payload << 1 | int(bit)
        return Read(payload, "bits")

    @abstractmethod
    def _write(self, picture: Pixels, bits: list[int]) -> NDArray[Any]: ...

    @abstractmethod
    def _bits(self, picture: Pixels) -> list[int]: ...


class _Invisible(_Bits):
    """invisible-watermark (ShieldMnt, MIT). It has no key."""

    def __init__(self, way: str, bits: int, _: bytes) -> None:
        super().__init__(bits)
        self._way = way
        self._package: Any = importlib.import_module("imwatermark")
        if way == "rivaGan":
            self._package.WatermarkEncoder.loadModel()
            self._package.WatermarkDecoder.loadModel()

    def _write(self, picture: Pixels, bits: list[int]) -> NDArray[Any]:
        encoder = self._package.WatermarkEncoder()
        encoder.set_watermark("bits", bits)
        marked: NDArray[Any] = encoder.encode(picture, self._way)
        return marked

    def _bits(self, picture: Pixels) -> list[int]:
        found = self._package.WatermarkDecoder("bits", self.bits).decode(picture, self._way)
        return [int(bit) for bit in found]


def _blind_watermark() -> Any:
    """The package, which says how processes of the whole program begin while it is imported. Where that was said
    before, its import fails; and what it says is not for a part of a measurement to say. Here it starts none."""
    said = multiprocessing.set_start_method
    multiprocessing.set_start_method = lambda *_, **__: None
    try:
        return importlib.import_module("blind_watermark")
    finally:
        multiprocessing.set_start_method = said


class _Blind(_Bits):
    """blind-watermark (Guo Fei, MIT). Its passwords are small numbers."""

    def __init__(self, bits: int, key: bytes) -> None:
        super().__init__(bits)
        self._package: Any = _blind_watermark()
        self._package.bw_notes.close()  # it prints an advertisement
        self._passwords = {
            "password_img": int.from_bytes(key[:3], "big"),
            "password_wm": int.from_bytes(key[3:6], "big"),
        }

    def _write(self, picture: Pixels, bits: list[int]) -> NDArray[Any]:
        mark = self._package.WaterMark(**self._passwords)
        mark.read_img(img=picture)
        mark.read_wm([bool(bit) for bit in bits], mode="bit")
        marked: NDArray[Any] = mark.embed()
        return marked

    def _bits(self, picture: Pixels) -> list[int]:
        mark = self._package.WaterMark(**self._passwords)
        found = mark.extract(embed_img=picture, wm_shape=self.bits, mode="bit")
        return [int(value >= 0.5) for value in np.asarray(found, float)]


def _peer(
    name: str, bits: int, marker: Callable[[bytes], Marker], package: str, modules: str, *, slow: bool = False
) -> Peer:
    return Peer(Method(name, bits, marker, checked=False), package, tuple(modules.split()), slow)


_INVISIBLE = "cv2 pywt imwatermark"
PEERS: tuple[Peer, ...] = (
    _peer("dwtDct", 64, partial(_Invisible, "dwtDct", 64), "invisible-watermark", _INVISIBLE),
    _peer("dwtDctSvd", 64, partial(_Invisible, "dwtDctSvd", 64), "invisible-watermark", _INVISIBLE),
    _peer(
        "rivaGan",
        32,
        partial(_Invisible, "rivaGan", 32),
        "invisible-watermark",
        f"{_INVISIBLE} torch onnxruntime",
        slow=True,
    ),
    _peer("blind-watermark", 64, partial(_Blind, 64), "blind-watermark", "cv2 pywt blind_watermark", slow=True),
)
