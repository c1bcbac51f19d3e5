"""The room is light: it decides without torch, numpy, PIL, and without the YAML parser."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[2] / "guardrail" / "policy"
ALLOWED = ("guardrail.policy", "guardrail.decision", "guardrail.signals", "guardrail.errors", "yaml")


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda p: p.stem)
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            assert name.startswith(ALLOWED) or name.partition(".")[0] in sys.stdlib_module_names, name


def test_importing_the_room_brings_nothing_heavy() -> None:
    code = "import sys, guardrail.policy; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = set(
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOM.parents[1]).stdout.split()
    )
    assert not loaded & {"torch", "numpy", "PIL", "yaml", "pathlib", "difflib", "hashlib", "guardrail.policy.compose"}


def test_public_names() -> None:
    import guardrail.policy as room

    assert sorted(room.__all__) == room.__all__
    assert all(hasattr(room, name) for name in room.__all__)
    assert room.__all__ == [
        "BuiltinEngine",
        "Case",
        "CaseResult",
        "Checks",
        "Expectation",
        "Policy",
        "PolicyEngine",
        "Rule",
        "RunReport",
        "lint_file",
        "load_cases",
        "load_policy",
        "run_tests",
        "warnings_of",
    ]
