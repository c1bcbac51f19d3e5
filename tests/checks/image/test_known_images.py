"""The check of known images, alone and in a guard with the default rule."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail import Guard
from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.checks.image.known_images import KnownImagesCheck
from guardrail.errors import ConfigurationError, KnownImagesError
from guardrail.guard.runner import Runner
from guardrail.keys import load_keyring
from guardrail.known import HashLists, Hit, Probe, WithServices
from guardrail.known.probe import pixel_digest
from guardrail.media import ImageInput, Request
from guardrail.media.types import Frame
from guardrail.signals import MOST_ITEMS, Stage
from tests.known.drawn import drawn

RULE = (
    "rules: [{id: known-image, locked: true, at: [reference, output], when: {any: [{reference.hash_match: true}, "
    "{output.hash_match: true}]}, then: block}]"
)


class Known:
    """Knows what it is told to."""

    def __init__(self, *hits: Hit, error: Exception | None = None, asked: bool = True) -> None:
        self.hits, self.error, self.has = hits, error, asked
        self.probes: list[Probe] = []

    def asked(self) -> bool:
        return self.has

    def search(self, probe: Probe) -> Sequence[Hit]:
        self.probes.append(probe)
        if self.error:
            raise self.error
        return self.hits


def check_of(known: Any) -> KnownImagesCheck:
    return KnownImagesCheck(CheckSettings(known=known))


def request(*frames: Frame, file: bytes = b"") -> Request:
    return Request(images=(ImageInput(frames, file_sha256=file),))


def lists() -> HashLists:
    from guardrail.paths import home

    return HashLists(home() / "known", load_keyring())


@pytest.mark.parametrize("known", [None, Known(asked=False)])
def test_without_lists_it_says_no_and_hashes_nothing(known: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Probe, "of", None)
    (answer,) = check_of(known).check([request(drawn(1))], Stage.REFERENCE)
    assert isinstance(answer, SignalValues)
    assert answer.signals == {"reference.hash_match": False, "reference.known_images": ()}


@pytest.mark.parametrize("stage", [Stage.REFERENCE, Stage.OUTPUT])
def test_it_names_the_list_and_not_the_picture(stage: Stage) -> None:
    known = Known(Hit("b", "perceptual", 3), Hit("a", "file"))
    image = ImageInput((drawn(1),))
    asked = Request(images=(image,)) if stage is Stage.REFERENCE else Request(outputs=(image,))
    (answer,) = check_of(known).check([asked], stage)
    assert isinstance(answer, SignalValues)
    assert answer.signals == {
        f"{stage.value}.hash_match": True,
        f"{stage.value}.known_images": ({"list": "a", "by": "file"}, {"list": "b", "by": "perceptual"}),
    }
    assert answer.regions == ()


def test_every_frame_and_every_view_of_every_image_is_looked_up() -> None:
    known = Known()
    clear = np.dstack([drawn(3), np.zeros(drawn(3).shape[:2], np.uint8)])
    images = (ImageInput((drawn(1), drawn(2)), file_sha256=b"f" * 32), ImageInput((clear,)))
    check_of(known).check([Request(images=images)], Stage.REFERENCE)
    views = [(image.file_sha256, pixel_digest(view)) for image in images for _, view in image.views()]
    assert [(p.file, p.pixels) for p in known.probes] == views
    # Over black, over white, and the colours that no viewer shows.
    shown = {pixel_digest(np.full_like(drawn(3), value)) for value in (0, 255)} | {pixel_digest(drawn(3))}
    assert shown <= {p.pixels for p in known.probes}


@pytest.mark.parametrize("count", [MOST_ITEMS, MOST_ITEMS + 1])
def test_more_lists_than_can_be_named_are_a_failure_and_not_cut(count: int) -> None:
    """A rule may go by a list that a cut would leave out."""
    known = Known(*(Hit(f"list-{n:03}", "file") for n in range(count)))
    (answer,) = check_of(known).check([request(drawn(1))], Stage.REFERENCE)
    if count > MOST_ITEMS:
        assert answer == Failure("the picture is on more lists than can be named: 65, and 64 can; merge some of them")
    else:
        assert isinstance(answer, SignalValues)
        assert len(answer.signals["reference.known_images"]) == count  # type: ignore[arg-type]


def test_a_failure_is_one_of_that_request_and_says_why() -> None:
    class Second(Known):
        def search(self, probe: Probe) -> Sequence[Hit]:
            if probe.file:
                raise KnownImagesError("the list ours was changed")
            return ()

    answers = check_of(Second()).check([request(drawn(1)), request(drawn(1), file=b"f" * 32)], Stage.REFERENCE)
    assert isinstance(answers[0], SignalValues)
    assert answers[1] == Failure("the list ours was changed")


def test_a_request_is_judged_the_same_alone_and_in_a_batch() -> None:
    known = lists()
    known.add("ours", drawn(1))
    check = check_of(known)
    requests = [request(drawn(n)) for n in range(3)]
    together = check.check(requests, Stage.REFERENCE)
    alone = [check.check([r], Stage.REFERENCE)[0] for r in requests]
    assert [a.signals for a in together] == [a.signals for a in alone]  # type: ignore[union-attr]
    assert [a.signals["reference.hash_match"] for a in together] == [False, True, False]  # type: ignore[union-attr]


def test_a_service_that_hangs_is_a_missing_signal() -> None:
    import threading

    release = threading.Event()

    class Hanging:
        name = "hotline"

        def __call__(self, probe: Probe) -> list[str]:
            release.wait(20)
            return []

    runner = Runner([check_of(WithServices(None, [Hanging()]))], time_scale=0.01)
    try:
        (said,) = runner.run([request(drawn(1))], Stage.REFERENCE)
    finally:
        release.set()
    assert said.signals["reference.hash_match"] is None
    assert "timed out" in said.failures["known-images"]


# ---- in a guard


def png(frame: Frame) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "PNG")
    return stream.getvalue()


def test_a_known_picture_is_blocked_going_in_and_coming_out(make_guard: Callable[..., Guard]) -> None:
    lists().add("ours", drawn(1))
    guard = make_guard(RULE)
    half = Image.fromarray(drawn(1)).resize((160, 120))
    for decision in (guard.check_image(half), guard.check_output(half)):
        assert decision.blocked
        assert decision.rules == ("known-image",)
        shown = str(decision.to_json())
        assert "'list': 'ours'" in shown
        assert "pdq" not in shown
    assert not guard.check_image(Image.fromarray(drawn(2))).blocked


def test_a_known_file_is_blocked_whatever_it_shows(make_guard: Callable[..., Guard]) -> None:
    import hashlib

    from guardrail.known.text import rows_of_lines

    content = png(drawn(4))
    lists().extend("files", rows_of_lines([hashlib.sha256(content).hexdigest()], "list", sha256=True))
    guard = make_guard(RULE)
    assert guard.check_image(content).blocked
    assert not guard.check_image(Image.fromarray(drawn(4))).blocked


def test_a_list_that_is_changed_blocks_what_is_asked_and_refuses_a_new_guard(
    make_guard: Callable[..., Guard], own_home: Path
) -> None:
    lists().add("ours", drawn(1))
    guard = make_guard(RULE)
    path = own_home / "known" / "ours.hashes"
    path.write_bytes(path.read_bytes()[:-1])
    decision = guard.check_image(Image.fromarray(drawn(2)))
    assert decision.blocked
    assert [r.kind for r in decision.reasons] == ["missing"]
    with pytest.raises(KnownImagesError, match="ours"):
        make_guard(RULE)


def test_lists_that_are_begun_while_a_guard_runs_hold_at_once(make_guard: Callable[..., Guard]) -> None:
    guard = make_guard(RULE)
    picture = Image.fromarray(drawn(1))
    assert not guard.check_image(picture).blocked
    lists().add("ours", drawn(1))
    assert guard.check_image(picture).blocked
    lists().remove("ours")
    assert not guard.check_image(picture).blocked


def test_known_may_be_none_another_folder_or_an_object(make_guard: Callable[..., Guard], tmp_path: Path) -> None:
    lists().add("ours", drawn(1))
    picture = Image.fromarray(drawn(1))
    assert make_guard(RULE).check_image(picture).blocked
    assert not make_guard(RULE, known=None).check_image(picture).blocked
    assert not make_guard(RULE, known=tmp_path / "elsewhere").check_image(picture).blocked
    assert make_guard(RULE, known=Known(Hit("x", "service"))).check_image(picture).blocked
    assert make_guard(RULE, known=Known(error=KnownImagesError("x"))).check_image(picture).blocked
    with pytest.raises(ConfigurationError, match="known is"):
        make_guard(RULE, known=7)


def test_a_harmless_list_does_not_switch_off_the_rule_of_another(make_guard: Callable[..., Guard]) -> None:
    from guardrail.known.text import rows_of_lines
    from guardrail.media.pdq import pdq, to_hex

    turned = Image.fromarray(drawn(1, (400, 500))).rotate(3, Image.Resampling.BICUBIC)
    lists().extend("hotline", rows_of_lines([to_hex(pdq(drawn(1, (400, 500)))[0][0])], "list"))
    lists().add("seen-before", np.asarray(turned))
    guard = make_guard(
        "rules: [{id: urgent, at: reference, when: {reference.known_images: {any: {list: [hotline]}}}, then: block}]"
    )
    assert guard.check_image(turned).blocked


def test_the_lists_can_be_read_by_a_rule(make_guard: Callable[..., Guard]) -> None:
    for name, seed in (("hotline", 1), ("ours", 2)):
        lists().add(name, drawn(seed))
    guard = make_guard(
        "rules: [{id: urgent, at: reference, when: {reference.known_images: {any: {list: [hotline]}}}, then: block}]"
    )
    assert guard.check_image(Image.fromarray(drawn(1))).blocked
    assert not guard.check_image(Image.fromarray(drawn(2))).blocked
