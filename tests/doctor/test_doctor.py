"""The doctor says what is in force and what is missing, in the words of a guard that refuses, and changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import guardrail
from guardrail.checks import registry
from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.checks.registry import declared_checks
from guardrail.doctor import Examination, examine
from guardrail.errors import CheckError, ConfigurationError, PluginError, SignalUnavailable
from guardrail.paths import home
from guardrail.signals import CORE, Stage
from guardrail.weights import CATALOGUE
from guardrail.weights.store import how_to_bring
from tests.scripted import ScriptedFaces, ScriptedNudity, install


def look() -> Examination:
    """Without measuring: constructing the checks is what finds faults, and is quick."""
    return examine(measure=False)


def refusal(policy: str | Path) -> str:
    """What a guard says when it cannot be made."""
    with pytest.raises(ConfigurationError) as caught:
        guardrail.Guard(policy, audit=None, gallery=None)
    return str(caught.value)


def models(found: Examination) -> dict[str, dict[str, Any]]:
    return {m["name"]: m for m in found.models}


def checks(found: Examination) -> dict[str, dict[str, Any]]:
    return {c["name"]: c for c in found.checks}


def policies(found: Examination) -> dict[str, dict[str, Any]]:
    return {p["policy"]: p for p in found.policies}


class ScriptedPersons(ScriptedNudity):
    """The real one reads 5,000 names when it starts."""

    name = "person-names"
    stages = frozenset({Stage.PROMPT})
    gives = (CORE["prompt.persons"],)

    def check(self, batch: Any, stage: Stage) -> list[SignalValues | Failure]:
        return [SignalValues({"prompt.persons": ()}) for _ in batch]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedNudity, ScriptedFaces, ScriptedPersons)


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder for model files, and none in installed packages."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(folder))
    monkeypatch.setitem(sys.modules, "nudenet", None)
    return folder


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """`plugin(check_class)`: as if a package with that entry point were installed."""

    class Point:
        name = value = "a.plugin:Check"
        dist = None

        def __init__(self, loaded: Any) -> None:
            self.loaded = loaded

        def load(self) -> Any:
            if isinstance(self.loaded, Exception):
                raise self.loaded
            return self.loaded

    def enter(loaded: Any) -> None:
        monkeypatch.setattr(registry, "entry_points", lambda group: [Point(loaded)])

    return enter


# ---- all is well


def test_with_every_check_the_default_policy_can_be_enforced(scripted: None) -> None:
    found = look()
    assert found.faults == []
    assert policies(found)["default"] == {"policy": "default", "state": "can be enforced"}
    assert [c["name"] for c in found.checks] == [d.name for d in declared_checks()]
    assert {c["state"] for c in found.checks} == {"ready"}
    assert checks(found)["nudity"]["gives"] == ["output.nudity", "reference.nudity", "step.nudity"]


def test_measuring_says_how_long_each_check_took(scripted: None) -> None:
    assert all(c["ms"] > 0 for c in examine().checks)
    assert not any("ms" in c for c in look().checks)


def test_a_check_that_needs_others_runs_with_what_they_found(scripted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It always failed here, on every right installation."""
    row = checks(examine())["edit-request"]
    assert (row["state"], "cause" in row) == ("ready", False)
    assert row["ms"] < 1_000

    def broken(image: Any) -> Any:
        raise CheckError("no number")

    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(broken))
    found = checks(examine())
    assert found["faces"]["state"] == "fails when it runs"
    assert found["edit-request"]["cause"] == "the faces of the request are not known"


def test_the_json_form_is_complete(scripted: None) -> None:
    found = look()
    told = found.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert list(told) == ["system", "packages", "models", "checks", "policies", "faults", "remarks"]
    assert all(told[name] == getattr(found, name) for name in told)
    assert {m["name"] for m in told["models"]} == set(CATALOGUE)
    assert all(m.keys() == {"name", "state", "licence", "sha256", "mend"} for m in told["models"])
    assert all(len(m["sha256"]) == 64 and m["licence"] for m in told["models"])
    assert told["packages"]["numpy"]


