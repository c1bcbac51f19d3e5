"""``guardrail gallery``: enrol, list and revoke identities."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from guardrail.cli import show

__all__ = ["app"]

app = typer.Typer(help="Identities: who is protected, who consented.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _gallery() -> Any:
    from guardrail.guard.build import open_gallery
    from guardrail.keys import load_keyring

    return open_gallery("auto", load_keyring())


def _row(identity: Any) -> dict[str, Any]:
    active = identity.active(dt.datetime.now(dt.UTC))
    state = "active" if active else "revoked" if identity.revoked else "expired"
    return {
        "id": identity.id,
        "list": identity.list,
        "state": state,
        "label": identity.label,
        "purposes": list(identity.purposes),
        "created": identity.created,
        "expires": identity.expires or None,
        "revoked": identity.revoked or None,
        "embedders": list(identity.embedders),
    }


@app.command()
def enrol(
    photos: Annotated[list[Path], typer.Argument(help="Photographs of one person, one person in each.")],
    consent: Annotated[bool, typer.Option("--consent", help="This person agrees to be depicted.")] = False,
    protect: Annotated[bool, typer.Option("--protect", help="This person must never be depicted.")] = False,
    label: Annotated[str, typer.Option(help="What you call this entry; encrypted at rest.")] = "",
    purpose: Annotated[list[str] | None, typer.Option(help="What the consent covers; none means anything.")] = None,
    expires: Annotated[dt.datetime | None, typer.Option(help="When the consent ends, e.g. 2027-01-31 (UTC).")] = None,
    pack: Annotated[Path | None, typer.Option(help="The folder of a local insightface pack.")] = None,
    json: _Json = False,
) -> None:
    """Enrol one person. Only face vectors are kept, encrypted; the photographs are not."""
    if consent == protect:
        raise typer.BadParameter("say which: --consent or --protect")
    from guardrail.checks.base import CheckSettings
    from guardrail.checks.image.faces import FaceCheck
    from guardrail.guard.enrol import enrol as add

    faces = FaceCheck(CheckSettings(insightface_pack=str(pack.absolute()) if pack else ""))
    until = expires.replace(tzinfo=dt.UTC) if expires else None
    identity = add(
        faces,
        _gallery(),
        photos,
        list="consented" if consent else "protected",
        label=label,
        purposes=purpose or (),
        expires=until,
    )
    if json:
        show.print_json(_row(identity))
    else:
        typer.echo(f"{identity.id} is on the {identity.list} list ({len(photos)} pictures, {identity.embedders[0]})")


@app.command(name="list")
def list_(json: _Json = False) -> None:
    """All identities, revoked ones too."""
    rows = [_row(identity) for identity in _gallery().identities()]
    if json:
        show.print_json(rows)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("id", "list", "state", "label", "purposes", "expires", box=None, padding=(0, 2))
    for row in rows:
        purposes = ", ".join(row["purposes"]) or "any"
        table.add_row(
            row["id"], row["list"], row["state"], escape(row["label"]), escape(purposes), row["expires"] or "never"
        )
    show.console().print(table if rows else "nobody is enrolled")


@app.command()
def revoke(identity: Annotated[str, typer.Argument(help="The id that enrol printed.")], json: _Json = False) -> None:
    """Delete somebody's vectors. It holds at once, in running services too."""
    revoked = _gallery().revoke(identity)
    if json:
        show.print_json(_row(revoked))
    else:
        typer.echo(f"{revoked.id}: revoked {revoked.revoked}")
