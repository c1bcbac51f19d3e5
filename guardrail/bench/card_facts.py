"""What run.json says of a run, for its system card: components, policy, data, times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrail.bench.layout import Columns
from guardrail.bench.quoting import file_name, rows, told
from guardrail.bench.report import plain, table
from guardrail.bench.run.record import Run
from guardrail.bench.tables import Sheet
from guardrail.weights import CATALOGUE

__all__ = ["called", "components", "data", "latency", "policies"]

_LISTED = ("descriptions", "files", "folders")
_UNITS = {"ms": "ms", "us": "µs", "s": "s", "mb": "MB", "mib": "MiB"}
_NO_UNIT = ("share", "calls")  # stand among times, and are none
_LONG = 40  # characters of an entry that has a line of its own


def components(facts: Mapping[str, Any]) -> list[str]:
    """Checks with their models, packages, and the lists by their number: their hashes fill pages."""
    made: list[tuple[str, ...]] = [
        ("guardrail", told(facts.get("guardrail")), "–", "Apache-2.0", told(facts.get("commit")))
    ]
    licences = {w.sha256: w.licence for w in CATALOGUE.values()}
    for check in rows(facts.get("checks")):
        name, version = str(check.get("check", check.get("name", "–"))), told(check.get("version"))
        weights = check.get("weights") or check.get("models") or {}
        if not weights:
            made.append((name, version, "–", "Apache-2.0, if part of guardrail", told(check.get("sha256"))))
        for file, digest in weights.items() if isinstance(weights, Mapping) else ():
            licence = licences.get(str(digest)) or "not known here: [fill in]"
            made.append((name, version, file, licence, told(digest)))
    for name, version in dict(facts.get("packages") or {}).items():
        made.append((name, told(version), "–", "see the package", "–"))
    sheet = Sheet("", ("component", "version", "model file", "licence", "sha256 or commit"), tuple(made), words=5)
    lists = [one for one in rows(facts.get("lists")) if "name" in one]
    entries = sum(int(one.get("entries") or 0) for one in lists)
    shown = []
    if lists:
        count = f"{len(lists):,} files with {entries:,} entries"
        shown = ["", f"Word and name lists, Apache-2.0: {count}. run.json has the sha256 of each, under lists."]
    if not any(rows(facts.get("checks"))):
        shown = ["", "run.json names no checks: which models took part is not known from this run.", *shown]
    return [*table(sheet), *shown]


def policies(facts: Mapping[str, Any]) -> list[str]:
    found = list(rows(facts.get("policies") or facts.get("policy")))
    if not found:
        return ["run.json names no policy."]
    lines = []
    for one in found:
        lines.append(
            f"- **{plain(told(one.get('id', one.get('name'))))}** {plain(told(one.get('version')))}, "
            f"sha256 {told(one.get('sha256'))}"
        )
        if one.get("thresholds"):
            lines.append(f"  - thresholds: {plain(told(one['thresholds']))}")
        if one.get("rules"):
            names = one["rules"]
            lines.append(f"  - {len(names)} rules: {plain(', '.join(map(str, names)))}")
    return lines


def data(facts: Mapping[str, Any]) -> list[str]:
    """Descriptions, files, and how they were read. Of paths only the last part."""
    given = facts.get("data")
    lists: list[Any] = [given]
    rest: dict[str, Any] = {}
    if isinstance(given, Mapping):  # files, their descriptions, and what was done with them
        lists = [given[name] for name in _LISTED if given.get(name)]
        rest = {name: value for name, value in given.items() if name not in _LISTED}
    lines = []
    for one in (one for of in lists for one in rows(of)):
        lines.append(f"- **{plain(file_name(told(one.get('name', one.get('path')))))}**")
        for name, value in one.items():
            if name not in ("name", "path"):
                lines += _entry(called(name), value, 1)
    for name, value in rest.items():
        lines += _entry(name, _moved(value), 0) if name == "columns" else _entry(called(name), value, 0)
    if not lines:
        return ["run.json describes no data."]
    people = "People in the data (demographics, consent): what the descriptions above say; else not known."
    return [*lines, "", people]


def _entry(name: str, value: Any, depth: int) -> Iterator[str]:
    """One line; or one for each part, where parts in one line could not be told apart. Nothing of what is empty."""
    if value in (None, "", [], {}, ()):
        return
    head = f"{'  ' * depth}- {plain(name)}:"
    parts: Sequence[Any] = () if isinstance(value, str) or not isinstance(value, Sequence) else value
    if isinstance(value, Mapping):
        yield head
        for key, one in value.items():
            yield from _entry(str(key), one, depth + 1)
    elif any("," in told(one) or ";" in told(one) or len(told(one)) > _LONG for one in parts):
        yield head
        yield from (f"{'  ' * (depth + 1)}- {plain(told(one))}" for one in parts)
    else:
        yield f"{head} {plain(told(value))}"


def _moved(columns: Any) -> Any:
    """The columns that are not where they usually are, in words; by suite, where these read others."""
    if not isinstance(columns, Mapping):
        return columns
    if any(isinstance(of, Mapping) for of in columns.values()):
        return {suite: _moved(of) for suite, of in columns.items()}
    usual = Columns().to_json()
    moved = [
        f"{field} from column {name}" if name else f"{field} not used"
        for field, name in columns.items()
        if usual.get(field) != name
    ]
    return ", ".join(moved)


def called(dimension: str) -> str:
    """A key in words."""
    return "language" if dimension == "lang" else dimension.replace("_", " ")


def latency(run: Run) -> list[str]:
    if not run.timing:
        return ["Not measured in this run."]
    leaves = tuple((_words(path), _value(path, value)) for path, value in _leaves((), run.timing))
    note = f"On {told(run.facts.get('machine'))}. Times differ from run to run."
    return [plain(note), "", *table(Sheet("", ("what", "value"), leaves))]


def _leaves(path: tuple[str, ...], given: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(given, Mapping):
        for name, value in given.items():
            yield from _leaves((*path, str(name)), value)
    elif isinstance(given, Sequence) and not isinstance(given, str):
        for at, value in enumerate(given, 1):
            yield from _leaves((*path, str(at)), value)
    elif given is not None:
        yield path, given


def _unit(name: str) -> tuple[str, str]:
    """``latency_ms`` → ("latency", "ms"); ``ms`` → ("", "ms"); a rate such as ``prompts_per_s`` keeps its name."""
    stem, _, end = name.rpartition("_")
    return (stem, _UNITS[end]) if end in _UNITS and not stem.endswith("per") else (name, "")


def _words(path: tuple[str, ...]) -> str:
    return ", ".join(called(stem) for stem, _ in map(_unit, path) if stem)


def _value(path: tuple[str, ...], value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    units = [unit for _, unit in map(_unit, path) if unit]
    numeric = isinstance(value, int | float)
    if numeric and path[-1] == "share":
        return f"{100 * value:.1f} %"
    return f"{told(value)} {units[-1]}" if numeric and units and path[-1] not in _NO_UNIT else told(value)
