"""The names that users rely on."""

from __future__ import annotations

import inspect

import pytest

import guardrail
from guardrail.errors import Blocked, GuardrailError

SURFACE = [
    "Action",
    "Blocked",
    "Decision",
    "Decisions",
    "Guard",
    "GuardrailError",
    "Marking",
    "__version__",
    "encode",
    "encode_prompt",
    "install",
    "last_decisions",
    "save",
    "unwrap",
    "verify",
    "wrap",
]


def test_the_public_names_are_these() -> None:
    assert guardrail.__all__ == SURFACE
    assert set(SURFACE) <= set(dir(guardrail))


@pytest.mark.parametrize("name", [n for n in SURFACE if n != "__version__"])
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert inspect.getdoc(getattr(guardrail, name))


@pytest.mark.parametrize(
    "name",
    [
        "acheck_image",
        "acheck_output",
        "acheck_prompt",
        "acheck_request",
        "check_image",
        "check_output",
        "check_preview",
        "check_prompt",
        "check_request",
        "close",
        "context",
        "effective",
        "mark",
        "warmup",
    ],
)
def test_the_guard_has_its_methods(name: str) -> None:
    assert callable(getattr(guardrail.Guard, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'warp'"):
        _ = guardrail.warp


def test_one_except_clause_catches_everything_that_is_raised_on_purpose() -> None:
    import guardrail.errors as errors

    raised = [v for v in vars(errors).values() if inspect.isclass(v) and issubclass(v, Exception)]
    assert len(raised) > 15
    assert all(issubclass(e, GuardrailError) for e in raised)
    assert issubclass(Blocked, GuardrailError)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    import guardrail.errors as errors

    for name in errors.__all__:
        assert name == "Finding" or name in (errors.__doc__ or "")
