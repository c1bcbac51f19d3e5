"""The proof that one condition covers another: never wrong, and able to prove what authors do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.decision import CORE_ACTIONS
from guardrail.policy import BuiltinEngine, Policy, load_policy
from guardrail.policy.compare import compare_policies, loosenings
from guardrail.policy.conditions import compile_condition
from guardrail.policy.tighter import covers
from guardrail.signals import CORE, Stage

Load = Callable[[dict[str, Any]], Policy]
EVERYTHING = frozenset(Stage)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    path: Path = tmp_path_factory.mktemp("tighter") / "random.yaml"

    def load(policy: dict[str, Any]) -> Policy:
        path.write_text(w.as_yaml(policy), encoding="utf-8")
        return load_policy(path)

    return load


def policy_of(*whens: Any) -> dict[str, Any]:
    rules = [{"id": f"r{i}", "at": "output", "when": when, "then": "block"} for i, when in enumerate(whens)]
    return {"policy": {"id": "p", "version": "1.0.0"}, "thresholds": w.THRESHOLDS, "rules": rules}


@st.composite
def variants(draw: st.DrawFn, when: Any) -> Any:
    """The same condition with something about it changed, as authors change it: or not at all."""
    if when == "always" or not draw(st.booleans()):
        return when
    changed: dict[str, Any] = {}
    for key, value in when.items():
        if key in ("any", "all"):
            parts = [draw(variants(part)) for part in value]
            if len(parts) > 1 and draw(st.booleans()):
                parts.pop(draw(st.integers(0, len(parts) - 1)))
            elif draw(st.booleans()):
                parts.append(draw(w.conditions(3)))
            changed[draw(st.sampled_from(["any", "all"])) if draw(st.booleans()) else key] = parts
        elif key == "not":
            changed[key] = draw(variants(value))
        else:
            changed[key] = draw(w.leaf(CORE[key]))[key]
    return changed


PAIRS = w.conditions(3).flatmap(lambda when: st.tuples(st.just(when), st.one_of(variants(when), w.conditions(3))))
RANK = {None: 1, False: 0, True: 2}


def outcome(condition: Any, signals: Any, due: frozenset[Stage]) -> int:
    compiled = compile_condition(condition, due, CORE)
    return 0 if compiled is None else RANK[compiled.test(signals)]


@w.CASES
@given(PAIRS, w.SIGNALS.flatmap(lambda s: st.one_of(st.just(s), w.losses(s))), w.DUE)
def test_what_is_proven_holds(
    load: Load, pair: tuple[Any, Any], signals: dict[str, Any], due: frozenset[Stage]
) -> None:
    old, new = (rule.when for rule in load(policy_of(*pair)).rules)
    gap = covers(old, new, CORE)
    if gap is None:
        assert outcome(new, signals, due) >= outcome(old, signals, due)
    elif gap.proven:
        assert outcome(old, gap.example, EVERYTHING) == 2
        assert outcome(new, gap.example, EVERYTHING) < 2


@w.CASES
@given(w.conditions(3), w.conditions(3))
def test_what_is_tighter_by_its_form_is_proven(load: Load, one: Any, other: Any) -> None:
    one_, both, either, twice, morgan = (
        rule.when
        for rule in load(
            policy_of(
                one,
                {"all": [one, other]},
                {"any": [other, one]},
                {"not": {"not": one}},
                {"not": {"any": [{"not": one}, {"not": other}]}},
            )
        ).rules
    )
    for old, new in ((one_, one_), (one_, either), (both, one_), (both, either), (one_, twice), (twice, one_)):
        assert covers(old, new, CORE) is None
    assert covers(both, morgan, CORE) is None
    assert covers(morgan, both, CORE) is None


def test_any_and_all_of_the_same_parts_are_not_the_same() -> None:
    from guardrail.policy.model import AllOf, AnyOf, Compare, Not, ScoreTest

    part = Compare("prompt.sexual", ScoreTest(">=", 0.4))
    forms = [part, Not(part), AllOf((part,)), AnyOf((part,)), Not(AllOf((part,))), AllOf((AnyOf((part,)),))]
    assert len(set(forms)) == len(forms)


# ---- what authors do to a rule, and what the proof says of it

BASE = (
    '{all: [{any: [{prompt.sexual: ">= 0.4"}, {output.nudity: ">= 0.4"}]}, {prompt.persons: {any: {match: ">= 0.5"}}}]}'
)
SEXUAL = '{prompt.sexual: ">= 0.4"}'
HALVES = '{{prompt.sexual: ">= 0.7"}}, {{all: [{{prompt.sexual: ">= 0.4"}}, {{prompt.sexual: "< {}"}}]}}'
PROVEN, LOOSER, UNDECIDED = "proven", "looser", "undecided"
CONDITIONS = [
    ("a lower threshold", BASE.replace(">= 0.4", ">= 0.3"), PROVEN),
    ("a higher threshold", BASE.replace(">= 0.4", ">= 0.41"), LOOSER),
    ("at least becomes above", BASE.replace(">= 0.4", "> 0.4"), LOOSER),
    ("above a lower one", BASE.replace(">= 0.4", "> 0.39"), PROVEN),
    ("one more alternative", BASE.replace("{any: [{prompt", '{any: [{reference.nudity: ">= 0.9"}, {prompt', 1), PROVEN),
    ("one alternative less", BASE.replace('{output.nudity: ">= 0.4"}', '{prompt.sexual: ">= 0.5"}'), LOOSER),
    ("one demand less", '{any: [{prompt.sexual: ">= 0.4"}, {output.nudity: ">= 0.4"}]}', PROVEN),
    ("one demand more", BASE.replace("{all: [", "{all: [{context.purpose: film}, "), LOOSER),
    ("one demand more that always holds", BASE.replace("{all: [", '{all: [{prompt.sexual: ">= 0"}, '), UNDECIDED),
    ("always", "always", PROVEN),
    ("a field less", BASE.replace('match: ">= 0.5"', 'match: ">= 0.4"'), PROVEN),
    ("a field more", BASE.replace('match: ">= 0.5"', 'match: ">= 0.5", kind: private'), LOOSER),
    ("all instead of any", BASE.replace("persons: {any:", "persons: {all:"), LOOSER),
    ("the other way round, twice", "{not: {not: " + BASE + "}}", PROVEN),
    (
        "De Morgan",
        '{not: {any: [{all: [{prompt.sexual: "< 0.4"}, {output.nudity: "< 0.4"}]}, '
        '{prompt.persons: {none: {match: ">= 0.5"}}}]}}',
        PROVEN,
    ),
    ("halves of a range", BASE.replace(SEXUAL, HALVES.format(0.7)), PROVEN),
    ("a gap in a range", BASE.replace(SEXUAL, HALVES.format(0.6)), LOOSER),
]  # fmt: skip


@pytest.mark.parametrize(("name", "when", "says"), CONDITIONS, ids=[c[0] for c in CONDITIONS])
def test_conditions(name: str, when: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    rules = "".join(f"\n  - {{id: r{i}, at: output, when: {c}, then: block}}" for i, c in enumerate((BASE, when)))
    path.write_text(f"policy: {{id: p, version: 1.0.0}}\nrules:{rules}\n", "utf-8")
    old, new = (rule.when for rule in load_policy(path).rules)
    gap = covers(old, new, CORE)
    assert says == (PROVEN if gap is None else LOOSER if gap.proven else UNDECIDED)


def test_too_many_combinations_are_undecided_and_quickly() -> None:
    from guardrail.policy.model import AllOf, AnyOf, Compare, ScoreTest

    def wide(limit: float) -> AllOf:
        words = (Compare("prompt.sexual", ScoreTest(">=", limit + i / 1000)) for i in range(40))
        pictures = (Compare("output.nudity", ScoreTest("<", i / 100)) for i in range(40))
        return AllOf(tuple(AnyOf(pair) for pair in zip(words, pictures, strict=True)))

    gap = covers(wide(0.4), wide(0.3), CORE)
    assert gap is not None
    assert not gap.proven
    assert "too many combinations" in gap.text


RULE = {"at": "[prompt, output]", "when": '{prompt.sexual: ">= 0.4"}', "then": "block", "locked": "true"}
BLUR = {**RULE, "at": "reference", "when": '{reference.nudity: ">= 0.4"}', "then": "{blur: {target: nudity}}"}
TWO = '{reference.nudity: ">= 0.4", prompt.sexual: ">= 0.4"}'
LABEL = {**RULE, "at": "output", "when": TWO, "then": "{label: {likeness: true}}"}
MAKE = {n: {**RULE, "at": "output", "then": f"{{regenerate: {{max: {n}}}}}"} for n in (2, 3)}
RULES = [
    ("the same", RULE, {}, ""),
    ("another stage", RULE, {"at": "[prompt, reference, output]"}, ""),
    ("a stage less", RULE, {"at": "prompt"}, "not looked at any more at output"),
    ("unlocked", RULE, {"locked": "false"}, "not locked any more"),
    ("a report as well", RULE, {"then": "[block, {report: {queue: csam}}]"}, ""),
    ("only a report", RULE, {"then": "{report: {queue: csam}}"}, "asks for label, and did for block"),
    ("no report any more", {**RULE, "then": "[block, report]"}, {"then": "block"}, "does not report any more"),
    ("another queue", {**RULE, "then": "[block, report]"}, {"then": "[block, {report: {queue: x}}]"}, "not at least"),
    ("blur to block", BLUR, {"then": "block"}, ""),
    ("blur and more", BLUR, {"then": "[{blur: {target: nudity}}, {blur: {target: faces}}]"}, ""),
    ("another target", BLUR, {"then": "{blur: {target: faces}}"}, "not at least as strict"),
    ("fill for blur", BLUR, {"then": "{fill: {target: nudity}}"}, "does not blur any more"),
    ("a lower threshold of what alters", BLUR, {"when": '{reference.nudity: ">= 0.3"}'}, ""),
    ("settled sooner than before", {**BLUR, "when": TWO}, {"when": BLUR["when"]}, "did block before"),
    ("settled sooner, and blocks", {**BLUR, "when": TWO}, {"when": BLUR["when"], "then": "block"}, ""),
    ("of a label nothing blocked", LABEL, {"when": '{reference.nudity: ">= 0.4"}'}, ""),
    ("no label", LABEL, {"then": "{label: {watermark: invisible}}"}, "not at least as strict"),
    ("fewer attempts", MAKE[3], MAKE[2], ""),
    ("more attempts", MAKE[2], MAKE[3], "not at"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rule", "change", "says"), RULES, ids=[c[0] for c in RULES])
def test_rules(name: str, rule: dict[str, str], change: dict[str, str], says: str, tmp_path: Path) -> None:
    loaded = []
    for i, body in enumerate((rule, {**rule, **change})):
        path = tmp_path / f"p{i}.yaml"
        fields = ", ".join(f"{k}: {v}" for k, v in body.items())
        path.write_text(f"policy: {{id: p, version: 1.0.0}}\nrules:\n  - {{id: r, {fields}}}\n", "utf-8")
        loaded.append(load_policy(path).rules[0])
    found = [worse.text for worse in loosenings(loaded[0], loaded[1], CORE_ACTIONS, CORE)]
    assert (says in "; ".join(found)) if says else not found


@w.CASES
@given(w.policies(most=2), st.data(), w.SIGNALS.flatmap(lambda s: st.one_of(st.just(s), w.losses(s))), w.DUE)
def test_a_policy_called_tighter_never_decides_less_strictly(
    load: Load, policy: dict[str, Any], data: st.DataObject, signals: dict[str, Any], due: frozenset[Stage]
) -> None:
    rules = [data.draw(changed_rules(rule)) for rule in policy["rules"]]
    old, new = load(policy), load({**policy, "rules": rules})
    if not compare_policies(old, new).tightens:
        return
    for stage in Stage:
        before = BuiltinEngine(old).evaluate(signals, stage=stage, due=due)
        after = BuiltinEngine(new).evaluate(signals, stage=stage, due=due)
        assert after.action.rank >= before.action.rank
        reports = {s.params["queue"] for s in before.specs if s.kind == "report"}
        assert reports <= {s.params["queue"] for s in after.specs if s.kind == "report"}


@st.composite
def changed_rules(draw: st.DrawFn, rule: dict[str, Any]) -> dict[str, Any]:
    changed = dict(rule)
    at = frozenset(map(Stage, rule["at"]))
    if draw(st.booleans()):
        last = max(s.position for s in at)
        changed["when"] = draw(st.one_of(variants(rule["when"]), w.conditions(last)))
        # A variant may read later signals than the rule sees.
        changed["at"] = [s.value for s in Stage]
    if draw(st.booleans()):
        changed["then"] = draw(w.actions(frozenset(map(Stage, changed["at"]))))
    if draw(st.booleans()) and "locked" not in rule:
        changed["on_missing"] = draw(st.sampled_from(["block", "ignore"]))
    return changed
