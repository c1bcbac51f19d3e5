"""Every policy that ships: what its file, its tests and its messages promise, and what no layer of ours may loosen."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.decision import Action
from guardrail.policy import BuiltinEngine, Policy, lint_file, load_cases, load_policy, run_tests
from guardrail.policy.compare import compare_policies
from guardrail.policy.coverage import coverage
from guardrail.signals import CORE, SignalValue, Stage

FOLDER = Path(__file__).resolve().parents[2] / "policies"
POLICIES = ["default", "strict", "art", "research"]
PACKS = ["eu", "kr", "cn", "us"]
FILES = {**{name: FOLDER / f"{name}.yaml" for name in POLICIES}, **{n: FOLDER / "packs" / f"{n}.yaml" for n in PACKS}}
ACME = FOLDER / "examples" / "acme.yaml"
STAGING = FOLDER / "examples" / "deploy" / "staging.yaml"
DUE = [
    frozenset({Stage.PROMPT, *others})
    for n in range(4)
    for others in combinations([Stage.REFERENCE, Stage.STEP, Stage.OUTPUT], n)
]
# What blocks in any pair, at the thresholds themselves.
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
PERSON_RULES = {
    **dict.fromkeys([*POLICIES, "acme", "staging"], "real-person-sexual"),
    "kr": "kr-real-person-sexual",
    "us": "us-real-person-sexual",
}
SIGNALS = w.SIGNALS.flatmap(lambda signals: st.one_of(st.just(signals), w.losses(signals)))


@cache
def shipped(name: str) -> Policy:
    path = {**FILES, "acme": ACME, "staging": STAGING}[name]
    return load_policy(path, shipped=FOLDER)


@cache
def engine_of(name: str) -> BuiltinEngine:
    return BuiltinEngine(shipped(name))


@cache
def locked_rules_of_default() -> BuiltinEngine:
    default = shipped("default")
    return BuiltinEngine(replace(default, rules=tuple(r for r in default.rules if r.locked)))


def benign(due: frozenset[Stage]) -> dict[str, Any]:
    return {s.name: s.kind.benign for s in CORE.signals.values() if s.stage is None or s.stage in due}


# ---- every file


def test_these_are_all_that_ship() -> None:
    found = {p for p in [*FOLDER.glob("*.yaml"), *FOLDER.glob("packs/*.yaml")] if not p.stem.endswith(".test")}
    assert found == set(FILES.values())


@pytest.mark.parametrize("name", FILES)
def test_it_loads_without_remarks_and_its_own_tests_show_every_rule_and_comparison(name: str) -> None:
    policy = shipped(name)
    report = run_tests(policy, BuiltinEngine(policy))
    assert report.ok, str(report)
    found = coverage(policy, load_cases(policy))
    assert found.percent == 100.0, str(found)
    # What only watches is said to, and that is the only remark.
    assert [f.code for f in lint_file(FILES[name], shipped=FOLDER)] == ["GP108"] * (policy.ref.mode == "shadow")
    assert (policy.id, policy.kind) == (name, "pack" if name in PACKS else "policy")


@pytest.mark.parametrize("name", FILES)
def test_its_head_says_what_it_is(name: str) -> None:
    text = FILES[name].read_text("utf-8")
    remarks = " ".join(line.lstrip("# ") for line in text.partition("\npolicy:")[0].splitlines())
    assert "This is not legal advice" in remarks
    assert name in POLICIES or "have counsel confirm dates and scope" in remarks
    assert '\n  engine: ">=1,<2"' in text
    (changelog,) = re.findall(r"\n  changelog: (\S+)", text)
    said = (FILES[name].parent / changelog).read_text("utf-8")
    assert f"## {name} {shipped(name).version}" in said


@pytest.mark.parametrize("name", [*FILES, "acme"])
def test_its_messages_speak_five_languages_and_betray_nothing(name: str) -> None:
    policy = shipped(name)
    used = {r.message for r in policy.rules if r.message}
    assert used <= set(policy.messages)
    for key, texts in policy.messages.items():
        assert set(texts) == {"en", "ko", "ja", "zh", "es"}, key
        assert all(5 <= len(text) <= 120 for text in texts.values()), key
        betrayal = r"detector|classifier|threshold|score|model|watermark|gallery|match|\d"
        assert not re.search(betrayal, " ".join(texts.values()), re.IGNORECASE), key
        known = shipped("default").messages
        assert key not in known or texts == known[key]
    # Labels and reports stop nothing and need no words.
    for rule in policy.rules:
        stops = any(policy.actions[s.kind].effect.rank >= Action.ALTER.rank for s in rule.then)
        assert bool(rule.message) is stops, rule.id


@pytest.mark.parametrize("name", [*FILES, "acme", "staging"])
def test_it_reads_nothing_that_no_shipped_check_gives(name: str) -> None:
    absent = {"reference.minor", "output.minor"}
    assert not absent & set(engine_of(name).needs())


# ---- a real person and anything sexual


@pytest.mark.parametrize("name", [*POLICIES, "acme", "staging"])
def test_what_is_never_allowed_is_locked(name: str) -> None:
    locked = {r.id for r in shipped(name).rules if r.locked}
    assert locked >= {"real-person-sexual", "minor-sexual", "protected-identity", "undressing-edit", "known-image"}


@pytest.mark.parametrize("name", PERSON_RULES)
@pytest.mark.parametrize(("sexual", "person"), list(product(SEXUAL, PERSON)), ids=lambda pair: pair[0])
def test_any_sexual_signal_with_any_person_signal_blocks_at_every_stage_that_knows_both(
    name: str, sexual: tuple[str, SignalValue], person: tuple[str, SignalValue]
) -> None:
    engine = engine_of(name)
    for due in DUE:
        known = {**benign(due), **dict([sexual, person])}
        for stage in due:
            seen = frozenset(s for s in due if s.position <= stage.position)
            settled = CORE[sexual[0]].stage in seen and CORE[person[0]].stage in seen
            signals = {k: v for k, v in known.items() if CORE[k].stage in {None, *seen}}
            verdict = engine.evaluate(signals, stage=stage, due=seen)
            assert (PERSON_RULES[name] in verdict.fired) is settled
            assert settled <= (verdict.action is Action.BLOCK)
            # ... and losing either of them still blocks.
            for lost in (sexual[0], person[0]):
                if settled:
                    assert engine.evaluate({**signals, lost: None}, stage=stage, due=seen).action is Action.BLOCK


@pytest.mark.parametrize("name", ["default", "kr", "us"])
def test_an_author_reads_a_test_of_each_pair(name: str) -> None:
    policy = shipped(name)
    shown = set()
    for case in load_cases(policy):
        if PERSON_RULES[name] in (case.expect.rules or ()) and case.expect.decision == "block":
            signals = case.signals
            scores = [(s, at) for s, at in SEXUAL if isinstance(v := signals.get(s), float) and v >= at]  # type: ignore[operator]
            people = [i for i, (s, at) in enumerate(PERSON) if _as_a_person(signals.get(s), at)]
            if len(scores) == len(people) == 1:
                shown.add((scores[0][0], people[0]))
    assert shown == set(product([s for s, _ in SEXUAL], range(len(PERSON))))


def _as_a_person(value: Any, at: Any) -> bool:
    """Whether an item of the list counts as a person in the way that the items of `at` do."""
    field = "real" if at[0].get("real") == 0.5 else "match"
    return any((item.get(field) or 0.0) >= 0.5 for item in value or ())


# ---- one against another


def test_strict_is_proven_to_be_at_least_as_strict_as_default() -> None:
    found = compare_policies(shipped("default"), shipped("strict"))
    assert found.tightens, found.changes
    relations = {c.rule: c.relation for c in found.changes if c.relation != "same"}
    assert relations == {
        "suggestive-request": "tighter",
        "reference-nudity": "tighter",
        "output-nudity": "tighter",
        "face-without-consent": "tighter",
        "preview-nudity": "new",
    }


@w.CASES
@given(SIGNALS, w.DUE)
def test_strict_never_decides_less_strictly_than_default(signals: dict[str, Any], due: frozenset[Stage]) -> None:
    for stage in Stage:
        before, after = (engine_of(n).evaluate(signals, stage=stage, due=due) for n in ("default", "strict"))
        assert w.strictness(after) >= w.strictness(before)


@w.CASES
@given(SIGNALS, w.DUE)
def test_no_policy_decides_less_strictly_than_the_locked_rules_of_default(
    signals: dict[str, Any], due: frozenset[Stage]
) -> None:
    locked = locked_rules_of_default()
    for stage in Stage:
        before = locked.evaluate(signals, stage=stage, due=due)
        for name in ("strict", "art", "research", "acme", "staging"):
            after = engine_of(name).evaluate(signals, stage=stage, due=due)
            assert w.strictness(after) >= w.strictness(before), name


@pytest.mark.parametrize("name", ["art", "research"])
def test_what_art_and_research_loosen_is_no_locked_rule(name: str) -> None:
    found = compare_policies(shipped("default"), shipped(name))
    loosened = {c.rule for c in found.changes if c.relation in ("looser", "changed", "gone")}
    locked = {r.id for r in shipped("default").rules if r.locked}
    assert loosened
    assert not loosened & locked
    if name == "art":
        assert loosened == {"explicit-request", "output-nudity"}
    else:
        assert loosened == {r.id for r in shipped("default").rules} - locked - {"mark-everything"}


def test_in_art_whoever_looks_real_stops_a_picture_with_nudity() -> None:
    engine = engine_of("art")
    everything = frozenset(Stage)
    for sexual, value in [("prompt.sexual", 0.7), *SEXUAL[1:]]:
        for real, blocked in ((0.5, True), (0.49, False)):
            faces = ({"real": real, "identifiable": True, "match": 0.0, "gallery": "none"},)
            signals = {**benign(everything), "prompt.sexual": 0.7, sexual: value, "output.faces": faces}
            verdict = engine.evaluate(signals, stage=Stage.OUTPUT, due=everything)
            assert (verdict.action is Action.BLOCK) is blocked


@w.CASES
@given(SIGNALS, w.DUE)
def test_in_research_only_locked_rules_and_the_mark_act(signals: dict[str, Any], due: frozenset[Stage]) -> None:
    acting = {"real-person-sexual", "minor-sexual", "protected-identity", "undressing-edit", "known-image"}
    acting |= {"mark-everything"}
    for stage in Stage:
        verdict = engine_of("research").evaluate(signals, stage=stage, due=due)
        assert {r.rule for r in verdict.reasons if not r.shadow} <= acting
        would = engine_of("default").evaluate(signals, stage=stage, due=due)
        assert {r.rule for r in verdict.reasons} == {r.rule for r in would.reasons}


@pytest.mark.parametrize("name", POLICIES)
def test_a_harmless_request_passes_every_stage(name: str) -> None:
    engine = engine_of(name)
    for due in DUE:
        for stage in due:
            seen = frozenset(s for s in due if s.position <= stage.position)
            verdict = engine.evaluate(benign(seen), stage=stage, due=seen)
            assert verdict.action in (Action.ALLOW, Action.LABEL)
            assert [s.kind for s in verdict.specs] == (["label"] if stage is Stage.OUTPUT else [])


@pytest.mark.parametrize("name", [*FILES, "acme", "staging"])
def test_every_output_is_marked_whatever_else_is_decided(name: str) -> None:
    engine = engine_of(name)
    for due in (d for d in DUE if Stage.OUTPUT in d):
        for signals in (benign(due), {}):  # all of it is harmless, or missing
            verdict = engine.evaluate(signals, stage=Stage.OUTPUT, due=due)
            (label,) = [s for s in verdict.specs if s.kind == "label"]
            assert label.params["watermark"] == "invisible"
            assert label.params["source_type"] == "trainedAlgorithmicMedia"


# ---- the example of a deployment


def test_the_examples_load_without_remarks_and_their_tests_pass() -> None:
    assert lint_file(ACME, shipped=FOLDER) == ()
    assert [f.code for f in lint_file(STAGING, shipped=FOLDER)] == ["GP108"]
    report = run_tests(shipped("acme"), engine_of("acme"))
    assert report.ok, str(report)
    mine = {r.id for r in shipped("acme").rules if r.path == str(ACME)}
    assert mine == {"suggestive-request", "protected-identity", "no-people-in-adverts"}
    assert not mine & set(report.never_fired)
    assert compare_policies(shipped("default"), shipped("acme")).tightens


def test_staging_watches_with_its_own_words_and_numbers() -> None:
    staging = shipped("staging")
    assert (staging.kind, staging.version, staging.ref.mode) == ("deployment", "0.3.0+staging", "shadow")
    assert all(r.shadow is not r.locked for r in staging.rules)
    assert staging.thresholds["sexual"]["explicit"] < shipped("acme").thresholds["sexual"]["explicit"]
    assert all([staging.terms.names, staging.terms.words, staging.terms.exempt])
