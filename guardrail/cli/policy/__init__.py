"""``guardrail policy``: everything about rule files, one verb a file."""

import typer

from guardrail.cli.policy import coverage, diff, explain, fmt, lint, new, schema, simulate, test, watch

__all__ = ["app"]

app = typer.Typer(help="Lint, test and explain rule files.", no_args_is_help=True)
for _verb in (lint, test, explain, diff, coverage, schema, fmt, simulate, watch, new):
    _verb.register(app)
