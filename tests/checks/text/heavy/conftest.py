"""Folders with tiny models, made once; and a network that nobody may touch."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from guardrail.media import Request, TextInput

from . import models


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection, or asks for an address, fails."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was touched")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket, "create_connection", refused)


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier (SFW, NSFW) that finds the word "nude"."""
    return models.save(models.telling_bert(), models.word_tokenizer(), tmp_path_factory.mktemp("models") / "nsfw-tiny")


def request_of(*texts: str, negative: str = "") -> Request:
    inputs = tuple(TextInput(t, index=i) for i, t in enumerate(texts))
    return Request((*inputs, TextInput(negative, "negative_prompt", negative=True)) if negative else inputs)
