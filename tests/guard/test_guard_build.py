"""What can be known when a guard is made is refused then, with the ways out."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardrail import Guard
from guardrail.checks import registry
from guardrail.decision import Action, ActionSpec, PolicyRef, Reason, Stage, Verdict
from guardrail.errors import ConfigurationError, PluginError, PolicyError, SignalUnavailable
from guardrail.guard.build import load_names
from guardrail.policy import BuiltinEngine, load_policy
from guardrail.signals import CORE
from tests.scripted import ScriptedFaces, ScriptedNudity, install

PROMPT_RULE = "rules: [{id: r, at: prompt, when: {prompt.sexual: '>= 0.5'}, then: block}]"


def test_a_signal_that_nothing_gives_is_refused_with_signal_rule_and_mend(make_guard: Any) -> None:
    with pytest.raises(SignalUnavailable) as caught:
        make_guard("rules: [{id: young, at: output, when: {output.minor: '>= 0.5'}, then: block}]")
    text = str(caught.value)
    assert "output.minor, read by the rule young" in text
    assert "install a plugin that does, or take it out of the policy" in text
    assert "guardrail doctor" in text


def test_a_check_that_cannot_start_is_named_with_its_cause(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent(ScriptedNudity):
        def __init__(self, settings: Any) -> None:
            raise ConfigurationError("bring its model with: guardrail models pull somewhere")

    install(monkeypatch, ScriptedNudity)
    monkeypatch.setattr(sys.modules["tests.scripted"], "ScriptedNudity", Absent)
    with pytest.raises(SignalUnavailable) as caught:
        make_guard(
            "rules: [{id: a, at: output, when: {output.nudity: '>= 0.5'}, then: block},"
            "{id: b, at: [output, reference], when: {reference.nudity: '>= 0.5'}, then: block}]"
        )
    text = str(caught.value)
    assert "output.nudity, read by the rule a" in text
    assert text.count("guardrail models pull somewhere") == 1
    assert "the check nudity gives reference.nudity, output.nudity but cannot start" in text


def test_a_check_that_a_policy_does_not_read_is_not_constructed(
    make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Explosive(ScriptedFaces):
        def __init__(self, settings: Any) -> None:
            raise AssertionError("constructed for nothing")

    install(monkeypatch, ScriptedFaces)
    monkeypatch.setattr(sys.modules["tests.scripted"], "ScriptedFaces", Explosive)
    assert [e.name for e in make_guard(PROMPT_RULE).effective()] == ["sexual-text"]


def test_a_rule_file_that_does_not_load_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "policy: {id: p, version: 1.0.0}\n"
        "rules:\n"
        "  - {id: r, at: prompt, when: {prompt.sexul: '>= 0.5'}, then: block}\n"
    )
    with pytest.raises(PolicyError) as caught:
        Guard(path, audit=None, gallery=None)
    assert f"{path}:3:" in str(caught.value)
    assert "prompt.sexual" in str(caught.value)


@pytest.mark.parametrize("policy", [None, 3, object(), ["default"]])
def test_what_is_no_policy_is_refused_by_its_type(policy: Any) -> None:
    with pytest.raises(ConfigurationError, match=type(policy).__name__):
        Guard(policy, audit=None, gallery=None)


@pytest.mark.parametrize(
    ("option", "value"), [("audit", 3), ("face_backend", "best"), ("names", "/no/such/file"), ("gallery", 3.5)]
)
def test_an_option_that_makes_no_sense_is_refused(option: str, value: Any, make_guard: Any) -> None:
    with pytest.raises(ConfigurationError):
        make_guard(
            "rules: [{id: r, at: reference, when: {reference.faces: {any: {real: '>= 0.5'}}}, then: block}]",
            **{option: value},
        )


def test_a_folder_for_the_record_that_cannot_be_made_is_refused(make_guard: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="no folder for the record"):
        make_guard(PROMPT_RULE, audit=tmp_path / "file" / "audit.sqlite")


def test_a_loaded_policy_and_an_engine_are_taken_as_they_are(policy_file: Callable[[str], Path]) -> None:
    from guardrail.actions import action_kinds

    policy = load_policy(policy_file(PROMPT_RULE), vocabulary=CORE, actions=action_kinds())
    for given in (policy, BuiltinEngine(policy)):
        with Guard(given, audit=None, gallery=None) as guard:
            assert guard.policy.sha256 == policy.ref.sha256
            assert guard.check_prompt("a house").action is Action.ALLOW


class Engine:
    """An engine of somebody else."""

    ref = PolicyRef("own", "1", "0" * 64)

    def __init__(self, answer: Callable[[], Verdict]) -> None:
        self.answer = answer

    def needs(self) -> dict[str, tuple[str, ...]]:
        return {"prompt.sexual": ("own",)}

    def messages(self, reasons: Any) -> dict[str, str]:
        return {"en": "No."}

    def evaluate(self, signals: Any, *, stage: Stage, due: frozenset[Stage], deadline: float | None = None) -> Verdict:
        return self.answer()


def test_another_engine_decides() -> None:
    refusal = Verdict(Action.BLOCK, (ActionSpec("block"),), (Reason("rule", "own", Stage.PROMPT, Action.BLOCK),))
    with Guard(Engine(lambda: refusal), audit=None, gallery=None) as guard:
        decision = guard.check_prompt("a house")
    assert decision.blocked
    assert decision.rules == ("own",)
    assert decision.message().startswith("No.")


def test_an_engine_that_raises_blocks_and_does_not_quote() -> None:
    def fail() -> Verdict:
        raise RuntimeError("canary")

    with Guard(Engine(fail), audit=None, gallery=None) as guard:
        decision = guard.check_prompt("a house")
    assert decision.blocked
    assert decision.reasons[0].describe() == "engine error: RuntimeError"


def test_an_engine_that_answers_too_late_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.guard.judge.POLICY_LIMIT_S", -1.0)
    with Guard(Engine(lambda: Verdict(Action.ALLOW)), audit=None, gallery=None) as guard:
        decision = guard.check_prompt("a house")
    assert decision.blocked
    assert "took too long" in decision.reasons[0].describe()


# ---- names


def test_a_file_of_names_has_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("# staff\nOdalys Quenby\n\n  김하윤별  \n", "utf-8")
    assert load_names(path) == ("Odalys Quenby", "김하윤별")
    assert load_names(str(path)) == load_names(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_of_names_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_names(path)


# ---- plugins

PLUGIN = '''
from guardrail.checks.base import SignalValues
from guardrail.decision import EffectiveCheck
from guardrail.signals import Flag, SignalSpec, Stage


class Teapot:
    """Says whether a prompt asks for a teapot."""

    name = "teapot"
    version = "1"
    stages = frozenset({Stage.PROMPT})
    needs = frozenset()
    gives = (SignalSpec("prompt.teapot", Stage.PROMPT, Flag(), "A teapot is asked for."),)
    inline = True
    timeout_s = 1.0

    def __init__(self, settings):
        pass

    def check(self, batch, stage):
        return [SignalValues({"prompt.teapot": any("teapot" in t.text for t in r.texts)}) for r in batch]

    def warmup(self):
        pass

    def effective(self):
        return EffectiveCheck(self.name, self.version)
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts an installed distribution with one entry point on the path."""

    def make(source: str, target: str = "teapot_plugin:Teapot", group: str = registry.GROUP) -> None:
        site = tmp_path / "site"
        info = site / "teapot_plugin-1.2.dist-info"
        info.mkdir(parents=True)
        (site / "teapot_plugin.py").write_text(source)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: teapot-plugin\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{group}]\nteapot = {target}\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "teapot_plugin", raising=False)

    return make


