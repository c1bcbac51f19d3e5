"""The runs of several suites as one: their figures under the dimension ``suite``, what they know united."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from guardrail.bench.comparison import written_value
from guardrail.bench.quoting import SUITE, rows
from guardrail.bench.run.environment import environment, written_date
from guardrail.bench.run.fingerprint import measured_on
from guardrail.bench.run.measures import Measure
from guardrail.bench.run.record import Run, StoredRun
from guardrail.bench.tables import Sheet

__all__ = ["gathered"]

# Suite → figures that stand for it: name, and the parts; an empty part is any, and the worst of them is shown.
_TELLING: Mapping[str, tuple[tuple[str, Mapping[str, str]], ...]] = {
    "policy": (("never_allowed_rate", {"policy": "", "risk": ""}),),
    "prompts": (("block_rate", {}), ("over_block_rate", {})),
    "adaptive": (("adaptive_success_rate", {"edits": "no deletion", "queries": ""}),),
    "peers-text": (("block_rate", {"peer": "guardrail"}), ("over_block_rate", {"peer": "guardrail"})),
    "peers-engine": (("agreement_rate", {"case": "", "peer": ""}),),
    "images": (("face_found_rate", {}), ("face_alarm_rate", {})),
    "marks": (("exact_rate", {"condition": "", "method": "", "size": ""}),),
    "mark-attacks": (("payload_rate", {"attack": "", "how": "", "system": "", "goal": "genuine"}),),
}
_SETS = ("descriptions", "files", "folders")  # of the data: entries that suites share


def gathered(done: Mapping[str, StoredRun], not_run: Mapping[str, str], command: str) -> Run:
    """One run.

    Args:
        done: by suite, each in the folder of its name beside the report.
        not_run: suite → why it has no figures here.
    """
    measures = tuple(
        replace(measure, of=(*measure.of, (SUITE, name)))
        for name, run in done.items()
        for measure in run.measures.values()
    )
    overview = tuple(
        (
            name,
            str(run.run.get("title", "")),
            f"{name}/report.html",
            "; ".join(_telling(name, run)),
            f"{len(run.measures):,}",
            str(run.run.get("date", "")),
        )
        for name, run in done.items()
    )
    facts = {**environment(command), **_united(done)}
    head = ("suite", "what", "its report", "most telling", "figures", "date")
    absent = {f"{name}: {what}": why for name, run in done.items() for what, why in _absent(run).items()}
    return Run(
        "all",
        "Every suite",
        facts,
        measures,
        timing={name: run.run.get("timing", {}) for name, run in done.items()},
        told=(("machine", facts["machine"]), ("command", command), ("date", written_date(facts))),
        sheets=(Sheet("Suites", head, overview, words=4), *_overall(done)),
        not_run={**not_run, **absent},
        texts=any(run.run.get("holds_prompts") for run in done.values()),
    )


def _absent(run: StoredRun) -> Mapping[str, str]:
    found = run.run.get("not_run")
    return found if isinstance(found, Mapping) else {}


# ---- what is known of a run


def _united(done: Mapping[str, StoredRun]) -> dict[str, Any]:
    """Policies, checks, lists, packages and data of all, each once."""
    runs = {name: run.run for name, run in done.items()}
    facts: dict[str, Any] = {
        "suites": {
            name: {"command": run.get("command"), "date": run.get("date"), "samples": measured_on(run)}
            for name, run in runs.items()
        }
    }
    enforced = _once(one for run in runs.values() for one in rows(run.get("policy")) if one.get("sha256"))
    tried = _once(one for run in runs.values() for one in rows(run.get("policies")) if one.get("sha256"))
    if len(enforced) == 1:
        facts["policy"] = enforced[0]
    elif enforced or tried:
        facts["policies"] = enforced or tried
    if checks := _once(one for run in runs.values() for one in rows(run.get("checks"))):
        facts["checks"] = checks
    if lists := {name: told for run in runs.values() for name, told in dict(run.get("lists") or {}).items()}:
        facts["lists"] = lists
    facts["packages"] = {name: told for run in runs.values() for name, told in dict(run.get("packages") or {}).items()}
    if data := _data({name: run["data"] for name, run in runs.items() if isinstance(run.get("data"), Mapping)}):
        facts["data"] = data
    return facts


def _data(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Files and descriptions each once; how they were read as one value, or by suite where suites read otherwise."""
    made: dict[str, Any] = {}
    for part in _SETS:
        if entries := _once(one for data in given.values() for one in rows(data.get(part))):
            made[part] = entries
    for part in dict.fromkeys(name for data in given.values() for name in data if name not in _SETS):
        by_suite = {suite: data[part] for suite, data in given.items() if part in data}
        values = _once(by_suite.values())
        made[part] = values[0] if len(values) == 1 else by_suite
    return made


def _once(given: Any) -> list[Any]:
    """Each value once, in order."""
    return list({json.dumps(one, sort_keys=True, ensure_ascii=False): one for one in given}.values())


# ---- tables


def _telling(name: str, run: StoredRun) -> Iterator[str]:
    """The figures that stand for a suite, each with its key."""
    found = False
    for figure, parts in _TELLING.get(name, ()):
        of = [m for m in run.measures.values() if m.name == figure and m.better and m.value is not None]
        of = [m for m in of if _is_part(dict(m.of), parts)]
        if of:
            found = True
            sign = -1 if of[0].better == "higher" else 1
            worst = max(of, key=lambda m: (sign * (m.value or 0.0), len(m.key), m.key))
            yield f"{worst.key} {written_value(worst)}" + (f", the worst of {len(of):,}" if len(of) > 1 else "")
    if not found:
        yield _of_times(run.run.get("timing")) or (f"{len(run.measures):,} figures by part" if run.measures else "–")


def _is_part(of: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return of.keys() == wanted.keys() and all(value in ("", of[name]) for name, value in wanted.items())


def _of_times(timing: Any) -> str:
    """Of a suite that measures times only: targets met, or the prompt of the usual length."""
    timing = timing if isinstance(timing, Mapping) else {}
    if targets := timing.get("targets"):
        return f"targets met: {sum(bool(t['met']) for t in targets):,} of {len(targets):,}"
    calls = timing.get("call_ms") or {}
    usual = calls.get("prompt, 24 words") if isinstance(calls, Mapping) else None
    return f"prompt, 24 words, p50: {usual['p50']:.2f} ms" if usual else ""


def _overall(done: Mapping[str, StoredRun]) -> list[Sheet]:
    """The figures over everything of each suite; its own report has the parts."""
    made = []
    for name, run in done.items():
        for measure in run.measures.values():
            if not measure.of:
                made.append((name, measure.name, written_value(measure), _interval(measure), measure.remark))
    head = ("suite", "figure", "value", "95 %", "remark")
    return [Sheet("Figures over everything", head, tuple(made), words=2)] if made else []


def _interval(measure: Measure) -> str:
    if measure.interval is None:
        return "–"
    low, high = measure.interval
    return f"{100 * low:.2f}–{100 * high:.2f} %" if measure.unit == "share" else f"{low:.4g}–{high:.4g}"
