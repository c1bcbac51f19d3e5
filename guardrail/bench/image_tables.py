"""A report of ``guardrail bench images`` as tables of text, the same for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.bench.tables import Sheet, share

__all__ = ["image_facts", "image_sheets"]

_TITLES = {"all": "All pictures", "folder": "By folder", "category": "By category"}


def image_sheets(report: Mapping[str, Any]) -> list[Sheet]:
    """Every table that has something to show."""
    made: list[Sheet] = []
    limits = ", ".join(f"{name} {value:.2f}" for name, value in report["thresholds"].items())
    for by, title in _TITLES.items():
        rows = tuple(
            (r["group"] or "all", r["measure"], f"{r['found']['count']:,}", f"{r['found']['of']:,}", share(r["found"]))
            for r in report["rates"]
            if r["by"] == by
        )
        note = f"Wilson intervals; they take pictures for independent. Thresholds: {limits}." if by == "all" else ""
        made.append(Sheet(title, ("pictures", "measure", "count", "n", "% (95 %)"), rows, note, words=2))
    times = tuple(
        (name, f"{t['p50']:.1f}", f"{t['p95']:.1f}", f"{100 * t['share']:.1f} %")
        for name, t in report["processor_ms"].items()
    )
    note = "Of one picture at a time; processor time, which a busy machine lengthens less than wall time."
    made.append(Sheet("Processor time, ms", ("stage", "p50", "p95", "share"), times, note))
    names = tuple((kind, path) for kind, paths in report["shown"].items() for path in paths)
    made.append(Sheet("Files", ("kind", "file"), names, "Named because --show asked for it.", words=2))
    return [sheet for sheet in made if sheet.rows]


def image_facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was measured, with what and where, as (name, value)."""
    run, data = report["run"], report["data"]
    checks = [
        f"{e['check']} {e['version']}"
        + (f" ({', '.join(f'{n} {h[:16]}' for n, h in e['weights'].items())})" if e["weights"] else "")
        for e in report["effective"]
    ]
    causes = "; ".join(f"{n:,} {cause}" for cause, n in report["could_not_be_checked"].items()) or "none"
    of = f"{data['chosen']:,}" + (f" (of {data['pictures']:,} there)" if data["pictures"] != data["chosen"] else "")
    facts = [
        ("checks", "; ".join(checks)),
        ("data", "; ".join(data["folders"])),
        ("pictures measured", f"{data['measured']:,} of {of}, {data['described']:,} with a face count"),
        ("could not be checked", causes),
        (
            "machine",
            run["machine"] + ("" if run["load"] is None else f"; load average {run['load']:.1f} before it began"),
        ),
        ("command", run["command"]),
        ("date", f"{run['date']}, guardrail {run['guardrail']}"),
    ]
    if not data["described"]:
        why = "no csv says how many faces the pictures measured show (columns file and n_faces)"
        facts.insert(3, ("no rates of faces missed or wrongly found", why))
    if report["not_measured"]:
        facts.insert(1, ("not measured", "; ".join(f"{n}: {e}" for n, e in report["not_measured"].items())))
    return facts
