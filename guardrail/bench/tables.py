"""A report as tables of text, the same for the terminal, Markdown and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Sheet", "facts", "share", "sheets"]

_ROLES = {"block": "to be blocked", "benign": "harmless", "other": "other"}
_BY = {"all": "all", "label": "label", "source": "source", "lang": "language", "attack": "attack"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: the first `words` columns are text, the others figures. `brief`: the terminal shows it too."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: int = 1
    brief: bool = True


def sheets(report: Mapping[str, Any]) -> list[Sheet]:
    """Every table of a report that has something to show."""
    made = [*_rates(report["rates"]), *_scores(report["scores"])]
    if report["attacks"]:
        made += _attacks(report["attacks"])
    if report.get("against"):
        made += _against(report["against"])
    if report["shown"]:
        made += _shown(report["shown"])
    return [sheet for sheet in made if sheet.rows]


def facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was measured, with what and where, as (name, value)."""
    run, policy, data = report["run"], report["policy"], report["data"]
    ms, cpu = run["latency_ms"], run["processor_ms"]
    busy = "" if run["load"] is None else f"; load average {run['load']:.1f} before it began"
    core = "on one core" if run["one_core"] else "not held to one core: this system does not offer that"
    checks = [
        f"{e['check']} {e['version']}"
        + (f" ({', '.join(f'{n} {h[:16]}' for n, h in e['weights'].items())})" if e["weights"] else "")
        for e in report["effective"]
    ]
    labels = "; ".join(f"{_ROLES[role]}: {', '.join(names)}" for role, names in data["labels"].items() if names)
    return [
        ("policy", f"{policy['id']} {policy['version']}, sha256 {policy['sha256']}"),
        ("checks", "; ".join(checks)),
        ("data", "; ".join(f"{f['name']} ({f['rows']:,} rows, sha256 {f['sha256']})" for f in data["files"])),
        ("rows measured", f"{data['measured']:,} of {data['rows']:,}"),
        ("labels", labels),
        ("could not be checked", _causes(report["could_not_be_checked"])),
        (
            "latency",
            f"p50 {ms['p50']:.2f} ms, p95 {ms['p95']:.2f} ms, p99 {ms['p99']:.2f} ms; "
            f"{run['prompts_per_s']:,.0f} prompts/s one at a time, {core}",
        ),
        ("processor time", f"p50 {cpu['p50']:.2f} ms, p95 {cpu['p95']:.2f} ms, p99 {cpu['p99']:.2f} ms a prompt"),
        ("machine", run["machine"] + busy),
        ("command", run["command"]),
        ("date", f"{run['date']}, guardrail {run['guardrail']}"),
    ]


def _causes(causes: Mapping[str, int]) -> str:
    if not causes:
        return "none"
    return "; ".join(f"{n:,} {cause}" for cause, n in causes.items()) + " (blocked for that, and counted as blocked)"


def share(rate: Mapping[str, Any] | None) -> str:
    """``12.3 % (10.1–14.9)``: the share and its interval at 95 %, in percent; a dash where there was no row."""
    if rate is None:
        return "–"
    low, high = rate["interval_95"]
    return f"{100 * rate['rate']:.2f} % ({100 * low:.2f}–{100 * high:.2f})"


def _rates(rates: Sequence[Mapping[str, Any]]) -> Iterator[Sheet]:
    head = ("rows", "n", "blocked, % (95 %)", "blocked or altered, % (95 %)", "not checked")
    for by, title in _BY.items():
        rows = []
        for r in rates:
            if r["by"] == by:
                name = _ROLES[r["role"]] if by == "all" else f"{r['of'] or '(none)'}, {_ROLES[r['role']]}"
                n = f"{r['n']:,}" + (f" in {r['groups']:,} groups" if r.get("groups") else "")
                rest = f"{r['could_not_be_checked']:,}"
                rows.append((name, n, share(r["blocked"]), share(r["blocked_or_altered"]), rest))
        note = ""
        if by == "all":
            note = (
                "To be blocked: the rate is recall. Harmless: the rate is over-blocking. Other: unsafe in a way that "
                "was not asked about, and counted for neither. Wilson intervals; they take rows for independent, which "
                "rows of one group are not."
            )
        yield Sheet("Decisions" if by == "all" else f"Decisions by {title}", head, tuple(rows), note)


