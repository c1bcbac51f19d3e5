"""``guardrail policy lint``: check rule files without running anything."""

from __future__ import annotations

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import FILES, JSON, installed
from guardrail.errors import Finding

__all__ = ["register"]


def lint(files: FILES, json: JSON = False) -> None:
    """Check rule files without running anything. Exit code: 0 clean, 1 findings."""
    from guardrail.policy import lint_file

    options = installed()
    findings: list[Finding] = []
    for file in files:
        findings += lint_file(file, **options)
    if json:
        show.print_json([f.to_json() for f in findings])
    else:
        for finding in findings:
            typer.echo(str(finding))
            if finding.source.strip():
                typer.echo(f"    {finding.source.strip()}")
        wrong = sum(not f.warning for f in findings)
        if not findings:
            typer.echo(f"{', '.join(files)}: nothing to remark")
        else:
            typer.echo(f"{wrong} {'error' if wrong == 1 else 'errors'}, {len(findings) - wrong} warnings")
    raise typer.Exit(1 if findings else 0)


def register(app: typer.Typer) -> None:
    app.command()(lint)
