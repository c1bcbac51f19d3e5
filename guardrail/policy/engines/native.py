"""Loading the two native packages, in the one order that works.

Measured in November 2026 with cel-expr-python 0.1.3 and regopy 1.5.2 on Linux: where regopy's library is loaded first,
the first expression that CEL compiles ends the process (segmentation fault or abort, 24 of 24 runs); the other way
round both work (thousands of evaluations). Each brings a C++ runtime whose unique symbols the process shares. torch,
dlib, onnxruntime and insightface before or after either do no harm.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from guardrail.errors import ConfigurationError, MissingExtra

__all__ = ["cel_module", "regopy_module"]

_CEL, _REGOPY = "cel_expr_python.cel", "regopy"


def cel_module() -> Any:
    """`cel_expr_python.cel`.

    Raises:
        MissingExtra: cel-expr-python is not installed.
        ConfigurationError: somebody else loaded regopy before; the process would crash.
    """
    if _REGOPY in sys.modules and _CEL not in sys.modules:
        raise ConfigurationError(
            "regopy is loaded already, and cel-expr-python crashes when it comes after it: write "
            "`import cel_expr_python.cel` before `import regopy`"
        )
    try:
        from cel_expr_python import cel
    except ImportError as error:
        raise MissingExtra("a policy in CEL", "cel", "cel-expr-python, Apache-2.0") from error
    return cel


def regopy_module() -> Any:
    """`regopy`, after cel-expr-python where that is installed.

    Raises:
        MissingExtra: regopy is not installed.
    """
    if _REGOPY not in sys.modules:
        with suppress(ImportError):
            import cel_expr_python.cel  # noqa: F401
    try:
        import regopy
    except ImportError as error:
        raise MissingExtra("a policy in Rego", "rego", "regopy, MIT") from error
    return regopy
