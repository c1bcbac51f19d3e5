"""``guardrail policy schema``: what may stand in a rule file, for editors and for people."""

from __future__ import annotations

from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import JSON, installed, refuse

__all__ = ["register"]


def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables of signals and actions instead.")] = False,
    json: JSON = False,
) -> None:
    """Print the JSON Schema of rule files, with the signals and actions of this installation.

    For completion in an editor, save it and name it in the first line of a rule file:
    # yaml-language-server: $schema=guardrail.schema.json
    """
    if markdown and json:
        refuse("--markdown prints Markdown; without it the schema is printed, which is JSON", json)
    found = installed()
    if markdown:
        from guardrail.policy.reference import markdown as tables

        show.say(tables(found["vocabulary"], found["actions"]), lines=True)
        return
    from guardrail.policy.jsonschema import json_schema

    show.print_json(json_schema(found["vocabulary"], found["actions"]))


def register(app: typer.Typer) -> None:
    app.command()(schema)
