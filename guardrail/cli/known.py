"""``guardrail known``: lists of hashes of known images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardrail.cli import show

if TYPE_CHECKING:
    from guardrail.known import HashLists

__all__ = ["app"]

app = typer.Typer(help="Known images: lists of hashes of pictures that must not be used.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_List = Annotated[str, typer.Option("--list", help="Name of the list: small letters, digits, hyphens.")]


def _lists() -> HashLists:
    from guardrail.keys import load_keyring
    from guardrail.known import HashLists
    from guardrail.paths import home

    return HashLists(home() / "known", load_keyring())


@app.command()
def add(
    images: Annotated[list[Path], typer.Argument(help="The pictures.")],
    name: _List,
    tag: Annotated[str, typer.Option(help="What you call them, e.g. a case number; encrypted, never recorded.")] = "",
    json: _Json = False,
) -> None:
    """Put pictures on a list. Only hashes are kept, encrypted; the pictures are not, nor their names."""
    from guardrail.media.decode import decode_image

    lists = _lists()
    # All are decoded before the first is added: one that cannot be read leaves the list as it was.
    decoded = [decode_image(path, argument=f"image {number}") for number, path in enumerate(images, 1)]
    ids: dict[str, bool] = {}
    for image in decoded:
        for _, view in image.views():
            key, perceptual = lists.add(name, view, file=image.file_sha256, tag=tag)
            ids[key] = perceptual
    if json:
        rows = [{"id": key, "perceptual": perceptual} for key, perceptual in ids.items()]
        show.print_json({"list": name, "pictures": rows})
        return
    for key, perceptual in ids.items():
        note = "" if perceptual else ": too plain for a perceptual hash, only the very same picture will be found"
        typer.echo(f"{key} is on the list {name}{note}")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="Text: a hash of 64 hex digits a line, then distance and tag, if any.")],
    name: _List,
    sha256: Annotated[bool, typer.Option("--sha256", help="They are SHA-256 of files, not PDQ.")] = False,
    json: _Json = False,
) -> None:
    """Put hashes from elsewhere on a list. Those that it has already are passed over."""
    from guardrail.known.text import read_text

    rows = read_text(file, sha256=sha256)
    new = _lists().extend(name, rows)
    if json:
        show.print_json({"list": name, "read": len(rows.tags), "new": new})
    else:
        typer.echo(f"{new:,} of {len(rows.tags):,} hashes are new on the list {name}")


@app.command(name="list")
def list_(json: _Json = False) -> None:
    """All lists, with how many pictures and hashes they have."""
    found = _lists().lists()
    if json:
        show.print_json([{"list": one.name, "pictures": one.pictures, "hashes": one.hashes} for one in found])
        return
    from rich.table import Table

    table = Table("list", "pictures", "pdq", "sha256", "pixels", box=None, padding=(0, 2))
    for one in found:
        table.add_row(one.name, f"{one.pictures:,}", *(f"{n:,}" for n in one.hashes.values()))
    show.console().print(table if found else "there are no lists")


@app.command()
def remove(
    name: _List,
    pictures: Annotated[list[str] | None, typer.Argument(help="Ids that add printed, or hashes in hex.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Remove the whole list.")] = False,
    json: _Json = False,
) -> None:
    """Take pictures off a list, or remove it whole. It holds at once, in running services too."""
    if bool(pictures) == whole:
        raise typer.BadParameter("say which: ids or hashes of pictures, or --whole")
    count = _lists().remove(name, pictures or ())
    if json:
        show.print_json({"list": name, "removed": count})
    else:
        typer.echo(f"{count:,} pictures taken off the list {name}")
