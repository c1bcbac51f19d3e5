"""``guardrail bench``: measurements on data of one's own, one verb a file."""

import typer

from guardrail.cli.bench import compare, gate, images, marks, pipelines, policy, prompts

__all__ = ["app"]

app = typer.Typer(help="Measure a policy, or the checks, on data of your own.", no_args_is_help=True)
prompts.register(app)
images.register(app)
pipelines.register(app)
marks.register(app)
compare.register(app)
gate.register(app)
policy.register(app)
