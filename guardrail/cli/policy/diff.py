"""``guardrail policy diff``: what changes from one policy to another, rule by rule, and what version that asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.log import LIMIT, SINCE, bodies, moment
from guardrail.cli.policy.shared import JSON, load

if TYPE_CHECKING:
    from guardrail.policy.compare import PolicyDiff
    from guardrail.policy.model import Policy
    from guardrail.policy.simulation import Simulation

__all__ = ["register"]

_COLOURS = {"looser": "red", "gone": "red", "changed": "yellow", "tighter": "green", "new": "green", "text": "dim"}
_MEANING = {
    "looser": "looser: there are requests that it decides less strictly",
    "changed": "changed: nobody can tell whether it is as strict",
    "gone": "gone",
    "tighter": "tighter: proven to decide at least as strictly in every request",
    "new": "new",
    "text": "only its message, severity or references changed",
}


def diff(
    old: Annotated[str, typer.Argument(help="A rule file, or a shipped name.")],
    new: Annotated[str, typer.Argument(help="The one that takes its place.")],
    log: Annotated[
        Path | None, typer.Option("--log", help="Also decide the decisions of this record again, by both policies.")
    ] = None,
    since: SINCE = "",
    limit: LIMIT = None,
    json: JSON = False,
) -> None:
    """What is tighter, looser, new or gone, and whether the version says so.

    Exit code: 0 the step of the version is large enough, 1 it is too small, 2 usage.
    """
    from guardrail.policy.compare import compare_policies

    before, after = load(old, json), load(new, json)
    found = compare_policies(before, after)
    flips = _flips(before, after, log, since, limit, json) if log is not None else None
    if json:
        show.print_json({**found.to_json(), "log": flips.to_json() if flips else None})
    else:
        _print(before, after, found)
        if flips is not None:
            decided = f"{flips.flipped.hits:,} of {flips.replayed:,} recorded decisions come out otherwise"
            show.say(f"{decided}; more: guardrail policy simulate --policy {old} --under {new} --log {log}")
    raise typer.Exit(0 if found.version_ok else 1)


def _flips(before: Policy, after: Policy, log: Path, since: str, limit: int | None, json: bool) -> Simulation:
    from guardrail.policy import BuiltinEngine
    from guardrail.policy.simulate import simulate

    with bodies(log, json, since=moment(since, json), limit=limit) as records:
        return simulate(records, BuiltinEngine(after), compared=BuiltinEngine(before))


def _print(before: Policy, after: Policy, found: PolicyDiff) -> None:

    out = show.console()
    same = sum(c.relation == "same" for c in found.changes)
    for change in found.changes:
        if change.relation == "same":
            continue
        colour = _COLOURS[change.relation]
        out.print(f"[{colour}]{show.in_markup(change.rule)}[/]  {show.in_markup(_MEANING[change.relation])}")
        if change.relation != "gone":
            for why in change.why:
                out.print(f"    {show.in_markup(why)}")
    if same:
        out.print(f"{same} {'rule stays' if same == 1 else 'rules stay'} as {'it is' if same == 1 else 'they are'}")
    step = f"{before.id} {before.version} → {after.id} {after.version}"
    if found.required == "none":
        out.print(f"{step}: nothing that decides or is shown has changed")
    elif found.version_ok:
        out.print(f"{step}: a {found.required} step is needed, and this is a {found.found} one")
    else:
        out.print(f"[red]{step}: a {found.required} step of the version is needed: {_next(before, found.required)}[/]")


def _next(policy: Policy, step: str) -> str:
    major, minor, patch = (int(part) for part in policy.version.partition("+")[0].partition("-")[0].split("."))
    return {"major": f"{major + 1}.0.0", "minor": f"{major}.{minor + 1}.0", "patch": f"{major}.{minor}.{patch + 1}"}[
        step
    ]


def register(app: typer.Typer) -> None:
    app.command()(diff)
