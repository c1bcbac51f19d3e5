"""Classifiers of whole pictures, from a local folder or from what is in the hub's cache already, as second opinions.

Nothing here is downloaded, no pickle is read and no code of a model folder is run.
"""

from __future__ import annotations

from guardrail.checks.image.nudity.hub.settings import HubClassifier, SafetyChecker, read_settings

__all__ = ["HubClassifier", "SafetyChecker", "read_settings"]
