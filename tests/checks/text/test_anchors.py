"""What is read off a pattern, and that it holds for every pattern of the lists."""

from __future__ import annotations

import re
from random import Random

import pytest

from guardrail.checks.text.anchors import anchors
from guardrail.checks.text.tokens import is_unspaced
from guardrail.checks.text.wordlists import languages, load_list
from tests.checks.text.strings import drawn, least_width

KINDS = ("sexual", "minors", "relations", "references", "roles", "clothing", "adults", "fictional")


@pytest.mark.parametrize(
    ("pattern", "strings"),
    [
        ("naked", {" naked "}),
        ("naked|nude", {" naked ", " nude "}),
        ("shirts?", {" shirt ", " shirts "}),
        ("(?:take|pull) off", {" take off ", " pull off "}),
        ("(?:her |his )?robe", {" robe ", " her robe ", " his robe "}),
        (r"undress\w*", {" undress"}),
        (r"\w+ing bath", {"ing bath "}),
        (r"the \w+ bathrobe", {" bathrobe "}),  # the rarer one
        (r"(?:\w+ ){0,3}bathrobe", {" bathrobe "}),  # whatever comes before ends with a space
        (r"bathrobe(?: \w+){1,2}", {" bathrobe "}),
        (r"(?:bathrobe\w*|nightgown)", {" bathrobe", " nightgown "}),
        (r"my (?:bath|night)\w*", {" my bath", " my night"}),
        (r"(?:bathrobe\w)+x", {" bathrobe"}),
        (r"(?<!no )robe(?! of)", {" robe "}),
        (r"[ab]c", {" ac ", " bc "}),
        (r"bath[a-z]gowns", {"gowns "}),
        (r"t\.co", {" t.co "}),
        (r"\u0061b", {" ab "}),
        (r"robe{2}s", {" rob"}),
        (r"a{0,1}b", {" b ", " ab "}),
    ],
)
def test_of_words(pattern: str, strings: set[str]) -> None:
    assert anchors(pattern, words=True) == strings


@pytest.mark.parametrize(
    ("pattern", "strings"),
    [
        ("裸体", {"裸体"}),
        ("裸[体體]", {"裸体", "裸體"}),
        ("脱(?:掉|下)?衣服", {"脱衣服", "脱掉衣服", "脱下衣服"}),
        ("脱[^,。]{0,4}衣服", {"衣服"}),
        ("(?<![가-힣])누드", {"누드"}),
    ],
)
def test_of_characters(pattern: str, strings: set[str]) -> None:
    assert anchors(pattern, words=False) == strings


@pytest.mark.parametrize(
    "pattern",
    [
        r"\w+",
        "(?:robe)?",
        "robe|",
        "(?:robe)*",
        "(?i)robe",
        "(?P<x>robe)",
        r"(robe) \1",
        r"robe\n",
        "(?>robe)",
        "a|.",
        " ",
    ],
)
def test_none_where_nothing_is_known(pattern: str) -> None:
    assert anchors(pattern, words=True) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_match_of_a_listed_pattern_has_one(kind: str) -> None:
    rng = Random(5)
    matched = 0
    for language in languages(kind):
        words = load_list(kind, language)
        for source in [p for section in words.sections if section.pattern for p in section.lines] + [*words.exempt]:
            spaced = not is_unspaced(source)
            strings = anchors(source, words=spaced)
            # A pattern that is run over every text costs every text; say here which one has to be.
            assert strings is not None, source
            # What matches nothing cannot be told from the first of several patterns (`Patterns.ranges`).
            assert least_width(source) > 0
            pattern = re.compile(rf"(?<![^ ])(?:{source})(?![^ ])" if spaced else source)
            for _ in range(4):
                text = " ".join(drawn(source, rng).split()) if spaced else drawn(source, rng)
                for match in pattern.finditer(text):
                    around = f" {match[0]} " if spaced else match[0]
                    assert any(string in around for string in strings), (source, text)
                    matched += 1
    assert matched > 10
