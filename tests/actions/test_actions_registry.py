"""Which actions there are: the shipped ones, and a plugin's, or an error that names the plugin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrail.actions import action_kinds, actions, validate
from guardrail.actions.registry import GROUP
from guardrail.decision import CORE_ACTIONS, Action, ActionSpec
from guardrail.errors import ConfigurationError, PluginError, PolicyError

PLUGIN = """
from guardrail.actions import PlannedAction
from guardrail.decision import Action, ActionKind, Alteration, Param
from guardrail.errors import ConfigurationError
from guardrail.signals import Stage

class Whisper(PlannedAction):
    spec = ActionKind("whisper", Action.ALTER, frozenset({Stage.PROMPT}), 15, "Say less.",
                      (Param("least", "number", default=0.0), Param("most", "number", default=1.0)))

    def validate(self, params):
        if params["least"] > params["most"]:
            raise ConfigurationError("whisper: least is more than most")

    def plan(self, given, params, *, strength=0):
        return [Alteration("whisper", given.stage, argument=t.argument, index=i, text=t.text.replace("naked ", ""))
                for i, t in enumerate(given.request.texts)]

class NoPlan(PlannedAction):
    spec = Whisper.spec

class NoSpec(PlannedAction):
    def plan(self, given, params, *, strength=0):
        return []

class Blur(Whisper):
    spec = ActionKind("blur", Action.ALTER, frozenset({Stage.PROMPT}), 15, "Does nothing, under a shipped name.")

class Loose:
    spec = Whisper.spec

class NeedsArguments(Whisper):
    def __init__(self, volume):
        pass
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a plugin package for the length of a test."""

    def make(target: str, source: str = PLUGIN, name: str = "whisper-plugin", module: str = "whisper_plugin") -> None:
        site = tmp_path / name
        info = site / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\nwhisper = {module}:{target}\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, module, raising=False)
        actions.cache_clear()

    yield make
    actions.cache_clear()


def test_the_shipped_actions_are_those_that_the_policy_language_declares() -> None:
    assert {name: action.spec for name, action in actions().items()} == dict(CORE_ACTIONS) == dict(action_kinds())
    assert all(kind.name == name for name, kind in action_kinds().items())


def test_the_registry_is_read_only() -> None:
    for registry in (actions(), action_kinds()):
        with pytest.raises(TypeError):
            registry["allow"] = None  # type: ignore[index]


def test_a_plugins_action_is_a_first_class_one(package: Any, make_guard: Any) -> None:
    package("Whisper")
    guard = make_guard(
        "rules: [{id: quiet, at: prompt, when: {prompt.sexual: '>= 0.5'}, then: {whisper: {most: 0.5}}}]"
    )
    decision = guard.check_prompt("a naked woman")
    assert (decision.action, decision.rules) == (Action.ALTER, ("quiet",))
    (change,) = decision.alterations
    assert (change.kind, change.text, change.status) == ("whisper", "a woman", "applied")
    assert "whisper" in action_kinds()


@pytest.mark.parametrize(
    ("target", "source", "says"),
    [
        ("Whisper", "raise ImportError('no libwhisper')", "does not load: ImportError: no libwhisper"),
        ("Whisper", "def Whisper(): raise OSError('no device')", "does not load: OSError: no device"),
        ("Shout", PLUGIN, "does not load: AttributeError"),
        ("NeedsArguments", PLUGIN, "does not load: TypeError"),
        ("NoPlan", PLUGIN, "does not load: TypeError"),
        ("Loose", PLUGIN, "is no PlannedAction with a spec"),
        ("NoSpec", PLUGIN, "is no PlannedAction with a spec"),
        ("Whisper", "class Whisper: spec = None", "is no PlannedAction with a spec"),
        ("Blur", PLUGIN, "an action is already called 'blur'"),
    ],
)
def test_a_broken_plugin_is_an_error_with_its_name(package: Any, target: str, source: str, says: str) -> None:
    package(target, source)
    for _ in range(2):  # not only the first time
        with pytest.raises(PluginError, match="the plugin whisper-plugin") as caught:
            actions()
        assert says in str(caught.value)


def test_two_plugins_cannot_both_have_a_name(package: Any) -> None:
    package("Whisper")
    package("Whisper", name="whisper-again", module="whisper_again")
    with pytest.raises(PluginError, match="an action is already called 'whisper'"):
        actions()


def test_no_guard_is_made_beside_a_broken_plugin(package: Any, make_guard: Any) -> None:
    package("Shout")
    with pytest.raises(PluginError, match="whisper-plugin"):
        make_guard("rules: [{id: words, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]")


@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("erase", "GP050"),
        ("allow", "GP055"),
        ("{blur: {target: eyes}}", "GP052"),
        ("eye-bar", "GP050"),
        ("{replace: {target: nudity}}", "GP052"),
        ("blur", "GP053"),
        ("rewrite", "GP053"),
        ("{rewrite: {drop: places}}", "GP052"),
        ("{blur: {target: faces, sigma: 2}}", "GP051"),
        ("{guide: {scale: 31}}", "GP034"),
        ("{regenerate: {max: 0}}", "GP034"),
        ("{regenerate: {max: 2.5}}", "GP052"),
        ("{label: {watermark: visible}}", "GP052"),
    ],
)
def test_an_unknown_action_or_parameter_is_refused_at_load(make_guard: Any, then: str, code: str) -> None:
    with pytest.raises(PolicyError) as caught:
        make_guard(f"rules: [{{id: r, at: [prompt, output], when: always, then: {then}}}]")
    assert code in {f.code for f in caught.value.findings}


@pytest.mark.parametrize(
    "then", ["eye-bar", "eyebar", "Black_Bar", "censor bar", "{eye_bars: {target: faces}}", "{fill: {target: eyes}}"]
)
def test_an_eye_bar_is_refused_with_the_reason_and_the_mend(make_guard: Any, then: str) -> None:
    with pytest.raises(PolicyError) as caught:
        make_guard(f"rules: [{{id: r, at: output, when: always, then: {then}}}]")
    (finding,) = caught.value.findings
    assert "bars over eyes are no redaction: a recogniser still finds" in finding.message
    assert finding.mend.startswith("cover the whole face: fill, replace, pixelate or blur")


# ---- parameters that only the action can judge


def specs(**params: Any) -> list[ActionSpec]:
    return [ActionSpec("block"), ActionSpec("whisper", params)]


def test_an_action_is_asked_about_its_parameters(package: Any) -> None:
    package("Whisper")
    validate(specs(least=0.2, most=0.4), actions())
    with pytest.raises(ConfigurationError, match="least is more than most"):
        validate(specs(least=0.4, most=0.2), actions())


def test_an_action_that_fails_at_its_parameters_is_an_error_with_its_name(package: Any) -> None:
    package("Whisper")
    with pytest.raises(PluginError, match="the action whisper failed at its own parameters: KeyError"):
        validate(specs(least=0.4), actions())


def test_nothing_is_called_that() -> None:
    with pytest.raises(ConfigurationError, match="no action is called 'whisper'; there is: block, blur"):
        validate(specs(), actions())


def test_shipped_actions_have_nothing_to_add_to_their_declaration() -> None:
    validate([ActionSpec(name, {p.name: p.default for p in k.params}) for name, k in CORE_ACTIONS.items()], actions())  # type: ignore[misc]
