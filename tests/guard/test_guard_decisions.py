"""One request through the guard: what it answers, on which stages, in which words, and that it always answers alike."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image

import guardrail
from guardrail.checks.base import SignalValues
from guardrail.checks.text.sexual import SexualTextCheck
from guardrail.decision import Action, Decision
from guardrail.errors import MarkError, UnsupportedInput
from guardrail.media import Limits, Request, TextInput
from guardrail.signals import Stage
from tests.scripted import ScriptedFaces, ScriptedNudity, Sleeper, install

WORDS = "rules: [{id: explicit, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]"
NUDITY = """
rules:
  - {id: words, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}
  - {id: in, at: reference, when: {reference.nudity: '>= 0.5'}, then: block}
  - {id: out, at: output, when: {output.nudity: '>= 0.5'}, then: block}
  - {id: mark, at: output, when: always, then: {label: {watermark: invisible}}}
"""
SIZE = (96, 128)


def picture(value: int = 90, size: tuple[int, int] = SIZE) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([rows * 2 % 256, columns * 2 % 256, np.full(size, value)], axis=-1)
    return image.astype(np.uint8)


def by_blue(image: Any) -> float:
    """Nudity as the blue channel says."""
    return float(image.frames[0][0, 0, 2]) / 255


@pytest.fixture
def nudity(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedNudity)
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(by_blue))


@pytest.fixture
def scripted_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default policy without models: what pictures show is scripted."""
    install(monkeypatch, ScriptedNudity, ScriptedFaces)


# ---- what is asked, what is answered


def test_a_prompt_alone_is_judged_at_the_prompt_stage(make_guard: Any, nudity: None) -> None:
    decision = make_guard(NUDITY).check_prompt("a house by the sea")
    assert (decision.action, decision.stage, decision.due) == (Action.ALLOW, Stage.PROMPT, (Stage.PROMPT,))
    assert decision.message() == ""


def test_an_image_alone_is_judged_at_the_reference_stage(make_guard: Any, nudity: None) -> None:
    guard = make_guard(NUDITY)
    assert guard.check_image(picture(20)).action is Action.ALLOW
    refused = guard.check_image(picture(240))
    assert (refused.action, refused.stage, refused.rules) == (Action.BLOCK, Stage.REFERENCE, ("in",))


def test_the_strictest_image_of_a_request_decides(make_guard: Any, nudity: None) -> None:
    decision = make_guard(NUDITY).check_request(prompt="a house", images=[picture(0), picture(240), picture(0)])
    assert decision.rules == ("in",)
    assert decision.signals["reference.nudity"] == pytest.approx(240 / 255)


def test_a_negative_prompt_is_no_request_for_what_it_excludes(make_guard: Any) -> None:
    guard = make_guard(WORDS)
    assert guard.check_prompt("a portrait of a queen", negative_prompt="nude, naked").action is Action.ALLOW
    assert guard.check_prompt("a naked queen", negative_prompt="clothes").blocked


@pytest.mark.parametrize("prompt", ["", " ", "\x00\x01\x07", "​‌"])
def test_a_prompt_that_says_nothing_is_judged_like_any_other(make_guard: Any, prompt: str) -> None:
    assert make_guard(WORDS).check_prompt(prompt).action is Action.ALLOW


@pytest.mark.parametrize("prompt", [3, b"a house", ["a house"], {"prompt": "a house"}])
def test_a_prompt_that_is_no_text_is_refused_by_type(make_guard: Any, prompt: Any) -> None:
    with pytest.raises(UnsupportedInput, match=f"prompt must be text, got {type(prompt).__name__}"):
        make_guard(WORDS).check_prompt(prompt)


def test_an_image_of_an_unknown_type_is_a_block_with_its_cause(make_guard: Any, nudity: None) -> None:
    decision = make_guard(NUDITY).check_image(object())
    assert decision.blocked
    assert decision.reasons[0].describe().startswith("unsupported-input: image is object")


def test_a_megabyte_of_prompt_is_blocked_by_its_length_and_nothing_else(make_guard: Any) -> None:
    guard = make_guard(WORDS)
    decision = guard.check_prompt("word " * 200_000)
    assert decision.reasons[0].describe() == "text-too-long: prompt has 1000000 characters, 20000 are allowed"
    assert decision.timings_ms.keys() <= {"audit"}
    assert guard.check_prompt("a house").action is Action.ALLOW


