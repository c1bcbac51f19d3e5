"""The kinds of ``prompt.persons``: what shipped policies make of those of whom nobody living is depicted, and that an
author can ask for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.checks.text.found import UNREAL, UNREAL_MATCH
from guardrail.policy import BuiltinEngine, load_policy
from guardrail.signals import CORE, Items, SignalValue, Stage

FOLDER = Path(__file__).resolve().parents[2] / "policies"
FILES = {path.stem: path for path in (*FOLDER.glob("*.yaml"), *FOLDER.glob("packs/*.yaml")) if ".test" not in path.name}
FILES["acme"] = FOLDER / "examples" / "acme.yaml"
DUE = frozenset({Stage.PROMPT})


def _rules(engine: BuiltinEngine, *persons: dict[str, float | bool | str | None], sexual: float = 0.0) -> set[str]:
    signals: dict[str, SignalValue] = {
        spec.name: spec.kind.benign for spec in CORE.signals.values() if spec.stage in (None, Stage.PROMPT)
    }
    signals |= {"prompt.persons": persons, "prompt.sexual": sexual, "prompt.sexual_exempted": sexual}
    return {reason.rule for reason in engine.evaluate(signals, stage=Stage.PROMPT, due=DUE).reasons}


@pytest.mark.parametrize("sexual", [0.0, 0.45, 0.9])
@pytest.mark.parametrize("kind", sorted(UNREAL))
@pytest.mark.parametrize("name", FILES)
def test_a_character_or_somebody_long_dead_changes_nothing(name: str, kind: str, sexual: float) -> None:
    engine = BuiltinEngine(load_policy(FILES[name], shipped=FOLDER))
    item: dict[str, float | bool | str | None] = {"match": UNREAL_MATCH, "kind": kind, "evidence": "list"}
    assert _rules(engine, item, sexual=sexual) == _rules(engine, sexual=sexual)


@pytest.mark.parametrize("name", ["default", "strict", "research", "kr", "us", "acme"])
def test_somebody_living_beside_them_still_counts(name: str) -> None:
    engine = BuiltinEngine(load_policy(FILES[name], shipped=FOLDER))
    unreal: dict[str, float | bool | str | None] = {"match": UNREAL_MATCH, "kind": "fictional", "evidence": "list"}
    living: dict[str, float | bool | str | None] = {"match": 0.6, "kind": "private", "evidence": "cue"}
    assert any("person-sexual" in rule for rule in _rules(engine, unreal, living, sexual=0.45))


def test_the_match_of_the_unreal_is_under_every_shipped_threshold() -> None:
    for path in FILES.values():
        levels = load_policy(path, shipped=FOLDER).thresholds.get("match", {})
        assert all(level > UNREAL_MATCH for level in levels.values()), path


def test_a_rule_may_ask_for_a_kind_or_for_the_evidence(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "policy: {id: p, version: 1.0.0}\n"
        "rules:\n"
        "  - {id: dead, at: prompt, when: {prompt.persons: {any: {kind: [historic, style]}}}, then: label}\n"
        "  - {id: pointed, at: prompt, when: {prompt.persons: {any: {evidence: reference}}}, then: label}\n"
    )
    engine = BuiltinEngine(load_policy(path))
    assert _rules(engine, {"match": UNREAL_MATCH, "kind": "historic", "evidence": "list"}) == {"dead"}
    assert _rules(engine, {"match": 0.9, "kind": "private", "evidence": "reference"}) == {"pointed"}
    assert _rules(engine, {"match": 0.9, "kind": "public", "evidence": "list"}) == set()


def test_the_kinds_are_those_of_the_vocabulary() -> None:
    spec = CORE["prompt.persons"].kind
    assert isinstance(spec, Items)
    assert set(UNREAL) < set(spec.fields["kind"].values)  # type: ignore[union-attr]
