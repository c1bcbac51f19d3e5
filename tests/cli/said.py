"""Running the command line in a test: what it says, and what it exits with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from guardrail.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


def running(capsys: pytest.CaptureFixture[str], *first: str) -> Run:
    """`run("--prompt", …)` runs `guardrail` with `first` and those arguments. A traceback fails the test."""

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        try:
            main([*first, *map(str, arguments)])
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(code, said.out, said.err)

    return run
