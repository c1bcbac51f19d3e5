"""In a group photo each face needs its own consent: from the vectors of several people to one decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.backends.base import MatchScale
from guardrail.decision import Action
from guardrail.gallery import Gallery
from tests.scripted import ScriptedFaces, install

SCALE = MatchScale(same=0.64, consent=0.55, margin=0.05, far=1.1)
WITHOUT_CONSENT = """
rules:
  - id: each-agrees
    at: reference
    when: {reference.faces: {any: {real: '>= 0.5', consent: [no, unknown]}}}
    then: block
"""


def face(seed: int) -> Any:
    vector = np.random.default_rng(seed).normal(size=64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


# Who is who: 1 and 2 agreed, 3 agreed for the studio only, 4 is protected, 5 agreed and is protected, 6 is nobody.
@pytest.mark.parametrize(
    ("shown", "purpose", "action"),
    [
        ([1], "", Action.ALLOW),
        ([1, 2], "", Action.ALLOW),
        ([2, 1, 2], "", Action.ALLOW),
        ([1, 2, 6], "", Action.BLOCK),
        ([6, 1, 2], "", Action.BLOCK),
        ([1, 3], "", Action.BLOCK),
        ([1, 3], "studio", Action.ALLOW),
        ([1, 3, 4], "studio", Action.BLOCK),
        ([4], "", Action.BLOCK),
        ([1, 5], "", Action.BLOCK),
        ([], "", Action.ALLOW),
    ],
)
def test_each_face_needs_its_own_consent(
    make_guard: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: list[int], purpose: str, action: Action
) -> None:
    gallery = Gallery(tmp_path / "gallery.sqlite", key=b"k" * 32, key_id="test")
    for seed, kind, purposes in (
        (1, "consented", []),
        (2, "consented", []),
        (3, "consented", ["studio"]),
        (4, "protected", []),
        (5, "consented", []),
        (5, "protected", []),
    ):
        gallery.enrol(face(seed)[None], embedder="toy", list=kind, purposes=purposes)  # type: ignore[arg-type]

    def judge(image: Any) -> list[Any]:
        found = [gallery.index("toy").match(face(seed), SCALE, purpose) for seed in shown]
        return [
            (
                (10.0 * n, 10.0, 9.0, 9.0),
                {"real": 0.9, "identifiable": True, "match": m.match, "gallery": m.gallery, "consent": m.consent},
            )
            for n, m in enumerate(found)
        ]

    install(monkeypatch, ScriptedFaces)
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(judge))
    guard = make_guard(WITHOUT_CONSENT)
    with guard.context(purpose=purpose):
        assert guard.check_image(np.zeros((64, 64, 3), np.uint8)).action is action
