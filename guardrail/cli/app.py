"""``guardrail``: the verbs together, and what they share.

Exit codes: 0 allow or done, 1 findings, 2 usage, 3 a check could not run, 10 alter, 11 block.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer

from guardrail.cli import (
    audit,
    bench,
    check,
    demo,
    doctor,
    gallery,
    keys,
    known,
    mark,
    models,
    names,
    policy,
    redact,
    registry,
    verify,
)
from guardrail.errors import GuardrailError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Safety middleware around image-generation pipelines.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
check.register(app)
mark.register(app)
verify.register(app)
doctor.register(app)
redact.register(app)
demo.register(app)
app.add_typer(policy.app, name="policy")
app.add_typer(gallery.app, name="gallery")
app.add_typer(known.app, name="known")
app.add_typer(registry.app, name="registry")
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
app.add_typer(names.app, name="names")
app.add_typer(audit.app, name="audit")
app.add_typer(bench.app, name="bench")


@app.command(help="Print the version.")
def version() -> None:
    from guardrail import __version__

    typer.echo(f"guardrail {__version__} (distribution guardrail-diffusion)")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Errors of guardrail are one message on stderr, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given)
    except GuardrailError as error:
        if "--json" in given:
            typer.echo(json.dumps(_as_json(error), ensure_ascii=False))
        typer.echo(f"guardrail: {error}", err=True)
        raise SystemExit(3) from None
    except BrokenPipeError:
        raise SystemExit(1) from None


def _as_json(error: GuardrailError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": str(error)}
