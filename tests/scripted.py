"""Checks whose answers a test writes down: for policies, limits and alterations, without models or pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guardrail.checks import registry
from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.decision import EffectiveCheck
from guardrail.media import ImageInput, Region, Request
from guardrail.signals import CORE, SignalSpec, Stage


class ScriptedNudity:
    """Nudity as `judge` says for each image."""

    name = "nudity"
    version = "test"
    stages = frozenset({Stage.REFERENCE, Stage.STEP, Stage.OUTPUT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["reference.nudity"], CORE["step.nudity"], CORE["output.nudity"])
    inline = False
    timeout_s = 5.0

    judge: Callable[[ImageInput], Any] = staticmethod(lambda image: 0.0)

    def __init__(self, settings: CheckSettings | None = None) -> None:
        pass

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        answers: list[SignalValues | Failure] = []
        for request in batch:
            scores = [type(self).judge(image) for image in request.media(stage)]
            regions = [Region(i, 0, (8.0, 8.0, 16.0, 16.0), "nudity", s) for i, s in enumerate(scores) if s and s > 0.1]
            known = None if None in scores else max(scores, default=0.0)
            answers.append(SignalValues({f"{stage.value}.nudity": known}, regions=tuple(regions)))
        return answers

    def warmup(self) -> None:
        pass

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version)


class ScriptedFaces:
    """Faces as `judge` says for each image: a list of (box, fields)."""

    name = "faces"
    version = "test"
    stages = frozenset({Stage.REFERENCE, Stage.OUTPUT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["reference.faces"], CORE["output.faces"])
    inline = False
    timeout_s = 5.0

    judge: Callable[[ImageInput], Any] = staticmethod(lambda image: [])
    still_recognised: Callable[[Any, Any, Region], bool] = staticmethod(lambda before, after, region: False)

    def __init__(self, settings: CheckSettings | None = None) -> None:
        pass

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        answers: list[SignalValues | Failure] = []
        for request in batch:
            regions = [
                Region(i, 0, box, "face", 0.9, fields)
                for i, image in enumerate(request.media(stage))
                for box, fields in type(self).judge(image)
            ]
            items = tuple(r.fields for r in regions)
            answers.append(SignalValues({f"{stage.value}.faces": items}, regions=tuple(regions)))
        return answers

    def recognisable(self, before: Any, after: Any, region: Region) -> bool:
        return type(self).still_recognised(before, after, region)

    def warmup(self) -> None:
        pass

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version)


class Sleeper(ScriptedNudity):
    """A check that hangs."""

    timeout_s = 0.2
    seconds = 3.0

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        time.sleep(self.seconds)
        return super().check(batch, stage)


def install(monkeypatch: pytest.MonkeyPatch, *checks: type) -> None:
    """Put scripted checks in the place of shipped ones of the same name."""
    shipped = dict(registry.SHIPPED)
    for check in checks:
        shipped[check.name] = f"{check.__module__}:{check.__name__}"  # type: ignore[attr-defined]
    monkeypatch.setattr(registry, "SHIPPED", shipped)
