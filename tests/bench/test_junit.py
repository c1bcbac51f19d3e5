"""JUnit XML that CI services read, whatever the names are."""

from __future__ import annotations

from xml.etree import ElementTree

from guardrail.bench.junit import Case, cases_of, junit
from tests.bench.made_run import HOSTILE, made

CASES = [
    Case("a", "one", seconds=1.5),
    Case(f"b {HOSTILE}", "one", failure=f"fell\nfrom 1 to 0 {HOSTILE}\x00", told="n = 3"),
    Case("c", "two\n", skipped="not run"),
]


def test_cases_are_counted_and_read_back() -> None:
    root = ElementTree.fromstring(junit(CASES).encode())
    counts = ("tests", "failures", "errors", "skipped", "time")
    assert [root.get(name) for name in counts] == ["3", "1", "0", "1", "1.500"]
    one, two = root
    assert [one.get(name) for name in counts] == ["2", "1", "0", "0", "1.500"]
    assert two.get("name") == "two\n"
    failed = one[1]
    assert failed.get("name") == f"b {HOSTILE}"
    assert failed[0].get("message") == f"fell\nfrom 1 to 0 {HOSTILE}\ufffd"
    assert failed[1].text == "n = 3"
    assert two[0][0].get("message") == "not run"


def test_a_run_alone_judges_nothing_and_skips_what_was_not_measured() -> None:
    run = made()
    cases = cases_of(run)
    assert len(cases) == len([m for m in run.measures if m.better]) + len(run.not_run)
    assert not [c for c in cases if c.failure]
    assert {c.name: c.skipped for c in cases if c.skipped} == {
        "bypass_after_alter_rate": "nothing was altered",
        "auroc[lang=tr]": "one kind is absent",
        "Qwen3Guard": "not run: no folder given",
        HOSTILE: f"not run: {HOSTILE}",
    }
    assert ElementTree.fromstring(junit(cases).encode()).get("tests") == str(len(cases))
