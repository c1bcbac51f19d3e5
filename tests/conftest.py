"""Every test has a data folder of its own; pulled model files are taken from where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from guardrail.paths import home

# No test is about how long it takes: on a busy machine any may take long.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SHARED = Path(__file__).parent.parent.parent / "shared"
# Where `guardrail models pull` put them, before the tests get a home of their own.
_PULLED = home() / "weights"
_REQUIRED = os.environ.get("GUARDRAIL_REQUIRE_MODELS") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``nightly`` run in `make nightly` only."""
    if os.environ.get("GUARDRAIL_NIGHTLY") != "1":
        for item in items:
            if item.get_closest_marker("nightly"):
                item.add_marker(pytest.mark.skip(reason="long; GUARDRAIL_NIGHTLY=1 runs it"))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh data folder: keys, gallery and record of one test never meet those of another."""
    folder = tmp_path / "home"
    monkeypatch.setenv("GUARDRAIL_HOME", str(folder))
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(_PULLED))
    for name in ("GUARDRAIL_KEY", "GUARDRAIL_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return folder


def _unavailable(reason: str) -> None:
    if _REQUIRED:
        pytest.fail(f"GUARDRAIL_REQUIRE_MODELS=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture
def embedded_models(own_home: Path) -> None:
    """Skips where the embedded model files were not pulled (`make test` pulls them)."""
    from guardrail.weights import GROUPS, status

    ready = {s.weight.name for s in status() if s.state == "ready"}
    missing = [name for name in GROUPS["embedded"] if name not in ready]
    if missing:
        _unavailable(f"{', '.join(missing)} not pulled; run: guardrail models pull embedded")


@pytest.fixture
def nudenet(own_home: Path) -> None:
    """Skips where the optional NudeNet extra is not installed (`make test` installs it)."""
    from guardrail.weights import status

    if not any(s.weight.name == "nudenet-320n" and s.state == "ready" for s in status()):
        _unavailable('NudeNet is not installed; run: pip install "guardrail-diffusion[nudity-agpl]"')


@pytest.fixture
def shared() -> Path:
    """The folder with test data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared (test photographs, models and prompts) is not here")
    return SHARED


@pytest.fixture
def policy_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a rule file: the text is the part after the header."""

    def write(rules: str, name: str = "test-policy") -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"policy: {{id: {name}, version: 1.0.0}}\n{rules}", "utf-8")
        return path

    return write


@pytest.fixture
def make_guard(policy_file: Callable[[str], Path]) -> Iterator[Callable[..., Any]]:
    """Makes guards, from rules or from the name of a shipped policy, and closes them. No record unless asked for."""
    from guardrail import Guard

    made: list[Any] = []

    def make(rules: str, **options: Any) -> Any:
        policy = policy_file(rules) if "rules:" in rules else rules
        guard = Guard(policy, **{"audit": None, "gallery": None, **options})
        made.append(guard)
        return guard

    yield make
    for guard in made:
        guard.close()
