"""Heavier prompt checks from models of the user's own: a local folder or what is in the hub's cache already.

Nothing here is downloaded, no pickle is read and no code of a model folder is run. Each model is one more check that
gives ``prompt.sexual``; the strictest of all checks counts, and one that cannot answer blocks. How to switch them on:
docs/heavier-checks.md.
"""

from __future__ import annotations

from guardrail.checks.text.heavy.fit import FittedHead, fit_encoder_head
from guardrail.checks.text.heavy.rows import Row, read_rows
from guardrail.checks.text.heavy.settings import Classifier, EncoderHead, GenerativeGuard, read_settings

__all__ = [
    "Classifier",
    "EncoderHead",
    "FittedHead",
    "GenerativeGuard",
    "Row",
    "fit_encoder_head",
    "read_rows",
    "read_settings",
]
