"""Which prompts are disguised, with which letters: the same in two runs as far as they caught the same ones."""

from __future__ import annotations

from guardrail.bench.data import BENIGN, BLOCK, Row
from guardrail.bench.robustness import chosen, copies

ROWS = [Row(f"a jar of honey, number {i}", "", BLOCK, "en", "", "", "", f"r{i}", f"d:{i}") for i in range(60)]


def taken(missed: set[int], most: int = 20, seed: int = 1) -> dict[str, dict[str, str]]:
    """Name of a row → name of its copy → text."""
    answered = [
        (row, {"action": "allow" if i in missed else "block", "cause": "unread" if i == 59 else ""})
        for i, row in enumerate(ROWS)
    ]
    made: dict[str, dict[str, str]] = {}
    for copy in copies(chosen(answered, most, seed)[0], 3, seed):
        if copy is not None:
            made.setdefault(copy.of, {})[copy.row.id] = copy.row.text
    return made


def test_two_runs_attack_the_same_prompts_with_the_same_letters() -> None:
    first = taken(set())
    assert len(first) == 20
    assert list(first) == sorted(first, key=lambda name: int(name[1:]))
    gone = {int(name[1:]) for name in list(first)[:3]} | {0, 1, 2, 3}
    second = taken(gone)
    assert len(second) == 20
    kept = set(first) - {f"r{i}" for i in gone}
    assert kept <= set(second)
    assert all(first[name] == second[name] for name in kept)


def test_another_seed_attacks_others_and_what_was_not_caught_is_not_attacked() -> None:
    assert set(taken(set())) != set(taken(set(), seed=2))
    everything = taken({5}, most=1_000)
    assert len(everything) == 58
    assert not {"r5", "r59"} & set(everything)
    assert taken(set(), most=0) == {}


def test_harmless_prompts_need_not_have_been_stopped() -> None:
    rows = [(row._replace(role=BENIGN), {"action": "allow", "cause": ""}) for row in ROWS[:5]]
    caught, harmless = chosen(rows, 3, 1)
    assert (len(caught), len(harmless)) == (0, 3)


def test_a_disguise_that_changes_no_word_makes_no_copy() -> None:
    def made(text: str) -> set[str]:
        row = ROWS[0]._replace(text=text)
        answered = [(row, {"action": "block", "cause": ""})]
        return {copy.row.attack for copy in copies(chosen(answered, 1, 1)[0], 0, 1) if copy is not None}

    # No word to name a file by; no space inside; no letter that has a wide form.
    assert "lora" not in made("🌊🌊")
    assert "glued" not in made(" lighthouse ")
    assert "fullwidth" not in made("등대.")
    assert {"lora", "glued", "fullwidth", "dotted"} <= made("a lighthouse, 8k")
    assert all(
        copy.row.text.strip()
        for copy in copies(chosen([(ROWS[0], {"action": "block", "cause": ""})], 1, 1)[0], 3, 1)
        if copy
    )
