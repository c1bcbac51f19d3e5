"""The check: every view and frame of every image, by the detector and by whatever second opinions the user named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guardrail.checks.base import CheckSettings, Failure, NudityModel, Region, SignalValues
from guardrail.checks.image.nudity.belief import Seen
from guardrail.checks.image.nudity.combination import Combination, SecondOpinion
from guardrail.checks.image.nudity.looks import FIRST_SIDE, SECOND_SIDE, look_at
from guardrail.checks.image.nudity.nudenet import NudeNet
from guardrail.checks.image.nudity.parts import NudityDetector
from guardrail.decision import EffectiveCheck
from guardrail.errors import CheckError, ConfigurationError, WeightsMissing
from guardrail.media import ImageInput, Request
from guardrail.media.types import Frame
from guardrail.signals import CORE, SignalSpec, Stage

__all__ = ["NudityCheck"]

DETECTOR_TIMEOUT_S = 30.0
NOTHING_SEEN = Seen(looks=0)


class NudityCheck:
    """The highest score of any view and frame of any image.

    Args:
        settings: `nudity_models` are the second opinions. Without the detector's model file they judge alone, and are
            asked about every picture.
        detector, opinions, combination: in the place of what the settings say.

    Raises:
        WeightsMissing, WeightsMismatch: no detector and no second opinion, or a wrong model file.
        ConfigurationError: a model that the user named cannot be loaded, or two of them want other combinations.
    """

    name = "nudity"
    version = "3"
    stages = frozenset({Stage.REFERENCE, Stage.STEP, Stage.OUTPUT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["reference.nudity"], CORE["step.nudity"], CORE["output.nudity"])
    inline = False

    timeout_s = DETECTOR_TIMEOUT_S

    def __init__(
        self,
        settings: CheckSettings | None = None,
        *,
        detector: NudityDetector | None = None,
        opinions: Sequence[SecondOpinion] = (),
        combination: Combination | None = None,
    ) -> None:
        settings = settings or CheckSettings()
        named = settings.nudity_models
        self.opinions = tuple(opinions) or tuple(m.open() for m in named)
        self.combination = combination or _one_combination(named)
        self.detector = detector or _detector(settings.threads, needed=not self.opinions)
        self.timeout_s = DETECTOR_TIMEOUT_S + sum(o.timeout_s for o in self.opinions)

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(request, stage) for request in batch]

    def _one(self, request: Request, stage: Stage) -> SignalValues | Failure:
        score = 0.0
        regions: list[Region] = []
        try:
            for i, image in enumerate(request.media(stage)):
                if not isinstance(image, ImageInput):
                    continue
                for frame, pixels in image.views():
                    seen, found = self.judge(pixels)
                    score = max(score, found)
                    for part in seen.exposed:
                        fields = {"part": part.label, "grade": part.grade.value}
                        regions.append(Region(i, frame, part.box, "nudity", part.score, fields))
        except CheckError as error:
            return Failure(str(error))
        return SignalValues({f"{stage.value}.nudity": score}, regions=tuple(regions))

    def judge(self, pixels: Frame) -> tuple[Seen, float]:
        """What the detector saw in an (H, W, 3) RGB uint8 picture, and the score with all opinions, 0..1.

        Raises:
            CheckError: a model failed.
        """
        seen = look_at(pixels, self.detector) if self.detector is not None else NOTHING_SEEN
        # A classifier alone has nobody to be a second to.
        rule = self.combination if self.detector is not None else Combination("always")
        found = rule.score(pixels, seen.score, doubtful=seen.doubtful, opinions=self.opinions)
        return seen, found

    def warmup(self) -> None:
        picture = np.full((64, 64, 3), 127, np.uint8)
        if self.detector is not None:
            for side in (FIRST_SIDE, SECOND_SIDE):
                self.detector.detect(picture, side)
        for opinion in self.opinions:
            opinion.score(picture)

    def effective(self) -> EffectiveCheck:
        names = [self.detector.name] if self.detector is not None else []
        names += [o.name for o in self.opinions]
        weights = dict(self.detector.weights) if self.detector is not None else {}
        weights |= {f"{o.name}/{file}": sha for o in self.opinions for file, sha in o.weights.items()}
        return EffectiveCheck(f"{self.name}: {' + '.join(names)}", self.version, weights)


def _detector(threads: int, *, needed: bool) -> NudityDetector | None:
    try:
        return NudeNet(threads=threads)
    except WeightsMissing:
        # A file with a wrong hash is refused in any case.
        if needed:
            raise
        return None


def _one_combination(named: Sequence[NudityModel]) -> Combination:
    wanted = {m.combination for m in named}
    if len(wanted) > 1:
        raise ConfigurationError("nudity models must agree on `ask`, `rule` and `sure`: they are joined by one rule")
    return next(iter(wanted), Combination())
