"""``guardrail bench``: measurements on data of one's own, one verb a file."""

import typer

from guardrail.cli.bench import prompts

__all__ = ["app"]

app = typer.Typer(help="Measure a policy on data of your own.", no_args_is_help=True)
prompts.register(app)


@app.callback()
def _bench() -> None:
    """A group, so that `prompts` is a verb although it is the only one."""