def test_limits_are_the_users_to_set(make_guard: Any) -> None:
    guard = make_guard(WORDS, limits=Limits(characters=5))
    assert guard.check_prompt("house").action is Action.ALLOW
    assert guard.check_prompt("houses").blocked


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 20])
def test_an_unreadable_image_is_a_block_with_its_cause(make_guard: Any, nudity: None, content: bytes) -> None:
    guard = make_guard(NUDITY)
    decision = guard.check_image(content)
    assert decision.blocked
    assert decision.reasons[0].kind == "input"
    assert decision.reasons[0].cause.split(":")[0] in {"unreadable-image", "unsupported-input"}
    assert decision.message().startswith("This request was refused. (Decision ")
    assert guard.check_image(picture(0)).action is Action.ALLOW


def test_what_cannot_be_read_is_of_the_stage_of_pictures_and_is_named(make_guard: Any, nudity: None) -> None:
    guard = make_guard(NUDITY)
    decision = guard.check_request(prompt="a house", images=[picture(0), "nowhere.png", ""], masks=[b"no"])
    assert (decision.blocked, decision.stage) == (True, Stage.REFERENCE)
    told = [(r.stage, r.cause.split(":")[0], r.cause.partition(": ")[2]) for r in decision.reasons]
    assert told == [
        (Stage.REFERENCE, "unreadable-image", "image cannot be read: there is no such file (number 2)"),
        (Stage.REFERENCE, "unreadable-image", "image is a folder, not a file (number 3)"),
        (Stage.REFERENCE, "unsupported-input", "mask_image is not a PNG, JPEG, WebP, GIF or AVIF image"),
    ]
    assert guard.check_output(b"no", after=guard.check_prompt("a house")).stage is Stage.OUTPUT
    assert guard.check_preview(b"no").stage is Stage.STEP


# ---- outputs


def test_an_output_is_judged_on_its_own_and_after_its_request(make_guard: Any, nudity: None) -> None:
    guard = make_guard(NUDITY)
    asked = guard.check_prompt("a house")
    fine = guard.check_output(picture(0), after=asked)
    assert (fine.action, fine.due) == (Action.ALLOW, (Stage.PROMPT, Stage.OUTPUT))
    assert guard.check_output(picture(240), after=asked).rules == ("out", "mark")
    assert guard.check_output(picture(240)).due == (Stage.OUTPUT,)


def test_what_was_refused_before_stays_refused(make_guard: Any, nudity: None) -> None:
    guard = make_guard(NUDITY)
    refused = guard.check_prompt("explicit nude porn")
    after = guard.check_output(picture(0), after=refused)
    assert after.blocked
    assert after.rules == refused.rules == ("words",)


def test_a_person_in_the_words_and_nudity_in_the_output_come_together(make_guard: Any, nudity: None) -> None:
    guard = make_guard("""
rules:
  - id: both
    at: output
    when: {all: [{prompt.persons: {any: {match: '>= 0.5'}}}, {output.nudity: '>= 0.5'}]}
    then: block
""")
    private, nobody = guard.check_prompt("my classmate at the pool"), guard.check_prompt("a pool")
    assert guard.check_output(picture(240), after=private).rules == ("both",)
    assert guard.check_output(picture(240), after=nobody).action is Action.ALLOW
    assert guard.check_output(picture(0), after=private).action is Action.ALLOW


def test_a_preview_is_judged_at_the_step_stage(make_guard: Any, nudity: None) -> None:
    guard = make_guard("rules: [{id: early, at: step, when: {step.nudity: '>= 0.5'}, then: block}]")
    assert guard.check_preview(picture(0)).action is Action.ALLOW
    stopped = guard.check_preview(picture(240))
    assert (stopped.rules, stopped.stage) == (("early",), Stage.STEP)


def test_an_allowed_output_is_marked_and_leads_back_to_its_decision(
    make_guard: Any, nudity: None, tmp_path: Any
) -> None:
    guard = make_guard(NUDITY)
    decision = guard.check_output(Image.fromarray(picture(0, (256, 256))))
    marked = guard.mark(Image.fromarray(picture(0, (256, 256))), after=decision, system="a generator")
    marked.save(tmp_path / "out.png")
    found = {layer.name: layer for layer in guardrail.verify(tmp_path / "out.png", keyring=guard.keyring).layers}
    assert found["watermark"].says["mark id"] == guard.marks.mark_id(decision.id)
    assert found["metadata"].says["guardrail:DecisionId"] == decision.id
    assert found["metadata"].says["Iptc4xmpExt:AISystemUsed"] == "a generator"


