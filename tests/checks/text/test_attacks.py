"""The families of disguises in benchmarks/attacks.py: repeatable, and strong enough to measure with."""

from __future__ import annotations

import importlib.util
import random
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.text.lexicon import Lexicon
from guardrail.checks.text.normalise import read
from guardrail.checks.text.sexual import combine
from guardrail.checks.text.wordlists import languages, load_list

ROOT = Path(__file__).parents[3]
TEXT = "A naked woman stands alone by the window, 나체 사진"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("attack_families", ROOT / "benchmarks/attacks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAMILIES = _load().FAMILIES
# Families that the reader undoes where a single strong word stands in the text.
UNDONE = sorted(set(FAMILIES) - {"romanise", "jamo", "typo", "affixed"})


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_gives_the_same_text(name: str) -> None:
    family = FAMILIES[name]
    first = [family(TEXT, random.Random(seed)) for seed in range(5)]
    assert first == [family(TEXT, random.Random(seed)) for seed in range(5)]
    assert all(text != TEXT for text in first)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.integers(0, 99))
def test_any_text_can_be_disguised(text: str, seed: int) -> None:
    for family in FAMILIES.values():
        assert isinstance(family(text, random.Random(seed)), str)


@cache
def shipped() -> Lexicon:
    return Lexicon(load_list("sexual", language) for language in languages("sexual"))


@pytest.mark.parametrize("name", UNDONE)
def test_strong_words_are_read_through_each_family(name: str) -> None:
    lexicon = shipped()
    text = "a naked woman stands by the window, topless"
    disguised = [FAMILIES[name](text, random.Random(seed)) for seed in range(20)]
    missed = [d for d in disguised if combine(*lexicon.hits(read(d))) < 0.70]
    # A cut may fall so that the pieces are words, a typo so that nothing is left.
    assert len(missed) <= 2
