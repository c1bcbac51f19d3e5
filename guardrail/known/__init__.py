"""Known images: lists of hashes of pictures that must not be used, and the services that know more of them."""

from guardrail.known.lists import Added, HashList, HashLists
from guardrail.known.merge import Merged
from guardrail.known.probe import Hit, KnownImages, Probe
from guardrail.known.service import HashService, WithServices
from guardrail.known.survey import Survey, remove_whole, survey

__all__ = [
    "Added",
    "HashList",
    "HashLists",
    "HashService",
    "Hit",
    "KnownImages",
    "Merged",
    "Probe",
    "Survey",
    "WithServices",
    "remove_whole",
    "survey",
]
