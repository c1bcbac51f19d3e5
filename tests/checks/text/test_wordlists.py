"""The format of the word lists: what a line means, and what is said about a line that means nothing."""

from __future__ import annotations

import pytest

from guardrail.checks.text.lexicon import Lexicon
from guardrail.checks.text.normalise import plain, read
from guardrail.checks.text.wordlists import (
    common_words,
    expand,
    languages,
    listed_words,
    load_list,
    name_words,
    parse_list,
)
from guardrail.errors import ConfigurationError

KINDS = ("adults", "clothing", "fictional", "minors", "relations", "sexual")


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("word", ["word"]),
        ("word(s)", ["word", "words"]),
        ("wor(d|k)", ["word", "work"]),
        ("word(|s|ed)", ["word", "words", "worded"]),
        ("a(b)c(d|e)", ["acd", "ace", "abcd", "abce"]),
    ],
)
def test_brackets_in_terms(term: str, words: list[str]) -> None:
    assert expand(term) == words


def test_a_list() -> None:
    words = parse_list(
        "test.en.txt",
        """
        # a comment
        [strong 0.90]
        alpha(s)
        [about 0.60 0.25]
        beta
        [act 0.80 pattern]
        gamma <greek>
        [macro greek]
        (?:delta|
        epsilon)
        [context]
        school
        [exempt]
        alpha centauri
        """,
    )
    assert [(s.name, s.weight, s.lowered, s.pattern, s.lines) for s in words.sections] == [
        ("strong", 0.9, 0.9, False, ("alpha", "alphas")),
        ("about", 0.6, 0.25, False, ("beta",)),
        ("act", 0.8, 0.8, True, ("gamma (?:delta|epsilon)",)),
    ]
    assert words.context == ("school",)
    assert words.exempt == ("alpha centauri",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("word", "x.txt:1: a term stands before the first [section]"),
        ("\n[Strong 0.9]", "x.txt:2: [Strong 0.9] is no section; one looks like [name 0.90] or [exempt]"),
        ("[strong 0.9", "x.txt:1: [strong 0.9 is no section; one looks like [name 0.90] or [exempt]"),
        ("[strong]", "x.txt:1: [strong] needs a weight over 0 and up to 1, and may have a second one that is lower"),
        ("[s 1.5]", "x.txt:1: [s] needs a weight over 0 and up to 1, and may have a second one that is lower"),
        ("[s 0.3 0.6]", "x.txt:1: [s] needs a weight over 0 and up to 1, and may have a second one that is lower"),
        ("[s nan]", "x.txt:1: [s] needs a weight over 0 and up to 1, and may have a second one that is lower"),
        ("[s high]", "x.txt:1: [s …] takes numbers and the word pattern"),
        ("[s 0.5]\nword(s", "x.txt:2: 'word(s': brackets in a term come in pairs and not in each other"),
        ("[s 0.5]\nw((o)rd)", "x.txt:2: 'w((o)rd)': brackets in a term come in pairs and not in each other"),
        (
            "[s 0.5 pattern]\na\nb(",
            "x.txt:3: pattern 'b(': missing ), unterminated subpattern at position 1",
        ),
        ("[exempt]\n[a-", "x.txt:2: [a- is no section; one looks like [name 0.90] or [exempt]"),
        ("[exempt]\n*a", "x.txt:2: pattern '*a': nothing to repeat at position 0"),
        ("[exempt]\nred <thing>", "x.txt:2: no [macro thing] in this file"),
        ("[macro A]\nx", "x.txt:1: [macro NAME] takes one name of small letters"),
        ("[macro a b]\nx", "x.txt:1: [macro NAME] takes one name of small letters"),
        ("[macro a]\nx)", "x.txt:1: pattern 'x)': unbalanced parenthesis at position 1"),
    ],
)
def test_a_line_that_means_nothing_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_list("x.txt", text)
    assert str(error.value) == message


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_list_can_be_read(kind: str) -> None:
    assert languages(kind)
    for language in languages(kind):
        assert load_list(kind, language).name == f"{kind}.{language}.txt"


@pytest.mark.parametrize("kind", ["sexual", "minors", "relations"])
def test_the_five_languages_are_there(kind: str) -> None:
    assert {"en", "es", "ja", "ko", "zh"} <= set(languages(kind))


def _reachable(term: str) -> bool:
    """Whether a text that is nothing but the term finds it: a term that cannot be found is a mistake in the list."""
    lexicon = Lexicon([parse_list("x", f"[s 0.9]\n{term}")])
    typed = term.removeprefix("^").removesuffix("$")
    return bool(lexicon.hits(read(typed))[0])


@pytest.mark.parametrize("kind", ["sexual", "minors"])
def test_every_term_can_be_found(kind: str) -> None:
    terms = [
        term
        for language in languages(kind)
        for section in load_list(kind, language).sections
        if not section.pattern
        for term in section.lines
    ]
    assert len(terms) > 300
    assert [t for t in terms if not _reachable(t)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_patterns_are_written_over_canonical_text(kind: str) -> None:
    # An accent or a capital in a pattern never matches: the text that it is held against has none.
    wrong = [
        (words.name, pattern)
        for words in (load_list(kind, language) for language in languages(kind))
        for pattern in (*words.exempt, *(p for s in words.sections if s.pattern for p in s.lines))
        if any(plain(c).text != c for c in pattern if c.isalpha() and not c.isascii() and plain(c).text.isascii())
    ]
    assert wrong == []


def test_words_that_other_modules_cut_by() -> None:
    assert {"house", "sea", "a"} <= common_words()
    assert "nude" in listed_words()
    assert not any(len(w) < 4 for w in listed_words() | name_words())
