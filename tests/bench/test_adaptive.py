"""The adaptive attack on guards whose rule stands in the test: every success can be followed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardrail.bench.adaptive import AdaptivePlan, measure
from guardrail.bench.adaptive_search import ALLOWED, Answer, Search, search, similarity, words_of
from guardrail.bench.files import DataError
from guardrail.bench.headline import headline
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, read_samples
from tests.bench.scripted import WORD, rows_file, scripted
from tests.cli.said import running

PROMPT = f"a jar of {WORD} stands beside the window"
BLOCK = Answer(2)


class Guard:
    """Stops what has all of `words` in it; counts what it is asked."""

    def __init__(self, stops: Callable[[str], bool], score: Callable[[str], float] = lambda text: 0.0) -> None:
        self.asked: list[str] = []
        self._stops, self._score = stops, score

    def __call__(self, text: str) -> Answer:
        self.asked.append(text)
        return Answer(2 if self._stops(text) else ALLOWED, self._score(text))


def test_a_wording_is_found_and_every_query_is_counted() -> None:
    guard = Guard(lambda text: WORD in text)
    found = search(PROMPT, BLOCK, guard, Search(200, 0.5), "1")
    assert found.broken_at == 1  # the longest word is left out first
    assert found.kept_at is not None
    assert found.kept_at > len(words_of(PROMPT))  # all words are ranked first
    assert found.asked == len(guard.asked) == len(set(guard.asked)) == found.kept_at
    assert WORD not in found.text
    assert "deleted" not in found.kinds
    assert found.similarity == pytest.approx(1 - len(WORD) / 36)
    assert search(PROMPT, BLOCK, Guard(lambda text: WORD in text), Search(200, 0.5), "1") == found
    others = {search(PROMPT, BLOCK, Guard(lambda text: WORD in text), Search(200, 0.5), str(s)).text for s in range(9)}
    assert len(others) > 1


@pytest.mark.parametrize("most", [1, 7, 60])
def test_no_more_is_asked_than_allowed_and_what_holds_is_told_as_held(most: int) -> None:
    guard = Guard(lambda text: True)
    found = search(PROMPT, BLOCK, guard, Search(most, 0.5), "1")
    assert (found.broken_at, found.kept_at, found.text) == (None, None, "")
    assert found.asked == len(guard.asked) == most


def test_steps_that_move_nothing_add_up_where_only_decisions_are_told() -> None:
    guard = Guard(lambda text: WORD in text or "window" in text)
    found = search(PROMPT, BLOCK, guard, Search(600, 0.3), "1")
    assert found.kept_at is not None
    assert WORD not in found.text
    assert "window" not in found.text


def test_a_score_leads_to_a_wording_sooner() -> None:
    words = [w for w in PROMPT.split() if len(w) > 3]

    def score(text: str) -> float:
        return sum(w in text for w in words) / len(words)

    def stops(text: str) -> bool:
        return score(text) > 0.4

    blind, told = (
        [search(PROMPT, Answer(2, s), Guard(stops, f), Search(400, 0.2), str(seed)).kept_at or 401 for seed in range(5)]
        for s, f in ((0.0, lambda text: 0.0), (1.0, score))
    )
    assert sum(told) < sum(blind)


def test_a_wording_that_is_too_far_from_the_prompt_is_no_success() -> None:
    words = words_of(PROMPT)
    assert similarity(PROMPT, words, {}) == 1
    assert similarity(PROMPT, words, {3: None}) == pytest.approx(27 / 36)
    for prompt in (WORD, f"{WORD}!", "🍑 !!"):
        assert search(prompt, BLOCK, Guard(lambda text: WORD in text), Search(50, 0.5), "1").broken_at is None


def test_words_of_scripts_without_spaces_come_in_twos() -> None:
    def cut(text: str) -> list[str]:
        return [text[a:b] for a, b in words_of(text)]

    assert cut("안녕 세상, big day") == ["안녕", "세상", "big", "day"]
    assert cut("红色房子 x") == ["红色", "房子", "x"]
    assert cut("नमस्ते") == ["नमस्ते"]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AdaptivePlan]:
    rows = [
        {"text": f"a jar of {WORD} number {i} beside the window", "label": "sexual", "lang": "en"} for i in range(3)
    ]
    rows += [{"text": "s=0.95", "label": "nudity", "lang": "xx"}]
    rows += [{"text": text, "label": "sexual"} for text in ("a boat", "broken")]
    rows += [{"text": f"{WORD} for breakfast", "label": "benign"}]
    data = rows_file(tmp_path / "d.jsonl", rows)
    policy = str(scripted(monkeypatch, tmp_path))
    return lambda **options: AdaptivePlan([data], policy, **{"rows": 9, "queries": 40, **options})


def figure(run: Run, key: str) -> tuple[int | None, int]:
    (found,) = [m for m in run.measures if m.key == key]
    return found.count, found.n


def test_figures_by_hand(plan: Callable[..., AdaptivePlan], tmp_path: Path) -> None:
    run = measure(plan(out=tmp_path))
    assert figure(run, "drawn_stopped_rate") == (4, 5)
    assert not any(m.name == "stop_rate" for m in run.measures)  # the drawing stops by what was decided
    assert figure(run, "not_checked_rate") == (1, 6)
    # The prompt of one word has nothing in it that could change and leave half of it as it was.
    assert figure(run, "adaptive_success_rate[edits=any, queries=40]") == (3, 4)
    assert figure(run, "adaptive_success_rate[edits=no deletion, queries=40]") == (3, 4)
    assert figure(run, "adaptive_success_rate[lang=xx, edits=any, queries=40]") == (0, 1)
    assert figure(run, "adaptive_success_rate[label=sexual, edits=any, queries=40]") == (3, 3)
    (median,) = [m for m in run.measures if m.key == "adaptive_median_queries[edits=any]"]
    # No direction: where fewer than half fall, which is best, there is no value, and a gate would take that for a loss.
    assert (median.value, median.n, median.unit, median.better) == (1.0, 4, "queries", "")
    curve = run.curves["success, any"]
    assert [point[:2] for point in curve] == [[1.0, 0.75], [40.0, 0.75]]
    assert "4 that were stopped as they came; 9 were asked for" in dict(run.told)["prompts attacked"]
    assert run.figures[0].lines[0].y[-1] == 75
    short = headline(run)
    assert short is not None
    assert [row[0] for row in short.rows] == [
        "stopped as they came",
        "stopped, and an allowed wording found: edits any, queries 40",
        "stopped, and an allowed wording found: edits no deletion, queries 40",
        "could not be checked",
    ]
    assert {row[1] for row in run.sheets[0].rows} == {"4 †"}
    assert "no claim" in run.sheets[0].note
    assert "commit" in dict(run.told)["date"]
    held = [s for s in read_samples(tmp_path / FILE)[1] if s["outcome"] == "held"]
    assert [(s["asked"], s["label"]) for s in held] == [(1, "nudity")]
    assert not (tmp_path / FILE).read_text("utf-8").count("window")


def test_a_killed_run_goes_on_to_the_same_figures(
    plan: Callable[..., AdaptivePlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure(plan(out=tmp_path))
    samples = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / FILE).write_bytes(b"".join(samples[:3]) + b'{"id":"cut')
    again = measure(plan(out=tmp_path))
    assert (again.measures, again.curves) == (whole.measures, whole.curves)
    assert len((tmp_path / FILE).read_bytes().splitlines()) == len(samples)
    with pytest.raises(DataError, match="another run"):
        measure(plan(out=tmp_path, queries=41))
    monkeypatch.setattr("guardrail.bench.run.environment.source", lambda: "another")
    with pytest.raises(DataError, match="another run"):
        measure(plan(out=tmp_path))


def test_prompts_are_written_only_where_asked_for(plan: Callable[..., AdaptivePlan], tmp_path: Path) -> None:
    run = measure(plan(out=tmp_path, keep_text=True, rows=2))
    assert run.texts
    taken = read_samples(tmp_path / FILE)[1]
    won = [s for s in taken if s["outcome"] == "allowed"]
    assert won
    assert all(WORD in s["text"] and WORD not in s["found"] for s in won)


def test_the_command(plan: Callable[..., AdaptivePlan], capsys: pytest.CaptureFixture[str]) -> None:
    given = plan()
    run = running(capsys, "bench", "adaptive", "--data", str(given.data[0]), "--policy", given.policy)
    said = run("--rows", 1, "--queries", 30, "--score", "--json")
    assert (said.code, said.json["attack"]["told"]) == (0, "decision and score")
    assert run("--similarity", 1.5).code == 2
    none = run("--block", "person")
    assert none.code == 2
    assert "--block" in none.err
