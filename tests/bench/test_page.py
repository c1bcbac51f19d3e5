"""The page: one file, a policy that allows its own style and script alone, and names that stay text."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from guardrail.bench import page as pages
from guardrail.bench.drawing import Drawn, drawn
from guardrail.bench.headline import MEASURED, headline
from guardrail.bench.page import page
from guardrail.bench.run.figures import Figure, Points
from guardrail.bench.run.measures import Measure
from guardrail.bench.run.record import Run
from tests.bench.made_run import HOSTILE, made

FIGURE = Figure("one", f"Plot {HOSTILE}", "x (%)", "", points=(Points("p", (HOSTILE,), (1.0,)),), caption="n = 1")


class _Page(HTMLParser):
    """Tags of a page, which of them are open at its end, and its texts by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.raw: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open:
            self.raw.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def run() -> Run:
    return replace(made(texts=True), figures=(FIGURE,))


@pytest.fixture(scope="module")
def text(run: Run) -> str:
    return page(run, drawn(run.figures))


def test_only_the_style_and_the_script_of_the_page_are_allowed(text: str) -> None:
    shown = _Page(text)
    assert shown.open == []
    assert (shown.tags.count("script"), shown.tags.count("style")) == (1, 1)
    assert not {"link", "img", "iframe", "object", "base", "form"} & set(shown.tags)
    assert not [name for name, _ in shown.attributes if name.startswith("on") or name in ("src", "style")]
    links = [value for name, value in shown.attributes if name == "href" and value]
    ids = {value for name, value in shown.attributes if name == "id"}
    assert links
    assert all(link[0] == "#" and link[1:] in ids for link in links)
    policy = next(value for name, value in shown.attributes if value and value.startswith("default-src 'none'"))
    for tag in ("style", "script"):
        (inside,) = shown.raw[tag]
        digest = b64encode(sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert "@import" not in inside
        assert "url(" not in inside
    assert "unsafe" not in policy


def test_everything_of_the_run_is_on_the_page(run: Run, text: str) -> None:
    shown = _Page(text)
    for sheet in run.sheets:
        assert sheet.title in shown.words
        assert {cell for row in sheet.rows for cell in row if cell} <= set(shown.words)
    short = headline(run)
    assert short is not None
    rows = sum(len(sheet.rows) + 1 for sheet in (short, *run.sheets)) + len(run.measures) + 1
    assert shown.tags.count("tr") == rows
    assert shown.tags.count("svg") == 1
    assert f"Plot {HOSTILE}" in shown.words
    assert {"Known, and did not run", "Qwen3Guard", "no folder given", "Limits of these figures"} <= set(shown.words)
    assert any("results.jsonl holds them" in word for word in shown.words)
    assert HOSTILE not in text
    assert page(run, drawn(run.figures)) == text


def test_a_run_without_prompts_does_not_warn_of_them(run: Run) -> None:
    assert "results.jsonl holds" not in page(replace(run, texts=False, figures=()), Drawn({}))


def test_plots_that_could_not_be_drawn_are_said_to_be_left_out(run: Run) -> None:
    told = page(run, Drawn({}, "Drawing needs matplotlib: pip install it"))
    assert "<p>Plots are left out. Drawing needs matplotlib: pip install it.</p>" in told
    assert "<svg" not in told


def test_of_very_many_figures_the_first_are_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_MOST_FIGURES", 10)
    few = replace(run, sheets=(), figures=())
    told = page(few, Drawn({}))
    assert told.partition('id="figures"')[2].count("<tr>") == 11
    assert f"The first 10 of {len(run.measures)}; metrics.json has all." in told
    assert "<details>" not in told


def test_what_was_found_comes_before_with_what(run: Run) -> None:
    told = page(replace(run, figures=()), Drawn({}))
    places = [told.index(text) for text in ("<h1>", "In short", "to be blocked, and blocked", MEASURED, "Contents")]
    assert places == sorted(places)
    short = headline(run)
    assert short is not None
    assert [row[:3] for row in short.rows][:2] == [
        ("to be blocked, and blocked", "93.67 % (91.88–95.08)", "900"),
        ("to be blocked, and blocked or altered", "95.33 % (93.75–96.53)", "900"),
    ]
    assert len(short.rows) == 6  # neither of a part nor without a value
    named = headline(replace(run, headline=("block_rate[lang=ko]", "gone")))
    assert named is not None
    assert [row[0] for row in named.rows] == ["to be blocked, and blocked: lang ko"]
    bare = replace(run, measures=run.measures[8:], figures=())
    assert headline(bare) is None
    assert MEASURED not in page(bare, Drawn({}))


def test_a_column_of_long_texts_is_set_as_text(run: Run, text: str) -> None:
    heads = re.findall(r"<th scope=\"col\"( class=\"[iw]\")?>([^<]+)</th>", text)
    assert (' class="w"', "remark") in heads
    assert (' class="i"', "value (95 %)") in heads
    assert ("", "n") in heads
    few = replace(run, measures=(Measure("block_rate", value=0.5, n=4, better="higher"),), sheets=(), figures=())
    assert '<th scope="col" class="w">remark</th>' in page(few, Drawn({}))  # 4 samples are too few for a claim
