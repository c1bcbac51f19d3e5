"""A bar on stderr with the time that is left; only for somebody who looks."""

from __future__ import annotations

import atexit
import sys
from types import TracebackType
from typing import Any

__all__ = ["Progress", "progress_here"]


class Progress:
    """Called with (what is done, how many so far, of how many); another `what` begins another bar.

    What a first call says is done already is not counted for the speed: a run that goes on has it from before.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._what = ""

    def __call__(self, what: str, done: int, of: int) -> None:
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
            atexit.register(self.close)  # a terminal whose cursor stays hidden is broken
        if what != self._what:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task, self._what = self._bar.add_task(what, total=of, completed=done), what
        else:
            self._bar.update(self._task, completed=done, total=of)
        if done >= of:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            atexit.unregister(self.close)
            self._bar, self._task, self._what = None, None, ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def progress_here() -> Progress | None:
    """A bar where stderr is a terminal; None elsewhere."""
    return Progress() if sys.stderr.isatty() else None


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)
