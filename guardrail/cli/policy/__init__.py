"""``guardrail policy``: everything about rule files, one verb a file."""

import typer

from guardrail.cli.policy import lint, test

__all__ = ["app"]

app = typer.Typer(help="Lint and test rule files.", no_args_is_help=True)
for _verb in (lint, test):
    _verb.register(app)
