"""What the installed diffusers offers: its pipeline classes and the names of their parameters, read from its source.

Importing every pipeline takes seven seconds of a processor and half a gigabyte; reading the heads of the classes takes
a second, and gives the same names (a nightly test imports them all and compares).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["Survey", "survey"]

_CLASS = re.compile(r"^class (\w+)(?:\(([^)]*)\))?:", re.M)
_CALL = re.compile(r"^    def __call__\((.*?)\)(?:\s*->[^\n]*)?:[ \t]*(?:#[^\n]*)?$", re.M | re.S)
_INPUT = re.compile(r"InputParam(?:\.template)?\(\s*(?:name=)?\"(\w+)\"([^)]*)")
_RENAMED = re.compile(r"\bname=\"(\w+)\"")
# Bases of pipelines; ONNX and modular ones have others.
_ROOTS = frozenset({"DiffusionPipeline"})


@dataclass(frozen=True, slots=True)
class Survey:
    """The names in one version of diffusers.

    Attributes:
        version: of diffusers.
        pipelines: class → names of the parameters of its ``__call__``, in order; ``**`` before one that takes any.
        modular: family of modular pipelines → names of what its blocks take in.
    """

    version: str
    pipelines: Mapping[str, tuple[str, ...]]
    modular: Mapping[str, tuple[str, ...]]

    def names(self) -> frozenset[str]:
        """Every name that occurs, without stars."""
        every = [*self.pipelines.values(), *self.modular.values()]
        return frozenset(n for names in every for n in names if not n.startswith("*"))


@lru_cache(maxsize=1)
def survey() -> Survey:
    """Read the installed diffusers. Nothing of it is imported.

    Raises:
        ModuleNotFoundError: it is not installed.
        SyntaxError: a signature is written in a way that cannot be read.
    """
    spec = find_spec("diffusers")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("diffusers is not installed")
    from importlib.metadata import version

    root = Path(spec.submodule_search_locations[0])
    return Survey(version("diffusers"), _classic(root / "pipelines"), _modular(root / "modular_pipelines"))


def _classic(root: Path) -> dict[str, tuple[str, ...]]:
    calls: dict[str, tuple[str, ...]] = {}
    bases: dict[str, tuple[str, ...]] = {}
    for path in sorted(root.rglob("*.py")):
        for name, parents, body in _classes(path.read_text("utf-8")):
            bases[name] = parents
            if call := _CALL.search(body):
                calls[name] = _parameters(call[1])
    return {
        name: found
        for name in sorted(bases)
        if name not in _ROOTS and _reaches(name, bases) and (found := _inherited(name, bases, calls))
    }


def _classes(source: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    heads = list(_CLASS.finditer(source))
    for head, after in zip(heads, [*heads[1:], None][: len(heads)], strict=True):
        parents = tuple(p.strip().rpartition(".")[2] for p in (head[2] or "").split(",") if p.strip())
        yield head[1], parents, source[head.end() : after.start() if after else None]


def _parameters(text: str) -> tuple[str, ...]:
    (function,) = ast.parse(f"def call({text}): ...").body
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    names = [a.arg for a in [*given.posonlyargs, *given.args, *given.kwonlyargs]][1:]
    return (*names, *([f"**{given.kwarg.arg}"] if given.kwarg else []))


def _reaches(name: str, bases: Mapping[str, tuple[str, ...]]) -> bool:
    return any(parent in _ROOTS or (parent != name and _reaches(parent, bases)) for parent in bases.get(name, ()))


def _inherited(
    name: str, bases: Mapping[str, tuple[str, ...]], calls: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    if name in calls:
        return calls[name]
    return next((found for p in bases.get(name, ()) if p != name and (found := _inherited(p, bases, calls))), ())


def _modular(root: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*.py")):
        family = path.relative_to(root).parts[0]
        if family.endswith(".py"):
            continue
        for name, rest in _INPUT.findall(path.read_text("utf-8")):
            renamed = _RENAMED.search(rest)
            found.setdefault(family, set()).add(renamed[1] if renamed else name)
    return {family: tuple(sorted(names)) for family, names in sorted(found.items())}
