"""The check over whole requests: frames, backdrops, batches, failures, and second opinions of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.checks.image.nudity import BodyPart, Combination, Look, NudityCheck
from guardrail.errors import CheckError, ConfigurationError, WeightsMissing
from guardrail.media import ImageInput, Request
from guardrail.signals import Stage

from .scripted import ELSEWHERE, PART, SMALL, Opinion, Scripted


def seen(check: NudityCheck, *frames: Any) -> SignalValues:
    pictures = frames or (np.zeros((512, 512, 3), np.uint8),)
    (answer,) = check.check([Request(images=(ImageInput(pictures),))], Stage.REFERENCE)
    assert isinstance(answer, SignalValues)
    return answer


def test_the_surest_part_is_the_score_and_every_part_a_region() -> None:
    answer = seen(NudityCheck(detector=Scripted([BodyPart(PART, 0.4, ELSEWHERE), BodyPart(PART, 0.7, SMALL)])))
    assert answer.signals == {"reference.nudity": 0.7}
    assert [(r.kind, r.box, r.score) for r in answer.regions] == [("nudity", ELSEWHERE, 0.4), ("nudity", SMALL, 0.7)]
    assert answer.regions[0].fields == {"part": PART, "grade": "explicit"}


def test_every_frame_and_every_backdrop_of_transparency_is_looked_at() -> None:
    detector = Scripted()
    clear = np.zeros((32, 32, 4), np.uint8)
    opaque = np.full((32, 32, 3), 9, np.uint8)
    seen(NudityCheck(detector=detector), opaque, clear, opaque)
    # Over black and over white at least.
    assert len(detector.asked) == len(list(ImageInput((opaque, clear, opaque)).views())) >= 4


def test_a_strip_too_long_to_be_seen_is_a_failure_and_no_all_clear() -> None:
    strip = ImageInput((np.zeros((40, 9000, 3), np.uint8),))
    (answer,) = NudityCheck(detector=Scripted()).check([Request(outputs=(strip,))], Stage.OUTPUT)
    assert isinstance(answer, Failure)
    assert "too long and narrow" in answer.cause


def test_each_request_of_a_batch_is_answered_alone() -> None:
    class ByBlue(Scripted):
        def detect(self, image: Any, side: int) -> Look:
            blue = float(image[0, 0, 2]) / 255
            return Look((BodyPart(PART, blue, SMALL),) if blue else (), blue)

    pictures = [np.full((512, 512, 3), v, np.uint8) for v in (0, 102, 204)]
    batch = [Request(outputs=(ImageInput((p,)),)) for p in pictures]
    check = NudityCheck(detector=ByBlue())
    together = [a.signals for a in check.check(batch, Stage.OUTPUT) if isinstance(a, SignalValues)]
    alone = [a.signals for r in batch for a in check.check([r], Stage.OUTPUT) if isinstance(a, SignalValues)]
    assert together == alone == [{"output.nudity": v} for v in (0.0, 0.4, 0.8)]


def test_a_failure_is_of_its_own_request_and_no_all_clear() -> None:
    class Broken(Scripted):
        def detect(self, image: Any, side: int) -> Look:
            if image[0, 0, 0]:
                raise CheckError("scripted gave a number that is not finite")
            return Look()

    batch = [Request(outputs=(ImageInput((np.full((8, 8, 3), v, np.uint8),)),)) for v in (0, 1)]
    fine, failed = NudityCheck(detector=Broken()).check(batch, Stage.OUTPUT)
    assert isinstance(fine, SignalValues)
    assert failed == Failure("scripted gave a number that is not finite")


def test_a_second_opinion_raises_the_signal_and_not_the_regions() -> None:
    detector = Scripted([BodyPart(PART, 0.4, SMALL)])
    answer = seen(NudityCheck(detector=detector, opinions=[Opinion(0.8)]))
    assert answer.signals == {"reference.nudity": 0.8}
    assert [r.score for r in answer.regions] == [0.4]


def test_a_second_opinion_without_a_number_is_a_failure() -> None:
    check = NudityCheck(detector=Scripted([BodyPart(PART, 0.4, SMALL)]), opinions=[Opinion(float("nan"))])
    (answer,) = check.check([Request(images=(ImageInput((np.zeros((8, 8, 3), np.uint8),)),))], Stage.REFERENCE)
    assert isinstance(answer, Failure)


def test_what_it_runs_on_names_every_opinion() -> None:
    check = NudityCheck(detector=Scripted(), opinions=[Opinion(0.1, "one"), Opinion(0.1, "two")])
    stated = check.effective()
    assert stated.name == "nudity: scripted + one + two"
    assert set(stated.weights) == {"one/model.safetensors", "two/model.safetensors"}
    assert check.timeout_s == 34.0


# ---- as settings name them


class Named:
    def __init__(self, opinion: Opinion, combination: Combination | None = None) -> None:
        self.opinion = opinion
        self.combination = combination or Combination()

    def open(self) -> Opinion:
        return self.opinion


@pytest.fixture
def no_nudenet(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> bytes:
        raise WeightsMissing("nudity detection needs 320n.onnx, which is not in …")

    monkeypatch.setattr("guardrail.checks.image.nudity.nudenet.read", missing)


def test_models_that_the_user_names_are_the_opinions() -> None:
    opinion = Opinion(0.7)
    check = NudityCheck(CheckSettings(nudity_models=(Named(opinion),)), detector=Scripted([BodyPart(PART, 0.3, SMALL)]))
    assert seen(check).signals == {"reference.nudity": 0.7}


def test_models_that_want_other_combinations_are_refused() -> None:
    settings = CheckSettings(
        nudity_models=(Named(Opinion(0.1)), Named(Opinion(0.1), Combination(rule="second"))),
    )
    with pytest.raises(ConfigurationError, match="must agree"):
        NudityCheck(settings, detector=Scripted())


@pytest.mark.usefixtures("no_nudenet")
def test_without_the_detector_classifiers_judge_alone_and_every_picture() -> None:
    opinion = Opinion(0.7)
    check = NudityCheck(CheckSettings(nudity_models=(Named(opinion),)))
    assert seen(check).signals == {"reference.nudity": 0.7}
    assert check.effective().name == "nudity: second"
    check.warmup()
    assert opinion.asked == 2


@pytest.mark.usefixtures("no_nudenet")
def test_without_a_detector_and_without_opinions_there_is_no_check() -> None:
    with pytest.raises(WeightsMissing):
        NudityCheck()


def test_a_guard_takes_them_from_a_file_that_the_environment_names(
    make_guard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nudity.yaml"
    path.write_text("- {kind: classifier, model: /nowhere/at/all}", "utf-8")
    monkeypatch.setenv("GUARDRAIL_NUDITY_MODELS", str(path))
    rules = "rules: [{id: nude, at: output, when: {output.nudity: '>= 0.5'}, then: block}]"
    with pytest.raises(ConfigurationError, match="/nowhere/at/all"):
        make_guard(rules)
    with pytest.raises(ConfigurationError, match="nudity_models are a HubClassifier or SafetyChecker"):
        make_guard(rules, nudity_models=["/nowhere"])