def test_a_refused_output_is_not_marked(make_guard: Any, nudity: None) -> None:
    guard = make_guard(NUDITY)
    with pytest.raises(MarkError, match="is a block"):
        guard.mark(picture(240), after=guard.check_output(picture(240)))


# ---- who asks


def test_the_context_reaches_rules_messages_and_the_decision(make_guard: Any) -> None:
    guard = make_guard("""
rules:
  - {id: clinic, at: prompt, when: {all: [{prompt.sexual: '>= 0.7'}, {not: {context.purpose: medical}}]}, then: block}
""")
    assert guard.check_prompt("a nude figure").blocked
    with guard.context(purpose="medical", user="u-17", locale="ko", tenant="t"):
        allowed = guard.check_prompt("a nude figure")
    assert allowed.action is Action.ALLOW
    assert allowed.context["purpose"] == "medical"
    assert allowed.context["tenant"] == "t"
    with guard.context(locale="ko-KR"):
        assert guard.check_prompt("a nude figure").message().startswith("요청이 거부되었습니다. (결정 번호 ")
    assert guard.check_prompt("a nude figure").message().startswith("This request was refused. (Decision ")


def test_a_user_is_a_keyed_hash_and_nothing_else(make_guard: Any) -> None:
    guard = make_guard(WORDS)
    with guard.context(user="someone@example.com"):
        one, two = guard.check_prompt("a house"), guard.check_prompt("a boat")
    with guard.context(user="someone.else@example.com"):
        other = guard.check_prompt("a house")
    assert one.context["user"] == two.context["user"] != other.context["user"]
    assert "someone" not in str(one.to_json())


