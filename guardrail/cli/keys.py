"""``guardrail keys``: the secret keys of this installation, by their ids; and certificates that sign its outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show

__all__ = ["app"]

app = typer.Typer(help="Secret keys: which there are, and a new one; signing certificates.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# What a rotation leaves to do, in this order: a service without the new key can read nothing that is sealed under it.
NEXT = (
    "copy the keyring file to where you keep the last copy of it",
    "restart running services, so that they have the new key",
    "guardrail gallery rekey",
    "guardrail known rekey",
)
DEVELOPMENT = (
    "for development only: it says so to everybody, and no one trusts it. For production get a certificate from an "
    "authority on the C2PA trust list"
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
        show.say("there is no key yet; one is made on first use")
        return
    from rich.table import Table

    table = Table("key", "made", "", box=None, padding=(0, 2))
    for key in ids:
        table.add_row(key, made[key] or "not known", "active" if key == ring.active else "")
    show.say(f"from {ring.source}")
    show.console().print(table)


@app.command()
def rotate(json: _Json = False) -> None:
    """Make a new active key; the older ones stay on the ring. Says what is to be done next."""
    from guardrail.keys import rotate as rotated

    ring = rotated()
    if json:
        show.print_json({"active": ring.active, "older": ring.ids[1:], "next": NEXT, "keep": KEEP})
        return
    show.say(f"key {ring.active} is active now, in {ring.source}")
    show.say("next:")
    for number, step in enumerate(NEXT, 1):
        show.say(f"  {number}. {step}")
    show.say(KEEP)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Where root.pem, chain.pem and key.pem are written.")],
    json: _Json = False,
) -> None:
    """Make a certificate chain that signs Content Credentials (C2PA), for development only."""
    from guardrail.marks.credentials import new_chain

    made = new_chain(folder)
    if json:
        paths = {"root": str(made.root), "chain": str(made.chain), "key": str(made.key)}
        show.print_json({**paths, "expires": made.expires.isoformat(), "development": True, "note": DEVELOPMENT})
        return
    show.say(f"made {made.root}, {made.chain} and {made.key}; valid until {made.expires:%Y-%m-%d}")
    show.say(DEVELOPMENT)
    show.say("to sign with it:")
    show.say(f'  Signer.from_files("{made.chain}", "{made.key}")   # of guardrail.marks.credentials')
    show.say("to have it trusted, by you alone:")
    show.say(f'  read_credentials(content, anchors=load_anchors("{made.root}"))')


@app.command()
def check(
    chain: Annotated[Path, typer.Argument(help="A certificate chain in PEM, the signing certificate first.")],
    json: _Json = False,
) -> None:
    """Say whether a certificate chain can sign Content Credentials, whose it is, and until when."""
    import datetime as dt

    from guardrail.marks.credentials.certificates import require_usable
    from guardrail.marks.credentials.keyfiles import read_chain

    read = read_chain(chain)
    algorithm = require_usable(read, "", dt.datetime.now(dt.UTC))
    if json:
        row = {"by": read.by, "algorithm": algorithm, "expires": read.valid_until.isoformat()}
        show.print_json({**row, "certificates": len(read.certificates)})
        return
    show.say(
        f"{read.by}: signs with {algorithm} until {read.valid_until:%Y-%m-%d}, {len(read.certificates)} certificates"
    )
