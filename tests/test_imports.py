"""The rooms and their doors, read out of the imports; and what importing the package costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import guardrail

PACKAGE = Path(guardrail.__file__).parent
# Each row may import from the rows below it, and nothing from its own. `checks` may also ask the gallery and `known`;
# the registry of `marks` searches hashes with the index of `known`.
FLOORS = (
    {"cli"},
    {"bench", "demo", "doctor"},
    {"pipelines"},
    {"guard", "files"},
    {"policy", "checks", "actions", "gallery", "known", "marks", "audit"},
    {"media", "keys", "weights"},
    {"paths", "drafts"},
    {"decision"},
    {"signals"},
    {"errors"},
    {"version"},
)
DOORS = {("checks", "gallery"), ("checks", "known"), ("marks", "known")}
HEAVY = ("torch", "diffusers", "transformers", "onnxruntime", "insightface", "dlib", "scipy", "PIL", "numpy", "rich")


@cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """(module, at the top level) of every import that runs; those for the type checker only are left out."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(path.read_text("utf-8"))
    for node, top in _running(tree, True):
        if isinstance(node, ast.Import):
            yield from ((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module, top


def _running(node: ast.AST, top: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child, top
        yield from _running(child, top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


FILES = sorted(PACKAGE.rglob("*.py"))


def floor(name: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if name in names)


def test_every_room_has_a_floor() -> None:
    rooms = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in FILES} - {"__init__"}
    assert rooms == set().union(*FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_stands_below_it(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for module, _ in imports(path):
        if module.split(".")[0] != "guardrail":
            continue
        other = room(module)
        if not other or other == own:
            continue  # the package itself is imported for its lazy public names
        assert floor(other) > floor(own) or (own, other) in DOORS, f"{own} imports {other}"


@pytest.mark.parametrize("name", ["policy", "decision", "signals", "errors"])
def test_the_policy_room_and_what_stands_below_it_know_no_heavy_package(name: str) -> None:
    files = [p for p in FILES if p.relative_to(PACKAGE).parts[0].removesuffix(".py") == name]
    assert files
    used = {module.split(".")[0] for p in files for module, _ in imports(p)}
    assert not used & set(HEAVY)


@pytest.mark.parametrize(
    "package", ["torch", "diffusers", "transformers", "onnxruntime", "insightface", "dlib", "rich"]
)
def test_optional_and_heavy_packages_are_imported_where_they_are_used(package: str) -> None:
    for path in FILES:
        at_top = {module.split(".")[0] for module, top in imports(path) if top}
        assert package not in at_top, path


def test_only_the_pipelines_and_the_demo_know_diffusers() -> None:
    knowing = {(p.relative_to(PACKAGE), m) for p in FILES for m, _ in imports(p) if m.split(".")[0] == "diffusers"}
    elsewhere = {(p.as_posix(), m) for p, m in knowing if p.parts[0] not in ("pipelines", "demo")}
    # The class of one classifier, which exists nowhere else; nothing of a pipeline.
    model = ("checks/image/nudity/hub/safety_checker.py", "diffusers.pipelines.stable_diffusion.safety_checker")
    assert elsewhere <= {model}


def loaded(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after a statement."""
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded("import guardrail") & set(HEAVY)


def test_a_guard_for_prompts_loads_no_model_library(tmp_path: Path) -> None:
    rules = tmp_path / "p.yaml"
    rules.write_text(
        "policy: {id: p, version: 1.0.0}\nrules: [{id: r, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]\n"
    )
    statement = f"import guardrail; guardrail.Guard({str(rules)!r}, audit=None, gallery=None).check_prompt('a house')"
    assert not loaded(statement) & {"torch", "diffusers", "transformers", "insightface", "dlib", "scipy"}


def test_the_command_line_answers_without_loading_models() -> None:
    statement = (
        "from guardrail.cli import main\nimport contextlib, io\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main(['models', 'list'])"
    )
    assert not loaded(statement) & {"torch", "diffusers", "transformers", "insightface", "dlib"}
