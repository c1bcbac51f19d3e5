"""The vocabulary: what a value may be, what a check may declare, and that a slip of the pen is found at load."""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import guardrail.errors as errors
import guardrail.signals as signals
from guardrail.checks import registry
from guardrail.checks.registry import Declared
from guardrail.errors import Blocked, Finding, GuardrailError, PluginError, PolicyError
from guardrail.policy import load_policy
from guardrail.signals import CORE, MOST_ITEMS, Choice, Flag, Items, Kind, Score, SignalSpec, Stage, Text, Vocabulary

FACE = Items({"real": Score("real"), "identifiable": Flag(), "gallery": Choice(("none", "protected"), benign="none")})


# ---- values


@pytest.mark.parametrize("value", [0, 1, 0.0, 0.5, 1.0, np.float64(0.25)])
def test_scores_in_range(value: Any) -> None:
    assert Score("x").admits(value)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -0.001, 1.001, 2, True, False, "0.5", None, (0.5,), np.float64("nan")]
)
def test_what_is_no_score(value: Any) -> None:
    """NaN compares false with everything: taken for a number, it would be under every threshold."""
    assert not Score("x").admits(value)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Flag(), [True, False], [0, 1, None, "true", 0.5]),
        (Choice(("a", "b"), benign="a"), ["a", "b"], ["c", "A", "", None, True, 0]),
        (Text(), ["", "studio"], [None, 0, b"studio", ("studio",)]),
        (
            FACE,
            [
                (),
                ({},),
                ({"real": 0.5, "identifiable": True, "gallery": "none"},),
                ({"real": None},),
                ({},) * MOST_ITEMS,
            ],
            [
                None,
                0.5,
                [],
                [{"real": 0.5}],
                (0.5,),
                ({"real": math.nan},),
                ({"real": 1.5},),
                ({"gallery": "friends"},),
                ({"colour": "red"},),
                ({7: 0.5},),
                ({"real": 0.5}, {"real": math.nan}),
                ({},) * (MOST_ITEMS + 1),
            ],
        ),
    ],
)
def test_what_each_kind_admits(kind: Kind, good: list[Any], bad: list[Any]) -> None:
    assert [v for v in good if not kind.admits(v)] == []
    assert [v for v in bad if kind.admits(v)] == []


# ---- the core


@pytest.mark.parametrize("name", list(CORE))
def test_every_core_signal_is_well_formed(name: str) -> None:
    spec = CORE[name]
    place, _, word = name.partition(".")
    assert spec.name == name
    assert place == (spec.stage.value if spec.stage else place)
    assert spec.stage is not None or place in ("context", "request")
    assert re.fullmatch(r"[a-z_]+", word)
    # Benign is what stands for "nothing there": it must be a value of its kind.
    assert spec.kind.admits(spec.kind.benign)
    assert spec.doc.endswith(".")
    fields = spec.kind.fields.values() if isinstance(spec.kind, Items) else ()
    assert all(f.admits(f.benign) for f in fields)


def test_no_core_signal_is_declared_twice() -> None:
    """They are gathered in a dictionary: a second declaration of a name would replace the first without a word."""
    calls = [n for n in ast.walk(ast.parse(inspect.getsource(signals))) if isinstance(n, ast.Call)]
    names = [c.args[0].value for c in calls if getattr(c.func, "id", "") == "SignalSpec"]  # type: ignore[attr-defined]
    assert len(names) == len(set(names)) == len(list(CORE))


def test_signals_are_found_by_stage_name_and_family() -> None:
    at = {stage: {s.name for s in CORE.at(stage)} for stage in (*Stage, None)}
    assert sum(len(names) for names in at.values()) == len(list(CORE))
    assert "output.nudity" in at[Stage.OUTPUT]
    assert at[None] == {"context.purpose", "context.locale", "request.adapters", "request.unverified"}
    assert "prompt.sexual" in CORE
    assert "prompt.sexul" not in CORE
    assert {"sexual", "nudity", "match", "real", "minor"} <= CORE.families()
    with pytest.raises(KeyError):
        CORE["prompt.sexul"]


def test_stages_are_in_the_order_in_which_they_run() -> None:
    assert sorted(Stage, key=lambda s: s.position) == [Stage.PROMPT, Stage.REFERENCE, Stage.STEP, Stage.OUTPUT]


# ---- declarations of checks


def test_a_declaration_makes_a_new_vocabulary() -> None:
    gore = SignalSpec("output.gore", Stage.OUTPUT, Score("gore"), "Gore.")
    words = CORE.extended([gore], by="a plugin")
    assert words["output.gore"] is gore
    assert "gore" in words.families()
    assert "output.gore" not in CORE
    # Declaring what is there already, the same way, is how a second check gives a core signal.
    assert words.extended([gore, CORE["output.nudity"]], by="another") == words


NUDITY = CORE["output.nudity"]


