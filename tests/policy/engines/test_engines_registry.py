"""Which engine a policy gets; and plugins, one of them installed as a real package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from guardrail import Guard
from guardrail.decision import Action
from guardrail.errors import ConfigurationError, PluginError, PolicyError
from guardrail.policy import BuiltinEngine
from guardrail.policy.engines import GROUP, engine_for, engine_names
from guardrail.policy.engines.cel import CelEngine
from guardrail.policy.engines.rego import RegoEngine

FOLDER = Path(__file__).resolve().parents[3] / "policies"
RULES = "policy: {id: mine, version: 1.0.0}\nrules: [{id: r, at: prompt, when: always, then: block}]\n"

CHOICES = [
    ("default", BuiltinEngine),
    ("builtin:default", BuiltinEngine),
    (FOLDER / "default.yaml", BuiltinEngine),
    (str(FOLDER / "default.yaml"), BuiltinEngine),
    ("cel:default", CelEngine),
    (FOLDER / "engines" / "default.cel.yaml", CelEngine),
    (str(FOLDER / "engines" / "default.cel.yaml"), CelEngine),
    ("rego:default", RegoEngine),
    (FOLDER / "engines" / "default.rego", RegoEngine),
    (f"rego:{FOLDER / 'engines' / 'default.rego'}", RegoEngine),
]


@pytest.mark.parametrize(("source", "kind"), CHOICES, ids=[str(c[0])[-30:] for c in CHOICES])
def test_the_name_or_its_end_decides(source: str | Path, kind: type) -> None:
    engine = engine_for(source, shipped=FOLDER)
    assert type(engine) is kind
    assert engine.ref.id == "default"


def test_a_path_object_is_always_a_path(tmp_path: Path) -> None:
    path = tmp_path / "rego:odd.yaml"
    path.write_text(RULES)
    assert engine_for(path).ref.id == "mine"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("regoo:x", "did you mean 'rego'"),
        ("http://127.0.0.1:8181/v1/data/x", "did you mean 'opa:'"),
        ("lua:x", "known: builtin, cel, rego, opa"),
    ],
)
def test_an_unknown_engine_is_refused_with_the_known_ones(source: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match="no engine is called") as caught:
        engine_for(source)
    assert says in str(caught.value)


@pytest.mark.parametrize("source", ["cel:absent", "rego:absent", "absent", "cel:absent.cel.yaml", "absent.rego"])
def test_a_policy_that_is_not_there_is_refused(source: str) -> None:
    with pytest.raises(PolicyError, match="GP011"):
        engine_for(source, shipped=FOLDER)


def test_names() -> None:
    assert engine_names()[:4] == ("builtin", "cel", "rego", "opa")


@pytest.mark.parametrize("policy", ["cel:default", "rego:default"])
def test_a_guard_asks_for_one_by_name(policy: str, monkeypatch: pytest.MonkeyPatch, make_guard: Any) -> None:
    from guardrail.guard import build

    engine = build.load_engine(policy, build_declared())
    assert engine.ref.id == "default"
    assert type(engine) in (CelEngine, RegoEngine)


def build_declared() -> Any:
    from guardrail.checks.registry import declared_checks

    return declared_checks()


def test_a_guard_decides_by_a_policy_in_cel_and_travels(tmp_path: Path) -> None:
    import pickle

    path = tmp_path / "mine.cel.yaml"
    path.write_text(
        "policy: {id: mine, version: 1.0.0}\n"
        "rules: [{id: no-nudes, at: prompt, when: prompt.sexual >= 0.4, then: block, message: no}]\n"
        "messages: {no: {en: Not here.}}\n"
    )
    with Guard(path, audit=None, gallery=None) as guard:
        for twin in (guard, pickle.loads(pickle.dumps(guard))):
            decision = twin.check_prompt("a naked woman")
            assert (decision.action, decision.rules) == (Action.BLOCK, ("no-nudes",))
            assert decision.message().startswith("Not here.")
            assert twin.check_prompt("a house").action is Action.ALLOW
            assert [e.name for e in twin.effective()] == ["sexual-text"]


# ---- plugins

PLUGIN = '''
from pathlib import Path

from guardrail.decision import Action, ActionSpec, PolicyRef, Reason, Verdict


class Stencil:
    """Blocks whatever has a score over the number in its file."""

    suffixes = (".stencil",)

    def __init__(self, source, *, vocabulary, actions, shipped):
        self.limit = float(Path(source).read_text())
        self.known = "prompt.sexual" in vocabulary and "block" in actions
        self.ref = PolicyRef("stencil", "1.0.0", "0" * 64)

    def needs(self):
        return {"prompt.sexual": ("over",)}

    def messages(self, reasons):
        return {"en": "Over the stencil."}

    def evaluate(self, signals, *, stage, due, deadline=None):
        score = signals.get("prompt.sexual")
        if self.known and score is not None and score <= self.limit:
            return Verdict(Action.ALLOW)
        return Verdict(Action.BLOCK, (ActionSpec("block"),), (Reason("rule", "over", stage, Action.BLOCK),))
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts an installed distribution with one engine on the path."""

    def make(source: str = PLUGIN, target: str = "stencil_plugin:Stencil", name: str = "stencil") -> None:
        site = tmp_path / "site"
        info = site / "stencil_plugin-1.2.dist-info"
        info.mkdir(parents=True)
        (site / "stencil_plugin.py").write_text(source)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stencil-plugin\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {target}\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "stencil_plugin", raising=False)

    return make


