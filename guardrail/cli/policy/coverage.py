"""``guardrail policy coverage``: what the tests of a rule file leave untried."""

from __future__ import annotations

from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import FILES, JSON, load, refuse
from guardrail.errors import PolicyError

__all__ = ["register"]


def coverage_(
    files: FILES,
    fail_under: Annotated[
        float, typer.Option("--fail-under", min=0, max=100, metavar="PERCENT", help="Exit with 1 below this.")
    ] = 0.0,
    missing: Annotated[bool, typer.Option("--missing", help="List the comparisons that no test has missing.")] = False,
    own: Annotated[bool, typer.Option("--own", help="Only rules of the file itself, not those it extends.")] = False,
    json: JSON = False,
) -> None:
    """Name the rules that no test fires, and the comparisons that are never true or never false in the tests."""
    from guardrail.policy import load_cases
    from guardrail.policy.coverage import coverage

    reports = []
    for file in files:
        policy = load(file, json)
        try:
            reports.append((file, coverage(policy, load_cases(policy), own=own)))
        except PolicyError as error:
            refuse(error, json)
    if json:
        show.print_json([{"file": file, **report.to_json()} for file, report in reports])
    else:
        for _, report in reports:
            for line in report.unasked() if missing else ():
                show.say(line)
            show.say(str(report), lines=True)
    short = [file for file, report in reports if report.percent < fail_under]
    if short:
        show.say(f"below {fail_under:g} %: {', '.join(short)}", err=True)
    raise typer.Exit(1 if short else 0)


def register(app: typer.Typer) -> None:
    app.command(name="coverage")(coverage_)
