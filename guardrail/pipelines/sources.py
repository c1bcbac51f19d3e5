"""What the source of a pipeline's own functions says of them: what they return, and which arguments they ignore."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache
from typing import Any

__all__ = ["ignored_numbers", "returned_values"]


@lru_cache(maxsize=256)
def returned_values(function: Any) -> tuple[ast.expr, ...]:
    """What stands behind each ``return`` of a function, decorators aside; empty where there is no source."""
    tree = _tree(function)
    if tree is None:
        return ()
    return tuple(n.value for n in ast.walk(tree) if isinstance(n, ast.Return) and n.value is not None)


@lru_cache(maxsize=256)
def ignored_numbers(function: Any) -> dict[str, int]:
    """Parameters that a function sets to a number of its own, whatever it is given: ``num_videos_per_prompt = 1``."""
    tree = _tree(function)
    if tree is None or not isinstance(tree.body[0], ast.FunctionDef):
        return {}
    given = {a.arg for a in (*tree.body[0].args.args, *tree.body[0].args.kwonlyargs)}
    found: dict[str, int] = {}
    # Not those in branches: they depend on something.
    for node in tree.body[0].body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and type(node.value.value) is int:
            found |= {t.id: node.value.value for t in node.targets if isinstance(t, ast.Name) and t.id in given}
    return found


def _tree(function: Any) -> ast.Module | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, SyntaxError, TypeError):
        return None
