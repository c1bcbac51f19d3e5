"""Actions that change no input: their plan is a note, and what the note says is carried out elsewhere."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from guardrail.actions.base import PlanInput, PlannedAction
from guardrail.actions.hints import AVOID, Block, Guide, Label, Regenerate, Report
from guardrail.checks.text.sexual import SexualTextCheck
from guardrail.decision import CORE_ACTIONS, Action
from guardrail.media import ImageInput, Region, Request, Span, TextInput
from guardrail.signals import Stage

NOTES: dict[str, tuple[PlannedAction, dict[str, Any]]] = {
    "block": (Block(), {}),
    "guide": (Guide(), {"away_from": "nudity", "scale": 7.5}),
    "regenerate": (Regenerate(), {"max": 3, "away_from": "nudity"}),
    "label": (Label(), {"watermark": "invisible", "likeness": True}),
    "report": (Report(), {"queue": "minors"}),
}


@pytest.mark.parametrize("name", NOTES)
@pytest.mark.parametrize("stage", Stage)
def test_a_note_says_what_the_rule_said_and_changes_nothing(name: str, stage: Stage) -> None:
    import numpy as np

    action, params = NOTES[name]
    request = Request((TextInput("Jane Doe"),), (ImageInput((np.zeros((4, 4, 3), np.uint8),)),))
    given = PlanInput(request, stage, (Span(0, 0, 8, "person"),), (Region(0, 0, (0, 0, 2, 2), "face", 0.9),))
    (note,) = action.plan(given, MappingProxyType(params), strength=2)
    assert (note.kind, note.stage, note.params) == (name, stage, params)
    assert (note.text, note.pixels, note.status) == (None, None, "planned")
    assert "Jane" not in repr(note)


def test_the_note_keeps_its_parameters_when_the_rules_change() -> None:
    params = {"away_from": "nudity"}
    (note,) = Guide().plan(PlanInput(Request(), Stage.PROMPT), params)
    params["away_from"] = "nothing"
    assert note.params == {"away_from": "nudity"}


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("block", Action.BLOCK),
        ("guide", Action.ALTER),
        ("regenerate", Action.ALTER),
        ("label", Action.LABEL),
        ("report", Action.LABEL),
    ],
)
def test_how_strict_a_note_is(name: str, effect: Action) -> None:
    assert NOTES[name][0].spec.effect is effect


def test_there_are_words_for_every_concept_that_a_rule_may_avoid() -> None:
    concepts = {c for kind in CORE_ACTIONS.values() for p in kind.params if p.name == "away_from" for c in p.choices}
    assert concepts == AVOID.keys() == {"nudity"}


def test_the_words_to_avoid_are_explicit_and_a_list() -> None:
    # They go into a negative prompt: the check that reads prompts would know each of them.
    words = AVOID["nudity"]
    assert len(words) == len(set(words)) > 4
    check = SexualTextCheck()
    for word in words:
        (found,) = check.check([Request((TextInput(word),))], Stage.PROMPT)
        assert float(found.signals["prompt.sexual"]) > 0.3, word  # type: ignore[arg-type, union-attr]


RULES = """
rules:
  - {id: steer, at: prompt, when: always, then: {guide: {away_from: nudity}}}
  - {id: mark, at: prompt, when: always, then: {label: {watermark: invisible}}}
  - {id: tell, at: prompt, when: always, then: {report: {queue: review}}}
"""


def test_in_the_guard_a_hint_is_handed_on_and_labels_and_reports_are_no_alterations(make_guard: Any) -> None:
    session = make_guard(RULES).session()
    session.open([Request((TextInput("a castle"),))])
    session.judge_inputs()
    (item,) = session.items
    assert [(a.kind, a.status) for a in item.alterations] == [("guide", "planned")]
    assert item.labels == {"watermark": "invisible"}
    assert [queue for queue, _, _ in item.reports] == ["review"]
    assert item.current.texts[0].text == "a castle"
