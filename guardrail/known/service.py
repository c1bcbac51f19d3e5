"""Asking an outside service (a hash-matching server of one's own, a hotline's API) beside the local lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from guardrail.errors import KnownImagesError
from guardrail.known.probe import Hit, KnownImages, Probe

__all__ = ["HashService", "WithServices"]


class HashService(Protocol):
    """A callback that is asked with hashes, never with pixels. It sets its own limits on waiting: a call that takes
    longer than the check may is a missing signal, and blocks, as every error of it does."""

    @property
    def name(self) -> str:
        """What decisions call it where it cannot answer."""
        ...

    def __call__(self, probe: Probe) -> Iterable[str]:
        """The names of the lists that have the picture; none if it is not known."""
        ...


class WithServices:
    """Local lists and services together: ``Guard(known=WithServices(lists, [service]))``.

    Args:
        lists: what is asked first; ``None`` for services alone.
        services: all of them are asked, whatever the others say.
    """

    def __init__(self, lists: KnownImages | None, services: Sequence[HashService]) -> None:
        self._lists = lists
        self._services = tuple(services)

    def asked(self) -> bool:
        return bool(self._services) or (self._lists is not None and self._lists.asked())

    def search(self, probe: Probe) -> Sequence[Hit]:
        """As `KnownImages.search`.

        Raises:
            KnownImagesError: a list cannot be read; a service failed, or answered with something else than names.
        """
        hits = list(self._lists.search(probe)) if self._lists is not None and self._lists.asked() else []
        for service in self._services:
            hits += [Hit(name, "service") for name in self._ask(service, probe.for_service())]
        return hits

    @staticmethod
    def _ask(service: HashService, probe: Probe) -> list[str]:
        try:
            answer = service(probe)
            names = None if isinstance(answer, str | bytes) else list(answer)
        except Exception as error:  # noqa: BLE001 - it blocks, as an error. The type only: its text may quote what was asked.
            raise KnownImagesError(f"the service {service.name} failed: {type(error).__name__}") from None
        if names is None or not all(isinstance(name, str) and name for name in names):
            raise KnownImagesError(f"the service {service.name} answered with something else than names of lists")
        return sorted(set(names))
