"""Marks that other generators leave: fixed watermarks in the pixels, names in the metadata."""

from __future__ import annotations

from guardrail.marks.foreign.layers import foreign_layers

__all__ = ["foreign_layers"]