def test_examining_changes_nothing(scripted: None, own_home: Path) -> None:
    assert look().system["key"] == "none yet; one is made on first use"
    assert not own_home.exists()


# ---- models


def test_without_models_each_row_has_the_mend_and_the_guard_the_same(no_models: Path) -> None:
    found = look()
    # Our own come with the package.
    brought = [w for w in CATALOGUE.values() if (w.installed_as or ("",))[0] != "guardrail"]
    assert {m["name"] for m in found.models if m["state"] == "missing"} == {w.name for w in brought}
    assert {m["name"]: m["mend"] for m in found.models if m["mend"]} == {w.name: how_to_bring(w) for w in brought}
    assert policies(found)["default"]["state"] == "cannot be enforced"
    # Word for word what wrap() and Guard() refuse with.
    assert found.faults == [policies(found)["default"]["cause"]] == [refusal("default")]
    for name in ("centerface", "nudenet-320n"):
        assert models(found)[name]["mend"] in found.faults[0]
    assert checks(found)["faces"]["state"] == "unavailable"
    assert checks(found)["faces"]["cause"] in found.faults[0]
    assert checks(found)["sexual-text"]["state"] == "ready"


def test_a_file_with_another_hash_has_to_go_first(no_models: Path) -> None:
    wrong = no_models / "centerface.onnx"
    wrong.write_bytes(b"something else")
    found = look()
    row = models(found)["centerface"]
    assert row["state"] == "wrong hash"
    assert row["mend"] == f"remove {wrong}, then run: guardrail models pull embedded"
    # Pulling alone would not help: the wrong file stays in front of the right one.
    assert "remove it, then run: guardrail models pull embedded" in found.faults[0]
    assert found.faults == [refusal("default")]


