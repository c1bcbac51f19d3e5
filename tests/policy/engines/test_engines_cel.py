"""Conditions in CEL: every mistake at its place, every way to lose a missing value refused, three-valued logic kept."""

from __future__ import annotations

import builtins
import itertools
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.decision import Action, Verdict
from guardrail.errors import MissingExtra, PolicyError
from guardrail.policy import load_cases, run_tests
from guardrail.policy.engines.cel import CelEngine, load_cel, load_cel_policy
from guardrail.policy.engines.cel_words import skeleton, tokens_of
from guardrail.signals import Stage
from tests.budget import examples

ALL = frozenset(Stage)
HEAD = "policy: {id: my, version: 1.0.0}\nthresholds: {sexual: {explicit: 0.7}, real: {likely: 0.5}}\n"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., CelEngine]:
    """An engine with one rule `r`; a text with `rules:` is the whole file."""

    def load(when: str, *, at: str = "[prompt, output]", then: str = "block", more: str = "") -> CelEngine:
        path = tmp_path / "my.cel.yaml"
        if "rules:" not in when:
            block = when.replace("\n", "\n      ")
            when = f"rules:\n  - id: r\n    at: {at}\n    then: {then}\n    when: |\n      {block}\n{more}"
        path.write_text(HEAD + when, "utf-8")
        return load_cel(path)

    return load


def decide(engine: CelEngine, signals: Any, stage: Stage = Stage.OUTPUT, **more: Any) -> Verdict:
    return engine.evaluate(signals, stage=stage, due=more.pop("due", ALL), **more)


# ---- mistakes: condition, line and column within it, code, words of the message

MISTAKES = [
    ("prompt.sexul > 0.5", 1, 1, "GP030", "did you mean 'prompt.sexual'"),
    ("prompt.sexual > 0.5 ||\n  prompt.minr > 0.2", 2, 3, "GP030", "did you mean 'prompt.minor'"),
    ("sexual > 0.5", 1, 1, "GP030", "unknown signal 'sexual'"),
    ("always", 1, 1, "GP030", "write `true`"),
    ("reference.faces.exists(f, f.rael > 0.5)", 1, 29, "GP031", "did you mean 'real'"),
    ("prompt.sexual > threshold.sexual.explict", 1, 17, "GP032", "did you mean 'sexual.explicit'"),
    ("prompt.sexual > threshold.sexual", 1, 17, "GP032", "unknown threshold"),
    ("prompt.sexual > 70.0", 1, 17, "GP034", "did you mean 0.7?"),
    ("reference.faces.exists(f, 7.5 < f.real)", 1, 27, "GP034", "outside 0..1"),
    ('output.markable == "non"', 1, 20, "GP036", "did you mean 'none'"),
    ('reference.faces.exists(f, f.consent in ["no", "unkown"])', 1, 47, "GP036", "did you mean 'unknown'"),
    ('"protectd" == reference.faces.size()', 1, 12, "GP203", "no matching overload"),
    ("prompt.sexual >", 1, 15, "GP202", "not valid CEL"),
    ("(prompt.sexual > 0.5", 1, 20, "GP202", "not valid CEL"),
    ("prompt.sexual > 'a", 1, 17, "GP202", "quotation mark"),
    ("prompt.sexual § 0.5", 1, 15, "GP202", "not valid CEL"),
    ("(" * 40 + "true" + ")" * 40, 1, 1, "GP202", "nested too deeply"),
    ("prompt.sexual > 1", 1, 15, "GP203", "a number with a point"),
    ("prompt.sexual", 1, 1, "GP203", "of type double"),
    ("reference.faces.exists(f, f.real > 'x')", 1, 1, "GP205", "overload"),
    ("reference.faces.exists(f, f.identifiable && f.gallery > 0.5)", 1, 1, "GP205", "overload"),
    ("reference.faces.exists(f, f.consent)", 1, 1, "GP205", "fails although nothing is missing"),
    (
        "reference.faces.all(a, reference.faces.all(b, reference.faces.all(c, a.real + b.real + c.real > -3.0)))",
        1, 1, "GP205", "iterations",
    ),
    # ways to take "missing" for "does not hold"
    ("reference.faces.exists(f, has(f.real) && f.real > 0.5)", 1, 27, "GP204", "has()"),
    ("has(prompt.sexual)", 1, 1, "GP204", "has()"),
    ('reference.faces.exists(f, "real" in f)', 1, 37, "GP204", "only its fields"),
    ("reference.faces.exists(f, f == reference.faces[0])", 1, 27, "GP204", "only its fields"),
    ('reference.faces.exists(f, f["real"] > 0.5)', 1, 27, "GP204", "only its fields"),
    ("reference.faces.exists(f, f.size() > 2)", 1, 27, "GP204", "only its fields"),
    ("reference.faces[0].real > 0.5", 1, 1, "GP204", "is a list"),
    ("reference.faces == []", 1, 1, "GP204", "is a list"),
    ("reference.faces.filter(f, f.real > 0.5).size() > 1", 1, 1, "GP204", "is a list"),
    ("reference.faces.exists(f, f.consent == null)", 1, 40, "GP204", "nothing is null"),
    ("output.nudity / prompt.sexual > 0.5", 1, 15, "GP204", "NaN"),
    ("double(context.purpose) > 0.5", 1, 1, "GP204", "double() cannot be used"),
    ("[prompt.sexual].map(x, x)[0] > 0.5", 1, 17, "GP204", "'map' cannot be used"),
    (".prompt.sexual > 0.5", 1, 1, "GP204", "dot"),
    ("reference.faces.exists(prompt, prompt.real > 0.5)", 1, 24, "GP204", "another name"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "line", "column", "code", "words"), MISTAKES, ids=[m[0][:40] for m in MISTAKES])
