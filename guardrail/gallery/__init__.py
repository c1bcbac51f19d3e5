"""Enrolled identities: who is protected, who consented, until when, and for what."""

from guardrail.gallery.identity import Attestation, Entry, Identity
from guardrail.gallery.match import GalleryIndex, IdentityMatch, Neighbour
from guardrail.gallery.portable import Imported, Lock
from guardrail.gallery.protocol import GalleryStore
from guardrail.gallery.statistics import Statistics
from guardrail.gallery.store import Gallery
from guardrail.gallery.threshold import Scale, Thresholds

__all__ = [
    "Attestation",
    "Entry",
    "Gallery",
    "GalleryIndex",
    "GalleryStore",
    "Identity",
    "IdentityMatch",
    "Imported",
    "Lock",
    "Neighbour",
    "Scale",
    "Statistics",
    "Thresholds",
]
