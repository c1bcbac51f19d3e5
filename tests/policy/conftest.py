"""Policies from short texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardrail.policy import Policy, load_policy


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a policy file; `policy:` is put before the text unless it has its own."""

    def write(text: str, name: str = "my.yaml") -> Path:
        path = tmp_path / name
        head = "" if "policy:" in text or name.endswith(".test.yaml") else "policy: {id: my, version: 1.0.0}\n"
        path.write_text(head + text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def policy_of(write: Callable[[str], Path]) -> Callable[[str], Policy]:
    return lambda text: load_policy(write(text))
