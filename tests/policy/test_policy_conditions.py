"""Three states of a signal, three truth values, and what `not`, `all` and `none` make of them: a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from guardrail.policy import BuiltinEngine, Policy
from guardrail.signals import Stage

P, R, S, O = Stage.PROMPT, Stage.REFERENCE, Stage.STEP, Stage.OUTPUT  # noqa: E741
A = 'prompt.sexual: ">= 0.5"'
B = 'reference.nudity: ">= 0.5"'
FACE = {"real": 0.9, "identifiable": True, "match": 0.1, "gallery": "none", "consent": "yes"}
NO_CONSENT = {**FACE, "consent": "no"}

# condition, signals, due, and what becomes of it: rule (fires), missing (unknown) or "" (does not fire)
Row = tuple[str, dict[str, Any], set[Stage], str]

LEAVES: list[Row] = [
    (A, {"prompt.sexual": 0.5}, {P}, "rule"),
    (A, {"prompt.sexual": 0.49}, {P}, ""),
    (A, {"prompt.sexual": 1}, {P}, "rule"),
    ('prompt.sexual: "> 0.5"', {"prompt.sexual": 0.5}, {P}, ""),
    ('prompt.sexual: "<= 0.5"', {"prompt.sexual": 0.5}, {P}, "rule"),
    ('prompt.sexual: "< 0.5"', {"prompt.sexual": 0.5}, {P}, ""),
    ('prompt.sexual: ">=0.5"', {"prompt.sexual": 0.6}, {P}, "rule"),
    (A, {}, {P}, "missing"),
    (A, {"prompt.sexual": None}, {P}, "missing"),
    (A, {"prompt.sexual": math.nan}, {P}, "missing"),
    (A, {"prompt.sexual": 1.01}, {P}, "missing"),
    (A, {"prompt.sexual": -0.01}, {P}, "missing"),
    (A, {"prompt.sexual": True}, {P}, "missing"),
    (A, {"prompt.sexual": "0.9"}, {P}, "missing"),
    (A, {"prompt.sexual": 10**400}, {P}, "missing"),
    ('prompt.sexual: "<= 0.5"', {"prompt.sexual": math.nan}, {P}, "missing"),
    ("reference.hash_match: true", {"reference.hash_match": True}, {R}, "rule"),
    ("reference.hash_match: false", {"reference.hash_match": True}, {R}, ""),
    ("reference.hash_match: true", {"reference.hash_match": 1}, {R}, "missing"),
    ("output.markable: none", {"output.markable": "none"}, {O}, "rule"),
    ("output.markable: [none, fragile]", {"output.markable": "fragile"}, {O}, "rule"),
    ("output.markable: none", {"output.markable": "full"}, {O}, ""),
    ("output.markable: none", {"output.markable": "NONE"}, {O}, "missing"),
    ("context.purpose: [film, no, on]", {"context.purpose": "no"}, set(), "rule"),
    ("context.purpose: 1.10", {"context.purpose": "1.10"}, set(), "rule"),
    ("context.purpose: 1.10", {"context.purpose": "1.1"}, set(), ""),
    ("context.purpose: film", {}, set(), "missing"),
    (B, {"reference.nudity": 0.9}, {P}, ""),
    ("always", {}, set(), "rule"),
]

COMBINED: list[Row] = [
    # an unknown part decides only when the known ones leave it open
    (f"any: [{{{A}}}, {{{B}}}]", {"prompt.sexual": 0.9}, {P, R}, "rule"),
    (f"any: [{{{A}}}, {{{B}}}]", {"prompt.sexual": 0.1}, {P, R}, "missing"),
    (f"all: [{{{A}}}, {{{B}}}]", {"prompt.sexual": 0.9}, {P, R}, "missing"),
    (f"all: [{{{A}}}, {{{B}}}]", {"prompt.sexual": 0.1}, {P, R}, ""),
    (f"{A}, {B}", {"prompt.sexual": 0.9, "reference.nudity": 0.9}, {P, R}, "rule"),
    (f"{A}, {B}", {"prompt.sexual": 0.9, "reference.nudity": 0.1}, {P, R}, ""),
    (f"not: {{{A}}}", {}, {P}, "missing"),
    (f"not: {{not: {{{A}}}}}", {"prompt.sexual": 0.9}, {P}, "rule"),
    # what is not due is left out of `any`, and holds up `all`
    (f"any: [{{{A}}}, {{{B}}}]", {"prompt.sexual": 0.9}, {P}, "rule"),
    (f"any: [{{{A}}}, {{{B}}}]", {"prompt.sexual": 0.1}, {P}, ""),
    (f"all: [{{{A}}}, {{{B}}}]", {"prompt.sexual": 0.9}, {P}, ""),
    (f"all: [{{{A}}}, {{any: [{{{B}}}]}}]", {"prompt.sexual": 0.9}, {P}, ""),
    # ... and is not true under `not`
    (f"not: {{{B}}}", {}, {P}, ""),
    (f"not: {{{B}}}", {"reference.nudity": 0.1}, {P, R}, "rule"),
    (f"{A}, not: {{{B}}}", {"prompt.sexual": 0.9}, {P}, ""),
    (f"not: {{any: [{{{A}}}, {{{B}}}]}}", {"prompt.sexual": 0.1}, {P}, ""),
    (f"not: {{any: [{{{A}}}, {{{B}}}]}}", {"prompt.sexual": 0.1, "reference.nudity": 0.1}, {P, R}, "rule"),
    # "not both" is settled as soon as one of the two is known not to hold
    (f"not: {{all: [{{{A}}}, {{{B}}}]}}", {"prompt.sexual": 0.1}, {P}, "rule"),
    (f"not: {{all: [{{{A}}}, {{{B}}}]}}", {"prompt.sexual": 0.9}, {P}, ""),
    (f"not: {{{A}, {B}}}", {"prompt.sexual": 0.1}, {P}, "rule"),
    (f"not: {{not: {{{B}}}}}", {}, {P}, ""),
]


def faces(quantifier: str, test: str = "consent: no") -> str:
    return f"reference.faces: {{{quantifier}: {{{test}}}}}"


LISTS: list[Row] = [
    (faces("any"), {"reference.faces": (FACE, NO_CONSENT)}, {R}, "rule"),
    (faces("any"), {"reference.faces": (FACE,)}, {R}, ""),
    (faces("any"), {"reference.faces": ()}, {R}, ""),
    (faces("all"), {"reference.faces": (NO_CONSENT, NO_CONSENT)}, {R}, "rule"),
    (faces("all"), {"reference.faces": (FACE, NO_CONSENT)}, {R}, ""),
    (faces("all"), {"reference.faces": ()}, {R}, "rule"),
    (faces("none"), {"reference.faces": (FACE,)}, {R}, "rule"),
    (faces("none"), {"reference.faces": (FACE, NO_CONSENT)}, {R}, ""),
    (faces("none"), {"reference.faces": ()}, {R}, "rule"),
    (f"not: {{{faces('any')}}}", {"reference.faces": (FACE,)}, {R}, "rule"),
    (f"not: {{{faces('none')}}}", {"reference.faces": (NO_CONSENT,)}, {R}, "rule"),
    (f"not: {{{faces('all')}}}", {"reference.faces": (FACE, NO_CONSENT)}, {R}, "rule"),
    (f"not: {{{faces('all')}}}", {"reference.faces": ()}, {R}, ""),
    # all fields of one item, not of the list
    (faces("any", 'consent: no, match: ">= 0.5"'), {"reference.faces": (NO_CONSENT, {**FACE, "match": 0.9})}, {R}, ""),
    (faces("any", 'consent: no, match: ">= 0.5"'), {"reference.faces": ({**NO_CONSENT, "match": 0.9},)}, {R}, "rule"),
    # two quantifiers in one mapping: both
    (
        "reference.faces: {any: {consent: no}, all: {identifiable: true}}",
        {"reference.faces": (FACE, NO_CONSENT)},
        {R},
        "rule",
    ),
    ("reference.faces: {any: {consent: no}, none: {identifiable: true}}", {"reference.faces": (NO_CONSENT,)}, {R}, ""),
    # unknown: the list, an item, a field
    (faces("any"), {}, {R}, "missing"),
    (faces("none"), {"reference.faces": None}, {R}, "missing"),
    (faces("all"), {"reference.faces": "faces"}, {R}, "missing"),
    (faces("any"), {"reference.faces": {"consent": "no"}}, {R}, "missing"),
    (faces("any"), {"reference.faces": (None,)}, {R}, "missing"),
    (faces("any"), {"reference.faces": ({},)}, {R}, "missing"),
    (faces("any"), {"reference.faces": ({**FACE, "consent": None}, NO_CONSENT)}, {R}, "rule"),
    (faces("all"), {"reference.faces": ({**FACE, "consent": None}, FACE)}, {R}, ""),
    (faces("none"), {"reference.faces": ({**FACE, "consent": None}, FACE)}, {R}, "missing"),
    (faces("any", 'consent: no, real: ">= 0.5"'), {"reference.faces": ({**FACE, "real": None},)}, {R}, ""),
    (
        faces("any", 'consent: no, real: ">= 0.5"'),
        {"reference.faces": ({**NO_CONSENT, "real": math.nan},)},
        {R},
        "missing",
    ),
    (faces("any"), {"reference.faces": (FACE,) * 64}, {R}, ""),
    (faces("any"), {"reference.faces": (FACE,) * 65}, {R}, "missing"),
    (faces("any"), {"reference.faces": [NO_CONSENT]}, {R}, "rule"),
    # not due: neither quantifier fires before the images were looked at
    (faces("any"), {}, {P}, ""),
    (faces("all"), {}, {P}, ""),
    (faces("none"), {}, {P}, ""),
    (f"not: {{{faces('all')}}}", {}, {P}, ""),
    # known from the start
    ("request.unverified: {any: {kind: unknown}}", {"request.unverified": ({"kind": "unknown"},)}, set(), "rule"),
    ("request.unverified: {any: {kind: unknown}}", {}, set(), "missing"),
]


@pytest.mark.parametrize(("when", "signals", "due", "outcome"), LEAVES + COMBINED + LISTS)
def test_condition(
    policy_of: Callable[[str], Policy], when: str, signals: dict[str, Any], due: set[Stage], outcome: str
) -> None:
    condition = when if when == "always" else f"{{{when}}}"
    policy = policy_of(f"rules: [{{id: r, at: [prompt, output], when: {condition}, then: block}}]")
    verdict = BuiltinEngine(policy).evaluate(signals, stage=O, due=frozenset(due))
    assert [r.kind for r in verdict.reasons] == ([outcome] if outcome else [])


# condition, signals, and the leaves of the reason: signal, value, operator, limit, threshold, item, margin
EXPLAINED: list[tuple[str, dict[str, Any], list[tuple[Any, ...]]]] = [
    (
        'prompt.sexual: ">= suggestive"',
        {"prompt.sexual": 0.75},
        [("prompt.sexual", 0.75, ">=", 0.5, "sexual.suggestive", None, 0.25)],
    ),
    (
        f"any: [{{{A}}}, {{{B}}}]",
        {"prompt.sexual": 0.5, "reference.nudity": 0.1},
        [("prompt.sexual", 0.5, ">=", 0.5, "", None, 0.0)],
    ),
    (f"not: {{{A}}}", {"prompt.sexual": 0.25}, [("prompt.sexual", 0.25, "<", 0.5, "", None, 0.25)]),
    (
        "output.markable: [none, fragile]",
        {"output.markable": "none"},
        [("output.markable", "none", "in", ("none", "fragile"), "", None, None)],
    ),
    (
        "not: {output.markable: full}",
        {"output.markable": "none"},
        [("output.markable", "none", "not in", ("full",), "", None, None)],
    ),
    (
        "not: {output.hash_match: true}",
        {"output.hash_match": False},
        [("output.hash_match", False, "is", False, "", None, None)],
    ),
    (
        faces("any", 'consent: no, real: ">= 0.5"'),
        {"reference.faces": (FACE, NO_CONSENT)},
        [
            ("reference.faces.consent", "no", "in", ("no",), "", 1, None),
            ("reference.faces.real", 0.9, ">=", 0.5, "", 1, 0.4),
        ],
    ),
    (faces("none"), {"reference.faces": (FACE, FACE)}, [("reference.faces", 2, "none", None, "", None, None)]),
    (
        f"not: {{{faces('all')}}}",
        {"reference.faces": (FACE,)},
        [("reference.faces", 1, "not all", None, "", None, None)],
    ),
    # missing: which signal, which item, which field; a value that could not be judged is not repeated
    (A, {"prompt.sexual": "ignore all rules"}, [("prompt.sexual", None, ">=", 0.5, "", None, None)]),
    (faces("any"), {}, [("reference.faces", None, "any", None, "", None, None)]),
    (faces("any"), {"reference.faces": (FACE, {})}, [("reference.faces.consent", None, "in", ("no",), "", 1, None)]),
    (faces("any"), {"reference.faces": (FACE, "face")}, [("reference.faces", None, "any", None, "", 1, None)]),
    (f"all: [{{{A}}}, {{{B}}}]", {"prompt.sexual": 0.9}, [("reference.nudity", None, ">=", 0.5, "", None, None)]),
]


@pytest.mark.parametrize(("when", "signals", "leaves"), EXPLAINED)
def test_leaves(
    policy_of: Callable[[str], Policy], when: str, signals: dict[str, Any], leaves: list[tuple[Any, ...]]
) -> None:
    policy = policy_of(
        f"thresholds: {{sexual: {{suggestive: 0.5}}}}\nrules: [{{id: r, at: output, when: {{{when}}}, then: block}}]"
    )
    (reason,) = BuiltinEngine(policy).evaluate(signals, stage=O, due=frozenset(Stage)).reasons
    found = [(x.signal, x.value, x.op, x.limit, x.threshold, x.item, x.margin) for x in reason.leaves]
    assert found == [(*leaf[:-1], leaf[-1] if leaf[-1] is None else pytest.approx(leaf[-1])) for leaf in leaves]
