"""Collecting every remark about a file, in the order of the file, with a suggestion where a name is close."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Protocol

from guardrail.errors import Finding, PolicyError

__all__ = ["Findings", "Place", "near", "shown"]

# Past this an author mends from the top anyway, and a hostile file must not buy time with remarks.
MAX_FINDINGS = 100


class Place(Protocol):
    """Whatever has a line and a column."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class Findings:
    """The remarks about one file.

    Args:
        path: the file as the author named it.
        text: its content, for showing the offending line.
    """

    def __init__(self, path: str, text: str = "") -> None:
        self.path = path
        self.text = text
        self._found: list[Finding] = []
        self._lines: list[str] | None = None

    def add(self, code: str, at: Place | None, message: str, mend: str = "", *, warning: bool = False) -> None:
        """Note one remark; `at` is None where the whole file is meant."""
        if len(self._found) >= MAX_FINDINGS:
            return
        line, column = (at.line, at.column) if at else (0, 0)
        self._found.append(Finding(code, self.path, line, column, message, mend, self._source(line), warning=warning))

    def unknown(self, code: str, at: Place, what: str, word: str, known: Iterable[str]) -> None:
        """Note a name that nothing has, with the nearest name that something has."""
        if len(self._found) < MAX_FINDINGS:
            self.add(code, at, f"unknown {what} {shown(word)}", near(word, known))

    def include(self, others: Iterable[Finding]) -> None:
        """Take over the remarks about a file that this one is made of; they keep their own path."""
        known = {str(f) for f in self._found}
        self._found += [f for f in others if str(f) not in known][: MAX_FINDINGS - len(self._found)]

    def in_order(self) -> tuple[Finding, ...]:
        """The remarks in the order of the file, those about files that it is made of last."""
        return tuple(sorted(self._found, key=lambda f: (f.path != self.path, f.path, f.line, f.column, f.code)))

    @property
    def any_error(self) -> bool:
        return any(not f.warning for f in self._found)

    def refuse(self) -> None:
        """Raise all remarks at once if one of them is an error.

        Raises:
            PolicyError: the file does not load.
        """
        if self.any_error:
            raise PolicyError([f for f in self.in_order() if not f.warning])

    def _source(self, line: int) -> str:
        if self._lines is None:
            self._lines = self.text.splitlines()
        return self._lines[line - 1].strip()[:200] if 0 < line <= len(self._lines) else ""


def near(word: str, known: Iterable[str]) -> str:
    """`did you mean …?` for a close name, otherwise at most 20 of the names that exist."""
    import difflib  # 2 ms that only a mistake needs

    names = sorted(known) if isinstance(known, Set) else list(known)
    # Matching takes time in proportion to both lengths: a word of a megabyte is no typing mistake.
    close = difflib.get_close_matches(word, names, 1, 0.6) if len(word) <= 64 else []
    if close:
        return f"did you mean '{close[0]}'?"
    if not names:
        return "none is defined"
    return f"known: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"


def shown(text: str) -> str:
    """`text` in quotes, escaped and cut to 60 characters."""
    return repr(text if len(text) <= 60 else text[:59] + "…")
