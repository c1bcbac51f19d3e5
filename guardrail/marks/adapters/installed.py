"""Which watermarks there are: ours, those that run an export of the user's own, and plugins.

A plugin is an entry point of the group ``guardrail.marks``; it names something that, when called with the options its
own documentation names, gives a `guardrail.marks.base.PixelMark`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from guardrail.errors import PluginError

__all__ = ["GROUP", "marks_installed"]

GROUP = "guardrail.marks"
SHIPPED: Mapping[str, str] = MappingProxyType(
    {
        "tileline": "guardrail.marks.tileline:TileLine",
        "trustmark": "guardrail.marks.adapters.trustmark:TrustMark",
        "videoseal": "guardrail.marks.adapters.videoseal:VideoSeal",
        "wam": "guardrail.marks.adapters.wam:WatermarkAnything",
    }
)
_PARTS = ("name", "version", "payload_bits", "embed", "detect")


def marks_installed() -> Mapping[str, Callable[..., Any]]:
    """What makes each mark, by name: shipped ones first, then plugins.

    Raises:
        PluginError: an entry point does not load, is no mark, or takes a name that is already taken.
    """
    found: dict[str, Callable[..., Any]] = {}
    for name, target in SHIPPED.items():
        module, _, attribute = target.partition(":")
        found[name] = getattr(import_module(module), attribute)
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        origin = f"the plugin {point.dist.name} {point.dist.version}" if point.dist else f"the plugin {point.value}"
        if point.name in found:
            raise PluginError(f"{origin}: a mark called {point.name!r} is there already; the plugin needs another name")
        found[point.name] = _load(point, origin)
    return MappingProxyType(found)


def _load(point: EntryPoint, origin: str) -> Callable[..., Any]:
    try:
        factory = point.load()
    except Exception as error:
        raise PluginError(f"{origin}: {point.value} does not load: {type(error).__name__}: {error}") from error
    if not callable(factory):
        raise PluginError(f"{origin}: {point.value} is no mark: it cannot be called")
    # A class says what it is; what a function returns shows only when it is called.
    missing = [part for part in _PARTS if isinstance(factory, type) and not hasattr(factory, part)]
    if missing:
        raise PluginError(f"{origin}: {point.value} is no mark: it has no {', '.join(missing)}")
    return factory  # type: ignore[no-any-return]
