"""What a process of a crew can be given to answer with: a module of its own, since each process imports it."""

from __future__ import annotations

import os
from typing import Any

from guardrail.errors import ConfigurationError


class Counting:
    """Answers with the length of a text and how many it was asked before; ends its process at ``die``."""

    def __init__(self) -> None:
        self._asked = 0

    @property
    def facts(self) -> dict[str, Any]:
        return {"process": os.getpid()}

    @property
    def spent(self) -> dict[str, float]:
        return {"counting": float(self._asked)}

    def ask(self, text: str) -> tuple[int, int]:
        if text == "die":
            os._exit(7)
        if text == "raise":
            raise ValueError(text)
        self._asked += 1
        return len(text), os.getpid()

    def close(self) -> None:
        pass


def refusing() -> Counting:
    raise ConfigurationError("there is no model: pull it")
