"""The packs: what they add to every policy that ships, and what their table says of them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.policy import BuiltinEngine, Policy, load_cases, load_policy
from guardrail.policy.compare import compare_policies
from guardrail.signals import Stage

FOLDER = Path(__file__).resolve().parents[2] / "policies"
PACKS = ["eu", "kr", "cn", "us"]
POLICIES = ["default", "strict", "art", "research"]
TABLE = (FOLDER / "packs" / "README.md").read_text("utf-8")


@cache
def pack(name: str) -> Policy:
    return load_policy(FOLDER / "packs" / f"{name}.yaml", shipped=FOLDER)


@pytest.fixture(scope="module")
def with_packs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A shipped policy, and the same with packs."""
    folder = tmp_path_factory.mktemp("with-packs")

    @cache
    def make(name: str, packs: tuple[str, ...]) -> tuple[Policy, Policy]:
        path = folder / f"{name}-{'-'.join(packs)}.yaml"
        path.write_text(
            f"policy: {{id: mine, version: 1.0.0}}\nextends: [{name}]\npacks: [{', '.join(packs)}]\n", "utf-8"
        )
        return load_policy(name, shipped=FOLDER), load_policy(path, shipped=FOLDER)

    return make


@cache
def engine_for(policy_path: str) -> BuiltinEngine:
    return BuiltinEngine(load_policy(policy_path, shipped=FOLDER))


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("packs", [*((p,) for p in PACKS), tuple(PACKS)], ids="+".join)
def test_packs_load_with_every_policy_and_are_proven_to_only_tighten_it(
    name: str, packs: tuple[str, ...], with_packs: Any
) -> None:
    alone, both = with_packs(name, packs)
    found = compare_policies(alone, both)
    assert found.tightens, found.changes
    new = {c.rule for c in found.changes if c.relation == "new"}
    assert new == {r.id for p in packs for r in pack(p).rules}
    # Locked: a policy in shadow mode, such as research, does not switch them off.
    assert all(both.rule(r).locked and not both.rule(r).shadow for r in new)


@w.CASES
@given(
    st.sampled_from(POLICIES),
    st.sampled_from([*((p,) for p in PACKS), tuple(PACKS)]),
    w.SIGNALS.flatmap(lambda s: st.one_of(st.just(s), w.losses(s))),
    w.DUE,
)
def test_a_policy_with_packs_never_decides_less_strictly(
    with_packs: Any, name: str, packs: tuple[str, ...], signals: dict[str, Any], due: frozenset[Stage]
) -> None:
    for stage in Stage:
        before, after = (engine_for(p.path).evaluate(signals, stage=stage, due=due) for p in with_packs(name, packs))
        assert w.strictness(after) >= w.strictness(before)
        # Whatever the policy asks for is still asked for, unless a block leaves nothing to alter.
        kinds = {s.kind for s in after.specs}
        assert {"block"} & kinds or {s.kind for s in before.specs} <= kinds


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_names_the_law_in_every_rule_and_its_numbers_are_those_of_default(name: str) -> None:
    default = load_policy("default", shipped=FOLDER)
    for rule in pack(name).rules:
        assert rule.refs, rule.id
        assert rule.locked
        assert rule.id.startswith(f"{name}-")
    for family, names in pack(name).thresholds.items():
        for key, value in names.items():
            assert default.thresholds[family][key] == value


def rows(name: str) -> list[tuple[str, str, str]]:
    """Duty, rule and test of each row of the table of a pack."""
    section = TABLE.partition(f"\n## {name}")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    return [row for row in cells if row[0] != "duty" and not row[0].startswith("-")]


@pytest.mark.parametrize("name", PACKS)
def test_the_table_names_every_rule_with_tests_that_are_there(name: str) -> None:
    rules = {r.id: r for r in pack(name).rules}
    cases = {c.name: c for c in load_cases(pack(name))}
    told = set()
    for duty, rule, test in rows(name):
        ids = re.findall(r"`([a-z-]+)`", rule)
        if not ids or rule.startswith(("configuration", "not there yet", "yours")):
            assert rule.startswith(("configuration", "not there yet", "yours")), duty
            continue
        told |= set(ids)
        for shown in re.findall(r"“(.+?)”", test):
            assert set(ids) <= set(cases[shown].expect.rules or ()), (duty, shown)
        assert "“" in test, duty
    assert told == set(rules)


@pytest.mark.parametrize("name", PACKS)
def test_the_table_says_what_is_not_done(name: str) -> None:
    assert any(rule.startswith("not there yet") for _, rule, _ in rows(name))
    refs = {ref for r in pack(name).rules for ref in r.refs}
    section = TABLE.partition(f"\n## {name}")[2].partition("\n## ")[0]
    assert all(ref in section for ref in refs), refs
