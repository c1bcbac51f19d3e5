"""Which engines there are, and which of them a policy asks for.

The shipped ones are listed here; further ones are found under the entry-point group ``guardrail.engines``. An entry
point names a factory, called as ``factory(source, vocabulary=…, actions=…, shipped=…)`` with the text after ``name:``
or a path, that gives a `PolicyEngine`. It may have an attribute ``suffixes``, such as ``(".cel.yaml",)``: files whose
names end so are given to it without being asked by name. A plugin is loaded when its name is asked for, or when a path
is that nothing shipped claims; a broken one is an error with its name then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Protocol

from guardrail.decision import CORE_ACTIONS, ActionKind
from guardrail.errors import ConfigurationError, PluginError
from guardrail.policy.engine import BuiltinEngine, PolicyEngine
from guardrail.policy.findings import near, shown
from guardrail.policy.loader import load_policy
from guardrail.signals import CORE, Vocabulary

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from pathlib import Path

__all__ = ["GROUP", "Factory", "engine_for", "engine_names"]

GROUP = "guardrail.engines"
_HERE = "guardrail.policy.engines"
# Name → where its factory is, and the ends of the file names that ask for it.
SHIPPED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "builtin": (f"{_HERE}.registry:builtin", ()),
    "cel": (f"{_HERE}.cel:load_cel", (".cel.yaml", ".cel.yml")),
    "rego": (f"{_HERE}.rego:load_rego", (".rego",)),
    "opa": (f"{_HERE}.opa:load_opa", ()),
}
_OWN = tuple(suffix for _, suffixes in SHIPPED.values() for suffix in suffixes)
# Two letters at least: `C:\policies\mine.yaml` is a path.
_NAMED = re.compile(r"([a-z][a-z0-9_-]+):(.+)", re.DOTALL)


class Factory(Protocol):
    """Makes an engine out of what stands after ``name:``."""

    def __call__(
        self,
        source: str | PathLike[str],
        *,
        vocabulary: Vocabulary,
        actions: Mapping[str, ActionKind],
        shipped: Path | None,
    ) -> PolicyEngine: ...


@dataclass(frozen=True, slots=True)
class _Declared:
    name: str
    factory: Factory
    suffixes: tuple[str, ...]
    origin: str


def engine_for(
    source: str | PathLike[str],
    *,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
    shipped: Path | None = None,
) -> PolicyEngine:
    """The engine that `source` asks for, with its policy loaded.

    Args:
        source: ``name:source`` with the name of an engine (``builtin``, ``cel``, ``rego``, ``opa`` or a plugin's); or a
            path, whose end decides (``.cel.yaml``, ``.rego``, a plugin's suffix; everything else is a rule file of the
            built-in engine); or the name of a shipped policy. A `Path` is always a path, colons and all.
        vocabulary: the signals that rules may name.
        actions: the actions that rules may ask for, by name.
        shipped: the folder with the shipped policies, for bare names such as ``"default"`` and ``"cel:default"``.

    Raises:
        PolicyError: the policy does not load; every finding with its code and place.
        MissingExtra: the engine's package is not installed; the message has the pip line.
        PluginError: an engine that a plugin gives is broken.
        ConfigurationError: no engine has the name.
    """
    rest: str | PathLike[str] = source
    named = _NAMED.fullmatch(source) if isinstance(source, str) else None
    if named is not None:
        declared, rest = _by_name(named[1]), named[2]
    else:
        declared = _by_suffix(fspath(source))
    if declared.origin == "guardrail":
        return declared.factory(rest, vocabulary=vocabulary, actions=actions, shipped=shipped)
    return _from_plugin(declared, rest, vocabulary, actions, shipped)


def engine_names() -> tuple[str, ...]:
    """The names of all engines, shipped ones first. Loads none of them."""
    return (*SHIPPED, *sorted(p.name for p in _points() if p.name not in SHIPPED))


def builtin(
    source: str | PathLike[str],
    *,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
    shipped: Path | None = None,
) -> PolicyEngine:
    """The engine of rule files."""
    return BuiltinEngine(load_policy(source, vocabulary=vocabulary, actions=actions, shipped=shipped))


def _by_name(name: str) -> _Declared:
    points = _points()
    twins = [p for p in points if p.name == name]
    if name in SHIPPED and twins:
        raise PluginError(f"the engine {name!r} of {_origin(twins[0])} has the name of one from guardrail")
    if name in SHIPPED:
        return _shipped(name)
    if not twins:
        names = [*SHIPPED, *(p.name for p in points)]
        mend = "did you mean 'opa:' before the address?" if name in ("http", "https") else near(name, names)
        raise ConfigurationError(
            f"no engine is called {shown(name)} — {mend}; a path with a colon in it is passed as a pathlib.Path"
        )
    if len(twins) > 1:
        raise PluginError(f"{_origin(twins[0])} and {_origin(twins[1])} both have an engine {name!r}")
    return _load(twins[0])


def _by_suffix(path: str) -> _Declared:
    if not any(sign in path for sign in "/\\."):
        return _shipped("builtin")  # a shipped policy's name
    for name, (_, suffixes) in SHIPPED.items():
        if suffixes and path.endswith(suffixes):
            return _shipped(name)
    for point in _points():
        declared = _load(point)
        if declared.suffixes and path.endswith(declared.suffixes):
            return declared
    return _shipped("builtin")


def _shipped(name: str) -> _Declared:
    from importlib import import_module

    target, suffixes = SHIPPED[name]
    module, _, attribute = target.partition(":")
    return _Declared(name, getattr(import_module(module), attribute), suffixes, "guardrail")


def _points() -> list[EntryPoint]:
    from importlib.metadata import entry_points  # 20 ms that a policy of the built-in engine does not need

    return sorted(entry_points(group=GROUP), key=lambda p: p.name)


def _origin(point: EntryPoint) -> str:
    return f"the plugin {point.dist.name} {point.dist.version}" if point.dist else f"the plugin {point.value}"


def _load(point: EntryPoint) -> _Declared:
    origin = _origin(point)
    try:
        factory = point.load()
    except Exception as error:
        raise PluginError(f"{origin}: {point.value} does not load: {type(error).__name__}: {error}") from error
    if not callable(factory):
        raise PluginError(f"{origin}: {point.value} is no engine: it cannot be called with a path")
    suffixes = getattr(factory, "suffixes", ())
    if not isinstance(suffixes, tuple) or not all(isinstance(s, str) and s.startswith(".") for s in suffixes):
        raise PluginError(f"{origin}: {point.value}: `suffixes` is not a tuple of texts such as '.mine'")
    # An installed package must not come to decide files that were written for another engine.
    taken = [s for s in suffixes if any(own.endswith(s) for own in (".yaml", ".yml", *_OWN))]
    if taken:
        raise PluginError(f"{origin}: {point.value}: files that end in {taken[0]} are read by guardrail's own engines")
    return _Declared(point.name, factory, suffixes, origin)


def _from_plugin(
    declared: _Declared,
    source: str | PathLike[str],
    vocabulary: Vocabulary,
    actions: Mapping[str, ActionKind],
    shipped: Path | None,
) -> PolicyEngine:
    who = f"the engine {declared.name} of {declared.origin}"
    try:
        engine = declared.factory(source, vocabulary=vocabulary, actions=actions, shipped=shipped)
    except ConfigurationError:
        raise  # it says what is wrong with the policy
    except Exception as error:
        raise PluginError(f"{who} failed to start: {type(error).__name__}: {error}") from error
    missing = [name for name in ("evaluate", "needs", "messages") if not callable(getattr(engine, name, None))]
    if getattr(engine, "ref", None) is None:
        missing.append("ref")
    if missing:
        raise PluginError(f"{who} gave what is no engine: it has no {', '.join(missing)}")
    return engine
