"""Where in its texts a request was found as a whole: asked of the checks that can say, to explain or rewrite only.

Never on the ordinary path: a check may run its models dozens of times for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from guardrail.checks.base import Check
from guardrail.errors import CheckError
from guardrail.media import Request, Span, TextInput

__all__ = ["attributed"]


@runtime_checkable
class _Attributes(Protocol):
    def attributed(self, texts: Sequence[TextInput], reference: bool) -> list[Span]: ...


def attributed(checks: Sequence[Check], request: Request) -> tuple[list[Span], dict[str, str]]:
    """The spans that the checks of sentences can give, and which of them could not say with the cause, without content.

    Spans have the label ``classifier`` where the request would not be found without these words, ``sentence`` where no
    few words make the difference.
    """
    spans: list[Span] = []
    failures: dict[str, str] = {}
    for check in checks:
        if not isinstance(check, _Attributes):
            continue
        try:
            spans += check.attributed(request.texts, bool(request.images))
        except CheckError as error:  # its text holds no content: that is its contract
            failures[check.name] = str(error)
        except Exception as error:  # noqa: BLE001 - told to the caller; a message may quote what was checked
            failures[check.name] = type(error).__name__
    return spans, failures
