"""Known images: lists of hashes of pictures that must not be used, and the services that know more of them."""

from guardrail.known.lists import HashList, HashLists
from guardrail.known.probe import Hit, KnownImages, Probe
from guardrail.known.service import HashService, WithServices

__all__ = ["HashList", "HashLists", "HashService", "Hit", "KnownImages", "Probe", "WithServices"]
