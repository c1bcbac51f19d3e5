"""The shipped default policy: its own tests, its leaks, its messages, and its promises."""

from __future__ import annotations

import re
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from guardrail.decision import Action
from guardrail.policy import BuiltinEngine, Policy, lint_file, load_policy, run_tests
from guardrail.signals import CORE, SignalValue, Stage

FOLDER = Path(__file__).resolve().parents[2] / "policies"
DUE = [
    frozenset({Stage.PROMPT, *others})
    for n in range(4)
    for others in combinations([Stage.REFERENCE, Stage.STEP, Stage.OUTPUT], n)
]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy("default", shipped=FOLDER)


def benign(due: frozenset[Stage]) -> dict[str, Any]:
    return {s.name: s.kind.benign for s in CORE.signals.values() if s.stage is None or s.stage in due}


def test_its_own_tests_pass_and_fire_every_rule(policy: Policy) -> None:
    report = run_tests(policy, BuiltinEngine(policy))
    assert report.ok, str(report)
    assert len(report.passed) >= 60
    assert report.never_fired == ()
    assert lint_file("default", shipped=FOLDER) == ()


def test_it_is_what_was_agreed(policy: Policy) -> None:
    assert (policy.id, policy.version, policy.ref.mode) == ("default", "1.0.0", "enforce")
    assert [r.id for r in policy.rules if r.locked] == ["real-person-sexual", "minor-sexual", "protected-identity"]
    assert policy.thresholds == {
        "sexual": {"suggestive": 0.4, "explicit": 0.7},
        "nudity": {"partial": 0.35, "explicit": 0.65},
        "real": {"likely": 0.5},
        "minor": {"possible": 0.2},
        "match": {"person": 0.5},
    }
    # No shipped check gives an age from pixels or a list of known images: a rule on them would block every picture.
    absent = {"reference.minor", "output.minor", "reference.hash_match", "output.hash_match"}
    assert not absent & set(BuiltinEngine(policy).needs())


SEXUAL: list[tuple[str, SignalValue]] = [
    ("prompt.sexual", 0.4),
    ("reference.nudity", 0.35),
    ("step.nudity", 0.35),
    ("output.nudity", 0.35),
]
PERSON: list[tuple[str, SignalValue]] = [
    ("prompt.persons", ({"match": 0.5, "kind": "private"},)),
    ("reference.faces", ({"real": 0.5, "identifiable": False, "match": 0.0, "gallery": "none", "consent": "yes"},)),
    ("reference.faces", ({"real": 0.0, "identifiable": True, "match": 0.5, "gallery": "consented", "consent": "yes"},)),
    ("output.faces", ({"real": 0.0, "identifiable": True, "match": 0.5, "gallery": "none"},)),
]


@pytest.mark.parametrize("due", DUE, ids=lambda due: "+".join(s for s in Stage if s in due))
@pytest.mark.parametrize(("sexual", "person"), list(product(SEXUAL, PERSON)), ids=lambda pair: pair[0])
def test_any_sexual_signal_with_any_person_signal_blocks_at_every_stage_that_knows_both(
    policy: Policy, sexual: tuple[str, SignalValue], person: tuple[str, SignalValue], due: frozenset[Stage]
) -> None:
    engine = BuiltinEngine(policy)
    known = benign(due)
    both = CORE[sexual[0]].stage in due and CORE[person[0]].stage in due
    for stage in due:
        seen = frozenset(s for s in due if s.position <= stage.position)
        settled = both and CORE[sexual[0]].stage in seen and CORE[person[0]].stage in seen
        signals = {k: v for k, v in {**known, **dict([sexual, person])}.items() if CORE[k].stage in {None, *seen}}
        verdict = engine.evaluate(signals, stage=stage, due=seen)
        assert ("real-person-sexual" in verdict.fired) is settled
        assert settled <= (verdict.action is Action.BLOCK)
        # ... and losing either of them still blocks.
        for lost in (sexual[0], person[0]):
            if settled:
                assert engine.evaluate({**signals, lost: None}, stage=stage, due=seen).action is Action.BLOCK


@pytest.mark.parametrize("due", DUE, ids=lambda due: "+".join(s for s in Stage if s in due))
def test_a_harmless_request_passes_every_stage(policy: Policy, due: frozenset[Stage]) -> None:
    engine = BuiltinEngine(policy)
    for stage in due:
        seen = frozenset(s for s in due if s.position <= stage.position)
        verdict = engine.evaluate(benign(seen), stage=stage, due=seen)
        assert verdict.action in (Action.ALLOW, Action.LABEL)
        assert [s.kind for s in verdict.specs] == (["label"] if stage is Stage.OUTPUT else [])


def test_every_output_is_marked_whatever_else_is_decided(policy: Policy) -> None:
    engine = BuiltinEngine(policy)
    for due in DUE:
        if Stage.OUTPUT in due:
            verdict = engine.evaluate({}, stage=Stage.OUTPUT, due=due)  # everything is missing
            assert verdict.action is Action.BLOCK
            (label,) = [s for s in verdict.specs if s.kind == "label"]
            assert label.params["watermark"] == "invisible"


def test_messages_speak_five_languages_and_betray_nothing(policy: Policy) -> None:
    used = {r.message for r in policy.rules if r.message}
    assert used == set(policy.messages)
    for key, texts in policy.messages.items():
        assert set(texts) == {"en", "ko", "ja", "zh", "es"}, key
        assert all(5 <= len(text) <= 120 for text in texts.values()), key
        betrayal = r"detector|classifier|threshold|score|model|watermark|gallery|match|\d"
        assert not re.search(betrayal, " ".join(texts.values()), re.IGNORECASE), key
    speechless = {r.id for r in policy.rules if not r.message}
    assert speechless == {"named-public-figure", "mark-everything"}  # labels stop nothing and need no words


def test_it_says_that_it_is_not_legal_advice() -> None:
    assert "not legal advice" in (FOLDER / "default.yaml").read_text("utf-8").splitlines()[0]


def test_the_first_rule_of_the_readme_loads_without_remarks_and_passes(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    path = tmp_path / "my.yaml"
    path.write_text(example, encoding="utf-8")
    assert lint_file(path) == ()
    policy = load_policy(path)
    report = run_tests(policy, BuiltinEngine(policy))
    assert (report.ok, len(report.passed)) == (True, 3), str(report)
