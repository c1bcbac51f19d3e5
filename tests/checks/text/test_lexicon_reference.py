"""The fast lexicon finds what the plain one finds: the same hits in the same order, with the same context."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.text.lexicon import Lexicon, tokens_of
from guardrail.checks.text.normalise import plain, read
from guardrail.checks.text.wordlists import languages, load_list, own_list, parse_list
from tests.checks.text.slow_lexicon import SlowLexicon
from tests.checks.text.strings import drawn

sys.path.insert(0, str(Path(__file__).parent.parent.parent.parent / "training" / "prompts"))

import grammar as grammars

KINDS = ("sexual", "minors", "relations", "references", "roles", "clothing", "adults", "fictional")
NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"


@lru_cache(maxsize=len(KINDS))
def both(kind: str) -> tuple[Lexicon, SlowLexicon]:
    lists = [load_list(kind, language) for language in languages(kind)]
    return Lexicon(lists), SlowLexicon(lists)


def agree(kind: str, texts: Iterable[str]) -> int:
    """Compares both and gives how many hits there were."""
    fast, slow = both(kind)
    count = 0
    for text in texts:
        views = read(text)
        hits, context = fast.hits(views)
        assert (hits, context) == slow.hits(views), text
        tokens = tokens_of(views[0])
        assert list(fast.exempted(tokens)) == list(slow.exempted(tokens)), text
        count += len(hits)
    return count


@pytest.mark.parametrize("kind", ["sexual", "minors", "relations"])  # no row has a role
def test_rows_of_the_grammars(kind: str) -> None:
    texts = []
    for language in grammars.languages():
        grammar = grammars.Grammar(language)
        step = 1 if NIGHTLY else max(1, len(grammar.templates) // 60)
        texts += [grammar.draw(template, Random(i)) for i, template in enumerate(grammar.templates[::step])]
    assert len(texts) > 900
    assert agree(kind, texts) > 50


@pytest.mark.parametrize("kind", KINDS)
def test_collected_prompts(kind: str, shared: Path) -> None:
    path = shared / "data" / "prompts" / "devtest.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    agree(kind, Random(1).sample(texts, 6000 if NIGHTLY else 400 if kind == "sexual" else 150))


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_texts_made_of_what_patterns_and_exemptions_match(kind: str) -> None:
    rng = Random(7)
    texts = []
    for language in languages(kind):
        words = load_list(kind, language)
        sources = [p for section in words.sections if section.pattern for p in section.lines] + list(words.exempt)
        for source in sources:
            texts.append(drawn(source, rng))
        terms = [t.strip("^$") for section in words.sections if not section.pattern for t in section.lines]
        for _ in range(40 if NIGHTLY else 10):
            some = [drawn(p, rng) for p in rng.sample(sources, min(3, len(sources)))]
            some += rng.sample(terms, min(3, len(terms)))
            rng.shuffle(some)
            texts.append(rng.choice((" ", "", ", ")).join(some))
    assert agree(kind, texts) > 20 or kind == "fictional"


@lru_cache(maxsize=1)
def vocabulary() -> list[str]:
    """Words of all lists, and what joins them."""
    rng = Random(11)
    words = {" ", ",", ". ", "-", "a", "of", "the", "in", "her", "my"}
    for kind in KINDS[:4]:
        for language in languages(kind):
            for section in load_list(kind, language).sections:
                for line in rng.sample(section.lines, min(6, len(section.lines))):
                    words.update((drawn(line, rng) if section.pattern else line.strip("^$")).split(" "))
    return sorted(words)


@settings(max_examples=3000 if NIGHTLY else 80, deadline=None)
@given(data=st.data())
def test_words_of_the_lists_in_any_order(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(vocabulary()), max_size=12))
    text = data.draw(st.sampled_from((" ", "", " , "))).join(words)
    for kind in ("sexual", "minors", "relations", "roles"):
        agree(kind, [text])


WORDS = ["a", "the", "not", "naked", "strip", "tease", ",", "museum"]
WORDS += ["裸", "体", "裸体", "누드", "가슴노출", "가슴", "체육", "교육"]
SIGNS = """
[strong 0.90]
naked
strip tease
naked naked
裸
裸体
^누드
가슴 노출
[act 0.80 pattern]
(?<!not )naked
(?<! )naked tease
^strip
strip$
(?<![^a])tease(?! naked)
(?:a|the)?(?:\\w+ )*tease
na(?:ked)+
裸+体?
(?<!裸)体
[context]
museum
체육 교육
[exempt]
naked naked
naked
(?<!a )tease naked
体(?=裸)
裸体
"""


@settings(max_examples=2000 if NIGHTLY else 100, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=9))
def test_patterns_at_the_edges_of_a_text(words: list[str]) -> None:
    lists = [parse_list("x", SIGNS), own_list([("strip naked", 0.9)], ["tease strip"])]
    views = [plain(" ".join(words))]
    assert Lexicon(lists).hits(views) == SlowLexicon(lists).hits(views)
