"""Rules that change while something runs on them: a new policy is proven first, then takes the place of the old whole.

Load, lint, run its tests, make everything that is made of it; only then one assignment puts it in force. Whatever goes
wrong before leaves the old policy as it was, and says so.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from guardrail.decision import PolicyRef
from guardrail.errors import ConfigurationError, GuardrailError, PolicyError
from guardrail.policy.engine import PolicyEngine
from guardrail.policy.lint import warnings_of
from guardrail.policy.loader import load_cases
from guardrail.policy.model import Policy
from guardrail.policy.testing import run_tests
from guardrail.policy.watching import Watch, files_of, fingerprint

__all__ = ["Keeper", "Loaded", "load_watched", "prove"]

_log = logging.getLogger("guardrail")
_T = TypeVar("_T")
_TRIES = 3  # loading finds out which files belong to a policy; more rounds only where each round finds further ones


def prove(policy: Policy, engine: PolicyEngine) -> None:
    """Refuse a policy that loads and yet should not be put in force: errors that lint finds, tests that fail.

    Raises:
        PolicyError: a finding that is no warning, or a test file that is wrong.
        ConfigurationError: tests fail; the message says expected, got, and why.
    """
    errors = [finding for finding in warnings_of(policy) if not finding.warning]
    if errors:
        raise PolicyError(errors)
    report = run_tests(policy, engine, cases=load_cases(policy))
    if not report.ok:
        failed = "\n".join(str(result) for result in report.failed)
        count = f"{len(report.failed)} of its {len(report.results)} tests"
        raise ConfigurationError(f"{policy.path}: {count} fail{'s' if len(report.failed) == 1 else ''}\n{failed}")


class Loaded(NamedTuple):
    """An engine, or why there is none; and the bytes (sha256 by file) that were there before they were loaded."""

    engine: PolicyEngine | None
    error: GuardrailError | None
    seen: Mapping[Path, str]


def load_watched(
    source: Any, load: Callable[[Any], PolicyEngine], files: Iterable[Path], *, proven: bool = True
) -> Loaded:
    """Load a policy, and know by which bytes: what changes in between is a change.

    Args:
        files: what the policy consisted of when last seen.
        proven: lint it and run its tests as well, see `prove`.
    """
    files = tuple(files)
    for _ in range(_TRIES):
        seen = fingerprint(files)
        try:
            engine = load(source)
            policy = getattr(engine, "policy", None)
            if proven and isinstance(policy, Policy):
                prove(policy, engine)
        except PolicyError as error:
            # The file that is wrong may be one that was not watched before: mending it is a change, too.
            return Loaded(None, error, fingerprint(dict.fromkeys([*files, *(Path(f.path) for f in error.findings)])))
        except GuardrailError as error:
            return Loaded(None, error, seen)
        known = files_of(policy) if isinstance(policy, Policy) else _path(source)
        if set(known) <= set(files):
            break
        files = known
    return Loaded(engine, None, seen)


def _path(source: Any) -> tuple[Path, ...]:
    return (Path(source),) if isinstance(source, str | Path) else ()


class Keeper(Generic[_T]):
    """Holds what is made of a policy, and makes it anew when asked or when its files change.

    Args:
        source: what `load` takes: a name, a path, a loaded policy, an engine.
        load: the engine for a source.
        every_s: seconds between two looks at the files; None: they are not watched.

    Attributes:
        engine: what decides now.
        value: what was made of it, after `begin`. Read it once for whatever must hang together.
        source: where it came from.
        error: why the last reload was refused; None when it was not.

    Raises:
        ConfigurationError: the first policy does not load, or cannot be watched.
    """

    value: _T

    def __init__(self, source: Any, load: Callable[[Any], PolicyEngine], *, every_s: float | None = None) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._files: tuple[Path, ...] = ()
        self._watch = None if every_s is None else self._watching(source, every_s)
        self.source = source
        self.error: GuardrailError | None = None
        self.engine = load(source) if self._watch is None else self._loaded(source)

    def begin(self, finish: Callable[[PolicyEngine], _T], ready: Callable[[_T], None] | None = None) -> None:
        """Make what is made of an engine, such as checks, and begin to watch.

        Args:
            ready: called with what was made of a new engine, before it is put in force.
        """
        self._finish, self._ready = finish, ready
        self.value = finish(self.engine)
        if self._watch is not None:
            self._watch.start()

    def _watching(self, source: Any, every_s: float) -> Watch:
        if not isinstance(source, str | Path):
            raise ConfigurationError("only a policy from a file can be watched: give its name or its path")
        return Watch(self._watched, self.reload, every_s)

    def reload(self, source: Any = None) -> PolicyRef:
        """Put the policy in force as its files are now, or another one.

        Raises:
            GuardrailError: it was refused, and the old one stays in force. Also logged as a warning, and in `error`.
        """
        with self._lock:
            if source is None and not isinstance(self.source, str | Path):
                raise ConfigurationError(
                    "this policy was given as an object, and no file can be read again: say which one to put in force"
                )
            try:
                engine = self._loaded(self.source if source is None else source, proven=True)
                value = self._finish(engine)
                if self._ready is not None:
                    self._ready(value)
            except GuardrailError as error:
                self._refused(error)
                raise
            except Exception as error:
                # A fault in a plugin: its text may hold anything, its type does not.
                refused = ConfigurationError(f"making what the policy needs failed: {type(error).__name__}")
                self._refused(refused)
                raise refused from error
            old, self.engine = self.engine, engine
            self.value = value
            self.source = self.source if source is None else source
            self.error = None
            _log.info(
                "the policy %s %s (%s) is in force, before it %s %s (%s)",
                *(engine.ref.id, engine.ref.version, engine.ref.sha256[:12]),
                *(old.ref.id, old.ref.version, old.ref.sha256[:12]),
            )
            return engine.ref

    def _refused(self, error: GuardrailError) -> None:
        self.error = error
        ref = self.engine.ref
        _log.warning("the policy was not reloaded, %s %s stays in force: %s", ref.id, ref.version, error)

    def _loaded(self, source: Any, *, proven: bool = False) -> PolicyEngine:
        loaded = load_watched(source, self._load, self._files, proven=proven)
        self._take(loaded.seen)
        if loaded.error is not None:
            raise loaded.error
        assert loaded.engine is not None
        return loaded.engine

    def _take(self, seen: Mapping[Path, str]) -> None:
        self._files = tuple(seen)
        if self._watch is not None:
            self._watch.take(seen)

    # ---- watching

    def _watched(self) -> Iterable[Path]:
        return self._files

    def current(self) -> _T:
        """`value`; and in a process that was forked, a watch of its own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.Lock()  # a thread that did not come along may have held it
            if self._watch is not None:
                self._watch.start()
        return self.value

    def stop(self) -> None:
        """No longer watch."""
        if self._watch is not None:
            self._watch.stop()
