"""Enrolled identities: who is protected, who consented, until when, and for what."""

from guardrail.gallery.match import GalleryIndex, IdentityMatch
from guardrail.gallery.store import Gallery, GalleryStore, Identity

__all__ = ["Gallery", "GalleryIndex", "GalleryStore", "Identity", "IdentityMatch"]
