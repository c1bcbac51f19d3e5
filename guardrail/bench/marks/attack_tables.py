"""A report of ``guardrail bench marks --attacks`` as tables of text, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.bench.marks.tables import NUMBERED, run_lines
from guardrail.bench.statistics import Rate
from guardrail.bench.tables import Sheet, counted, explained, share

__all__ = ["attack_facts", "attack_sheets"]

_TITLES = {
    "genuine": ("Genuine marks", "What happens to pictures anyway."),
    "forge": ("Forging", "Pictures that were never marked. Forged: some payload is read in them."),
    "remove": ("Removing", "Marked pictures. Read: a payload still is. Seen: at least the mark is, or a payload."),
    "confuse": ("Confusing", "Marked pictures. Another: a payload is read that the first mark did not have."),
}


def attack_sheets(report: Mapping[str, Any]) -> list[Sheet]:
    """One table for each goal of an attacker."""
    made = (_copied(report), *(_sheet(report, goal) for goal in _TITLES))
    return [explained(sheet) for sheet in made if sheet.rows]


def _copied(report: Mapping[str, Any]) -> Sheet:
    """Whether copies are told from genuine marks, of those that were read at all."""
    made = []
    for goal, names in (
        ("genuine", ("genuine",)),
        ("forge", ("copy from one natural picture", "copy from a flat cover")),
    ):
        for name in names:
            rows = [r for r in report["rows"] if r["goal"] == goal and r["attack"] == name and r["bindings"]]
            read = sum(r["payload"]["count"] for r in rows)
            if not read:
                continue
            cells = []
            for word in ("copied", "genuine", "not checkable"):
                rate = Rate(sum(r["bindings"].get(word, 0) for r in rows), read)
                cells.append(share(rate.to_json()))
            made.append((name, counted(read), *cells))
    note = (
        "All ways together, of marks that were read. Asked for: of copies 90 % copied, of genuine ones at most 1 %. "
        "Several ways of one picture are not independent: the intervals are too narrow by as much."
    )
    return Sheet(
        "Copied or genuine", ("marks", "read", "copied, %", "genuine, %", "not checkable, %"), tuple(made), note
    )


def _sheet(report: Mapping[str, Any], goal: str) -> Sheet:
    title, note = _TITLES[goal]
    first = {"forge": "forged, %", "confuse": "another, %"}.get(goal, "read, %")
    made = []
    for row in report["rows"]:
        if row["goal"] != goal:
            continue
        main = row["foreign"] if goal == "confuse" else row["payload"]
        said = ", ".join(f"{n} {word}" for word, n in row["bindings"].items()) or "–"
        quality = "–" if row["psnr"] is None else f"{row['psnr']['mean']:.1f} ({row['psnr']['lowest']:.1f})"
        asked = f"{row['queries']:,.0f}" if row["queries"] else "–"
        made.append(
            (
                row["attack"],
                row["how"],
                row["system"],
                counted(row["n"]),
                share(main),
                share(row["any"]),
                f"{row['statistic']:.1f}",
                said,
                quality,
                asked,
            )
        )
    head = ("attack", "how", "system", "n", first, "seen, %", "statistic", "binding", "PSNR (lowest)", "questions")
    note += " PSNR in dB against the picture before the attack; binding: what the system says of mark and picture."
    return Sheet(title, head, tuple(made), note, words=3)


def attack_facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was attacked, with what and where, as (name, value)."""
    of = report["pictures"]
    kinds = ", ".join(f"{n} {group}" for group, n in of["groups"].items())
    facts = []
    refused = sum(row["refused"] for row in report["rows"])
    if refused:
        facts += [("refused", f"in {refused} trials a picture was not marked, since its mark could not be read back")]
    return [
        *facts,
        ("mark", f"{report['asked_db']:g} dB asked for, {report['size']} px"),
        ("pictures", f"{of['victims']:,} attacked ({kinds}), {of['others']:,} others"),
        *([NUMBERED] if any(group.startswith("folder ") for group in of["groups"]) else []),
        *run_lines(report["run"]),
    ]