def test_a_plugins_signal_is_a_first_class_one(package: Any, make_guard: Any) -> None:
    package(PLUGIN)
    guard = make_guard("rules: [{id: no-teapots, at: prompt, when: {prompt.teapot: true}, then: block}]")
    assert guard.check_prompt("a teapot").rules == ("no-teapots",)
    assert guard.check_prompt("a kettle").action is Action.ALLOW
    assert [e.name for e in guard.effective()] == ["teapot"]


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("raise ImportError('no libteapot')", "teapot_plugin:Teapot", "does not load: ImportError: no libteapot"),
        (PLUGIN, "teapot_plugin:Kettle", "does not load: AttributeError"),
        ("class Teapot: name = 'teapot'", "teapot_plugin:Teapot", "is no check: it has no version, stages"),
        (
            PLUGIN.replace('"teapot"\n    version', '"nudity"\n    version'),
            "teapot_plugin:Teapot",
            "has the name of one from",
        ),
        (
            PLUGIN.replace("    gives = (Sig", "    gives = (3,)\n    was = (Sig"),
            "teapot_plugin:Teapot",
            "not SignalSpec",
        ),
        (PLUGIN.replace("prompt.teapot", "prompt.sexual"), "teapot_plugin:Teapot", "another stage or kind"),
    ],
)
def test_a_broken_plugin_is_an_error_with_its_name(
    package: Any, make_guard: Any, source: str, target: str, says: str
) -> None:
    package(source, target)
    with pytest.raises(PluginError) as caught:
        make_guard(PROMPT_RULE)
    assert "teapot" in str(caught.value)
    assert says in str(caught.value)


def test_a_plugin_that_fails_to_start_is_an_error_with_its_name(package: Any, make_guard: Any) -> None:
    package(PLUGIN.replace("        pass\n\n    def check", "        raise RuntimeError\n\n    def check", 1))
    with pytest.raises(PluginError, match=r"teapot-plugin 1\.2 failed to start: RuntimeError"):
        make_guard("rules: [{id: no-teapots, at: prompt, when: {prompt.teapot: true}, then: block}]")


# ---- another process


def test_a_guard_travels_as_its_options(make_guard: Any) -> None:
    guard = make_guard(PROMPT_RULE)
    twin = pickle.loads(pickle.dumps(guard))
    assert twin.policy == guard.policy
    assert twin is not guard
    assert twin.check_prompt("a house").action is Action.ALLOW
    twin.close()
