"""``guardrail policy test``: run the tests beside the rules."""

from __future__ import annotations

from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import FILES, JSON, installed, real_checks, refuse

__all__ = ["register"]


def test_(
    files: FILES,
    checks: Annotated[
        bool,
        typer.Option("--checks/--offline", help="Run the real checks for tests on prompts and images, or skip those."),
    ] = True,
    json: JSON = False,
) -> None:
    """Run the tests beside the rules. Exit code: 0 all passed, 1 a test failed."""
    from guardrail.policy import Policy, run_tests
    from guardrail.policy.engines import engine_for

    options = installed()
    failed = False
    reports = []
    for file in files:
        engine = engine_for(file, **options)
        loaded = getattr(engine, "policy", None)
        if not isinstance(loaded, Policy):
            refuse(f"{file} has no tests beside its rules that could be run here", json)
        report = run_tests(loaded, engine, real_checks(loaded) if checks else None)
        reports.append((file, report))
        failed = failed or not report.ok
    if json:
        show.print_json([{"file": file, **report.to_json()} for file, report in reports])
    else:
        for _, report in reports:
            show.say(str(report), lines=True)
    raise typer.Exit(1 if failed else 0)


def register(app: typer.Typer) -> None:
    app.command(name="test")(test_)
