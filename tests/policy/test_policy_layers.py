"""Files on top of each other: what a child, a pack and a deployment can change, and what a lock does not let them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.decision import Action
from guardrail.errors import PolicyError
from guardrail.policy import BuiltinEngine, Policy, load_policy
from guardrail.signals import Stage

BASE = """
policy: {id: base, version: 1.2.0}
thresholds: {sexual: {some: 0.4, much: 0.7}, nudity: {some: 0.4}}
rules:
  - id: locked
    locked: true
    at: [prompt, output]
    when: {any: [{prompt.sexual: ">= much"}, {output.nudity: ">= some"}]}
    then: block
    message: no
  - {id: open, at: prompt, when: {prompt.sexual: ">= some"}, then: {guide: {}}, message: toned}
  - {id: quiet, at: prompt, when: {prompt.sexual: ">= 0.1"}, then: report, mode: shadow}
messages: {no: {en: "No.", ko: "안 됩니다."}, toned: {en: "Less."}}
"""
PACK = """
policy: {id: pack, version: 1.0.0, kind: pack}
rules: [{id: pack-label, at: output, when: always, then: {label: {watermark: invisible}}}]
"""
WHEN = 'any: [{prompt.sexual: ">= much"}, {output.nudity: ">= some"}]'
Write = Callable[..., Path]
FULL = frozenset(Stage)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "packs").mkdir()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "base.yaml").write_text(BASE, "utf-8")
    (tmp_path / "packs" / "pack.yaml").write_text(PACK, "utf-8")

    def write(text: str, name: str = "child.yaml") -> Path:
        path = tmp_path / name
        head = "" if text.lstrip().startswith("policy:") else "policy: {id: child, version: 1.0.0}\n"
        path.write_text(head + text, "utf-8")
        return path

    return write


def action(policy: Policy, **signals: Any) -> Action:
    given = {"prompt.sexual": 0.0, "output.nudity": 0.0, **{k.replace("_", "."): v for k, v in signals.items()}}
    engine = BuiltinEngine(policy)
    stages = [Stage.PROMPT, Stage.OUTPUT]
    return max((engine.evaluate(given, stage=s, due=FULL).action for s in stages), key=lambda a: a.rank)


def codes(path: Path) -> set[str]:
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    return {f.code for f in caught.value.findings}


# ---- what comes from where


def test_a_child_has_the_rules_of_its_parents_its_packs_and_its_own_in_this_order(write: Write) -> None:
    mine = '{id: mine, at: prompt, when: {prompt.minor: ">= 0.5"}, then: block}'
    child = load_policy(write(f"extends: [base]\npacks: [pack]\nrules: [{mine}]"))
    assert [r.id for r in child.rules] == ["locked", "open", "quiet", "pack-label", "mine"]
    assert [Path(s).name for s in child.sources] == ["child.yaml", "base.yaml", "pack.yaml"]
    assert [Path(r.path).name for r in child.rules] == ["base.yaml"] * 3 + ["pack.yaml", "child.yaml"]
    assert child.messages["no"]["ko"] == "안 됩니다."


def test_without_rules_of_its_own_a_child_needs_something_to_extend(write: Write) -> None:
    assert load_policy(write("extends: base")).rules
    assert codes(write("packs: [pack]")) == {"GP022"}


@pytest.mark.parametrize(
    "name", ["base", "base@1", "base@1.2", "base@1.2.0", "base.yaml", "./base.yaml", "../%s/base.yaml"]
)
def test_ways_to_name_a_file(name: str, write: Write, tmp_path: Path) -> None:
    assert load_policy(write(f"extends: ['{name.replace('%s', tmp_path.name)}']")).rule("locked").locked


@pytest.mark.parametrize("name", ["base@2", "base@1.20", "base@1.2.1"])
def test_another_version_than_asked_for_is_refused(name: str, write: Write) -> None:
    assert codes(write(f"extends: [{name}]")) == {"GP088"}


def test_a_shipped_policy_is_found_by_name_and_a_file_beside_it_comes_first(write: Write, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for name in ("base", "far"):
        (shipped / f"{name}.yaml").write_text(BASE.replace("id: base", f"id: shipped-{name}"), "utf-8")
    far = load_policy(write("extends: [far]"), shipped=shipped)
    near = load_policy(write("extends: [base]"), shipped=shipped)
    assert [Path(p.sources[1]).parent.name for p in (far, near)] == ["shipped", tmp_path.name]


def test_two_parents_with_a_common_parent_are_no_contradiction(write: Write) -> None:
    write("policy: {id: left, version: 1.0.0}\nextends: base", "left.yaml")
    write("policy: {id: right, version: 1.0.0}\nextends: base", "right.yaml")
    assert [r.id for r in load_policy(write("extends: [left, right]")).rules] == ["locked", "open", "quiet"]


@pytest.mark.parametrize("order", ["[left, right]", "[right, left]"])
@pytest.mark.parametrize("change", ["mode: shadow", "on_missing: ignore", "thresholds: {sexual: {much: 0.2}}"])
def test_two_parents_that_disagree_about_a_rule_are_refused_whatever_the_child_says(
    change: str, order: str, write: Write
) -> None:
    """Else the one that comes first would undo, unseen, what the other tightened: in a locked rule too."""
    write(f"policy: {{id: left, version: 1.0.0}}\nextends: base\n{change}", "left.yaml")
    write("policy: {id: right, version: 1.0.0}\nextends: base", "right.yaml")
    assert codes(write(f"extends: {order}\nthresholds: {{sexual: {{much: 0.7}}}}")) == {"GP084"}


def test_a_mistake_in_a_parent_is_told_with_the_parents_place(write: Write, tmp_path: Path) -> None:
    rule = "{id: r, at: prompt, when: {prompt.sexul: 1}, then: block}"
    write(f"policy: {{id: wrong, version: 1.0.0}}\nrules: [{rule}]", "wrong.yaml")
    with pytest.raises(PolicyError) as caught:
        load_policy(write("extends: wrong\nrulez: []"))
    assert [(Path(f.path).name, f.code, f.line) for f in caught.value.findings] == [
        ("child.yaml", "GP020", 3),
        ("wrong.yaml", "GP030", 2),
    ]


def test_files_deeper_than_eight_are_refused(write: Write) -> None:
    for i in range(9):
        below = f"p{i - 1}" if i else "base"
        path = write(f"policy: {{id: p{i}, version: 1.0.0}}\nextends: {below}", f"p{i}.yaml")
    assert codes(path) == {"GP081"}
    assert load_policy(path.parent / "p5.yaml").rules


def test_the_hash_covers_every_file(write: Write, tmp_path: Path) -> None:
    path = write("extends: base\npacks: pack")
    hashes = {load_policy(path).ref.sha256}
    for name in ("base.yaml", "packs/pack.yaml", "child.yaml"):
        changed = tmp_path / name
        changed.write_text(changed.read_text("utf-8") + "\n# a remark\n", "utf-8")
        hashes.add(load_policy(path).ref.sha256)
    assert len(hashes) == 4


# ---- what a child can change


def test_a_threshold_of_the_child_counts_in_the_rules_of_its_parent(write: Write) -> None:
    child = load_policy(write("extends: base\nthresholds: {sexual: {some: 0.2, much: 0.5}}"))
    assert [action(child, prompt_sexual=s) for s in (0.1, 0.2, 0.5)] == [Action.ALLOW, Action.ALTER, Action.BLOCK]
    looser = load_policy(write("extends: base\nthresholds: {sexual: {some: 0.6}}"))
    assert action(looser, prompt_sexual=0.5) is Action.ALLOW


def test_an_override_changes_what_it_names_and_leaves_the_rest(write: Write) -> None:
    child = load_policy(write("extends: base\noverride: {open: {then: block, severity: high}}"))
    rule, before = child.rule("open"), load_policy(write(BASE, "again.yaml")).rule("open")
    assert (rule.then[0].kind, rule.severity, rule.when, rule.message) == ("block", "high", before.when, "toned")
    assert (Path(rule.path).name, rule.line) == ("child.yaml", 3)


def test_an_override_may_name_the_childs_own_thresholds_and_messages(write: Write) -> None:
    child = load_policy(
        write(
            "extends: base\nthresholds: {sexual: {tiny: 0.05}}\nmessages: {never: {en: Never.}}\n"
            'override: {open: {when: {prompt.sexual: ">= tiny"}, then: block, message: never}}'
        )
    )
    assert action(child, prompt_sexual=0.06) is Action.BLOCK


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("", ["enforce", "enforce", "shadow"]),
        ("mode: shadow", ["enforce", "shadow", "shadow"]),
        ("mode: enforce", ["enforce", "enforce", "shadow"]),
        ("override: {quiet: {mode: enforce}}", ["enforce", "enforce", "enforce"]),
        ("mode: shadow\noverride: {open: {mode: enforce}}", ["enforce", "enforce", "shadow"]),
    ],
)
def test_modes(text: str, modes: list[str], write: Write) -> None:
    child = load_policy(write(f"extends: base\n{text}"))
    assert [r.mode for r in child.rules] == modes


def test_a_shadow_parent_is_made_to_act_by_its_child_and_stays_shadow_without(write: Write) -> None:
    write("policy: {id: trial, version: 1.0.0}\nextends: base\nmode: shadow", "trial.yaml")
    stays, acts = (load_policy(write(f"extends: trial\n{mode}")) for mode in ("", "mode: enforce"))
    assert (stays.rule("open").mode, acts.rule("open").mode) == ("shadow", "enforce")
    assert (stays.ref.mode, acts.ref.mode) == ("shadow", "enforce")


def test_on_missing_of_the_child_counts_where_the_rule_says_nothing(write: Write) -> None:
    child = load_policy(write("extends: base\non_missing: ignore"))
    assert [r.on_missing for r in child.rules] == ["block", "ignore", "ignore"]


# ---- what it cannot: every route to a looser locked rule


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("thresholds: {sexual: {much: 0.71}}", "GP086"),
        ("thresholds: {nudity: {some: 0.41}}", "GP086"),
        ("override: {locked: {mode: shadow}}", "GP061"),
        ("override: {locked: {on_missing: ignore}}", "GP060"),
        ("override: {locked: {locked: false}}", "GP086"),
        ("override: {locked: {at: output}}", "GP086"),
        ("override: {locked: {at: [reference, output]}}", "GP086"),
        ("override: {locked: {then: {label: {likeness: true}}}}", "GP086"),
        ('override: {locked: {when: {prompt.sexual: ">= much"}}}', "GP086"),
        ('override: {locked: {when: {prompt.sexual: ">= much", output.nudity: ">= some"}}}', "GP086"),
        ('override: {locked: {when: {not: {prompt.sexual: "< some"}}}}', "GP086"),
        ('override: {locked: {at: prompt, when: {prompt.sexual: ">= 0.1"}}}', "GP086"),
        (f"override: {{locked: {{when: {{all: [{{{WHEN}}}, {{reference.nudity: '>= 0'}}]}}}}}}", "GP087"),
    ],
)  # fmt: skip
def test_a_locked_rule_is_not_loosened_by_any_route(text: str, code: str, write: Write) -> None:
    assert code in codes(write(f"extends: base\n{text}"))


@pytest.mark.parametrize(
    "text",
    [
        f"override: {{locked: {{when: {{any: [{{{WHEN}}}, {{prompt.minor: '>= 0.5'}}]}}}}}}",
        "thresholds: {sexual: {much: 0.6}, nudity: {some: 0.1}}",
        "override: {locked: {at: [prompt, reference, step, output]}}",
        "override: {locked: {then: [block, {report: {queue: review}}]}}",
        'override: {locked: {when: {any: [{output.nudity: ">= 0.3"}, {prompt.sexual: ">= some"}]}}}',
        "override: {locked: {severity: critical, message: toned, refs: [a law]}}",
        "override: {locked: {when: always}}",
    ],
)  # fmt: skip
def test_a_locked_rule_can_be_tightened(text: str, write: Write) -> None:
    child = load_policy(write(f"extends: base\n{text}"))
    assert child.rule("locked").locked


def test_the_lock_holds_through_a_layer_in_between(write: Write) -> None:
    write("policy: {id: mid, version: 1.0.0}\nextends: base\nthresholds: {sexual: {much: 0.5}}", "mid.yaml")
    assert codes(write("extends: mid\nthresholds: {sexual: {much: 0.6}}")) == {"GP086"}


def test_a_child_may_lock_a_rule_and_its_children_are_held_to_it(write: Write) -> None:
    write("policy: {id: mid, version: 1.0.0}\nextends: base\noverride: {open: {locked: true}}", "mid.yaml")
    assert codes(write("extends: mid\nthresholds: {sexual: {some: 0.5}}")) == {"GP086"}


# ---- deployments


def test_a_deployment_sets_thresholds_mode_and_terms(write: Write) -> None:
    path = write(
        "policy: base@1\nmode: shadow\nthresholds: {sexual: {some: 0.9}}\n"
        "names: [Ines Vandermolen]\nwords: {explicit: [zorbing], suggestive: wiggling}\nexempt: [Nude Studio]\n",
        "deploy/staging.yaml",
    )
    policy = load_policy(path)
    assert (policy.kind, policy.id, policy.version, policy.ref.mode) == (
        "deployment",
        "base",
        "1.2.0+staging",
        "shadow",
    )
    assert [r.mode for r in policy.rules] == ["enforce", "shadow", "shadow"]
    assert policy.terms.names == ("Ines Vandermolen",)
    assert policy.terms.words == (("zorbing", 0.9), ("wiggling", 0.6))
    assert policy.terms.exempt == ("Nude Studio",)
    assert action(policy, prompt_sexual=0.7) is Action.BLOCK  # the locked rule acts all the same


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("rules: []", "GP020"),
        ("override: {open: {then: block}}", "GP020"),
        ("on_missing: ignore", "GP020"),
        ("thresholds: {sexual: {sme: 0.3}}", "GP032"),
        ("thresholds: {sexual: {much: 0.8}}", "GP086"),
        ("words: {rude: [x]}", "GP020"),
        ("names: {a: b}", "GP023"),
    ],
)
def test_what_a_deployment_cannot_say(text: str, code: str, write: Write) -> None:
    assert code in codes(write(f"policy: base\n{text}\n", "deploy/staging.yaml"))


def test_a_deployment_is_not_built_upon(write: Write) -> None:
    write("policy: base\n", "deploy/staging.yaml")
    assert codes(write("extends: deploy/staging.yaml")) == {"GP082"}
    assert codes(write("policy: staging\n", "deploy/other.yaml")) == {"GP082"}


# ---- whatever authors write


@st.composite
def children(draw: st.DrawFn, parent: dict[str, Any]) -> dict[str, Any]:
    child: dict[str, Any] = {"policy": {"id": "child", "version": "1.0.0"}, "extends": ["parent.yaml"]}
    if draw(st.booleans()):
        child["mode"] = draw(st.sampled_from(["enforce", "shadow"]))
    if draw(st.booleans()):
        child["on_missing"] = draw(st.sampled_from(["block", "ignore"]))
    family = draw(st.sampled_from(sorted(w.THRESHOLDS)))
    if draw(st.booleans()):
        names = w.THRESHOLDS[family]
        child["thresholds"] = {family: {n: draw(st.sampled_from(["0.1", "0.3", "0.5", "0.9"])) for n in names}}
    override = {}
    for rule in parent["rules"]:
        if draw(st.booleans()):
            body = draw(w.rule_bodies(frozenset(map(Stage, rule["at"]))))
            override[rule["id"]] = {k: v for k, v in body.items() if draw(st.booleans())}
    if override := {k: v for k, v in override.items() if v}:
        child["override"] = override
    if draw(st.booleans()):
        child["rules"] = [{"id": "mine", **draw(w.RULES)}]
    return child


@w.CASES
@given(w.policies(most=3), st.data(), w.SIGNALS.flatmap(lambda s: st.one_of(st.just(s), w.losses(s))), w.DUE)
def test_no_layer_that_loads_ever_loosens_a_locked_rule(
    tmp_path_factory: pytest.TempPathFactory,
    policy: dict[str, Any],
    data: st.DataObject,
    signals: dict[str, Any],
    due: frozenset[Stage],
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "parent.yaml").write_text(w.as_yaml(policy), "utf-8")
    (folder / "child.yaml").write_text(w.as_yaml(data.draw(children(policy))), "utf-8")
    parent = load_policy(folder / "parent.yaml")
    try:
        child = load_policy(folder / "child.yaml")
    except PolicyError:
        return
    from dataclasses import replace

    locked = replace(parent, rules=tuple(r for r in parent.rules if r.locked))
    for stage in Stage:
        before = BuiltinEngine(locked).evaluate(signals, stage=stage, due=due)
        after = BuiltinEngine(child).evaluate(signals, stage=stage, due=due)
        assert after.action.rank >= before.action.rank
