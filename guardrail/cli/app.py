"""``guardrail``: the verbs together, and what they share.

Exit codes: 0 allow or done, 1 findings, 2 usage, 3 a check could not run, 10 alter, 11 block.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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
    show,
    verify,
)
from guardrail.errors import GuardrailError

__all__ = ["app", "main"]


# Newer versions of typer bring a click of their own along.
_UsageError: Any = typer.BadParameter.__mro__[1]


class _Verbs(TyperGroup):
    """Errors of usage quote what was given, and the shell puts names of files there."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _UsageError as error:
            error.message = show.escaped(error.message)
            raise


app = typer.Typer(
    cls=_Verbs,
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


def _print_version(asked: bool) -> None:
    if asked:
        from guardrail import __version__

        show.say(f"guardrail {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Errors of guardrail are one message on stderr, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given)
    except GuardrailError as error:
        if "--json" in given:
            show.print_json_line({"error": type(error).__name__, "message": str(error)})
        show.say(f"guardrail: {show.told(error)}", err=True, lines=True)
        raise SystemExit(3) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
