"""A large gallery without the package that searches it fast is worth a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.doctor import gallery
from guardrail.doctor.gallery import SHORTEST_BYTES, gallery_remarks
from guardrail.gallery.sketches import EXACT_ROWS

LARGE = EXACT_ROWS * SHORTEST_BYTES


@pytest.mark.parametrize(
    ("size", "faiss", "said"),
    [
        (None, False, False),
        (0, False, False),
        (LARGE, False, False),
        (LARGE + 1, False, True),
        (LARGE + 1, True, False),
    ],
)
def test_what_is_said_of_a_gallery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int | None, faiss: bool, said: bool
) -> None:
    monkeypatch.setattr(gallery, "faiss_present", lambda: faiss)
    path = tmp_path / "gallery.sqlite"
    if size is not None:
        with path.open("wb") as file:
            file.truncate(size)
    remarks = gallery_remarks(path)
    assert bool(remarks) is said
    if said:
        assert "guardrail-diffusion[gallery-large]" in remarks[0]
        assert "compared with everybody" in remarks[0]
