"""What a deployment file says in a guard: its own words and names, and exemptions that no locked rule hears of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardrail import Guard
from guardrail.decision import Action
from guardrail.errors import ConfigurationError

BASE = """
policy: {id: base, version: 1.0.0}
rules:
  - {id: locked, locked: true, at: prompt, when: {prompt.sexual: ">= 0.4", prompt.persons: {any: {match: ">= 0.5"}}}, then: block}
  - {id: open, at: prompt, when: {prompt.sexual: ">= 0.4"}, then: block}
"""  # fmt: skip # noqa: E501
Deploy = Callable[[str], Any]


@pytest.fixture
def deploy(tmp_path: Path) -> Any:
    (tmp_path / "base.yaml").write_text(BASE, "utf-8")
    made: list[Guard] = []

    def deploy(text: str) -> Guard:
        path = tmp_path / "here.yaml"
        path.write_text(f"policy: base\n{text}\n", "utf-8")
        made.append(Guard(path, audit=None, gallery=None))
        return made[-1]

    yield deploy
    for guard in made:
        guard.close()


def rules(guard: Guard, prompt: str) -> set[str]:
    return set(guard.check_prompt(prompt).rules)


@pytest.mark.parametrize(
    ("exempt", "prompt", "open_rule"),
    [
        ("[Nude Studio]", "a logo for Nude Studio", False),
        ("[Nude Studio]", "a logo for NUDE  studio, neon", False),
        ("[Nude Studio]", "a logo for Nude Studio with a nude woman", True),
        ("[Nude Studio]", "a nude studio portrait", False),  # the phrase as written: whoever exempts it wants that
        ("[Nude Studio]", "a nude in a studio", True),
        ("['n.de']", "a nude woman", True),  # a phrase, no pattern
        ("[누드 스튜디오]", "누드 스튜디오 로고", False),
        ("[누드 스튜디오]", "누드 사진", True),
        ("[]", "a logo for Nude Studio", True),
    ],
)
def test_an_exemption_reaches_rules_that_are_not_locked(
    exempt: str, prompt: str, open_rule: bool, deploy: Deploy
) -> None:
    assert rules(deploy(f"exempt: {exempt}"), prompt) == ({"open"} if open_rule else set())


def test_no_exemption_reaches_a_locked_rule(deploy: Deploy) -> None:
    guard = deploy("exempt: [Nude Studio]")
    assert rules(guard, "my classmate at Nude Studio") == {"locked"}
    decision = guard.check_prompt("my classmate at Nude Studio")
    assert decision.signals["prompt.sexual"] > decision.signals["prompt.sexual_exempted"]


def test_own_words_and_names_tighten_every_rule(deploy: Deploy) -> None:
    plain = deploy("")
    guard = deploy("words: {explicit: [zorbing], suggestive: ['wig-gling (slowly)']}\nnames: [Ines Vandermolen]")
    for prompt, fired in (
        ("zorbing at noon", {"open"}),
        ("Z O R B I N G at noon", set()),  # spaced letters are joined to words of the shipped lists only
        ("wig-gling (slowly)", {"open"}),
        ("Ines Vandermolen zorbing", {"open", "locked"}),
    ):
        assert rules(guard, prompt) == fired, prompt
        assert rules(plain, prompt) == set(), prompt


def test_a_phrase_without_letters_is_refused(deploy: Deploy) -> None:
    with pytest.raises(ConfigurationError, match="no letters"):
        deploy("exempt: ['...']")


def test_a_pack_is_no_policy_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "pack.yaml"
    path.write_text(
        "policy: {id: p, version: 1.0.0, kind: pack}\nrules: [{id: r, at: prompt, when: always, then: report}]"
    )
    with pytest.raises(ConfigurationError, match="is a pack: name it under `packs`"):
        Guard(path, audit=None, gallery=None)


def test_parameters_that_an_action_refuses_are_found_when_the_guard_is_built(
    policy_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardrail.actions.hints import Guide

    def refuse(self: Any, params: Any) -> None:
        raise ConfigurationError("not like this")

    monkeypatch.setattr(Guide, "validate", refuse)
    with pytest.raises(ConfigurationError, match="not like this"):
        Guard(policy_file("rules: [{id: r, at: prompt, when: always, then: guide}]"), audit=None, gallery=None)


def test_shadow_in_a_deployment_leaves_the_locked_rule_acting(deploy: Deploy) -> None:
    guard = deploy("mode: shadow")
    assert guard.check_prompt("a nude woman").action is Action.ALLOW
    assert guard.check_prompt("my classmate nude").action is Action.BLOCK
