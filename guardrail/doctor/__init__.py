"""The doctor: what is in force on this machine, what is missing, and the mends."""

from guardrail.doctor.examine import Examination, examine

__all__ = ["Examination", "examine"]
