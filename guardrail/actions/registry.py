"""Which actions there are: the shipped ones, and plugins under the entry-point group ``guardrail.actions``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from types import MappingProxyType

from guardrail.actions.base import PlannedAction
from guardrail.actions.hints import Block, Guide, Label, Regenerate, Report
from guardrail.actions.redact import Blur, Fill, Pixelate, Replace
from guardrail.actions.rewrite import Rewrite
from guardrail.decision import ActionKind, ActionSpec
from guardrail.errors import ConfigurationError, PluginError

__all__ = ["action_kinds", "actions", "validate"]

GROUP = "guardrail.actions"


@lru_cache(maxsize=1)
def actions() -> Mapping[str, PlannedAction]:
    """All actions by name.

    Raises:
        PluginError: an entry point does not load, is no action, or takes a name that is already taken.
    """
    shipped = (Block(), Rewrite(), Guide(), Regenerate(), Blur(), Pixelate(), Fill(), Replace(), Label(), Report())
    found: dict[str, PlannedAction] = {a.spec.name: a for a in shipped}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        origin = f"the plugin {point.dist.name}" if point.dist else f"the plugin {point.value}"
        try:
            action = point.load()()
        except Exception as error:
            raise PluginError(f"{origin}: {point.value} does not load: {type(error).__name__}: {error}") from error
        if not isinstance(action, PlannedAction) or not isinstance(getattr(action, "spec", None), ActionKind):
            raise PluginError(f"{origin}: {point.value} is no PlannedAction with a spec")
        if action.spec.name in found:
            raise PluginError(f"{origin}: an action is already called {action.spec.name!r}")
        found[action.spec.name] = action
    return MappingProxyType(found)


def action_kinds() -> Mapping[str, ActionKind]:
    """The declarations that a policy is checked against."""
    return MappingProxyType({name: action.spec for name, action in actions().items()})


def validate(specs: Iterable[ActionSpec], known: Mapping[str, PlannedAction]) -> None:
    """Ask every action of a policy whether its parameters make sense together.

    Raises:
        ConfigurationError: they do not, or nothing here is called that.
        PluginError: the action fails at the question.
    """
    for spec in specs:
        action = known.get(spec.kind)
        if action is None:
            raise ConfigurationError(f"no action is called {spec.kind!r}; there is: {', '.join(sorted(known))}")
        try:
            action.validate(spec.params)
        except ConfigurationError:
            raise
        except Exception as error:
            raise PluginError(
                f"the action {spec.kind} failed at its own parameters: {type(error).__name__}: {error}"
            ) from error