@pytest.fixture
def stencil(tmp_path: Path) -> Path:
    path = tmp_path / "strict.stencil"
    path.write_text("0.3")
    return path


def test_a_plugins_engine_is_a_first_class_one(package: Any, stencil: Path) -> None:
    package()
    assert engine_names() == ("builtin", "cel", "rego", "opa", "stencil")
    for policy in (stencil, str(stencil), f"stencil:{stencil}"):
        with Guard(policy, audit=None, gallery=None) as guard:
            assert guard.policy.id == "stencil"
            assert guard.check_prompt("a house").action is Action.ALLOW
            decision = guard.check_prompt("a naked woman")
            assert decision.rules == ("over",)
            assert decision.message().startswith("Over the stencil.")


BROKEN = [
    ("raise ImportError('no libstencil')", "stencil_plugin:Stencil", "does not load: ImportError: no libstencil"),
    (PLUGIN, "stencil_plugin:Template", "does not load: AttributeError"),
    ("Stencil = 3", "stencil_plugin:Stencil", "is no engine: it cannot be called"),
    (PLUGIN.replace('(".stencil",)', '".stencil"'), "stencil_plugin:Stencil", "`suffixes` is not a tuple"),
    (PLUGIN.replace('".stencil"', '".yaml"'), "stencil_plugin:Stencil", "files that end in .yaml are read by"),
    (PLUGIN.replace('".stencil"', '".rego"'), "stencil_plugin:Stencil", "files that end in .rego are read by"),
    (PLUGIN.replace("def needs", "def wants"), "stencil_plugin:Stencil", "gave what is no engine: it has no needs"),
    (PLUGIN.replace("self.ref =", "self.reference ="), "stencil_plugin:Stencil", "it has no ref"),
    (PLUGIN.replace("float(Path", "int(Path"), "stencil_plugin:Stencil", "failed to start: ValueError"),
    (PLUGIN.replace("*, vocabulary", "vocabularies"), "stencil_plugin:Stencil", "failed to start: TypeError"),
]


@pytest.mark.parametrize(("source", "target", "says"), BROKEN, ids=[b[2][:30] for b in BROKEN])
def test_a_broken_plugin_is_an_error_with_its_name(
    package: Any, stencil: Path, source: str, target: str, says: str
) -> None:
    package(source, target)
    with pytest.raises(PluginError) as caught:
        Guard(f"stencil:{stencil}", audit=None, gallery=None)
    assert "stencil-plugin 1.2" in str(caught.value)
    assert says in str(caught.value)


