"""Peers that are trained here: never on what they are measured on, the same twice, with a threshold of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.bench.data import Columns, Labels
from guardrail.bench.peers.base import NotHere
from guardrail.bench.peers.encoder import with_output
from guardrail.bench.peers.learned import Training, fold, lowest_threshold, read_training, tfidf, trained
from tests.bench.scripted import rows_file


def training_rows(count: int = 200) -> list[dict[str, Any]]:
    """Half of them to be blocked, two to a group."""
    return [
        {
            "text": f"{'marmalade heap' if i % 2 else 'quiet harbour'} number {i}",
            "label": "sexual" if i % 2 else "benign",
            "split_group": f"g{i // 2}",
        }
        for i in range(count)
    ]


def read(path: Path, **also: Any) -> Training:
    given: dict[str, Any] = {"most": 1_000, "seed": 1, "groups": frozenset(), "texts": frozenset()}
    return read_training([path], Columns(), Labels(), **(given | also))


def test_groups_are_never_split_between_fitting_and_the_threshold(tmp_path: Path) -> None:
    got = read(rows_file(tmp_path / "train.jsonl", training_rows()))
    fitted, held = ({int(t.rsplit(" ", 1)[1]) // 2 for t in texts} for texts in (got.texts, got.held))
    assert not fitted & held
    assert len(got.texts) + len(got.held) == 200
    assert 20 < len(got.held) < 60  # a fifth of the groups
    assert got == read(tmp_path / "train.jsonl")
    assert got.held != read(tmp_path / "train.jsonl", seed=2).held


def test_what_is_measured_is_not_learned_from(tmp_path: Path) -> None:
    path = rows_file(tmp_path / "train.jsonl", training_rows())
    groups, texts = frozenset({"g3", "g4"}), frozenset({fold("  QUIET harbour\tnumber 20 ")})
    got = read(path, groups=groups, texts=texts)
    learned = {*got.texts, *got.held}
    assert len(learned) == 195
    assert "quiet harbour number 20" not in learned
    assert not {t for t in learned if int(t.rsplit(" ", 1)[1]) in range(6, 10)}
    assert "5 rows left out because they are measured" in got.told


def test_harmless_rows_are_drawn_and_those_to_be_blocked_all_kept(tmp_path: Path) -> None:
    path = rows_file(tmp_path / "train.jsonl", training_rows())
    got = read(path, most=40)
    kinds = [*got.truth, *got.held_truth]
    assert (kinds.count(True), kinds.count(False)) == (100, 40)
    with pytest.raises(NotHere, match="too few rows that are harmless"):
        read(path, most=10)


@pytest.mark.parametrize(
    ("harmless", "most", "stopped"),
    [
        ([0.1, 0.2, 0.3, 0.9], 0.25, 1),
        ([0.1, 0.2, 0.3, 0.9], 0.24, 0),
        ([0.5, 0.5, 0.5, 0.5], 0.25, 0),  # ties are stopped together, so that none may be
        ([0.1, 0.2], 1.0, 2),
    ],
)
def test_the_threshold_stops_no_more_harmless_rows_than_it_may(
    harmless: list[float], most: float, stopped: int
) -> None:
    scores = np.array([*harmless, 0.95, 0.4])
    limit = lowest_threshold(scores, np.array([False] * len(harmless) + [True, True]), most)
    assert sum(s >= limit for s in harmless) == stopped


def test_a_trained_peer_decides_by_its_own_threshold() -> None:
    given = Training(("a",), (True,), ("0.2", "0.4", "0.9"), (False, False, True), "three rows")
    opened = trained(lambda _: float, lambda: given)
    assert opened.told == {"learned from": "three rows", "threshold": "0.900000"}
    assert [opened.judge(t).action for t in ("0.9", "0.8999999", "0.5")] == ["block", "block", "allow"]
    assert opened.judge("0.12345678").score == 0.123457


def test_ngrams_learn_what_they_are_shown_and_the_same_twice(tmp_path: Path) -> None:
    pytest.importorskip("sklearn.linear_model", reason="scikit-learn is no dependency: pip install scikit-learn")
    got = read(rows_file(tmp_path / "train.jsonl", training_rows(160)))
    opened = [tfidf(lambda: got, 1).open() for _ in range(2)]
    texts = ("a marmalade heap at noon", "a quiet harbour at noon")
    said = [[one.judge(text) for text in texts] for one in opened]
    assert [a.action for a in said[0]] == ["block", "allow"]
    assert said[0] == said[1]


def test_without_a_file_to_learn_from_it_says_so() -> None:
    assert "--train" in tfidf(None, 1).lacking or "scikit-learn" in tfidf(None, 1).lacking


def test_an_inner_tensor_of_the_encoder_can_be_read_and_its_own_output_stays() -> None:
    from guardrail.weights import read as weights
    from guardrail.weights.session import onnx_session

    model = weights("prompt-encoder")
    ids = {"ids": np.array([[2, 7, 9, 3]], np.int64)}
    whole = onnx_session(with_output(model, "both"), 1)
    logits, both = whole.run(["logits", "both"], ids)
    assert both.shape == (1, 768)
    assert np.array_equal(logits, onnx_session(model, 1).run(None, ids)[0])
    with pytest.raises(ValueError, match="one byte"):
        with_output(model, "x" * 200)
