"""The bar with the time that is left: what it says, and that it leaves a terminal as it was."""

from __future__ import annotations

import io

import pytest

from guardrail.bench.progress import Progress, progress_here


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is_and_how_long_it_takes_and_gets_its_cursor_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = _Terminal()
    monkeypatch.setattr("sys.stderr", said)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    bar = progress_here()
    assert bar is not None
    bar("prompts", 40, 100)
    bar("prompts", 60, 100)
    bar("copies", 1, 7)
    bar.close()
    shown = said.getvalue()
    for part in ("prompts", "40/100", "left:", "copies", "1/7"):
        assert part in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_it_ends_by_itself_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", _Terminal())
    with Progress() as bar:
        bar("prompts", 1, 2)
        assert bar._bar is not None
        bar("prompts", 2, 2)
        assert bar._bar is None


def test_nobody_who_looks_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert progress_here() is None
