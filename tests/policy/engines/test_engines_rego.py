"""Documents in Rego: what is refused at load, what the library answers, and what an answer may be."""

from __future__ import annotations

import builtins
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardrail.decision import Action, Verdict
from guardrail.errors import MissingExtra, PolicyError
from guardrail.policy.engines.base import Refusal
from guardrail.policy.engines.rego import LIBRARY, Documents, RegoEngine, load_rego
from guardrail.signals import Stage

ALL = frozenset(Stage)
RULE = '"locked": false, "severity": "high", "at": ["prompt", "output"], "reads": ["prompt.sexual"], "then": ["block"]'


def document(outcome: str = 'three.at_least("prompt.sexual", 0.5)', rule: str = RULE, **parts: str) -> str:
    """A policy with one rule `r`."""
    decision = parts.get("decision", "three.answer(manifest, outcome)")
    return (
        f"package {parts.get('package', 'guardrail.mine')}\n\nimport data.guardrail.three\nimport rego.v1\n\n"
        f'decision := {decision}\n\noutcome["r"] := {outcome}\n\n'
        f'manifest := {{"policy": {{"id": "mine", "version": "1.0.0"}}, "rules": {{"r": {{{rule}}}}}}}\n'
        + parts.get("more", "")
    )


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], RegoEngine]:
    def load(text: str) -> RegoEngine:
        path = tmp_path / "mine.rego"
        path.write_text(text, "utf-8")
        return load_rego(path)

    return load


def decide(engine: RegoEngine, signals: Any, stage: Stage = Stage.OUTPUT, due: frozenset[Stage] = ALL) -> Verdict:
    return engine.evaluate(signals, stage=stage, due=due)


# ---- the library, function by function: an expression, the signals, and its outcome

HOLDS, FAILS, MISSING, WAITS = [2, 2], [0, 0], [1, 1], [0, 2]
FACES = '"reference.faces", [["real", ">=", 0.5], ["consent", "in", ["no", "unknown"]]]'
FACE = {"real": 0.9, "consent": "no"}
OUTCOMES: list[tuple[str, dict[str, Any], list[int] | None]] = [
    ('at_least("a", 0.5)', {"a": 0.5}, HOLDS),
    ('at_least("a", 0.5)', {"a": 0.499999}, FAILS),
    ('at_least("a", 0.5)', {}, MISSING),
    ('at_least("w", 0.5)', {}, WAITS),
    ('at_least("w", 0.5)', {"w": 0.9}, WAITS),
    ('above("a", 0.5)', {"a": 0.5}, FAILS),
    ('at_most("a", 0.5)', {"a": 0.5}, HOLDS),
    ('below("a", 0.5)', {"a": 0.5}, FAILS),
    ('below("a", 0.5)', {"a": 0}, HOLDS),
    ('equals("a", false)', {"a": False}, HOLDS),
    ('equals("a", true)', {"a": False}, FAILS),
    ('equals("a", true)', {}, MISSING),
    ('among("a", ["x", "y"])', {"a": "y"}, HOLDS),
    ('among("a", ["x", "y"])', {"a": "z"}, FAILS),
    ('at_least("a", "0.5")', {"a": 0.9}, None),
    ('at_least("a", 0.5)', {"a": "0.9"}, None),
    ('equals("a", "true")', {"a": True}, None),
    ('among("a", "xyz")', {"a": "x"}, None),
    ('compare("a", "=>", 0.5)', {"a": 0.9}, None),
    (f"some_item({FACES})", {"reference.faces": [FACE]}, HOLDS),
    (f"some_item({FACES})", {"reference.faces": []}, FAILS),
    (f"some_item({FACES})", {}, MISSING),
    (f"some_item({FACES})", {"reference.faces": [{"real": 0.9}]}, MISSING),
    (f"some_item({FACES})", {"reference.faces": [{"real": 0.1}]}, FAILS),
    (f"some_item({FACES})", {"reference.faces": [{}, FACE]}, HOLDS),
    (f"every_item({FACES})", {"reference.faces": []}, HOLDS),
    (f"every_item({FACES})", {"reference.faces": [FACE, {}]}, MISSING),
    (f"every_item({FACES})", {"reference.faces": [FACE, {"real": 0.1}]}, FAILS),
    (f"no_item({FACES})", {"reference.faces": [FACE]}, FAILS),
    (f"no_item({FACES})", {"reference.faces": []}, HOLDS),
    (f"no_item({FACES})", {}, MISSING),
    ('some_item("f", [["x", "~", 1]])', {"f": [{"x": 1}]}, None),
    ('some_item("f", [["x", ">=", 0.5], ["x", ">=", "a"]])', {"f": [{"x": 1}]}, None),
    ('some_item("f", [["x", "==", true]])', {"f": [{"x": False}]}, FAILS),
    ('no_item("w", [["x", "==", true]])', {}, WAITS),
    ('not_(at_least("a", 0.5))', {"a": 0.9}, FAILS),
    ('not_(at_least("a", 0.5))', {}, MISSING),
    ('not_(at_least("w", 0.5))', {}, WAITS),
    ('all_of([at_least("a", 0.5), at_least("b", 0.5)])', {"a": 0.1}, FAILS),
    ('all_of([at_least("a", 0.5), at_least("b", 0.5)])', {"a": 0.9}, MISSING),
    ('any_of([at_least("a", 0.5), at_least("b", 0.5)])', {"a": 0.9}, HOLDS),
    ('any_of([at_least("a", 0.5), at_least("b", 0.5)])', {"a": 0.1}, MISSING),
    ('any_of([at_least("a", 0.5), at_least("w", 0.5)])', {}, [1, 2]),
    ('not_(any_of([at_least("a", 0.5), at_least("w", 0.5)]))', {}, [0, 1]),
    ('all_of([at_least("a", 0.5), at_least("w", 0.5)])', {}, [0, 1]),
    ("any_of([])", {}, None),
    ("all_of([])", {}, None),
    ('all_of([at_least("a", 0.5), compare("a", "=>", 1)])', {"a": 0.9}, None),
    ("any_of([yes, 3])", {}, None),
]


