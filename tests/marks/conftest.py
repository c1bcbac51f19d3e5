"""A drawn picture, a ring with one key, and the picture marked and labelled as the guard does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from guardrail.decision import Action, Decision, PolicyRef, Stage
from guardrail.keys import Keyring
from guardrail.marks.guarded_image import GuardedImage, guarded
from guardrail.marks.label import Label
from guardrail.marks.marker import Marker
from guardrail.marks.settings import Marking
from guardrail.marks.stack import MarkStack

MARK_ID = "01234abcde"
LABEL = Label(
    source_type="trainedAlgorithmicMedia",
    system="a generator",
    system_version="2.1",
    created="2026-11-27T12:00:00.000Z",
    decision_id="019a0000-0000-7000-8000-000000000001",
    mark_id=MARK_ID,
    likeness=True,
)


def drawing(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Sky, discs with edges, and grain on the ground."""
    rng = np.random.default_rng(seed)
    y = np.mgrid[:height, :width][0] / height
    image = Image.fromarray(np.stack([90 + 60 * y, 140 + 50 * y, 220 - 20 * y], -1).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        px, py, size = rng.integers(0, width), rng.integers(0, height), rng.integers(4, 4 + height // 5)
        draw.ellipse((px, py, px + size, py + size), fill=tuple(int(v) for v in rng.integers(20, 235, 3)))
    grain = rng.normal(0, 12, (height, width, 1)) * (y > 0.5)[..., None]
    return (np.asarray(image) + grain).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def ring() -> Keyring:
    return Keyring([bytes(range(32))], source="a test")


@pytest.fixture(scope="session")
def stack(ring: Keyring) -> MarkStack:
    return MarkStack(ring)


@pytest.fixture(scope="session")
def drawn() -> np.ndarray:
    return drawing(320, 384)


@pytest.fixture(scope="session")
def marked_pixels(stack: MarkStack, drawn: np.ndarray) -> np.ndarray:
    return stack.embed(drawn, MARK_ID)


@pytest.fixture
def marked(marked_pixels: np.ndarray, stack: MarkStack) -> GuardedImage:
    return guarded(Image.fromarray(marked_pixels), LABEL, marker=Marker(stack, Marking()))


@pytest.fixture
def decide() -> Callable[..., Decision]:
    """`decide(labels=…, due=…)`: a decision as the guard gives it."""

    def make(**changes: Any) -> Decision:
        policy = PolicyRef("test", "1.0.0", "0" * 64)
        made = Decision(LABEL.decision_id, Action.ALLOW, Stage.OUTPUT, policy, created=LABEL.created)
        return made.copy(**changes)

    return make