@pytest.mark.parametrize(
    "spec",
    [
        SignalSpec("output.nudity", Stage.OUTPUT, Flag(), "Another kind."),
        SignalSpec("output.nudity", Stage.REFERENCE, NUDITY.kind, "Another stage."),
        SignalSpec("output.nudity", None, NUDITY.kind, "No stage."),
        SignalSpec("output.nudity", Stage.OUTPUT, Score("skin"), "Another family: other thresholds would hold."),
        SignalSpec("output.nudity", Stage.OUTPUT, Score("nudity", benign=0.5), "Another zero."),
        SignalSpec("output.faces", Stage.OUTPUT, Items({}), "Fewer fields."),
    ],
    ids=lambda s: s.doc,
)
def test_a_contradiction_is_a_load_error_that_names_both(spec: SignalSpec) -> None:
    with pytest.raises(PluginError, match=f"the check x declares the signal {spec.name} with another stage or kind"):
        CORE.extended([spec], by="the check x")


def giver(name: str, *specs: SignalSpec) -> Declared:
    return Declared(name, type(name, (), {"gives": specs}), "a test")


@pytest.mark.parametrize(
    ("combine", "refused"),
    [(("error", "error"), True), (("stricter", "error"), True), (("stricter", "stricter"), False)],
)
def test_two_givers_of_one_signal(combine: tuple[Any, Any], refused: bool) -> None:
    checks = [
        giver(f"check{i}", SignalSpec("output.gore", Stage.OUTPUT, Score("gore"), "Gore.", how))
        for i, how in enumerate(combine)
    ]
    if refused:
        with pytest.raises(PluginError, match=r"check0 and check1 both give output\.gore"):
            registry.vocabulary(checks)
    else:
        assert "output.gore" in registry.vocabulary(checks)
    # One check that names it twice is one giver.
    assert "output.gore" in registry.vocabulary([checks[0]])


# ---- names in rule files


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("prompt.sexul", "prompt.sexual"),
        ("output.nuditty", "output.nudity"),
        ("promt.minor", "prompt.minor"),
        ("output.gor", "output.gore"),
    ],
)
def test_a_misspelt_signal_is_found_at_load_with_the_word_that_was_meant(
    policy_file: Callable[[str], Path], written: str, meant: str
) -> None:
    words = CORE.extended([SignalSpec("output.gore", Stage.OUTPUT, Score("gore"), "Gore.")], by="a plugin")
    path = policy_file(f"rules: [{{id: r, at: output, when: {{{written}: '>= 0.5'}}, then: block}}]\n")
    with pytest.raises(PolicyError) as caught:
        load_policy(path, vocabulary=words)
    (finding,) = [f for f in caught.value.findings if not f.warning]
    assert finding.line == 2
    assert written in finding.message
    assert finding.mend == f"did you mean '{meant}'?"


def test_a_signal_that_only_a_plugin_gives_is_unknown_without_it(policy_file: Callable[[str], Path]) -> None:
    path = policy_file("rules: [{id: r, at: output, when: {output.gore: '>= 0.5'}, then: block}]\n")
    with pytest.raises(PolicyError, match=r"output\.gore"):
        load_policy(path, vocabulary=CORE)
    with pytest.raises(PolicyError, match=r"output\.gore"):
        load_policy(path, vocabulary=Vocabulary())


# ---- everything that is raised, as one tree


def drawn_tree() -> dict[str, str]:
    """Class → parent, as `errors.py` draws it: four columns a level."""
    lines = [re.match(r"^    ([│├└─ ]*)([A-Z]\w+)", line) for line in (errors.__doc__ or "").splitlines()]
    parents: dict[str, str] = {}
    path: list[str] = []
    for match in filter(None, lines):
        level = len(match[1]) // 4
        path[level:] = [match[2]]
        parents[match[2]] = path[level - 1] if level else "Exception"
    return parents


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    classes = [
        c
        for c in vars(errors).values()
        if inspect.isclass(c) and issubclass(c, Exception) and c.__module__ == errors.__name__
    ]
    assert drawn_tree() == {c.__name__: c.__bases__[0].__name__ for c in classes}
    assert {c.__name__ for c in classes} | {"Finding"} == set(errors.__all__)
    assert all(inspect.getdoc(c) for c in classes)


def test_reading_errors_are_the_builtin_ones_too_and_have_codes_of_their_own() -> None:
    """Code that was written for plain PIL catches ValueError and TypeError."""
    kinds = [errors.UnsupportedInput, errors.UnreadableImage, errors.ImageTooLarge, errors.TextTooLong]
    assert [k.__bases__[1] for k in kinds] == [TypeError, ValueError, ValueError, ValueError]
    assert len({k.code for k in (*kinds, errors.InputError)}) == 5


def test_errors_with_parts_show_them() -> None:
    first = Finding("GP003", "a.yaml", 3, 7, "no signal is called x", "did you mean 'y'?", "  x: 1")
    whole = Finding("GP001", "a.yaml", 0, 0, "is empty")
    assert str(PolicyError([first, whole])) == (
        "a.yaml:3:7: GP003 no signal is called x — did you mean 'y'?\na.yaml: GP001 is empty"
    )
    assert first.to_json().keys() == {"code", "path", "line", "column", "message", "mend", "warning"}
    extra = errors.MissingExtra("face identity", "faces", "MIT")
    assert str(extra) == 'face identity needs an optional package: pip install "guardrail-diffusion[faces]" (MIT)'
    decisions: Any = object()
    assert Blocked("refused", decisions).decisions is decisions
    assert isinstance(Blocked("refused", decisions), GuardrailError)
