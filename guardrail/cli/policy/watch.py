"""``guardrail policy watch``: lint and test a rule file whenever it changes, as a running guard would."""

from __future__ import annotations

import datetime as dt
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import JSON, refuse
from guardrail.errors import GuardrailError, PolicyError, SignalUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from guardrail.decision import PolicyRef
    from guardrail.policy import PolicyEngine

__all__ = ["register"]


def watch_(
    file: Annotated[str, typer.Argument(help="A rule file, or the name of a shipped policy.")],
    every: Annotated[float, typer.Option(min=0.05, max=3600, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    json: JSON = False,
) -> None:
    """Load, lint and test a rule file whenever it, a file that it extends or its tests change, until Ctrl-C.

    Says what a guard with reload=True would do: take it, or keep the old one. SIGHUP looks at once. With --json one
    object a line. Exit code: 0 the file is in force at the end, 1 it is not, 2 usage.
    """
    from guardrail.paths import shipped_policies
    from guardrail.policy.files import locate

    try:
        path = locate(file, shipped_policies())
    except PolicyError as error:
        refuse(error, json)
    if not path.is_file():
        refuse(f"{path} is not a file — name a rule file or a shipped policy", json)
    watcher = _Watcher(file, every, json)
    if not once:
        watcher.run()
    raise typer.Exit(0 if watcher.good else 1)


class _Watcher:
    """What would be in force. It begins with nothing, so that the first file may be a wrong one."""

    def __init__(self, file: str, every: float, json: bool) -> None:
        from guardrail.policy.watching import Watch

        self._file, self._every, self._json = file, every, json
        self._files: tuple[Path, ...] = ()
        self._in_force: PolicyRef | None = None
        self._wake = threading.Event()
        self._end = False
        self._watch = Watch(self._watched, self.look, every)
        self.good = False
        self.look()

    def _watched(self) -> tuple[Path, ...]:
        return self._files

    def look(self) -> None:
        """Take the file, or keep what was there; and say which."""
        from guardrail.policy.reload import load_watched

        loaded = load_watched(self._file, _load, self._files)
        self._files = tuple(loaded.seen)
        self._watch.take(loaded.seen)
        self.good = loaded.error is None
        if loaded.engine is not None:
            self._in_force = loaded.engine.ref
        self._say(loaded.error)

    def _say(self, error: GuardrailError | None) -> None:
        ref = self._in_force
        if self._json:
            findings = [f.to_json() for f in error.findings] if isinstance(error, PolicyError) else []
            event = {"taken": error is None, "in_force": ref.to_json() if ref else None, "findings": findings}
            show.print_json_line(event | {"error": str(error) if error else ""})
        else:
            force = f"{ref.id} {ref.version} ({ref.sha256[:12]})" if ref else "nothing"
            now = dt.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
            if error is None:
                show.say(f"{now} {force} is in force")
            else:
                show.say(f"{now} NOT TAKEN, {force} stays in force\n{show.told(error, lines=True)}", lines=True)
        sys.stdout.flush()  # to a pipe, lines would wait for company

    def run(self) -> None:
        """Until it is told to end."""
        for name, handler in (("SIGINT", self._stop), ("SIGTERM", self._stop), ("SIGHUP", self._hang_up)):
            if hasattr(signal, name):  # Windows has no SIGHUP
                signal.signal(getattr(signal, name), handler)
        while not self._end:
            woken = self._wake.wait(self._every)
            self._wake.clear()
            if not self._end and (self._watch.look() or woken):
                self.look()

    def _stop(self, *_: object) -> None:
        self._end = True
        self._wake.set()

    def _hang_up(self, *_: object) -> None:
        self._wake.set()


def _load(file: str) -> PolicyEngine:
    """The engine for a file whose signals some installed check declares. Whether it starts, only a guard can say."""
    from guardrail.checks.registry import declared_checks
    from guardrail.guard.build import OWN_SIGNALS, load_engine

    declared = declared_checks()
    engine = load_engine(file, declared)
    given = OWN_SIGNALS | {spec.name for check in declared for spec in check.gives}
    missing = [f"{name} (read by {', '.join(rules)})" for name, rules in engine.needs().items() if name not in given]
    if missing:
        raise SignalUnavailable(f"no check installed here gives {'; '.join(missing)}: see guardrail doctor")
    return engine


def register(app: typer.Typer) -> None:
    app.command(name="watch")(watch_)
