"""``guardrail redact``: cover the faces, or exposed body parts, of a picture file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show

__all__ = ["register"]


def redact(
    source: Annotated[Path, typer.Argument(metavar="IN", help="PNG, JPEG, WebP, GIF or AVIF; all frames.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="What is written; its suffix names the format.")],
    method: Annotated[str, typer.Option(help="blur, pixelate, fill, or replace (a drawn face).")] = "fill",
    target: Annotated[str, typer.Option(help="faces, unconsented-faces or nudity.")] = "faces",
    at_least: Annotated[
        float | None,
        typer.Option(help="With nudity: the lowest score that is covered; by default `partial` of the default policy."),
    ] = None,
    draw: Annotated[Path | None, typer.Option(help="A PNG of what was written, with a box around each place.")] = None,
    pack: Annotated[Path | None, typer.Option(help="The folder of a local insightface pack.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Cover faces or body parts, stronger until nobody is recognised. Nothing is written where that does not hold.

    Exit code: 0 nothing was there (OUT is a copy without metadata), 10 covered, 3 it could not be done (also where a
    second opinion on nudity objects to the picture and no place to cover was found).
    """
    from guardrail.cli.boxes import draw_boxes
    from guardrail.decision import REFUSED_ACTIONS
    from guardrail.errors import ActionError
    from guardrail.guard.redaction import redact as cover
    from guardrail.media import decode_image
    from guardrail.media.write import rewrite

    refused = REFUSED_ACTIONS.get(method.lower().replace("_", "-"))
    if refused is not None:
        raise typer.BadParameter(f"{method}: {refused[0]}; {refused[1]}")
    if at_least is not None and (target != "nudity" or not 0.0 < at_least <= 1.0):
        raise typer.BadParameter("--at-least is for --target nudity, over 0 and at most 1")
    if _same(source, out) or (draw is not None and (_same(source, draw) or _same(out, draw))):
        raise typer.BadParameter("IN, OUT and the file of --draw are three files: choose another name")
    gallery = "auto" if target == "unconsented-faces" else None
    image = decode_image(source)
    done = cover(
        image,
        method,
        target,
        at_least=at_least,
        gallery=gallery,
        insightface_pack=pack.absolute() if pack else "",
    )
    rewrite(source, done.frames, out)
    if draw is not None:
        try:
            draw_boxes(done.frames, done.regions, draw)
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or type(error).__name__
            raise ActionError(f"{draw} cannot be written: {cause}") from None
    if json:
        places = [
            {"frame": r.frame, "box": [round(v, 1) for v in r.box], "kind": r.kind, "score": round(r.score, 4)}
            for r in done.regions
        ]
        said = {"out": str(out), "method": method, "target": target, "strength": done.strength, "regions": places}
        show.print_json(said | {"effective": [c.to_json() for c in done.decision.effective]})
    elif done.regions:
        count = len({(r.frame, r.box) for r in done.regions})
        show.say(f"{out}: {count} {'place' if count == 1 else 'places'} covered by {method}, strength {done.strength}")
    else:
        show.say(f"{out}: nothing to cover was found")
    raise typer.Exit(10 if done.regions else 0)


def _same(one: Path, other: Path) -> bool:
    """Whether both are one file, also through a link; also where neither is there yet."""
    try:
        if one.exists() and other.exists():
            return one.samefile(other)
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError):
        # A loop of links, say: reading or writing it says what is wrong.
        return one.absolute() == other.absolute()


def register(app: typer.Typer) -> None:
    app.command()(redact)
