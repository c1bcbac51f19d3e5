"""Decisions: their ids, their JSON, what they tell the end user, and what never gets into any of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from guardrail.decision import (
    Action,
    ActionSpec,
    Alteration,
    Coverage,
    Decision,
    Decisions,
    EffectiveCheck,
    Leaf,
    PolicyRef,
    Reason,
    Stage,
    Verdict,
    new_decision_id,
)

ID = "019a0000-0000-7000-8000-000000000003"
POLICY = PolicyRef("test", "1.2.3", "ab" * 32)
CANARY = "Zephyrine Oakwhistle"


def decision(**changes: Any) -> Decision:
    return Decision(ID, Action.ALLOW, Stage.OUTPUT, POLICY).copy(**changes)


LEAF = Leaf("prompt.sexual", 0.93, ">=", 0.7, threshold="sexual.high")
FULL = decision(
    action=Action.ALTER,
    prompt_index=1,
    image_index=2,
    reasons=(
        Reason("rule", "undress", Stage.PROMPT, Action.ALTER, leaves=(LEAF,), refs=("EU AI Act 50",), message="shy"),
        Reason("missing", "faces", Stage.OUTPUT, Action.BLOCK, leaves=(Leaf("output.faces", None, ">=", 0.5),)),
        Reason("rule", "watching", Stage.OUTPUT, Action.BLOCK, shadow=True, leaves=(Leaf("a", "x", "in", ("x", "y")),)),
        Reason("mark", "", Stage.OUTPUT, Action.BLOCK, "high", "the watermark could not be read back"),
        Reason("rule", "undress", Stage.OUTPUT, Action.ALTER),
    ),
    signals={
        "prompt.sexual": 0.9300000001,
        "output.faces": ({"real": 0.5, "gallery": "none", "match": None},),
        "reference.hash_match": False,
        "output.nudity": None,
    },
    alterations=(
        Alteration("rewrite", Stage.PROMPT, "applied", "1 span", "prompt", 0, {"drop": "persons"}, text=CANARY),
        Alteration("blur", Stage.OUTPUT, "applied", "1 face", pixels=np.full((2, 2, 3), 173, np.uint8)),
    ),
    effective=(EffectiveCheck("nudity", "1", {"320n.onnx": "cd" * 32}),),
    coverage=(Coverage("pixels-only", "output", "arrays carry no metadata"),),
    timings_ms={"nudity": 12.34567},
    labels={"watermark": "invisible", "likeness": True},
    context={"purpose": "studio", "locale": "ko"},
    messages={"en": "Not like this.", "pt-BR": "Assim não."},
    due=(Stage.PROMPT, Stage.OUTPUT),
    inputs={"text_hashes": ("0123",)},
    pixels_sha256="ef" * 32,
    mark_id="0123456789abcde",
    created="2026-11-27T12:00:00.000Z",
)


# ---- ids


@pytest.mark.parametrize("time_ms", [0, 1, 1_764_000_000_000, (1 << 48) - 1])
@pytest.mark.parametrize("random", [bytes(10), b"\xff" * 10, bytes(range(10))])
def test_an_id_is_a_uuid_of_version_7(time_ms: int, random: bytes) -> None:
    uuid = UUID(new_decision_id(time_ms, random))
    assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
    assert uuid.int >> 80 == time_ms
    # 74 of the 80 bits that were given: version and variant take the other six.
    given = int.from_bytes(random, "big")
    free = (1 << 80) - 1 & ~(0xF << 76) & ~(0x3 << 62)
    assert uuid.int & free == given & free


def test_ids_sort_by_time_as_text() -> None:
    ids = [
        new_decision_id(t, bytes([255 - n] * 10)) for n, t in enumerate((0, 1, 255, 256, 1_764_000_000_000, 1 << 47))
    ]
    assert ids == sorted(ids)
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", i) for i in ids)


# ---- JSON


def test_the_json_form_survives_the_wire_and_names_everything() -> None:
    told = FULL.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert set(told) == {
        *("id", "created", "action", "stage", "prompt_index", "image_index", "rules", "shadow_rules", "reasons"),
        *("signals", "alterations", "policy", "effective", "coverage", "timings_ms", "labels", "context", "due"),
        *("inputs", "pixels_sha256", "mark_id", "message"),
    }
    assert (told["id"], told["action"], told["stage"]) == (ID, "alter", "output")
    assert told["policy"] == {"id": "test", "version": "1.2.3", "sha256": "ab" * 32, "mode": "enforce"}
    assert told["signals"] == {
        "prompt.sexual": 0.9300000001,
        "output.faces": [{"real": 0.5, "gallery": "none", "match": None}],
        "reference.hash_match": False,
        "output.nudity": None,
    }
    assert told["reasons"][0]["leaves"][0] == {
        "signal": "prompt.sexual",
        "value": 0.93,
        "op": ">=",
        "limit": 0.7,
        "threshold": "sexual.high",
        "item": None,
        "margin": pytest.approx(0.23),
    }
    assert told["reasons"][2]["leaves"][0]["limit"] == ["x", "y"]
    assert told["timings_ms"] == {"nudity": 12.346}
    assert decision().to_json().keys() == told.keys()


@pytest.mark.parametrize(
    "told",
    [
        lambda: json.dumps(FULL.to_json()),
        lambda: repr(FULL),
        lambda: str(FULL),
        lambda: repr(Decisions([FULL])),
        lambda: json.dumps(Decisions([FULL]).to_json()),
        lambda: FULL.message("en") + FULL.message("ko"),
        lambda: repr(FULL.alterations) + str(FULL.alterations[0].to_json()),
        lambda: repr(FULL.reasons) + "".join(r.describe() for r in FULL.reasons),
    ],
)
def test_changed_texts_and_pixels_stay_in_memory(told: Callable[[], str]) -> None:
    """A rewritten prompt still says what somebody wished for; a pixel array prints its values."""
    assert FULL.alterations[0].text == CANARY
    text = told()
    assert CANARY not in text
    assert "Zephyrine" not in text
    assert "173" not in text


# ---- rules and reasons


def test_rules_that_acted_and_rules_that_watched_are_apart() -> None:
    assert FULL.rules == ("undress", "faces")
    assert FULL.shadow_rules == ("watching",)
    verdict = Verdict(Action.ALTER, reasons=FULL.reasons)
    assert verdict.fired == ("undress", "undress")
    assert verdict.missing == ("output.faces",)
    assert Verdict(Action.BLOCK, reasons=(Reason("missing", "r", Stage.STEP, Action.BLOCK, shadow=True),)).missing == ()


@pytest.mark.parametrize(
    ("value", "limit", "margin"),
    [
        (0.93, 0.7, 0.23),
        (0.2, 0.5, 0.3),
        (1, 0.5, 0.5),
        (0.7, 0.7, 0.0),
        (True, True, None),
        (True, 0.5, None),
        ("yes", "yes", None),
        ("yes", ("yes", "no"), None),
        (None, 0.5, None),
    ],
)
def test_the_margin_of_a_leaf_is_a_distance_between_numbers(value: Any, limit: Any, margin: float | None) -> None:
    found = Leaf("s", value, ">=", limit).margin
    assert found == (None if margin is None else pytest.approx(margin))


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (FULL.reasons[0], "prompt.sexual 0.93 >= 0.7 (sexual.high)"),
        (FULL.reasons[1], "missing: output.faces"),
        (FULL.reasons[2], "a x in x|y"),
        (FULL.reasons[3], "the watermark could not be read back"),
        (FULL.reasons[4], "always"),
    ],
)
def test_a_reason_describes_itself(reason: Reason, text: str) -> None:
    assert reason.describe() == text


def test_actions_are_ordered_from_loosest_to_strictest() -> None:
    order = [Action.ALLOW, Action.LABEL, Action.ALTER, Action.BLOCK]
    assert sorted(Action, key=lambda a: a.rank) == order
    assert sorted(Action, key=lambda a: -a.rank) == order[::-1]
    assert ActionSpec("blur", {"target": "faces"}).to_json() == {"kind": "blur", "target": "faces"}


# ---- what the end user reads

OWN = {"en": "Not like this.", "ko": "이렇게는 안 됩니다.", "pt-BR": "Assim não."}


@pytest.mark.parametrize("action", [Action.BLOCK, Action.ALTER])
@pytest.mark.parametrize(
    ("messages", "lang", "says"),
    [
        ({}, "en", ("Decision", None)),
        ({}, "ko", ("결정 번호", None)),
        ({}, "ko-KR", ("결정 번호", None)),
        ({}, "ko_KR", ("결정 번호", None)),
        ({}, "JA", ("決定番号", None)),
        ({}, "zh-Hant-TW", ("决定编号", None)),
        ({}, "es", ("Decisión", None)),
        # A language that nothing is written in.
        ({}, "xx", ("Decision", None)),
        ({}, "", ("Decision", None)),
        (OWN, "en", ("Decision", "Not like this.")),
        (OWN, "ko", ("결정 번호", "이렇게는 안 됩니다.")),
        (OWN, "ko-KR", ("결정 번호", "이렇게는 안 됩니다.")),
        (OWN, "pt-BR", ("Decision", "Assim não.")),
        (OWN, "pt_BR", ("Decision", "Assim não.")),
        (OWN, "pt-br", ("Decision", "Assim não.")),
        (OWN, "xx", ("Decision", "Not like this.")),
        ({"ko": "안 됩니다."}, "xx", ("Decision", None)),
        ({"en": ""}, "en", ("Decision", None)),
    ],
)
def test_messages_by_language(
    action: Action, messages: dict[str, str], lang: str, says: tuple[str, str | None]
) -> None:
    number, own = says
    text = decision(action=action, messages=messages).message(lang)
    assert text.endswith(f"({number} {ID})")
    assert len(text) > len(f" ({number} {ID})")
    if own:
        assert text.startswith(own)


def test_each_language_and_action_has_a_text_of_its_own() -> None:
    texts = {
        decision(action=action).message(lang)
        for action in (Action.BLOCK, Action.ALTER)
        for lang in ("en", "ko", "ja", "zh", "es")
    }
    assert len(texts) == 10


def test_the_locale_of_the_request_is_the_default() -> None:
    blocked = decision(action=Action.BLOCK, context={"locale": "ja"})
    assert blocked.message() == blocked.message("ja")
    assert decision(action=Action.BLOCK).message() == decision(action=Action.BLOCK).message("en")


@pytest.mark.parametrize("action", [Action.ALLOW, Action.LABEL])
def test_an_unchanged_request_needs_no_message(action: Action) -> None:
    assert decision(action=action, messages=OWN).message("en") == ""


@pytest.mark.parametrize("lang", ["en", "ko", "ja", "zh", "es"])
def test_no_message_names_a_signal_a_rule_or_a_threshold(lang: str) -> None:
    said = FULL.copy(messages={}).message(lang)
    for inside in ("sexual", "nudity", "0.93", "0.7", "undress", "faces", "test"):
        assert inside not in said


# ---- copies and lists


def test_a_copy_differs_where_it_was_told_to() -> None:
    other = FULL.copy(action=Action.BLOCK)
    assert (other.blocked, FULL.blocked) == (True, False)
    assert other.copy(action=Action.ALTER) == FULL
    with pytest.raises(TypeError):
        FULL.copy(colour="red")


def test_decisions_are_grouped_by_prompt_in_order() -> None:
    made = Decisions([decision(prompt_index=p, image_index=i) for p, i in ((0, 0), (0, 1), (2, 0), (1, 0), (1, 1))])
    grouped = made.by_prompt()
    assert [[(d.prompt_index, d.image_index) for d in g] for g in grouped] == [
        [(0, 0), (0, 1)],
        [(1, 0), (1, 1)],
        [(2, 0)],
    ]
    assert sum(len(g) for g in grouped) == len(made) == 5
    assert made[1:3] == (made[1], made[2])
    assert list(made) == [made[i] for i in range(5)]


@pytest.mark.parametrize(
    ("actions", "strictest"),
    [
        ([], Action.ALLOW),
        ([Action.ALLOW], Action.ALLOW),
        ([Action.ALLOW, Action.BLOCK, Action.ALTER], Action.BLOCK),
        ([Action.ALTER, Action.ALLOW], Action.ALTER),
    ],
)
def test_the_strictest_action_of_a_batch(actions: list[Action], strictest: Action) -> None:
    made = Decisions([decision(action=a) for a in actions])
    assert made.action is strictest
    assert repr(made) == f"Decisions({[a.value for a in actions]})"
