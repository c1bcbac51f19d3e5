"""Reports on watermarks as runs: figures, tables, plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardrail.bench.marks.attack_tables import attack_facts, attack_sheets
from guardrail.bench.marks.tables import mark_facts, mark_sheets, title_of
from guardrail.bench.run.environment import environment
from guardrail.bench.run.figures import Figure, Points
from guardrail.bench.run.measures import Better, Measure, of_rate
from guardrail.bench.run.record import Run
from guardrail.bench.statistics import Rate
from guardrail.bench.tables import Sheet

__all__ = ["attacks_run", "marks_run"]

_PACKAGES = ("invisible-watermark", "blind-watermark", "opencv-python-headless")
_UNITS = {"psnr": "dB", "ssim": "index", "just_noticeable": "share of pixels"}


def marks_run(report: Mapping[str, Any]) -> Run:
    """What survives what, at which quality."""
    return Run(
        "marks",
        "Watermarks",
        {**_facts(report), "data": {"files": _data(report["pictures"])}},
        tuple(m for row in report["rows"] for m in _measures(row)),
        timing={"seconds": report["run"]["seconds"], "ms": {title_of(row): row["ms"] for row in report["rows"]}},
        told=tuple(mark_facts(report)),
        sheets=tuple(mark_sheets(report)),
        figures=tuple(_figure(i, row, report["aims"]) for i, row in enumerate(report["rows"]) if row["checked"]),
        not_run={**report["not_installed"], **report["not_measured"]},
    )


def _facts(report: Mapping[str, Any]) -> dict[str, Any]:
    run = report["run"]
    facts = environment(run["command"], workers=run.get("jobs", 1), also=_PACKAGES)
    return {**facts, "date": run["date"], "commit": run["commit"], "load": run["load"], "pictures": report["pictures"]}


def _data(pictures: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": group, "rows": rows, "sha256": pictures.get("sha256", {}).get(group, "")}
        for group, rows in pictures["groups"].items()
    ]


def _measures(row: Mapping[str, Any]) -> Iterator[Measure]:
    ours = row["checked"]
    of = {"method": row["method"], "size": row["size"]}
    up: Better = "higher" if ours else ""
    for name, cell in row["conditions"].items():
        yield of_rate("exact_rate", _rate(cell["exact"]), up, condition=name, **of)
    for name, spread in (row["quality"] or {}).items():
        better: Better = ("lower" if name == "just_noticeable" else "higher") if ours else ""
        yield Measure(name, tuple(of.items()), spread["mean"], row["n"], better=better, unit=_UNITS[name])
    if ours:
        # Not the false-positive rate, which is far below what so few pictures can show.
        for what in ("unmarked", "other_key"):
            verdicts = row[what]
            n = sum(verdicts.values())
            yield of_rate("false_claim_rate", Rate(n - verdicts.get("none", 0), n), "lower", pictures=what, **of)


def _rate(told: Mapping[str, Any]) -> Rate:
    return Rate(int(told["count"]), int(told["of"]))


def _figure(number: int, row: Mapping[str, Any], aims: Mapping[str, float | None]) -> Figure:
    asked = [(name, cell["exact"]) for name, cell in row["conditions"].items() if aims.get(name) is not None]
    points = Points(
        row["method"],
        tuple(name for name, _ in asked),
        tuple(100 * exact["rate"] for _, exact in asked),
        tuple(100 * exact["interval_95"][0] for _, exact in asked),
        tuple(100 * exact["interval_95"][1] for _, exact in asked),
    )
    title = f"Payloads read: {title_of(row)}"
    caption = f"Whole payload read exactly, n = {row['n']} pictures, Wilson intervals at 95 %."
    return Figure(
        f"marks-{number}", title, "pictures (%)", "condition", points=(points,), x_limits=(0, 100), caption=caption
    )


def attacks_run(report: Mapping[str, Any]) -> Run:
    """What an attacker reaches."""
    return Run(
        "mark-attacks",
        "Attacks on the watermark",
        _facts(report),
        tuple(m for row in report["rows"] for m in _attack(row)),
        timing={"seconds": report["run"]["seconds"]},
        told=tuple(attack_facts(report)),
        sheets=tuple[Sheet, ...](attack_sheets(report)),
    )


def _attack(row: Mapping[str, Any]) -> Iterator[Measure]:
    """Of the watermark, and of the watermark together with its content tag. Genuine marks ought to be read, forged ones
    not; what survives removal is told, since each attack has a price in quality that the table gives."""
    of = {"attack": row["attack"], "how": row["how"], "system": row["system"], "goal": row["goal"]}
    better: Better = {"genuine": "higher", "forge": "lower", "confuse": "lower", "remove": ""}[row["goal"]]  # type: ignore[assignment]
    main = row["foreign"] if row["goal"] == "confuse" else row["payload"]
    yield of_rate("payload_rate", _rate(main), better, **of)
    for word, n in row["bindings"].items():
        yield of_rate("binding_rate", Rate(n, row["payload"]["count"]), binding=word, **of)