@pytest.mark.parametrize(("expression", "signals", "outcome"), OUTCOMES, ids=[o[0] for o in OUTCOMES])
def test_the_library(expression: str, signals: dict[str, Any], outcome: list[int] | None) -> None:
    names = "at_least|above|at_most|below|equals|among|compare|some_item|every_item|no_item|not_|all_of|any_of|yes"
    called = re.sub(rf"\b({names})(?=\(|,|\])", r"three.\1", expression)
    source = f"package t\n\nimport data.guardrail.three\nimport rego.v1\n\nout := {called}\n"
    documents = Documents({"three.rego": LIBRARY.read_text("utf-8"), "t.rego": source}, ("t/out",))
    assert documents.ask("t/out", {"stage": "output", "waiting": ["w"], "signals": signals}) == outcome


# ---- what is refused at load

PLAIN = 'input.signals["prompt.sexual"] > 0.5'
REFUSED = [
    ("decision := 1", "GP210", "names no package"),
    (document(more="x := \n"), "GP210", "not valid Rego"),
    (document(more='x := "prompt.sexul"\n'), "GP030", "did you mean 'prompt.sexual'"),
    (document(rule=RULE.replace("prompt.sexual", "prompt.sexul")), "GP030", "did you mean 'prompt.sexual'"),
    (document(rule=RULE.replace('"reads": ["prompt.sexual"], ', "")), "GP211", "does not say what it reads"),
    (document(rule=RULE.replace("block", "blok")), "GP050", "did you mean 'block'"),
    (document(rule=RULE.replace('"high"', '"hihg"')), "GP024", "did you mean 'high'"),
    (document(rule=RULE.replace("prompt.sexual", "output.nudity").replace(', "output"', "")), "GP040", "measured at"),
    (document(rule=RULE + ', "message": "absent"'), "GP063", "absent"),
    (document(rule=RULE.replace("false", "true") + ', "mode": "shadow"'), "GP061", "always acts"),
    (document().replace('"rules": {', '"rulez": {'), "GP211", "no `rules` by id"),
    (document().replace('"1.0.0"', '"one"'), "GP025", "version"),
    (document(decision="three.answer(manifest, outcomes)"), "GP211", ""),
    (document(decision='{"fired": []} if input.nothing'), "GP211", "undefined"),
    (document(decision='{"fired": []}'), "GP211", "another policy"),
    (document(outcome='three.at_least("prompt.minor", 0.5)'), "GP212", "although every signal that it reads is there"),
    (document(outcome='three.at_least("prompt.sexual", "0.5")'), "GP211", "not judged: r"),
    (document(outcome='three.compare("prompt.sexual", "=>", 0.5)'), "GP211", "not judged: r"),
    # Plain Rego, which skips what is undefined: it would let a failed check through.
    (document(outcome=f"[2, 2] if {PLAIN}"), "GP211", "not judged"),
    (document(outcome="bad", more=f"default bad := [0, 0]\nbad := [2, 2] if {PLAIN}\n"), "GP212", "does not notice"),
    (document(more='decision := {"second": 1}\n'), "GP211", "cannot be evaluated"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_wrong_is_refused_at_load(load: Any, text: str, code: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(text)
    assert code in {f.code for f in caught.value.findings}, str(caught.value)
    assert words in str(caught.value)
    assert "mine.rego" in str(caught.value)


def test_a_fault_in_rego_has_its_line(load: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        load(document(more="# 한국어\nx := \n"))
    assert caught.value.findings[0].line == document().count("\n") + 2
    assert caught.value.findings[0].column == 3


@pytest.mark.parametrize("content", [b"\xff\xfe", b"#" * 1_000_001], ids=["encoding", "large"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.rego"
    path.write_bytes(content)
    with pytest.raises(PolicyError):
        load_rego(path)
    with pytest.raises(PolicyError, match="cannot be read"):
        load_rego(tmp_path / "absent.rego")


# ---- what an answer may be

ANSWER: dict[str, Any] = {
    "policy": {"id": "mine", "version": "1.0.0"},
    "judged": ["r"],
    "fired": [{"id": "r", "then": ["block"]}],
    "missing": [],
}


def entry(**changes: Any) -> dict[str, Any]:
    return {**ANSWER, "fired": [{"id": "r", "then": ["block"], **changes}]}


ANSWERS: list[tuple[Any, str]] = [
    (None, "undefined"),
    ([], "no object"),
    ("allow", "no object"),
    ({}, "another policy"),
    ({**ANSWER, "policy": {"id": "mine", "version": "1.0.1"}}, "another version"),
    ({**ANSWER, "judged": []}, "not judged: r"),
    ({**ANSWER, "judged": ["r", "s"]}, "not looked at at this stage"),
    ({**ANSWER, "judged": [["r"]]}, "not looked at at this stage"),
    ({**ANSWER, "judged": "r"}, "not all lists"),
    ({**ANSWER, "fired": None}, "not all lists"),
    ({**ANSWER, "missing": {"r": 1}}, "not all lists"),
    ({**ANSWER, "fired": ["r"]}, "names a rule"),
    ({**ANSWER, "fired": [{"id": "s", "then": ["block"]}]}, "names a rule"),
    ({**ANSWER, "missing": ANSWER["fired"]}, "r twice"),
    (entry(then=["blok"]), "unknown action 'blok'"),
    (entry(then=["allow"]), "'allow' is not an action"),
    (entry(then=[]), "names no action"),
    (entry(then=None), "names no action"),
    (entry(then=[{"guide": {"scale": 1e9}}]), "outside 1..30"),
    (entry(then=[{"guide": {"strenght": 1}}]), "unknown parameter"),
    (entry(then=[{"guide": {"strength": 1}}]), "strength of guide cannot be"),
    (entry(then=[[[[]]]]), "r:"),
]


@pytest.mark.parametrize(("answer", "cause"), ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_that_is_none_blocks_and_says_why(
    load: Any, answer: Any, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(document())
    monkeypatch.setattr(engine, "_ask", lambda given, deadline: answer)
    verdict = decide(engine, {"prompt.sexual": 0.9})
    assert verdict.action is Action.BLOCK
    assert [s.kind for s in verdict.specs] == ["block"]
    (reason,) = verdict.reasons
    assert reason.kind == "engine"
    assert cause in reason.cause


def test_an_answer_may_name_other_actions_but_not_of_a_locked_rule(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = entry(then=[{"blur": {"target": "nudity"}}, "label"])
    for locked, action in (("false", Action.ALTER), ("true", Action.BLOCK)):
        engine = load(document(rule=RULE.replace("false", locked)))
        monkeypatch.setattr(engine, "_ask", lambda given, deadline: other)
        verdict = decide(engine, {"prompt.sexual": 0.9})
        assert verdict.action is action
        assert ("locked" in verdict.reasons[0].cause) is (action is Action.BLOCK)


def test_on_missing_shadow_and_labels(load: Any) -> None:
    for more, then, action in (
        (', "on_missing": "ignore"', '"block"', Action.ALLOW),
        (', "mode": "shadow"', '"block"', Action.ALLOW),
        ("", '"label"', Action.ALLOW),
        ("", '"block"', Action.BLOCK),
        ("", '{"blur": {"target": "nudity"}}', Action.BLOCK),
    ):
        engine = load(document(rule=RULE.replace('"block"', then) + more))
        assert decide(engine, {}).action is action
        assert decide(engine, {"prompt.sexual": 0.1}).action is Action.ALLOW


# ---- what regopy does to values

EXACT = [0.5, math.nextafter(0.5, 0), 0.4999999, 0.50000001, 1e-7, 5e-324, 0.1 + 0.2, 1, 0, True]


@pytest.mark.parametrize("value", EXACT)
def test_numbers_arrive(load: Any, value: float) -> None:
    engine = load(document())
    # Twelve decimals: the neighbour of 0.5 is 0.5, on the strict side of ">=".
    expected = Action.BLOCK if value is True or round(value, 12) >= 0.5 else Action.ALLOW
    assert decide(engine, {"prompt.sexual": value}).action is expected


@pytest.mark.parametrize(
    ("purpose", "kinds"),
    [("film", ["rule"]), ("뉴스", ["rule"]), ("art", []), ('fi"lm', ["missing"]), ("a\\b", ["missing"]),
     ("a\nb", ["missing"]), ("\ud800", ["missing"]), ("film\x00", ["missing"]), ("{{film}}", []), ("😀", [])],
)  # fmt: skip
def test_texts_arrive_or_are_missing(load: Any, purpose: str, kinds: list[str]) -> None:
    rule = RULE.replace("prompt.sexual", "context.purpose")
    engine = load(document('three.among("context.purpose", ["film", "뉴스"])', rule))
    verdict = decide(engine, {"context.purpose": purpose})
    assert [r.kind for r in verdict.reasons] == kinds
    assert verdict.missing == (("context.purpose",) if kinds == ["missing"] else ())


def test_only_what_rules_read_is_handed_over(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, asked = load(document()), []
    monkeypatch.setattr(engine, "_ask", lambda given, deadline: asked.append(given))
    signals = {"prompt.sexual": 0.9, "context.purpose": "canary", "prompt.persons": ({"match": 1.0},), "x": 1}
    decide(engine, signals, due=frozenset({Stage.PROMPT, Stage.OUTPUT}))
    decide(engine, signals, due=frozenset({Stage.OUTPUT}))
    assert asked == [
        {"stage": "output", "due": ["prompt", "output"], "waiting": [], "signals": {"prompt.sexual": 0.9}},
        {"stage": "output", "due": ["output"], "waiting": ["prompt.sexual"], "signals": {}},
    ]
    json.dumps(asked)


def test_a_path_that_is_not_there_is_refused() -> None:
    documents = Documents({"a.rego": "package a\n\nimport rego.v1\n\nx := 1\n"}, ("a/x",))
    assert documents.ask("a/x", {}) == 1
    with pytest.raises(Refusal, match="cannot be evaluated"):
        documents.ask("a/y", {})


def test_without_the_package_the_message_has_the_pip_line(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_rego(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("regopy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_rego)
    for name in [n for n in sys.modules if n.startswith("regopy")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=re.escape('pip install "guardrail-diffusion[rego]"')):
        load(document())
