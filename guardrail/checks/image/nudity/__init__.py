"""``reference.nudity``, ``step.nudity`` and ``output.nudity``: exposed body parts by a detector of boxes, and second
opinions by classifiers of the user's own (see `guardrail.checks.image.nudity.hub`)."""

from __future__ import annotations

from guardrail.checks.image.nudity.check import NudityCheck
from guardrail.checks.image.nudity.combination import Combination
from guardrail.checks.image.nudity.nudenet import NudeNet
from guardrail.checks.image.nudity.parts import EXPLICIT, GRADES, BodyPart, Grade, Look, NudityDetector

__all__ = [
    "EXPLICIT",
    "GRADES",
    "BodyPart",
    "Combination",
    "Grade",
    "Look",
    "NudeNet",
    "NudityCheck",
    "NudityDetector",
]
