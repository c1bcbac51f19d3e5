"""Looking on while a picture is being made: previews at some steps, and stopping what would be blocked anyway."""

from guardrail.pipelines.steps.settings import PreviewSettings
from guardrail.pipelines.steps.watch import GuardStop, Watch

__all__ = ["GuardStop", "PreviewSettings", "Watch"]