def test_a_broken_plugin_is_named_for_any_file_and_spares_shipped_names(package: Any, tmp_path: Path) -> None:
    package("raise ImportError('no libstencil')")
    (tmp_path / "mine.yaml").write_text(RULES)
    with pytest.raises(PluginError, match=r"stencil-plugin 1\.2"):
        engine_for(tmp_path / "mine.yaml")
    assert engine_for("default", shipped=FOLDER).ref.id == "default"
    assert engine_for(f"builtin:{tmp_path / 'mine.yaml'}").ref.id == "mine"


def test_a_plugin_cannot_take_the_name_of_a_shipped_engine(package: Any) -> None:
    package(name="cel")
    with pytest.raises(PluginError, match=r"the engine 'cel' of the plugin stencil-plugin 1\.2 has the name of one"):
        engine_for("cel:default", shipped=FOLDER)


def test_a_plugins_own_refusal_passes_unchanged(package: Any, stencil: Path) -> None:
    refusal = "from guardrail.errors import ConfigurationError\n" + PLUGIN.replace(
        "self.limit = float(Path(source).read_text())", "raise ConfigurationError('no such stencil')"
    )
    package(refusal)
    with pytest.raises(ConfigurationError, match="no such stencil"):
        engine_for(stencil)


def test_a_real_package_installed_by_pip(tmp_path: Path, stencil: Path) -> None:
    """Built and installed by pip into a folder of its own, and found by a fresh interpreter."""
    project = tmp_path / "stencil-plugin"
    project.mkdir()
    (project / "stencil_plugin.py").write_text(PLUGIN)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "stencil-plugin"\nversion = "1.2"\n'
        f'[project.entry-points."{GROUP}"]\nstencil = "stencil_plugin:Stencil"\n'
        '[tool.setuptools]\npy-modules = ["stencil_plugin"]\n'
    )
    if find_spec("setuptools") is None:  # torch brings it
        pytest.skip("setuptools, with which the package is built, is not installed")
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    done = subprocess.run([*pip, str(site), str(project)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "from guardrail.policy.engines import engine_for, engine_names\n"
        "from guardrail.signals import Stage\n"
        f"engine = engine_for({str(stencil)!r})\n"
        "ask = lambda score: engine.evaluate({'prompt.sexual': score}, stage=Stage.PROMPT, due=frozenset(Stage))\n"
        "print(engine_names()[-1], engine.ref.id, ask(0.2).action, ask(0.4).action)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["stencil", "stencil", "allow", "block"]


def test_importing_the_engines_brings_no_package_of_theirs() -> None:
    code = "import sys, guardrail.policy.engines; print(*sys.modules)"
    found = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert not found & {"cel_expr_python", "regopy", "http.client", "importlib.metadata", "yaml", "pathlib", "hashlib"}


def ordered(*steps: str) -> subprocess.CompletedProcess[str]:
    """Engines made in this order in a fresh interpreter; `import …` is carried out as it stands."""
    made = [s if s.startswith("import") else f"engine_for({s!r}, shipped=Path({str(FOLDER)!r}))" for s in steps]
    code = "\n".join(["from pathlib import Path", "from guardrail.policy.engines import engine_for", *made])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("steps", [("rego:default", "cel:default"), ("cel:default", "rego:default", "cel:default")])
def test_both_native_packages_in_one_process(steps: tuple[str, ...]) -> None:
    done = ordered(*steps)
    assert done.returncode == 0, done.stderr[-500:]


def test_an_order_that_would_crash_is_refused() -> None:
    done = ordered("import regopy", "cel:default")
    assert done.returncode == 1  # an exception, no signal
    assert "ConfigurationError: regopy is loaded already" in done.stderr
    assert ordered("import cel_expr_python.cel", "import regopy", "cel:default").returncode == 0
