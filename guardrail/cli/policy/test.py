"""``guardrail policy test``: run the tests beside the rules."""

from __future__ import annotations

from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import FILES, JSON, installed, real_checks

__all__ = ["register"]


def test_(
    files: FILES,
    offline: Annotated[bool, typer.Option("--offline", help="Only tests on signals; no check is run.")] = False,
    json: JSON = False,
) -> None:
    """Run the tests beside the rules. Exit code: 0 all passed, 1 a test failed."""
    from guardrail.policy import BuiltinEngine, load_policy, run_tests

    options = installed()
    failed = False
    reports = []
    for file in files:
        loaded = load_policy(file, **options)
        report = run_tests(loaded, BuiltinEngine(loaded), None if offline else real_checks(loaded))
        reports.append((file, report))
        failed = failed or not report.ok
    if json:
        show.print_json([{"file": file, **report.to_json()} for file, report in reports])
    else:
        for _, report in reports:
            typer.echo(str(report))
    raise typer.Exit(1 if failed else 0)


def register(app: typer.Typer) -> None:
    app.command(name="test")(test_)
