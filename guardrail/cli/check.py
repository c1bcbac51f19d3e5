"""``guardrail check``: judge a prompt and pictures without a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardrail.cli import show
from guardrail.errors import ConfigurationError

if TYPE_CHECKING:
    from guardrail.guard.look import Looked
    from guardrail.media import Region

__all__ = ["register"]


def check(
    prompt: Annotated[str | None, typer.Option(help="The prompt.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A reference image; may be given several times.")] = None,
    negative: Annotated[str | None, typer.Option(help="The negative prompt.")] = None,
    mask: Annotated[
        list[Path] | None, typer.Option(help="The mask of an edit, white where it is repainted; several times.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(help="A PNG of the image with a box around what was found; OUT-2.png of a second.")
    ] = None,
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
    if (mask or draw) and not image:
        raise typer.BadParameter("--mask and --draw need a picture: give --image")
    if explain and prompt is None and negative is None:
        raise typer.BadParameter("--explain needs a text: give --prompt or --negative")
    from guardrail import Guard
    from guardrail.guard.explain import Explained
    from guardrail.guard.explain import explain as explained
    from guardrail.guard.look import described, labelled, look
    from guardrail.media import TextInput

    options = {"names": names or (), "insightface_pack": pack.absolute() if pack else ""}
    with Guard(policy, audit="auto" if record else None, **options) as guard:  # type: ignore[arg-type]
        given = [TextInput(prompt)] if prompt is not None else []
        given += [TextInput(negative, "negative_prompt", negative=True)] if negative is not None else []
        masks = mask or ()
        decision = guard.check_request(prompt=prompt, images=image or (), negative_prompt=negative, masks=masks)
        # Texts that were refused unread (too long) are looked at no more than they are explained.
        unread = any(r.kind == "input" and r.stage.value == "prompt" for r in decision.reasons)
        seen: tuple[Looked, ...] = look(guard, image, masks=masks, texts=() if unread else given) if image else ()
        texts: tuple[Explained, ...] = ()
        # What was refused unread is not explained either: the decision says why.
        if explain and not unread:
            texts = explained(guard, given)
    drawn = _draw(seen, draw, labelled) if draw is not None else {}
    if json:
        explanation = {"explain": [t.to_json() for t in texts]} if explain else {}
        pictures = {"images": [{**one.to_json(), "drawn": drawn.get(one.index)} for one in seen]} if image else {}
        show.print_json({**decision.to_json(), **explanation, **pictures})
    else:
        show.print_decision(decision, lang)
        show.print_looked(seen, [p.name for p in image or ()], described)
        for path in drawn.values():
            typer.echo(f"drawn: {path}")
        rewritten = [a.text for a in decision.alterations if a.text is not None]
        for text in rewritten:
            typer.echo(f"rewritten: {text}")
        if explain:
            show.print_explained(texts)
    raise typer.Exit(show.exit_code(decision))


def _draw(seen: Sequence[Looked], out: Path, label: Callable[[Region], str]) -> dict[int, str]:
    """The path of each picture written, by the index of its image: `out`, then `out` with a number."""
    from guardrail.cli.boxes import draw_boxes

    written: dict[int, str] = {}
    for one in seen:
        if one.image is not None:
            path = out if not written else out.with_name(f"{out.stem}-{one.index + 1}{out.suffix}")
            places = [*one.of("face"), *one.of("nudity"), *one.of("edit")]
            try:
                draw_boxes(one.image.frames, places, path, label)
            except OSError as error:
                raise ConfigurationError(f"{path} cannot be written: {error.strerror or 'not a usable path'}") from None
            written[one.index] = str(path)
    return written


def register(app: typer.Typer) -> None:
    app.command()(check)
