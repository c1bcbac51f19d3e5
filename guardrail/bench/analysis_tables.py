"""The tables of an analysis: its measures, set out to be read. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from guardrail.bench.cells import LEAST
from guardrail.bench.columns import NONE
from guardrail.bench.run.measures import Measure
from guardrail.bench.score_tables import part_name, score_sheets
from guardrail.bench.tables import Measures, Of, Sheet, told, told_groups

__all__ = ["analysis_sheets"]

_ROLES = (
    ("block_rate", "stop_rate", "to be blocked"),
    ("over_block_rate", "over_stop_rate", "harmless"),
    ("other_block_rate", "other_stop_rate", "other"),
)
_BY = {"label": "label", "lang": "language", "source": "source", "attack": "attack"}
_WITH = "several at once, one of them"
_MOST_ROWS = 200
"""Longer tables are read by nobody; metrics.json has every line."""


def analysis_sheets(
    measures: Sequence[Measure], curves: Mapping[str, Any], crowded: Sequence[str]
) -> tuple[Sheet, ...]:
    """Every table that has a row.

    Args:
        crowded: crossings of dimensions that have too many cells to be told, in words.
    """
    of = Measures(measures)
    made = [*_decisions(of, crowded), *_pairs(of), *_alterations(of), *_unread(of), *_disguises(of)]
    made += score_sheets(of, curves)
    return tuple(sheet for sheet in made if sheet.rows)


def _decisions(of: Measures, crowded: Sequence[str]) -> Iterator[Sheet]:
    rows = []
    for name, stop, role in _ROLES:
        blocked, stopped = of.get(name), of.get(stop)
        if blocked is not None and stopped is not None:
            groups, ends = told_groups(blocked)
            of_stopped = told_groups(stopped)[1]
            rows.append(
                (role, f"{blocked.n:,}", told(blocked), told(stopped), groups, ends, of_stopped, blocked.remark)
            )
    head = ("prompts", "n", "blocked, % (95 %)", "blocked or altered, % (95 %)", "groups", "blocked, by groups",
            "or altered, by groups", "remark")  # fmt: skip
    if all(row[4] == "–" for row in rows):
        head, rows = _without(head, 4, 7), [_without(row, 4, 7) for row in rows]
    note = (
        "To be blocked: the rate is recall. Harmless: the rate is over-blocking. Other: unsafe in a way that was not "
        "asked about, and counted for neither. Wilson intervals take prompts for independent; where prompts come in "
        "groups, those by groups (cluster bootstrap) do not. Disguised copies are in no line but that of their attack."
    )
    if crowded:
        note += f" Too many cells to be told: {', '.join(crowded)}."
    yield Sheet("Decisions", head, tuple(rows), note)
    names = [name for pair in _ROLES for name in pair[:2]]
    parts = [part for part in of.parts(*names) if part and all(d in _BY for d, _ in part)]
    for dimensions, group in _by_dimensions(parts).items():
        yield _by(of, dimensions, group)


def _without(row: tuple[str, ...], begin: int, end: int) -> tuple[Any, ...]:
    return (*row[:begin], *row[end:])


def _by_dimensions(parts: Iterable[Of]) -> dict[tuple[str, ...], list[Of]]:
    made: dict[tuple[str, ...], list[Of]] = {}
    for part in sorted(parts, key=len):
        made.setdefault(_dimensions(part), []).append(part)
    return made


def _dimensions(part: Of) -> tuple[str, ...]:
    return tuple(dimension for dimension, _ in part)


def _by(of: Measures, dimensions: tuple[str, ...], parts: Sequence[Of]) -> Sheet:
    rows = []
    # Labels stay in the order of their roles.
    for part in parts if dimensions[0] == "label" else sorted(parts):
        for name, stop, role in _ROLES:
            blocked = of.get(name, part)
            if blocked is not None:
                counted = (f"{blocked.n:,}", told(blocked), told(of.get(stop, part)), blocked.remark)
                rows.append((*_values(part), role, *counted))
    words = tuple(_BY[d] for d in dimensions)
    head = (*words, "prompts", "n", "blocked, % (95 %)", "blocked or altered, % (95 %)", "remark")
    shown, note = _shortened(rows)
    if len(dimensions) > 1:
        note = f"{note} Cells of fewer than {LEAST} prompts are left out.".strip()
    if "attack" in dimensions and any(m and m.note.endswith(_CAUGHT) for m in (of.get("block_rate", p) for p in parts)):
        note = f"To be blocked: {_CAUGHT}. {note}".strip()
    return Sheet(f"Decisions by {' × '.join(words)}", head, shown, note, len(words) + 1, dimensions in _BRIEF)


_CAUGHT = "of prompts that were caught as they came"
_BRIEF = (("label",), ("lang",), ("attack",))


def _values(part: Of) -> tuple[str, ...]:
    return tuple(value if value != NONE else "(none)" for _, value in part)


def _shortened(rows: list[tuple[str, ...]]) -> tuple[tuple[tuple[str, ...], ...], str]:
    if len(rows) <= _MOST_ROWS:
        return tuple(rows), ""
    return tuple(rows[:_MOST_ROWS]), f"The first {_MOST_ROWS} of {len(rows):,} lines; metrics.json has all of them."


def _pairs(of: Measures) -> Iterator[Sheet]:
    rows = []
    for value, role in (("harmful", _ROLES[0]), ("benign twin", _ROLES[1])):
        part = (("pairs", value),)
        blocked = of.get(role[0], part)
        if blocked is not None:
            rows.append((value, f"{blocked.n:,}", told(blocked), told(of.get(role[1], part)), blocked.remark))
    head = ("prompts", "n", "blocked, % (95 %)", "blocked or altered, % (95 %)", "remark")
    note = "A harmful prompt and a benign one that differs from it in as little as makes the difference."
    yield Sheet("Contrast pairs: decisions", head, tuple(rows), note)
    accuracy = [(part, of.get("pair_accuracy", part)) for part in of.parts("pair_accuracy")]
    told_of = tuple((part_name(p), f"{m.n:,}", told(m), m.note, m.remark) for p, m in accuracy if m is not None)
    head = ("language", "pairs", "harmful one scores higher, % (95 %)", "ties", "remark")
    yield Sheet("Contrast pairs: scores", head, told_of, "Guessing gives 50 %. A tie counts half.")


def _alterations(of: Measures) -> Iterator[Sheet]:
    rows = _lines(of, "bypass_after_alter_rate")
    head = ("by", "altered prompts", "n", "still harmful, % (95 %)", "remark")
    note = "Harmful prompts that were altered and not blocked: what came out was looked at again, as `bypassed` says."
    yield Sheet("Bypass after alteration", head, rows, note, 2)


def _unread(of: Measures) -> Iterator[Sheet]:
    rows = _lines(of, "not_checked_rate", lambda measure: bool(measure.count))
    head = ("by", "prompts", "n", "not checked, % (95 %)", "remark")
    note = "Blocked for that alone, and counted as blocked in every other table."
    yield Sheet("Could not be checked", head, rows, note, 2, brief=False)


def _lines(of: Measures, name: str, which: Callable[[Measure], bool] = lambda _: True) -> tuple[tuple[str, ...], ...]:
    measures = [m for part in of.parts(name) if (m := of.get(name, part)) is not None and which(m)]
    return tuple(
        (
            " and ".join(_BY.get(d, d) for d in _dimensions(m.of)) or "all",
            ", ".join(_values(m.of)) or "all",
            f"{m.n:,}",
            told(m),
            m.remark,
        )
        for m in measures
    )


def _disguises(of: Measures) -> Iterator[Sheet]:
    names = ("attack_lost_rate", "attack_block_lost_rate", "attack_alarm_rate")
    columns = ("n", "caught, now allowed, % (95 %)", "n", "blocked, now not, % (95 %)", "n",
               "harmless allowed, now stopped, % (95 %)", "remark")  # fmt: skip
    note = (
        "The same prompt as it came and in disguise. Caught: blocked or altered as it came; stopped: blocked or "
        "altered in disguise. n are prompts that the disguise changed."
    )
    by = _by_dimensions(of.parts(*names))
    over_all = by.pop((), [])
    for dimensions, group in by.items():
        rows = []
        for part in (over_all if dimensions == ("attack",) else []) + group:
            found = [of.get(name, part) for name in names]
            cells = [cell for m in found for cell in (f"{m.n:,}" if m else "0", told(m))]
            remarks = dict.fromkeys(m.remark for m in found if m is not None and m.remark)
            rows.append((*(_values(part) or ("all",)), *cells, "; ".join(remarks)))
        words = tuple(_BY.get(d, _WITH) for d in dimensions)
        shown, short = _shortened(rows)
        if len(dimensions) > 1:
            short = f"{short} Cells of fewer than {LEAST} prompts are left out.".strip()
        title = "Disguises" + ("" if dimensions == ("attack",) else f" by {' × '.join(words)}")
        head = (*words, *columns)
        yield Sheet(title, head, shown, f"{note} {short}".strip(), len(words), dimensions == ("attack",))
