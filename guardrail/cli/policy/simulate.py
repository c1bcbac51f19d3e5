"""``guardrail policy simulate``: what another policy, or other thresholds, would have decided."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.cli import show
from guardrail.cli.policy.log import LIMIT, LOG, SINCE, bodies, moment
from guardrail.cli.policy.shared import JSON, load, refuse
from guardrail.errors import ConfigurationError

if TYPE_CHECKING:
    from guardrail.policy import BuiltinEngine
    from guardrail.policy.simulation import Rate, Simulation

__all__ = ["register"]


def simulate_(
    under: Annotated[str, typer.Option(help="The policy to decide by: a rule file, or a shipped name.")] = "",
    policy: Annotated[str, typer.Option(help="Compare with this policy; by default with what was recorded.")] = "",
    threshold: Annotated[
        list[str] | None, typer.Option(help="family.name=0.4: decide with this threshold; may be given several times.")
    ] = None,
    log: LOG = None,
    since: SINCE = "",
    limit: LIMIT = None,
    shown: Annotated[int, typer.Option("--show", min=0, help="How many of the flipped decisions to name.")] = 10,
    json: JSON = False,
) -> None:
    """Decide recorded requests again, from their signals alone: no prompt or picture is needed, and none is on record.

    Exit code: 0 every decision stays, 1 some flip or none could be decided again, 2 usage.
    """
    from guardrail.policy.simulate import simulate

    if not under and not (policy and threshold):
        refuse("name the policy to decide by: --under FILE (or --policy FILE with --threshold family.name=0.4)", json)
    engine = _engine(under or policy, threshold or [], json)
    compared = _engine(policy, [], json) if policy else None
    progress = _progress if sys.stderr.isatty() else None
    with bodies(log, json, since=moment(since, json), limit=limit) as records:
        found = simulate(records, engine, compared=compared, keep=shown, progress=progress)
    if progress is not None:
        show.progress()
    if json:
        show.print_json(found.to_json())
    else:
        _print(found)
    raise typer.Exit(1 if found.flipped.hits or not found.replayed else 0)


def _engine(file: str, thresholds: list[str], json: bool) -> BuiltinEngine:
    from guardrail.policy import BuiltinEngine
    from guardrail.policy.retune import retuned
    from guardrail.policy.schema import number_of

    loaded = load(file, json)
    limits: dict[str, float] = {}
    for text in thresholds:
        name, _, number = text.partition("=")
        value = number_of(number.strip())
        if value is None:
            refuse(f"--threshold {text!r}: write it as family.name=0.4", json)
        limits[name.strip()] = value
    try:
        return BuiltinEngine(retuned(loaded, limits) if limits else loaded)
    except ConfigurationError as error:
        refuse(error, json)


def _progress(count: int) -> None:
    show.progress(f"{count:,} records")


def _print(found: Simulation) -> None:
    out = show.console()
    was = f"{found.compared.id} {found.compared.version}" if found.compared else "what was recorded"
    recorded = ", ".join(f"{name} ({count:,})" for name, count in found.recorded.most_common(3)) or "nothing"
    more = f" and {len(found.recorded) - 3} more" if len(found.recorded) > 3 else ""
    show.say(f"before: {was}; after: {found.under.id} {found.under.version}; recorded under {recorded}{more}")
    show.say(f"{found.replayed:,} of {found.records - found.others:,} decisions were decided again")
    if found.replayed:
        show.say()
        out.print(_matrix(found))
        show.say()
        show.say(f"flipped: {_share(found.flipped)}")
        show.say(f"blocked: {_share(found.blocked_before)} before, {_share(found.blocked_after)} after")
        if found.let_on:
            show.say(
                f"{found.let_on:,} of the flipped were stopped: what later stages would have said is not on record"
            )
        show.say()
        out.print(_rules(found))
    for kind, now in found.own.items():
        asked = ", ".join(f"{count:,} {action}" for action, count in now.items())
        show.say(f"blocked by the guard itself, not by a rule ({kind}): {now.total():,}; the rules alone: {asked}")
    if found.skipped:
        show.say(f"could not be decided again: {found.skipped.total():,}")
        for why, count in found.skipped.most_common():
            show.say(f"  {count:,}  {why}")
    _print_flips(found)


def _print_flips(found: Simulation) -> None:
    if found.flips:
        show.say()
        show.say("flipped, with the rules that no longer (-) and newly (+) act:")
    for flip in found.flips:
        told = flip.to_json()
        rules = [f"-{rule}" for rule in told["no_longer"]] + [f"+{rule}" for rule in told["newly"]]
        show.say(f"{flip.id}  {told['before']} → {told['after']}  {' '.join(rules)}")
    if (left := found.flipped.hits - len(found.flips)) and found.flips:
        show.say(f"… and {left:,} more (--show {found.flipped.hits})")


def _matrix(found: Simulation) -> Any:
    from rich.table import Table

    from guardrail.policy.simulation import ACTIONS

    table = Table("before ╲ after", box=None, padding=(0, 2))
    for after in ACTIONS:
        table.add_column(after.value, justify="right")
    for before in ACTIONS:
        table.add_row(before.value, *(f"{found.matrix[before, after]:,}" for after in ACTIONS))
    return table


def _rules(found: Simulation) -> Any:
    from rich.table import Table

    from guardrail.policy.simulation import Rate

    table = Table("rule", "acts before", "acts after", "of these for a missing signal", box=None, padding=(0, 2))
    for rule in found.rules:
        counts = (Rate(side[rule], found.replayed) for side in (found.before, found.after))
        closed = f"{found.closed_before[rule]:,} → {found.closed_after[rule]:,}"
        watched = found.shadow_before[rule], found.shadow_after[rule]
        note = f" (shadow: {watched[0]:,} → {watched[1]:,})" if any(watched) else ""
        table.add_row(show.in_markup(rule) + note, *map(_share, counts), closed if closed != "0 → 0" else "")
    return table


def _share(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.hits:,} ({rate.value:.2%}, 95 % {low:.2%} to {high:.2%})"


def register(app: typer.Typer) -> None:
    app.command(name="simulate")(simulate_)