def test_contexts_of_threads_and_tasks_do_not_mix(make_guard: Any) -> None:
    guard = make_guard(WORDS)
    seen: dict[str, str] = {}
    barrier = threading.Barrier(4)

    def ask(purpose: str) -> None:
        with guard.context(purpose=purpose):
            barrier.wait(10)
            seen[purpose] = guard.check_prompt("a house").context["purpose"]

    threads = [threading.Thread(target=ask, args=(f"p{i}",)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()

    async def task(purpose: str) -> None:
        with guard.context(purpose=purpose):
            await asyncio.sleep(0)
            seen[purpose] = (await guard.acheck_prompt("a house")).context["purpose"]

    async def tasks() -> None:
        await asyncio.gather(*(task(f"t{i}") for i in range(4)))

    asyncio.run(tasks())
    assert all(asked == told for asked, told in seen.items())
    assert len(seen) == 8


# ---- always alike


def settled(decision: Decision) -> dict[str, Any]:
    """A decision without what differs from call to call."""
    told = decision.to_json()
    for name in ("id", "created", "timings_ms", "message"):
        told.pop(name)
    return told


PROMPTS = [
    "a house by the sea",
    "explicit nude porn",
    "lingerie on a mannequin",
    "my classmate at the pool",
    "벌거벗은 여자",
    "n4k3d w0m4n",
    "",
]


def test_the_same_request_gets_the_same_answer_now_later_and_elsewhere(
    make_guard: Any, scripted_pictures: None
) -> None:
    first, second = make_guard("default"), make_guard("default")
    for prompt in PROMPTS:
        answers = [settled(guard.check_prompt(prompt)) for guard in (first, first, second)]
        assert answers[0] == answers[1] == answers[2]


def test_alone_and_in_a_batch_the_answer_is_the_same(make_guard: Any, scripted_pictures: None) -> None:
    guard = make_guard("default")
    session = guard.session()
    session.open([Request((TextInput(p),)) for p in PROMPTS])
    session.judge_inputs()
    batch, _ = session.close([(item, "", "") for item in session.items])
    for index, (prompt, decision) in enumerate(zip(PROMPTS, batch, strict=True)):
        assert settled(decision) == {**settled(guard.check_prompt(prompt)), "prompt_index": index}


def test_no_global_random_state_is_drawn_from(make_guard: Any, nudity: None) -> None:
    guard = make_guard(NUDITY)
    random.seed(7)
    np.random.seed(7)
    before = (random.getstate(), np.random.get_state()[1].tobytes())  # type: ignore[union-attr]
    decision = guard.check_output(picture(0), after=guard.check_request(prompt="a house", images=[picture(0)]))
    guard.mark(picture(0), after=decision)
    after = (random.getstate(), np.random.get_state()[1].tobytes())  # type: ignore[union-attr]
    assert before == after


def test_the_async_twins_say_the_same(make_guard: Any, nudity: None) -> None:
    guard = make_guard(NUDITY)

    async def ask() -> list[Decision]:
        return [
            await guard.acheck_prompt("explicit nude porn"),
            await guard.acheck_image(picture(240)),
            await guard.acheck_request(prompt="a house", images=[picture(0)]),
            await guard.acheck_output(picture(240)),
        ]

    plain = [
        guard.check_prompt("explicit nude porn"),
        guard.check_image(picture(240)),
        guard.check_request(prompt="a house", images=[picture(0)]),
        guard.check_output(picture(240)),
    ]
    assert [settled(d) for d in asyncio.run(ask())] == [settled(d) for d in plain]


# ---- failures


def test_a_check_that_hangs_blocks_says_why_and_the_next_request_goes_through(
    make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Sleeper)
    guard = make_guard(NUDITY)
    decision = guard.check_image(picture(0))
    assert decision.blocked
    assert decision.reasons[0].describe() == "missing: reference.nudity"
    assert [c.to_json() for c in decision.coverage] == [
        {"what": "check-failed", "argument": "nudity", "detail": "timed out after 0.2 s"}
    ]
    assert decision.effective == ()
    monkeypatch.setattr(Sleeper, "seconds", 0.0)
    assert guard.check_image(picture(0)).action is Action.ALLOW


def test_a_face_that_is_still_recognised_after_every_redaction_blocks(
    make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ScriptedFaces)
    fields = {"real": 0.9, "identifiable": True, "match": 0.0, "gallery": "none", "consent": "unknown"}
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(lambda image: [((20.0, 20.0, 40.0, 40.0), fields)]))
    guard = make_guard("""
rules:
  - id: cover
    at: reference
    when: {reference.faces: {any: {real: '>= 0.5'}}}
    then: {blur: {target: faces}}
""")
    covered = guard.check_image(picture(0))
    assert covered.action is Action.ALTER
    assert covered.alterations[0].status == "applied"
    assert covered.alterations[0].pixels is not None
    monkeypatch.setattr(ScriptedFaces, "still_recognised", staticmethod(lambda before, after, region: True))
    refused = guard.check_image(picture(0))
    assert refused.blocked
    assert "could not be covered" in refused.reasons[-1].describe()
    assert refused.alterations == ()


# ---- under the shipped policy


@pytest.fixture
def default_guard(make_guard: Any, scripted_pictures: None) -> Any:
    return make_guard("default", names=["Odalys Quenby"])


def test_a_child_in_a_harmless_scene_is_allowed_and_with_any_sexual_signal_blocked_and_reported(
    default_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "a child on a swing"
    harmless = default_guard.check_prompt(prompt)
    assert harmless.action is Action.ALLOW
    assert harmless.signals["prompt.minor"] > 0.2
    # The sexual signal is given; no such sentence is written.
    monkeypatch.setattr(
        SexualTextCheck, "check", lambda self, batch, stage: [SignalValues({"prompt.sexual": 0.41}) for _ in batch]
    )
    told: list[str] = []
    default_guard._parts.recorder.on_report = lambda queue, decision: told.append(queue)
    refused = default_guard.check_prompt(prompt)
    assert refused.blocked
    assert "minor-sexual" in refused.rules
    assert told == ["csam"]
    assert refused.message() == f"This request was refused. (Decision {refused.id})"


def test_a_child_in_the_words_and_nudity_in_the_output_are_judged_together(
    default_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = default_guard.check_prompt("a child on a swing")
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.4))
    refused = default_guard.check_output(picture(0), after=asked)
    assert refused.blocked
    assert "minor-sexual" in refused.rules


def test_a_listed_name_undressed_is_blocked_by_a_locked_rule(default_guard: Any) -> None:
    refused = default_guard.check_prompt("Odalys Quenby, undressed")
    assert "real-person-sexual" in refused.rules
    assert next(r for r in refused.reasons if r.rule == "real-person-sexual").locked
    assert default_guard.check_prompt("Odalys Quenby at a desk").action is Action.ALLOW


def test_a_messages_words_name_no_check_and_no_threshold(default_guard: Any) -> None:
    for prompt in ("Odalys Quenby, undressed", "explicit nude porn", "a nude"):
        for lang in ("en", "ko", "ja", "zh", "es", "sv", ""):
            message = default_guard.check_prompt(prompt).message(lang).lower()
            assert message
            assert not any(
                word in message for word in ("0.", "threshold", "nudenet", "score", "detector", "sexual-text")
            )
