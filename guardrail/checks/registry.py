"""Which checks there are, which of them a policy needs, and in what order they run.

Shipped checks are listed here; further ones are found under the entry-point group ``guardrail.checks``. An entry point
names a class with the attributes of `Check`, called with a `CheckSettings`. Only checks whose signals a policy reads
are constructed, so that no model is loaded for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from guardrail.checks.base import Check, CheckSettings
from guardrail.errors import ConfigurationError, PluginError
from guardrail.signals import CORE, SignalSpec, Vocabulary

__all__ = ["Declared", "Unavailable", "construct", "declared_checks", "vocabulary"]

GROUP = "guardrail.checks"
SHIPPED: Mapping[str, str] = {
    "sexual-text": "guardrail.checks.text.sexual:SexualTextCheck",
    "minor-words": "guardrail.checks.text.minors:MinorTextCheck",
    "person-names": "guardrail.checks.text.persons:PersonTextCheck",
    "faces": "guardrail.checks.image.faces:FaceCheck",
    "nudity": "guardrail.checks.image.nudity:NudityCheck",
    "known-images": "guardrail.checks.image.known_images:KnownImagesCheck",
    "edit-request": "guardrail.checks.joint.edit:EditRequestCheck",
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A check class that could be constructed, and where it comes from."""

    name: str
    factory: Any
    origin: str

    @property
    def gives(self) -> tuple[SignalSpec, ...]:
        return tuple(self.factory.gives)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A check that would give needed signals but cannot be constructed here."""

    name: str
    signals: tuple[str, ...]
    error: ConfigurationError


def declared_checks() -> tuple[Declared, ...]:
    """All shipped checks and all plugins, by name.

    Raises:
        PluginError: an entry point does not load, is no check, or takes a name that is already taken.
    """
    found: dict[str, Declared] = {}
    for name, target in SHIPPED.items():
        module, _, attribute = target.partition(":")
        found[name] = Declared(name, getattr(import_module(module), attribute), "guardrail")
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        declared = _load(point)
        if declared.name in found:
            other = found[declared.name].origin
            raise PluginError(f"the check {declared.name!r} of {declared.origin} has the name of one from {other}")
        found[declared.name] = declared
    return tuple(found.values())


def _load(point: EntryPoint) -> Declared:
    origin = f"the plugin {point.dist.name} {point.dist.version}" if point.dist else f"the plugin {point.value}"
    try:
        factory = point.load()
    except Exception as error:
        raise PluginError(f"{origin}: {point.value} does not load: {type(error).__name__}: {error}") from error
    missing = [
        a for a in ("name", "version", "stages", "needs", "gives", "inline", "timeout_s") if not hasattr(factory, a)
    ]
    missing += [m for m in ("check", "warmup", "effective") if not callable(getattr(factory, m, None))]
    if missing:
        raise PluginError(f"{origin}: {point.value} is no check: it has no {', '.join(missing)}")
    if not all(isinstance(s, SignalSpec) for s in factory.gives):
        raise PluginError(f"{origin}: {point.value} declares signals that are not SignalSpec objects")
    return Declared(str(factory.name), factory, origin)


def vocabulary(checks: Iterable[Declared]) -> Vocabulary:
    """The core vocabulary with what `checks` declare.

    Raises:
        PluginError: declarations contradict each other, or two checks give a signal that does not say how they combine.
    """
    words = CORE
    givers: dict[str, str] = {}
    for check in checks:
        words = words.extended(check.gives, by=f"the check {check.name}")
        for spec in check.gives:
            first = givers.setdefault(spec.name, check.name)
            if first != check.name and spec.combine == "error":
                raise PluginError(
                    f"{first} and {check.name} both give {spec.name}, which does not say how they combine"
                )
    return words


def construct(
    needed: Iterable[str], settings: CheckSettings, declared: Sequence[Declared] | None = None
) -> tuple[list[Check], list[Unavailable]]:
    """Construct every check that gives one of the `needed` signals, or one that such a check needs, in running order.

    Returns:
        The checks, and those that could not be constructed with the reason.

    Raises:
        PluginError: a plugin fails in another way than with a ConfigurationError, or needs form a circle.
        ConfigurationError: a model of the user's own (`CheckSettings.prompt_models`) cannot start.
    """
    declared = declared_checks() if declared is None else declared
    wanted = set(needed)
    chosen: list[Declared] = []
    # What a chosen check needs is needed too; as many rounds as checks settle it.
    for _ in declared:
        chosen = [d for d in declared if any(s.name in wanted for s in d.gives)]
        wanted |= {name for d in chosen for name in d.factory.needs}
    checks: list[Check] = []
    unavailable: list[Unavailable] = []
    for d in chosen:
        try:
            checks.append(d.factory(settings))
        except ConfigurationError as error:
            names = tuple(s.name for s in d.gives if s.name in wanted)
            unavailable.append(Unavailable(d.name, names, error))
        except Exception as error:
            raise PluginError(f"the check {d.name} of {d.origin} failed to start: {type(error).__name__}") from error
    checks += _prompt_models(settings, wanted, {c.name for c in checks})
    return _in_order(checks), unavailable


def _prompt_models(settings: CheckSettings, wanted: set[str], taken: set[str]) -> list[Check]:
    """The checks of the user's own models. One that cannot start is an error, though others may give its signals: what
    the user asked for is not left out unseen."""
    made: list[Check] = []
    for model in settings.prompt_models:
        if not any(s.name in wanted for s in model.gives):
            continue
        check = model.open(settings)
        if check.name in taken:
            raise ConfigurationError(f"two checks are called {check.name}: give one of the prompt models another name")
        taken.add(check.name)
        made.append(check)
    return made


def _in_order(checks: Sequence[Check]) -> list[Check]:
    ordered: list[Check] = []
    waiting = list(checks)
    while waiting:
        given_later = {s.name for c in waiting for s in c.gives}
        ready = [c for c in waiting if not any(n in given_later for n in c.needs)]
        if not ready:
            raise PluginError(f"checks need each other's signals in a circle: {', '.join(c.name for c in waiting)}")
        ordered += ready
        waiting = [c for c in waiting if c not in ready]
    return ordered