def _scores(scores: Mapping[str, Any]) -> Iterator[Sheet]:
    by = scores["by_language"]
    name = scores["signal"]
    areas = []
    for one in by:
        area = one["auroc"]
        shown = (
            f"{area['value']:.4f} ({area['interval_95'][0]:.4f}–{area['interval_95'][1]:.4f})"
            if area is not None
            else "–"
        )
        areas.append((one["lang"], f"{one['positives']:,}", f"{one['negatives']:,}", shown, f"{one['brier']:.4f}"))
    without = f"{scores['without_score']:,} rows have no score and are left out." if scores["without_score"] else ""
    note = f"How well {name} orders the rows (DeLong intervals), and how far it is from 0 and 1 (Brier). {without}"
    head = ("language", "to be blocked", "harmless", "AUROC (95 %)", "Brier")
    yield Sheet(f"Score: {name}", head, tuple(areas), note.strip())

    points = [
        (one["lang"], p["threshold"], f"{p['limit']:.3f}", share(p["recall"]), share(p["false_alarms"]))
        for one in by
        for p in one["operating_points"]
    ]
    head = ("language", "threshold", "limit", "recall, % (95 %)", "false alarms, % (95 %)")
    note = f"Where the policy's own thresholds on {name} stand. The decision has other rules as well."
    yield Sheet("Thresholds of the policy", head, tuple(points), note, words=2)

    sweep = [
        (
            one["lang"],
            f"≤ {100 * s['target']:g} %",
            "none" if s["limit"] is None else f"{s['limit']:.4f}",
            share(s["recall"]),
            share(s["false_alarms"]),
        )
        for one in by
        for s in (one.get("sweep", ()) if one["auroc"] else ())
    ]
    head = ("language", "false alarms wanted", "threshold", "recall, % (95 %)", "false alarms, % (95 %)")
    note = "The lowest threshold that kept to it on these rows. On rows it was chosen on, a threshold looks its best."
    yield Sheet("Thresholds by false alarms", head, tuple(sweep), note, words=1)

    binned: list[tuple[str, ...]] = [
        (f"{b['from']:.1f}–{b['to']:.1f}", f"{b['positive']['of']:,}", f"{b['mean_score']:.3f}", share(b["positive"]))
        for one in by[:1]
        for b in one["reliability"]
    ]
    columns = ("score", "n", "mean score", "to be blocked, % (95 %)")
    note = "Were the score a probability, the last two columns would agree on data with the same share of such rows."
    yield Sheet("Reliability", columns, tuple(binned), note, brief=False)


def _attacks(attacks: Mapping[str, Any]) -> Iterator[Sheet]:
    head = (
        "family",
        "n",
        "blocked lost, %",
        "n",
        "blocked or altered lost, %",
        "n",
        "alarms added",
        "or altered",
        "not checked",
    )
    caught, harmless = attacks["caught"], attacks["harmless"]
    note = (
        f"Every word disguised, seed {attacks['seed']}, over {caught['sampled']:,} of {caught['of']:,} prompts caught "
        f"clean and {harmless['sampled']:,} of {harmless['of']:,} harmless ones; n are those that the family changes. "
        "Lost: caught clean and not in disguise. Added, in points: alarms in disguise less alarms clean (in brackets: "
        f"new). Could not be checked: {_causes(attacks['could_not_be_checked'])}."
    )
    for key, title in (("alone", "Disguises, alone"), ("in_twos", "Disguises, in twos")):
        rows = []
        for a in attacks[key]:
            measured = [a["blocked_lost"], a["blocked_or_altered_lost"]]
            cells = [c for m in measured for c in (f"{m['of']:,}" if m else "0", share(m))]
            added = [a["alarms_added"], a["alarms_or_alterations_added"]]
            n = f"{added[0]['of']:,}" if added[0] else "0"
            cells += [n, *(f"{100 * m['net']:+.2f} ({m['count']:,})" if m else "–" for m in added)]
            if any(measured) or any(added):
                rows.append((a["family"], *cells, f"{a['could_not_be_checked']:,}"))
        yield Sheet(title, head, tuple(rows), note)


def _against(against: Mapping[str, Any]) -> Iterator[Sheet]:
    policy = against["report"]["policy"]
    how = (
        f"{against['rows']:,} rows in both, paired by {against['paired_by']}; exact McNemar test"
        if against["paired_by"]
        else "not the same rows, so they are two samples; Fisher's exact test"
    )
    note = (
        f"Before: {policy['id']} {policy['version']}, sha256 {policy['sha256'][:16]}, {against['report']['date']}. "
        f"{how[0].upper() + how[1:]}. "
        "p is not adjusted for the number of lines."
    )
    head = ("rows", "decision", "before, %", "after, %", "difference, points (95 %)", "newly", "no longer", "p")
    rows = []
    for c in against["changes"]:
        name = _ROLES[c["role"]] if c["by"] == "all" else f"{_BY[c['by']]} {c['of'] or '(none)'}, {_ROLES[c['role']]}"
        before, after = (f"{100 * c[k]['rate']:.2f}" for k in ("before", "after"))
        moved = (f"{c['newly']:,}", f"{c['no_longer']:,}") if "newly" in c else ("–", "–")
        told = (before, after, _points(c["difference"]), *moved, f"{c['difference']['p']:.3g}")
        rows.append((name, c["measure"].replace("_", " "), *told))
    if against["auroc"]:
        a = against["auroc"]
        rows.append(("AUROC", "", "", "", _points(a), "", "", f"{a['p']:.3g}"))
    yield Sheet("Against an earlier report", head, tuple(rows), note, words=2)


def _points(difference: Mapping[str, Any]) -> str:
    low, high = difference["interval_95"]
    return f"{100 * difference['value']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def _shown(shown: Mapping[str, Any]) -> Iterator[Sheet]:
    head = ("row", "label", "decision", "score") + (("text",) if shown["with_text"] else ())
    note = "This table holds prompts, because --with-text asked for it." if shown["with_text"] else ""
    for key, title in (
        ("missed", "Allowed, lowest scores first"),
        ("false_alarms", "Harmless but stopped, highest first"),
    ):
        rows = []
        for r in shown[key]:
            score = "–" if r["score"] is None else f"{r['score']:.3f}"
            rows.append((r["row"], r["label"], r["action"], score, *([r["text"]] if shown["with_text"] else [])))
        yield Sheet(title, head, tuple(rows), note, words=5)
