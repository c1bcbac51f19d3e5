"""``guardrail check``: judge a prompt and pictures without a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show

__all__ = ["register"]


def check(
    prompt: Annotated[str | None, typer.Option(help="The prompt.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A reference image; may be given several times.")] = None,
    negative: Annotated[str | None, typer.Option(help="The negative prompt.")] = None,
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file.")] = "default",
    names: Annotated[Path | None, typer.Option(help="A file with names to protect, one a line.")] = None,
    pack: Annotated[Path | None, typer.Option(help="The folder of a local insightface pack.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the message.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Print the texts with what fired underlined.")] = False,
    record: Annotated[bool, typer.Option(help="Put the decision on record.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the decision as JSON.")] = False,
) -> None:
    """Judge a prompt and reference images. Exit code: 0 allow, 10 alter, 11 block, 3 a check could not run."""
    if prompt is None and not image and negative is None:
        raise typer.BadParameter("give --prompt, --image or both")
    if explain and prompt is None and negative is None:
        raise typer.BadParameter("--explain needs a text: give --prompt or --negative")
    from guardrail import Guard
    from guardrail.guard.explain import Explained
    from guardrail.guard.explain import explain as explained
    from guardrail.media import TextInput

    options = {"names": names or (), "insightface_pack": pack.absolute() if pack else ""}
    with Guard(policy, audit="auto" if record else None, **options) as guard:  # type: ignore[arg-type]
        decision = guard.check_request(prompt=prompt, images=image or (), negative_prompt=negative)
        texts: tuple[Explained, ...] = ()
        # What was refused unread (too long) is not explained either: the decision says why.
        if explain and not any(r.kind == "input" and r.stage.value == "prompt" for r in decision.reasons):
            asked = [TextInput(prompt)] if prompt is not None else []
            asked += [TextInput(negative, "negative_prompt", negative=True)] if negative is not None else []
            texts = explained(guard, asked)
    if json:
        explanation = {"explain": [t.to_json() for t in texts]} if explain else {}
        show.print_json({**decision.to_json(), **explanation})
    else:
        show.print_decision(decision, lang)
        rewritten = [a.text for a in decision.alterations if a.text is not None]
        for text in rewritten:
            typer.echo(f"rewritten: {text}")
        if explain:
            show.print_explained(texts)
    raise typer.Exit(show.exit_code(decision))


def register(app: typer.Typer) -> None:
    app.command()(check)
