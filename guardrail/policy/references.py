"""From a name in `extends`, `packs` or a deployment's `policy` to the file that is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from guardrail.policy.findings import near, shown
from guardrail.policy.schema import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from guardrail.policy.nodes import Node

__all__ = ["Reference", "read_reference", "version_fits"]

_REFERENCE = re.compile(r"([^@\s][^@\n]{0,200})(?:@([0-9]{1,9}(?:\.[0-9]{1,9}){0,2}))?")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


class Reference(NamedTuple):
    """A file that another one names. `version` is what its version must begin with, or empty."""

    path: Path
    version: str


def read_reference(node: Node, what: str, here: Path, shipped: Path | None, reader: Reader) -> Reference | None:
    """The file that `node` names.

    A text with a slash or the ending ``.yaml`` is a path, seen from the file `here`. A bare name is looked for beside
    `here`, in the folder above, and among the shipped policies; for a pack also in a folder ``packs`` of each.
    """
    text = reader.text(node, what)
    if text is None:
        return None
    match = _REFERENCE.fullmatch(text)
    if match is None:
        reader.findings.add(
            "GP080", node, f"{what}: {shown(text)} is no file", "write a name such as default, default@1, or a path"
        )
        return None
    name, version = match[1], match[2] or ""
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        path = here.parent / name
        if not path.is_file():
            reader.findings.add("GP080", node, f"{what}: there is no file {shown(str(path))}", "check the path")
            return None
        return Reference(path, version)
    folders = list(_folders(here, shipped, packs=what == "a pack"))
    for folder in folders if _NAME.fullmatch(name) else ():
        path = folder / f"{name}.yaml"
        if path.is_file() and path.resolve() != here.resolve():
            return Reference(path, version)
    packs = {p.stem for f in _folders(here, shipped, packs=True) if f.name == "packs" for p in f.glob("*.yaml")}
    if what != "a pack" and name in packs:
        mend = "it is a pack: name it under `packs`"
    else:
        files = {p.stem for f in folders for p in f.glob("*.yaml")}
        known = packs if what == "a pack" and packs else files
        mend = near(name, sorted(n for n in known - {here.stem} if not n.endswith(".test")))
    reader.findings.add("GP080", node, f"{what}: nothing is called {shown(name)}", mend)
    return None


def version_fits(version: str, wanted: str) -> bool:
    """Whether `version` begins with the numbers of `wanted`: 1.4.0 fits 1 and 1.4."""
    parts = wanted.split(".") if wanted else []
    return re.split(r"[.+-]", version)[: len(parts)] == parts


def _folders(here: Path, shipped: Path | None, *, packs: bool) -> Iterator[Path]:
    for folder in (here.parent, here.parent.parent, shipped):
        if folder is not None:
            if packs:
                yield folder / "packs"
            yield folder
