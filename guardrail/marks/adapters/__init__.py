"""Watermarks of others under the protocol of `guardrail.marks.base.PixelMark`, and what finds installed ones."""

from __future__ import annotations

from guardrail.marks.adapters.installed import marks_installed

__all__ = ["marks_installed"]