def test_a_file_that_cannot_be_read_is_not_to_be_pulled_again(no_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything, so the refusal is played."""
    locked = no_models / "centerface.onnx"
    locked.write_bytes(b"x")
    opened = Path.open

    def refuse(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self == locked:
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    row = models(look())["centerface"]
    assert (row["state"], row["mend"]) == ("missing", f"make {locked} readable")


@pytest.mark.parametrize(("module", "check", "extra"), [("dlib", "faces", "faces")])
def test_a_missing_extra_is_named_with_its_pip_line(
    embedded_models: None, nudenet: None, monkeypatch: pytest.MonkeyPatch, module: str, check: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    found = look()
    row = checks(found)[check]
    assert row["state"] == "unavailable"
    assert f'pip install "guardrail-diffusion[{extra}]"' in row["cause"]
    assert row["cause"] in found.faults[0]
    assert found.faults == [refusal("default")]


# ---- policies


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], Path]:
    """`shipped(name, rules)`: a policy in a folder that stands in for the shipped ones."""
    folder = tmp_path / "policies"
    folder.mkdir()
    monkeypatch.setattr(sys.modules["guardrail.doctor.examine"], "shipped_policies", lambda: folder)

    def write(name: str, rules: str) -> Path:
        path = folder / f"{name}.yaml"
        path.write_text(f"policy: {{id: {name}, version: 1.0.0}}\n{rules}\n")
        return path

    return write


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (
            "rules: [{id: known, at: output, when: {output.minor: '>= 0.5'}, then: block}]",
            "output.minor, read by the rule known",
        ),
        (
            "rules:\n  - {id: a, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}\n"
            "  - {id: b, at: output, when: {output.minor: '>= 0.5'}, then: block}\n"
            "  - {id: c, at: output, when: {output.minor: '>= 0.9'}, then: block}",
            "output.minor, read by the rules b, c",
        ),
    ],
)
def test_a_policy_that_reads_what_nobody_gives(
    scripted: None, shipped: Callable[[str, str], Path], rules: str, says: str
) -> None:
    path = shipped("wishful", rules)
    found = look()
    row = policies(found)["wishful"]
    assert row["state"] == "cannot be enforced"
    assert row["cause"] == refusal(path)
    assert says in row["cause"]
    assert "install a plugin that does, or take it out of the policy" in row["cause"]
    with pytest.raises(SignalUnavailable):
        guardrail.Guard(path, audit=None, gallery=None)
    # Only the default policy is everybody's: another one is a row, not a fault.
    assert found.faults == []


def test_a_policy_that_does_not_load_is_a_row_with_its_findings(
    scripted: None, shipped: Callable[[str, str], Path]
) -> None:
    path = shipped("default", "rules: [{id: a, at: prompt, when: {prompt.sexul: '>= 0.7'}, then: block}]")
    shipped("other", "rules: [{id: a, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]")
    shipped("default.test", "tests: []")
    found = look()
    assert set(policies(found)) == {"default", "other"}
    assert policies(found)["other"]["state"] == "can be enforced"
    assert policies(found)["default"]["cause"] == refusal(path)
    assert "did you mean 'prompt.sexual'?" in policies(found)["default"]["cause"]
    assert found.faults == [refusal(path)]


# ---- keys


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("GUARDRAIL_KEY", "ab" * 32, ""),
        ("GUARDRAIL_KEY", "ab" * 31, "32 are needed"),
        ("GUARDRAIL_KEY", "not hex", "not hexadecimal"),
        # Set and empty is no wish for a new key.
        ("GUARDRAIL_KEY", "", "is empty"),
        ("GUARDRAIL_KEY_FILE", "/nowhere/key.json", "is not a file"),
        ("GUARDRAIL_KEY_FILE", "", "names nothing"),
    ],
)
def test_keys(scripted: None, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str) -> None:
    monkeypatch.setenv(variable, value)
    found = look()
    if says:
        (fault,) = found.faults
        assert says in fault
        assert fault == refusal("default")
        assert "key" not in found.system
    else:
        assert found.faults == []
        assert found.system["key"].endswith(f" of 1 from ${variable}")
    assert "ab" * 31 not in json.dumps(found.to_json())


def test_a_keyring_in_the_data_folder(scripted: None) -> None:
    from guardrail.keys import load_keyring

    ring = load_keyring()
    assert look().system["key"] == f"{ring.active} of 1 from {home() / 'keyring.json'}"
    (home() / "keyring.json").write_text("{}")
    assert look().faults == [refusal("default")]


# ---- plugins


def test_a_plugin_that_does_not_load_is_a_fault_and_the_doctor_still_speaks(
    scripted: None, plugin: Callable[[Any], None]
) -> None:
    """Where nothing works, the doctor is who gets asked."""
    plugin(ImportError("no module named colour"))
    found = look()
    (fault,) = found.faults
    assert "a.plugin:Check does not load: ImportError: no module named colour" in fault
    assert fault == refusal("default")
    assert found.models
    assert found.system["python"]


class Odd(ScriptedNudity):
    name = "odd"
    gives = (CORE["output.minor"],)


class Silent(Odd):
    gives = ()


class Refuses(Odd):
    def __init__(self, settings: CheckSettings | None = None) -> None:
        raise ConfigurationError("bring a licence")


class Stumbles(Odd):
    def __init__(self, settings: CheckSettings | None = None) -> None:
        raise RuntimeError("boom")


class Fails(Odd):
    gives = (CORE["reference.minor"],)

    def check(self, batch: Any, stage: Stage) -> list[SignalValues | Failure]:
        return [Failure("the sensor is cold") for _ in batch]


class Raises(Fails):
    def check(self, batch: Any, stage: Stage) -> list[SignalValues | Failure]:
        raise RuntimeError("boom")


@pytest.mark.parametrize(
    ("made", "row"),
    [
        (Odd, {"state": "ready", "runs": "odd"}),
        (Silent, {"gives": []}),
        (Refuses, {"state": "unavailable", "cause": "bring a licence"}),
        (Stumbles, {"state": "unavailable", "cause": "the check odd of the plugin a.plugin:Check failed to start"}),
        (Fails, {"state": "fails when it runs", "cause": "the sensor is cold"}),
        (Raises, {"state": "fails when it runs", "cause": "RuntimeError"}),
    ],
)
def test_each_way_in_which_a_plugin_can_be_ill(
    scripted: None, plugin: Callable[[Any], None], made: type, row: dict[str, Any]
) -> None:
    plugin(made)
    found = examine()
    said = checks(found)["odd"]
    assert said["origin"] == "the plugin a.plugin:Check"
    for name, value in row.items():
        assert value in said[name] if isinstance(value, str) else said[name] == value
    # No policy needs it: the others can be enforced, and the other checks are looked at.
    assert found.faults == []
    assert checks(found)["nudity"]["state"] == "ready"


def test_two_plugins_that_contradict_each_other(scripted: None, plugin: Callable[[Any], None]) -> None:
    class Twin(ScriptedNudity):
        name = "nudity"

    plugin(Twin)
    with pytest.raises(PluginError) as caught:
        declared_checks()
    assert look().faults == [str(caught.value)]


# ---- packages


@pytest.mark.parametrize(
    ("installed", "remark"),
    [
        ({}, ""),
        ({"opencv-python": "4.12"}, ""),
        ({"opencv-python": "4.12", "opencv-python-headless": "4.12"}, "own the same module"),
        ({"opencv-python": "4.12", "opencv-contrib-python": "4.12"}, "opencv-python and opencv-contrib-python"),
        ({"opencv-python": "4.12", "insightface": "2.1"}, "cv2 cannot be loaded"),
        ({"insightface": "2.1"}, "cv2 is not installed; run: pip install opencv-python-headless"),
    ],
)
def test_two_opencv_wheels_and_one_that_does_not_load_are_remarked(
    scripted: None, monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], remark: str
) -> None:
    monkeypatch.setattr(sys.modules["guardrail.doctor.examine"], "_version", lambda name: installed.get(name, ""))
    monkeypatch.setitem(sys.modules, "cv2", None)
    found = look()
    said = [r for r in found.remarks if "cv" in r]
    assert len(said) == bool(remark)
    assert all(remark in r for r in said)
    assert found.faults == []


@pytest.mark.parametrize(
    ("installed", "remark"),
    [
        ({"onnxruntime": "1.22"}, ""),
        ({"onnxruntime-gpu": "1.22"}, ""),
        ({"onnxruntime": "1.22", "onnxruntime-gpu": "1.22"}, "the GPU may not be used"),
    ],
)
def test_two_builds_of_the_runtime_are_remarked(
    scripted: None, monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], remark: str
) -> None:
    monkeypatch.setattr(sys.modules["guardrail.doctor.examine"], "_version", lambda name: installed.get(name, ""))
    said = [r for r in look().remarks if "onnxruntime" in r]
    assert len(said) == bool(remark)
    assert all(remark in r for r in said)


class Telling(ScriptedFaces):
    def about(self) -> dict[str, str]:
        return {"thresholds": "guessed", "gpu": "did not start"}


def test_what_a_check_says_of_its_models_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedNudity, Telling, ScriptedPersons)
    assert checks(look())["faces"]["about"] == {"thresholds": "guessed", "gpu": "did not start"}


def test_the_doctor_looks_at_what_the_user_would_run(embedded_models: None, tmp_path: Path) -> None:
    settings = CheckSettings(face_backend="insightface", insightface_pack=str(tmp_path / "no-pack"))
    row = checks(examine(measure=False, settings=settings))["faces"]
    assert row["state"] == "unavailable"
    assert "no-pack is not a folder" in row["cause"]


def test_an_absent_package_is_shown_as_absent(scripted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys.modules["guardrail.doctor.examine"], "PACKAGES", ("numpy", "no-such-package", "insightface")
    )
    packages = look().packages
    assert packages["no-such-package"] == ""
    assert packages["numpy"]
