"""A report of ``guardrail bench marks`` as tables of text, the same for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardrail.bench.run.environment import written_date
from guardrail.bench.run.measures import FEW
from guardrail.bench.tables import Sheet, counted, explained, share

__all__ = ["mark_facts", "mark_sheets", "run_lines"]


NUMBERED = ("folders", "numbered in the order of their names, which may be of people; --keep-names names them")


def mark_sheets(report: Mapping[str, Any]) -> list[Sheet]:
    """Every table that has something to show."""
    rows = report["rows"]
    made = [_quality(rows), _times(rows), _time_aims(rows), _targets(rows, report["aims"]), _side_by_side(rows)]
    made += [_conditions(row, report["aims"]) for row in rows]
    made += [_groups(row) for row in rows if row["checked"]]
    return [explained(sheet) for sheet in made if sheet.rows]


def mark_facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was measured, with what and where, as (name, value)."""
    of = report["pictures"]
    kinds = ", ".join(f"{n} {group}" for group, n in of["groups"].items())
    facts = [("pictures", f"{of['chosen']:,} of {of['there']:,} there: {kinds}")]
    if any(group.startswith("folder ") for group in of["groups"]):
        facts.append(NUMBERED)
    facts += [(name, why) for name, why in {**report["not_installed"], **report["not_measured"]}.items()]
    return [*facts, *run_lines(report["run"])]


