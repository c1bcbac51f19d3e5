"""Disguises: each does what it says, the same for the same seed, and says whether the meaning is kept."""

from __future__ import annotations

from random import Random

import pytest

from guardrail.bench.attacks import FAMILIES
from guardrail.bench.attacks.thesaurus import FILE, ordered, synonyms

PROMPT = "A portrait of the painter with two dogs and a yellow umbrella, standing on the bridge"
OTHERS = ("노란 우산을 쓴 화가", "ねこと カメラ", "кошка у реки")


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_changes_a_prompt_in_its_script_and_is_the_same_again(name: str) -> None:
    family = FAMILIES[name]
    changed = [text for text in (PROMPT, *OTHERS) if family(text, Random(3)) != text]
    assert changed
    assert [family(t, Random(3)) for t in changed] == [family(t, Random(3)) for t in changed]
    assert family("", Random(3)) == ""
    assert family.name == name
    assert family.keeps == (not family.note)


def test_no_family_draws_from_the_generator_of_the_process() -> None:
    import random

    random.seed(5)
    before = random.getstate()
    for family in FAMILIES.values():
        family(PROMPT, Random(1))
    assert random.getstate() == before


def test_those_that_change_the_meaning_say_so() -> None:
    assert {name for name, family in FAMILIES.items() if not family.keeps} == {"shuffled", "negated", "visual_text"}
    assert "contrary" in FAMILIES["negated"].note


@pytest.mark.parametrize(
    ("name", "text", "made"),
    [
        ("romanise_cyrillic", "Щука у реки", "Shhuka u reki"),
        ("romanise_kana", "ねこと カメラ", "nekoto kamera"),
        ("emoji_words", "two dogs and a camera", "two 🐕 and a 📷"),
        ("synonyms", "Horses on a hill", "Steeds on a mound"),
    ],
)
def test_words_by_hand(name: str, text: str, made: str) -> None:
    assert FAMILIES[name](text, Random(1)) == made


def test_what_stands_around_a_prompt_leaves_it_whole() -> None:
    for name in ("junk_prefix", "junk_suffix", "negated", "visual_text", "prompt_switch"):
        for text in (PROMPT, *OTHERS):
            assert text in FAMILIES[name](text, Random(2))
    assert FAMILIES["junk_prefix"](PROMPT, Random(2)).endswith(PROMPT)
    assert FAMILIES["negated"]("女の子 と ねこ", Random(2)).startswith("女の子")


def test_code_mixing_leaves_the_words_that_carry_the_meaning() -> None:
    mixed = FAMILIES["code_mixed"](PROMPT, Random(1))
    assert all(word in mixed for word in ("portrait", "painter", "dogs", "yellow", "umbrella", "bridge"))
    assert not any(f" {word} " in mixed for word in ("of", "the", "with", "and"))
    assert sorted(FAMILIES["shuffled"](PROMPT, Random(1)).split()) == sorted(PROMPT.split())


def test_the_thesaurus_is_in_order_and_goes_both_ways() -> None:
    assert ordered(FILE.read_text("utf-8")) == FILE.read_text("utf-8")
    table = synonyms()
    assert len(table) > 300
    assert all(word in table[other] for word, others in table.items() for other in others)


@pytest.mark.parametrize(
    ("text", "says"), [("alone\n", "is alone"), ("a b\nb c\n", "stands twice"), ("Red blue\n", "small letters")]
)
def test_a_thesaurus_that_is_wrong_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ordered(text)


def test_the_training_scripts_keep_the_families_that_they_had() -> None:
    from benchmarks.attacks import FAMILIES as TRAINED

    assert len(TRAINED) == 31
    assert all(family.keeps for family in TRAINED.values())
