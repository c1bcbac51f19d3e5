import numpy as np
import pytest

from guardrail.checks.text.classifier.ngrams import BUCKETS, NgramModel, features


@pytest.mark.parametrize(
    "text", ["", " ", "a", "a castle at dusk", "성의 풍경", "猫が好き", "🏰", "\ud800", "a" * 5000]
)
def test_every_text_has_features_in_range(text: str) -> None:
    found = features(text)
    assert found.dtype == np.int32
    assert len(found) >= 1
    assert found.min() >= 0
    assert found.max() < BUCKETS


def test_counts_of_a_known_text() -> None:
    # " ab cd " has 7 + 6 + 5 + 4 + 3 character n-grams, two words, one pair, and no pair with one between.
    assert len(features("ab cd")) == 25 + 2 + 1


def test_white_space_is_one_space() -> None:
    assert np.array_equal(features("ab  \t cd"), features(" ab cd\n"))


def test_a_disguised_word_keeps_most_of_its_neighbours() -> None:
    whole, broken = (
        set(features("a beautiful garden gate").tolist()),
        set(features("a beautiful gaarden gate").tolist()),
    )
    assert len(whole & broken) > 0.6 * len(whole)


def test_logits_are_those_of_the_formula() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(-127, 128, (BUCKETS, 4)).astype(np.int8)
    tensors = {
        "table": table,
        "table_scale": np.array(0.01, np.float32),
        "hidden": rng.normal(size=(9, 5)).astype(np.float32),
        "hidden_bias": rng.normal(size=5).astype(np.float32),
        "out": rng.normal(size=(5, 2)).astype(np.float32),
        "out_bias": rng.normal(size=2).astype(np.float32),
    }
    rows = table[features("a red door")].astype(np.float64) * 0.01
    pooled = np.concatenate([rows.mean(0) * 16, rows.max(0), [np.log(len(rows)) / 8]])
    expected = np.maximum(pooled @ tensors["hidden"] + tensors["hidden_bias"], 0) @ tensors["out"] + tensors["out_bias"]
    np.testing.assert_allclose(NgramModel(tensors).logits("a red door"), expected, rtol=1e-4)
