"""Changing the words of a prompt: taking a part out, making a person general, asking a local language model."""

from guardrail.actions.wording.persons import without_persons
from guardrail.actions.wording.removal import without_sexual
from guardrail.actions.wording.writer import LocalWriter, Task, Writer, as_writer

__all__ = ["LocalWriter", "Task", "Writer", "as_writer", "without_persons", "without_sexual"]