def run_lines(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Machine, command, date."""
    busy = "" if run["load"] is None else f"; load average {run['load']:.1f} before it began"
    took = "" if run["seconds"] is None else f", {run['seconds'] / 60:.1f} minutes"
    return [
        ("machine", run["machine"] + busy),
        ("command", run["command"]),
        ("date", written_date(run) + took),
    ]


def title_of(row: Mapping[str, Any]) -> str:
    return f"{row['method']}, {row['size']} px"


def _quality(rows: Sequence[Mapping[str, Any]]) -> Sheet:
    head = ("method", "size", "n", "bits", "PSNR", "lowest", "SSIM", "lowest", "JND, %", "highest", "false")
    made = []
    for row in rows:
        q = row["quality"]
        cells: tuple[str, ...] = ("–",) * 6
        if q is not None:
            p, s, j = q["psnr"], q["ssim"], q["just_noticeable"]
            cells = (
                *(f"{v:.2f}" for v in (p["mean"], p["worst"])),
                *(f"{v:.4f}" for v in (s["mean"], s["worst"])),
                *(f"{100 * v:.2f}" for v in (j["mean"], j["worst"])),
            )
        claims = "–"
        if row["checked"]:
            claims = str(sum(n for of in (row["unmarked"], row["other_key"]) for v, n in of.items() if v != "none"))
        made.append((row["method"], row["size"], counted(row["n"]), str(row["bits"]), *cells, claims))
    note = (
        "PSNR in dB. JND: pixels whose luma changes by more than the just-noticeable difference of Chou and Li. "
        "False: marks claimed on the unmarked pictures, and on marked ones with another key."
    )
    return Sheet("Quality", head, tuple(made), note, words=2)


def _times(rows: Sequence[Mapping[str, Any]]) -> Sheet:
    made = tuple(
        (row["method"], row["size"], name, f"{ms['processor']:.1f}", f"{ms['wall']:.1f}", _a_minute(name, ms))
        for row in rows
        for name, ms in row["ms"].items()
    )
    note = (
        "Medians, one call a picture. Processor time counts all threads; wall time is longer on a busy machine. "
        "A minute: how many pictures two cores read by the fast path, from the processor time."
    )
    return Sheet("Time, ms", ("method", "size", "what", "processor", "wall", "a minute"), made, note, words=3)


def _a_minute(name: str, ms: Mapping[str, float]) -> str:
    return f"{2 * 60e3 / ms['processor']:,.0f}" if name.startswith("fast") and ms["processor"] > 0 else ""


# Processor ms on one core at 512 and at 1024 pixels, and how much of one layout's time a further one may take.
_TIME_AIMS = {"embed": (15.0, 35.0), "fast, unmarked, one layout": (12.0, 12.0), "full search, unmarked": (300.0, None)}
_FURTHER_SHARE = 0.3


def _time_aims(rows: Sequence[Mapping[str, Any]]) -> Sheet:
    made = []
    for row in rows:
        at = {"512": 0, "1024": 1}.get(row["size"])
        if not row["checked"] or at is None or not row["ms"]:
            continue
        ms = {name: of["processor"] for name, of in row["ms"].items()}
        asked = [(name, ms.get(name), aims[at]) for name, aims in _TIME_AIMS.items()]
        one = ms.get("fast, unmarked, one layout")
        if one and row["layouts"] > 1:
            each = (ms["fast, unmarked"] - one) / (row["layouts"] - 1)
            asked.append(("each further layout", each, _FURTHER_SHARE * one))
        for name, value, aim in asked:
            if value is not None and aim is not None:
                met = "too few pictures to say" if row["n"] < FEW else "yes" if value <= aim else "no"
                made.append((row["method"], row["size"], name, f"{value:.1f}", f"{aim:.1f}", counted(row["n"]), met))
    head = ("method", "size", "what", "processor ms", "at most", "n", "met")
    return Sheet("Time aims", head, tuple(made), "Medians of processor time, all threads together.", words=3)


def _targets(rows: Sequence[Mapping[str, Any]], aims: Mapping[str, float | None]) -> Sheet:
    """Conditions of which more is asked than was reached."""
    made = []
    for row in rows:
        if not row["checked"]:
            continue
        asked = {name: aim for name, aim in aims.items() if aim is not None}
        missed = [n for n, aim in asked.items() if row["conditions"][n]["exact"]["rate"] < aim]
        words = ", ".join(f"{n} {100 * row['conditions'][n]['exact']['rate']:.1f} %" for n in missed) or "none"
        made.append(
            (row["method"], row["size"], words, f"{len(asked) - len(missed)} of {len(asked)}", counted(row["n"]))
        )
    return Sheet("Aims", ("method", "size", "below its aim", "met", "n"), tuple(made), words=3)


def _side_by_side(rows: Sequence[Mapping[str, Any]]) -> Sheet:
    """The share of whole payloads read, all methods, at the first size of each."""
    size = rows[0]["size"] if rows else ""
    shown = [row for row in rows if row["size"] == size]
    names = list(shown[0]["conditions"]) if len(shown) > 1 else []
    made = tuple((name, *(f"{row['conditions'][name]['exact']['rate']:.2f}" for row in shown)) for name in names)
    head = ("condition", *(f"{row['method']} (n = {counted(row['n'])})" for row in shown))
    note = (
        "Share of pictures whose whole payload is read exactly. Without a check, a payload is right or wrong by luck."
    )
    return Sheet(f"Side by side, {size} px", head, made, note)


def _conditions(row: Mapping[str, Any], aims: Mapping[str, float | None]) -> Sheet:
    ours = row["checked"]
    last = ("wrong", "marked", "statistic, lowest", "mean") if ours else ("bits right", "errors")
    made = []
    for name, cell in row["conditions"].items():
        if ours:
            s = cell["statistic"]
            found = (f"{s['lowest']:.1f}", f"{s['mean']:.1f}") if s else ("–", "–")
            end: tuple[str, ...] = (str(cell["wrong"]), str(cell["marked"]), *found)
        else:
            right = cell["bit_accuracy"]
            end = ("–" if right is None else f"{right:.2f}", str(sum(cell["errors"].values())))
        aim = aims.get(name)
        asked = "" if aim is None else f"{100 * aim:.0f}"
        ms = "–" if cell["read_ms"] is None else f"{cell['read_ms']:.0f}"
        made.append((name, counted(cell["exact"]["of"]), share(cell["exact"]), asked, *end, ms))
    head = ("condition", "n", "whole payload, % (95 %)", "aim", *last, "ms")
    note = "Wilson intervals. Wrong: another payload was read. Marked: the mark was seen, its payload not read."
    return Sheet(title_of(row), head, tuple(made), note if ours else "Wilson intervals.", brief=ours)


def _groups(row: Mapping[str, Any]) -> Sheet:
    """By kind of picture, only conditions that some picture fails."""
    names = [n for n, c in row["conditions"].items() if c["exact"]["rate"] < 1]
    columns = {**row["groups"], "not enlarged": row["not_enlarged"]}
    made = tuple((n, *(f"{columns[g][n]['count']} of {counted(columns[g][n]['of'])}" for g in columns)) for n in names)
    return Sheet(f"{title_of(row)}: by kind of picture", ("condition", *columns), made, brief=False)
