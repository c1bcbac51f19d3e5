"""``guardrail bench``: measurements on data of one's own, one verb a file."""

import typer

from guardrail.cli.bench import (
    adaptive,
    all,
    compare,
    export,
    gate,
    images,
    latency,
    marks,
    peers,
    pipelines,
    policy,
    prompts,
)

__all__ = ["app"]

app = typer.Typer(help="Measure a policy, or the checks, on data of your own.", no_args_is_help=True)
prompts.register(app)
images.register(app)
pipelines.register(app)
marks.register(app)
compare.register(app)
gate.register(app)
export.register(app)
policy.register(app)
adaptive.register(app)
peers.register(app)
latency.register(app)
all.register(app)