def test_a_mistake_has_its_place_and_code(load: Any, when: str, line: int, column: int, code: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(when)
    finding = caught.value.findings[0]
    assert (finding.code, finding.line - 7, finding.column - 6) == (code, line, column), str(finding)
    assert words in str(finding)
    assert "my.cel.yaml:" in str(finding)
    table = (Path(__file__).resolve().parents[3] / "docs" / "policy-codes.md").read_text("utf-8")
    assert code in table


@pytest.mark.parametrize("literal", ["'none'", '"none"', "r'none'", '"""none"""', "'\\x6eone'", "'\\u006eone'"])
def test_a_word_may_be_written_in_any_way_that_cel_has(load: Any, literal: str) -> None:
    engine = load(f"output.markable == {literal}")
    assert decide(engine, {"output.markable": "none"}).fired == ("r",)
    assert decide(engine, {"output.markable": "full"}).fired == ()


@pytest.mark.parametrize(
    ("written", "column"),
    [
        ("prompt.sexul > 0.5", 11),
        ("'prompt.minor > 0.5 && context.purpose == ''x'' || prompt.sexul > 0.5'", 62),
        ('"prompt.minor > 0.5 && context.purpose == \\"x\\" || prompt.sexul > 0.5"', 62),
        ("prompt.minor > 0.5 || prompt.sexul > 0.5", 33),
    ],
)
def test_the_place_is_found_in_every_style_of_yaml(load: Any, written: str, column: int) -> None:
    with pytest.raises(PolicyError) as caught:
        load(f"rules:\n  - id: r\n    at: prompt\n    then: block\n    when: {written}\n")
    assert (caught.value.findings[0].line, caught.value.findings[0].column) == (7, column)


def test_a_folded_text_keeps_its_lines(load: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        load(
            "rules:\n  - id: r\n    at: prompt\n    then: block\n    when: >\n      true &&\n      prompt.sexul > 0.5\n"
        )
    assert (caught.value.findings[0].line, caught.value.findings[0].column) == (9, 7)


FILES = [
    ("extends: [default]\nrules: [{id: r, at: prompt, when: 'true', then: block}]", "GP201"),
    ("rules: [{id: r, at: prompt, when: 'output.nudity > 0.5', then: block}]", "GP040"),
    ("rules: [{id: r, at: prompt, when: {prompt.sexual: '> 0.5'}, then: block}]", "GP023"),
    ("rules: [{id: r, at: prompt, when: '', then: block}]", "GP202"),
    ("rules: [{id: r, at: prompt, when: 'true', then: blok}]", "GP050"),
    ("rules: [{id: r, at: prompt, when: 'true', then: block, locked: true, mode: shadow}]", "GP061"),
    ("rules: [{id: r, at: prompt, when: 'true', then: block, message: nothing}]", "GP063"),
    ("rules: []", "GP022"),
    ("rules: [", "GP001"),
    ("nothing: 1\nrules: [{id: r, at: prompt, when: 'true', then: block}]", "GP020"),
    ("rules: [{id: r, at: prompt, when: 'prompt.sexual > 0.5 && prompt.sexul > 0.5', then: blok}]", "GP030"),
]


@pytest.mark.parametrize(("text", "code"), FILES)
def test_a_broken_file_is_refused(load: Any, text: str, code: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(text)
    assert code in {f.code for f in caught.value.findings}


def test_a_pack_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.cel.yaml"
    path.write_text(
        "policy: {id: my, version: 1.0.0, kind: pack}\nrules: [{id: r, at: prompt, when: 'true', then: block}]"
    )
    with pytest.raises(PolicyError, match="GP201 a pack"):
        load_cel(path)


PIECES = [*"().,'\"!&|?:<>=+-*/ \n[]{}", "prompt.sexual", "reference.faces", "exists", "f", "0.5", "true", " in ", "&&"]


@settings(max_examples=examples(300), deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_text_brings_the_loader_down(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.cel.yaml"
    quoted = text.replace("'", "''").replace("\n", " ")
    path.write_text(f"{HEAD}rules: [{{id: r, at: output, when: '{quoted}', then: block}}]\n", "utf-8")
    try:
        engine = load_cel(path)
    except PolicyError:
        return
    assert {r.kind for r in decide(engine, {}).reasons} <= {"rule", "missing"}


# ---- what is missing

UNKNOWN: list[Any] = [None, math.nan, math.inf, -0.1, 1.1, True, "0.9", b"", [], {}, 10**400]


@pytest.mark.parametrize("value", UNKNOWN, ids=repr)
@pytest.mark.parametrize(
    "when",
    ["prompt.sexual > 0.5", "prompt.sexual < 0.5", "!(prompt.sexual > 0.5)", "prompt.sexual == 0.5",
     "prompt.sexual != 0.5", "prompt.sexual in [0.5]", "!(prompt.sexual in [0.5])", "prompt.sexual * 0.0 > 0.5",
     "prompt.sexual > 0.5 ? true : false", "-prompt.sexual > 0.5", "(prompt.sexual > 0.5) == false"],
)  # fmt: skip
def test_what_is_no_score_is_missing_and_never_an_answer(load: Any, when: str, value: Any) -> None:
    verdict = decide(load(when), {"prompt.sexual": value})
    assert verdict.action is Action.BLOCK
    assert [(r.kind, r.cause) for r in verdict.reasons] == [("missing", "missing signal")]
    assert verdict.missing == ("prompt.sexual",)


@pytest.mark.parametrize(
    ("then", "more", "action"),
    [
        ("block", "", Action.BLOCK),
        ("guide", "", Action.BLOCK),
        ("label", "", Action.ALLOW),
        ("report", "", Action.ALLOW),
        ("block", "    on_missing: ignore\n", Action.ALLOW),
        ("block", "    locked: true\n", Action.BLOCK),
        ("block", "    mode: shadow\n", Action.ALLOW),
        ("block", "on_missing: ignore\n", Action.ALLOW),
    ],
)
def test_on_missing_says_what_it_amounts_to(load: Any, then: str, more: str, action: Action) -> None:
    assert decide(load("prompt.sexual > 0.5", at="prompt", then=then, more=more), {}, Stage.PROMPT).action is action


@pytest.mark.parametrize(
    ("items", "outcome"),
    [
        ([], False),
        ([{"real": 0.9, "identifiable": True}], True),
        ([{"real": 0.9}], None),
        ([{"real": 0.1}], False),
        ([{"real": None, "identifiable": False}], False),
        ([{"real": math.nan, "identifiable": True}], None),
        ([{}, {"real": 0.9, "identifiable": True}], True),
        ([{"real": 0.9, "identifiable": True}, None], True),
        (["face"], None),
        ([{"real": 0.9, "identifiable": "yes"}], None),
        ([{}] * 65, None),
    ],
)
def test_exists_is_kleenes(load: Any, items: list[Any], outcome: bool | None) -> None:
    verdict = decide(load("reference.faces.exists(f, f.real > 0.5 && f.identifiable)"), {"reference.faces": items})
    assert [r.kind for r in verdict.reasons] == {True: ["rule"], False: [], None: ["missing"]}[outcome]


# ---- three-valued logic with what is not due: against a second reading

ATOMS = {
    "prompt.sexual > 0.5": "prompt.sexual",
    "reference.nudity > 0.5": "reference.nudity",
    "output.nudity > 0.5": "output.nudity",
}
FORMULAS = st.recursive(
    st.sampled_from([*ATOMS, "true", "false"]),
    lambda inner: st.one_of(
        st.tuples(st.just("!"), inner), st.tuples(st.just("&&"), inner, inner), st.tuples(st.just("||"), inner, inner)
    ),
    max_leaves=6,
)
Bounds = tuple[int, int]  # 0 no, 1 unknown, 2 yes: as if what is not due spoke against the rule, and for it


def written(formula: Any) -> str:
    if isinstance(formula, str):
        return formula
    if formula[0] == "!":
        return f"!({written(formula[1])})"
    return f"({written(formula[1])} {formula[0]} {written(formula[2])})"


def bounds(formula: Any, signals: dict[str, float | None], due: frozenset[Stage]) -> Bounds:
    if formula in ("true", "false"):
        return (2, 2) if formula == "true" else (0, 0)
    if isinstance(formula, str):
        name = ATOMS[formula]
        if Stage(name.split(".")[0]) not in due:
            return 0, 2
        value = signals[name]
        held = 1 if value is None else 2 * (value > 0.5)
        return held, held
    parts = [bounds(part, signals, due) for part in formula[1:]]
    if formula[0] == "!":
        return 2 - parts[0][1], 2 - parts[0][0]
    join = min if formula[0] == "&&" else max
    return join(p[0] for p in parts), join(p[1] for p in parts)


@settings(max_examples=examples(150), deadline=None)
@given(formula=FORMULAS)
def test_every_formula_means_what_it_says(formula: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("formula") / "f.cel.yaml"
    path.write_text(f"{HEAD}rules: [{{id: r, at: output, when: '{written(formula)}', then: block}}]\n", "utf-8")
    engine = load_cel(path)
    for values in itertools.product([0.2, 0.9, None], repeat=3):
        signals = dict(zip(ATOMS.values(), values, strict=True))
        for due in (ALL, frozenset({Stage.PROMPT, Stage.OUTPUT}), frozenset({Stage.REFERENCE}), frozenset[Stage]()):
            verdict = engine.evaluate(signals, stage=Stage.OUTPUT, due=due)
            low = bounds(formula, signals, due)[0]
            assert [r.kind for r in verdict.reasons] == {0: [], 1: ["missing"], 2: ["rule"]}[low], written(formula)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("a", "leaf"),
        ("a && b || c", "any(all(leaf,leaf),leaf)"),
        ("a || b && !c", "any(leaf,all(leaf,not(leaf)))"),
        ("!(a && b)", "not(all(leaf,leaf))"),
        ("!!a", "leaf"),
        ("!!!a", "not(leaf)"),
        ("!a == b", "leaf"),
        ("(a && b) == c", "leaf"),
        ("a ? b && c : d", "leaf"),
        ("!(a ? b : c) && d", "all(not(leaf),leaf)"),
        ("x.exists(f, f.a && f.b) || c", "any(leaf,leaf)"),
        ('a == "&& ) ||" && b', "all(leaf,leaf)"),
        ("a == r'\\' || b", "any(leaf,leaf)"),
        ("a == '''it's || ''' || b", "any(leaf,leaf)"),
        ("a // || b\n && c", "all(leaf,leaf)"),
        ("((a)) && (b)", "all(leaf,leaf)"),
        ("a in [b || c]", "leaf"),
    ],
)
def test_skeleton(text: str, shape: str) -> None:
    def drawn(part: Any) -> str:
        return part.kind + (f"({','.join(map(drawn, part.parts))})" if part.parts else "")

    tokens = tokens_of(text)
    assert not isinstance(tokens, int)
    assert drawn(skeleton(tokens)) == shape


# ---- reasons


def test_reasons_show_what_held(load: Any) -> None:
    engine = load(
        "prompt.sexual >= threshold.sexual.explicit && !(output.nudity > 0.8) &&\n"
        "(prompt.minor > 0.9 || reference.faces.exists(f, f.real > threshold.real.likely)) && !reference.hash_match"
    )
    signals = {
        "prompt.sexual": 0.75, "output.nudity": 0.2, "prompt.minor": 0.1, "reference.faces": ({"real": 0.9},),
        "reference.hash_match": False,
    }  # fmt: skip
    (reason,) = decide(engine, signals).reasons
    assert reason.describe() == (
        "prompt.sexual 0.75 >= 0.7 (sexual.explicit); output.nudity 0.20 <= 0.8; "
        "reference.faces 1 satisfies reference.faces.exists(f, f.real > threshold.real.likely); "
        "reference.hash_match false does not satisfy reference.hash_match"
    )
    assert reason.leaves[0].margin == pytest.approx(0.05)
    assert engine.needs() == dict.fromkeys(signals, ("r",))


def test_a_reason_for_missing_names_only_what_it_hinges_on(load: Any) -> None:
    engine = load("(prompt.sexual > 0.5 || prompt.minor > 0.5) && reference.faces.exists(f, f.real > 0.5)")
    verdict = decide(engine, {"prompt.sexual": 0.9, "reference.faces": [{"real": 0.2}, {"match": 0.2}]})
    assert [(leaf.signal, leaf.item) for leaf in verdict.reasons[0].leaves] == [("reference.faces.real", 1)]


# ---- the rest of the file


def test_tests_in_the_file_run(load: Any) -> None:
    engine = load(
        "rules: [{id: r, at: prompt, when: prompt.sexual > threshold.sexual.explicit, then: block}]\n"
        "tests:\n"
        "  - {name: a, given: {stage: prompt, prompt.sexual: 0.8}, expect: {decision: block, rules: [r]}}\n"
        "  - {name: b, given: {stage: prompt, prompt.sexual: 0.7}, expect: {decision: allow}}\n"
        "  - {name: c, given: {stage: prompt, prompt.sexual: null}, expect: {decision: block, because: missing}}\n"
    )
    report = run_tests(engine.policy, engine, cases=load_cases(engine.policy))
    assert (report.ok, len(report.passed), report.never_fired) == (True, 3, ())


def test_conditions_of_two_rules_are_not_the_same(load: Any) -> None:
    policy = load(
        "rules: [{id: a, at: prompt, when: 'true', then: block}, {id: b, at: prompt, when: 'false', then: block}]"
    ).policy
    first, second = (rule.when for rule in policy.rules)
    assert first != second
    assert len({first, second}) == 2


def test_a_rule_file_is_not_taken_for_one_in_cel(tmp_path: Path) -> None:
    from guardrail.policy import load_policy

    path = tmp_path / "my.yaml"
    path.write_text(f"{HEAD}rules: [{{id: r, at: prompt, when: always, then: block}}]\n")
    with pytest.raises(TypeError, match="not conditions in CEL: r"):
        CelEngine(load_policy(path))


def test_without_the_package_the_message_has_the_pip_line(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_cel(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("cel_expr_python"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_cel)
    for name in [n for n in sys.modules if n.startswith(("cel_expr_python", "regopy"))]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=re.escape('pip install "guardrail-diffusion[cel]"')):
        load_cel_policy("whatever.cel.yaml")
