"""Enrolled identities: who is protected, who consented, until when, and for what."""

from guardrail.gallery.identity import Attestation, Entry, Identity
from guardrail.gallery.lock import Lock, ring_lock
from guardrail.gallery.match import GalleryIndex, IdentityMatch, Neighbour
from guardrail.gallery.portable import Imported, require_export
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
    "require_export",
    "ring_lock",
]
