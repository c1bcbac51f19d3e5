"""How much of a long test the normal run does: CI has six minutes for all of it, `make nightly` an hour."""

from __future__ import annotations

import os

__all__ = ["NIGHTLY", "examples"]

NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"


def examples(nightly: int) -> int:
    """How many random cases to try: all of them at night, a fifth otherwise."""
    return nightly if NIGHTLY else nightly // 5
