"""``reference.hash_match`` and ``output.hash_match``: whether a picture is on a list of known images.

Beside them, ``reference.known_images`` and ``output.known_images`` name the lists, for rules and reports; never which
picture of a list it was.
"""

from __future__ import annotations

from collections.abc import Sequence

from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.decision import EffectiveCheck
from guardrail.errors import CheckError, KnownImagesError
from guardrail.known import Hit, KnownImages, Probe
from guardrail.media import ImageInput, Request
from guardrail.signals import CORE, MOST_ITEMS, Choice, Items, ItemValue, SignalSpec, Stage, Text

__all__ = ["KnownImagesCheck"]

_LIST = Items({"list": Text(), "by": Choice(("file", "pixels", "perceptual", "service"), benign="perceptual")})


def _lists(stage: Stage) -> SignalSpec:
    doc = (
        "The lists of known images that an image is on. list: its name. by: what matched. file and pixels: the very "
        "same. perceptual: the same picture, changed a little. service: an outside service said so."
    )
    return SignalSpec(f"{stage.value}.known_images", stage, _LIST, doc, "stricter")


class KnownImagesCheck:
    """Looks every frame of every image up in the lists of the settings."""

    name = "known-images"
    version = "1"
    stages = frozenset({Stage.REFERENCE, Stage.OUTPUT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (
        CORE["reference.hash_match"],
        CORE["output.hash_match"],
        _lists(Stage.REFERENCE),
        _lists(Stage.OUTPUT),
    )
    inline = False
    # A service may be asked over a network; what takes longer is missing, and blocks.
    timeout_s = 10.0

    def __init__(self, settings: CheckSettings) -> None:
        self._known: KnownImages | None = settings.known

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        answers: list[SignalValues | Failure] = []
        for request in batch:
            try:
                hits: dict[tuple[str, str], Hit] = {}
                for image in request.media(stage):
                    if isinstance(image, ImageInput):
                        hits |= {(hit.list, hit.by): hit for hit in self._image(image)}
            except (CheckError, KnownImagesError) as error:
                answers.append(Failure(str(error)))
                continue
            if len(hits) > MOST_ITEMS:
                # Cut, the list that a rule goes by could be missing; without a value the picture is blocked.
                cause = "the picture is on more lists than can be named"
                answers.append(Failure(f"{cause}: {len(hits)}, and {MOST_ITEMS} can; merge some of them"))
                continue
            items: tuple[ItemValue, ...] = tuple({"list": name, "by": by} for name, by in sorted(hits))
            answers.append(
                SignalValues({f"{stage.value}.hash_match": bool(hits), f"{stage.value}.known_images": items})
            )
        return answers

    def _image(self, image: ImageInput) -> list[Hit]:
        if self._known is None or not self._known.asked():
            return []
        hits: list[Hit] = []
        for _, view in image.views():
            hits += self._known.search(Probe.of(view, image.file_sha256))
        return hits

    def warmup(self) -> None:
        """Nothing loads lazily: the lists were read when the guard was built."""

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name if self._known is not None else f"{self.name}: no lists", self.version, {})
