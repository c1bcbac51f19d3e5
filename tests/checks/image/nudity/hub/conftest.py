"""A network that nobody may touch, and pictures of noise."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection, or asks for an address, fails."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was touched")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket, "create_connection", refused)


@pytest.fixture
def pictures() -> list[np.ndarray]:
    draw = np.random.default_rng(4)
    return [draw.integers(0, 256, size, np.uint8) for size in ((40, 40, 3), (64, 48, 3), (30, 120, 3))]
