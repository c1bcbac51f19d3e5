"""``guardrail keys``: the secret keys of this installation, by their ids."""

from __future__ import annotations

from typing import Annotated

import typer

from guardrail.cli import show

__all__ = ["app"]

app = typer.Typer(help="Secret keys: which there are, and a new one.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# What a rotation leaves to do, in this order: a service without the new key can read nothing that is sealed under it.
NEXT = (
    "copy the keyring file to where you keep the last copy of it",
    "restart running services, so that they have the new key",
    "guardrail gallery rekey",
    "guardrail known rekey",
)
KEEP = "keep the older keys: marks, the record of decisions and exports made under them are read with them only"


@app.command(name="show")
def show_(json: _Json = False) -> None:
    """Ids and dates of the keys, the active one first; never a key itself. Makes none."""
    from guardrail.keys import find_keyring

    ring = find_keyring()
    ids = ring.ids if ring else ()
    made = {key: ring.dates[key].isoformat() if ring and key in ring.dates else "" for key in ids}
    if json:
        rows = [{"id": key, "active": key == ids[0], "created": made[key]} for key in ids]
        show.print_json({"source": ring.source if ring else None, "keys": rows})
        return
    if ring is None:
        typer.echo("there is no key yet; one is made on first use")
        return
    from rich.table import Table

    table = Table("key", "made", "", box=None, padding=(0, 2))
    for key in ids:
        table.add_row(key, made[key] or "not known", "active" if key == ring.active else "")
    typer.echo(f"from {ring.source}")
    show.console().print(table)


@app.command()
def rotate(json: _Json = False) -> None:
    """Make a new active key; the older ones stay on the ring. Says what is to be done next."""
    from guardrail.keys import rotate as rotated

    ring = rotated()
    if json:
        show.print_json({"active": ring.active, "older": ring.ids[1:], "next": NEXT, "keep": KEEP})
        return
    typer.echo(f"key {ring.active} is active now, in {ring.source}")
    typer.echo("next:")
    for number, step in enumerate(NEXT, 1):
        typer.echo(f"  {number}. {step}")
    typer.echo(KEEP)
