"""The grammars that the classifier's rows come from: their format, and the rule that no row joins minors with anything
sexual."""

import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "training" / "prompts"))

import grammar as grammars  # noqa: E402 — after the path is set

from guardrail.checks.text.minors import MinorTextCheck  # noqa: E402
from guardrail.media import Request, TextInput  # noqa: E402
from guardrail.signals import Stage  # noqa: E402

LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "pt", "ru", "th", "tr", "vi", "zh")


def test_there_is_one_for_each_language() -> None:
    assert tuple(grammars.languages()) == LANGUAGES


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_template_draws_and_every_label_has_rows(lang: str) -> None:
    grammar = grammars.Grammar(lang)
    counts: Counter[str] = Counter()
    for template in grammar.templates:
        row = grammar.draw(template, Random(1))
        assert row
        assert not set("{}|") & set(row), template.where
        assert row == grammar.draw(template, Random(1))
        counts.update(template.labels)
    assert set(counts) == {*grammars.LABELS, "benign"}
    assert min(counts.values()) >= 20, counts


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_row_joins_minors_with_anything_sexual(lang: str) -> None:
    grammar = grammars.Grammar(lang)
    check = MinorTextCheck()
    for template in grammar.templates:
        if not template.labels & grammars.NEVER_WITH_MINORS:
            continue
        for seed in range(2):
            row = grammar.draw(template, Random(seed))
            (found,) = check.check([Request(texts=(TextInput(row),))], Stage.PROMPT)
            assert found.signals["prompt.minor"] < 0.5, f"{template.where}: a word of childhood beside a sexual one"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[rows sexual minor-context]\nx\n", "never joined"),
        ("[rows lewd]\nx\n", "unknown labels"),
        ("[rows benign]\na {thing}\n", "no slot"),
        ("[slot a]\n{a}\n[rows benign]\n{a}\n", "hold each other"),
    ],
)
def test_a_broken_grammar_is_refused(text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "en.txt").write_text(text, "utf-8")
    monkeypatch.setattr(grammars, "FOLDER", tmp_path)

    def drawn() -> str:
        grammar = grammars.Grammar("en")
        return grammar.draw(grammar.templates[0], Random(1))

    with pytest.raises(ValueError, match=why):
        drawn()
