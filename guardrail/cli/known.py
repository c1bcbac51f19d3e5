"""``guardrail known``: lists of hashes of known images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.cli import show

if TYPE_CHECKING:
    from guardrail.known import HashLists
    from guardrail.known.lists import By

__all__ = ["app"]

app = typer.Typer(help="Known images: lists of hashes of pictures that must not be used.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_List = Annotated[str, typer.Option("--list", help="Name of the list: small letters, digits, hyphens.")]


# What is said of a picture by the best that it will be found by.
_NOTES = {
    "perceptual": "",
    "pixels": ": too plain for a perceptual hash, only the very same picture will be found",
    "file": ": of one colour, only the very same file will be found",
}


def _folder() -> Path:
    from guardrail.paths import home

    return home() / "known"


def _lists() -> HashLists:
    """For what writes: makes a key on first use."""
    from guardrail.keys import load_keyring
    from guardrail.known import HashLists

    return HashLists(_folder(), load_keyring())


@app.command()
def add(
    images: Annotated[list[Path], typer.Argument(help="The pictures.")],
    name: _List,
    tag: Annotated[str, typer.Option(help="What you call them, e.g. a case number; encrypted, never recorded.")] = "",
    json: _Json = False,
) -> None:
    """Put pictures on a list. Only hashes are kept, encrypted; the pictures are not, nor their names."""
    from guardrail.media.decode import decode_image

    # All are decoded before the first is added: one that cannot be read leaves the list as it was, and makes no key.
    # Whoever typed the name of a file may read it.
    decoded = [decode_image(path, argument=str(path)) for path in images]
    lists = _lists()
    ids: dict[str, By] = {}
    left_out = 0
    for image in decoded:
        added = lists.add_image(name, image, tag=tag)
        ids |= added.pictures
        left_out += added.left_out
    if json:
        rows = [{"id": key, "perceptual": by == "perceptual", "by": by} for key, by in ids.items()]
        show.print_json({"list": name, "pictures": rows, "left_out": left_out})
        return
    for key, by in ids.items():
        show.say(f"{key} is on the list {name}{_NOTES[by]}")
    if left_out:
        show.say(f"{left_out:,} frames or views are of one colour and were left out; the hash of their file is kept")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="Text: a hash of 64 hex digits a line, then distance and tag, if any.")],
    name: _List,
    sha256: Annotated[bool, typer.Option("--sha256", help="They are SHA-256 of files, not PDQ.")] = False,
    json: _Json = False,
) -> None:
    """Put hashes from elsewhere on a list. Of those that it has already, the larger distance is kept."""
    from guardrail.known.text import read_text

    rows = read_text(file, sha256=sha256)
    new, widened = _lists().extend(name, rows)
    if json:
        show.print_json({"list": name, "read": len(rows.tags), "new": new, "widened": widened})
        return
    show.say(f"{new:,} of {len(rows.tags):,} hashes are new on the list {name}")
    if widened:
        show.say(f"{widened:,} that it had match up to the larger distance now")


@app.command(name="list")
def list_(json: _Json = False) -> None:
    """All lists, with how many pictures and hashes they have. Exit code: 3 where one does not open; the others are
    printed all the same."""
    from guardrail.keys import existing_keyring
    from guardrail.known import Survey, survey

    ring = existing_keyring()
    found = survey(_folder(), ring) if ring is not None else Survey((), {})
    if json:
        rows: list[dict[str, Any]] = [
            {"list": one.name, "pictures": one.pictures, "hashes": one.hashes} for one in found.lists
        ]
        show.print_json(rows + [{"list": name, "fault": fault} for name, fault in found.damaged.items()])
    elif found.lists:
        from rich.table import Table

        table = Table("list", "pictures", "pdq", "sha256", "pixels", box=None, padding=(0, 2))
        for one in found.lists:
            table.add_row(one.name, f"{one.pictures:,}", *(f"{n:,}" for n in one.hashes.values()))
        show.console().print(table)
    elif not found.damaged:
        show.say("there are no lists")
    for fault in found.damaged.values():
        show.say(f"guardrail: {fault}", err=True)
    if found.damaged:
        raise typer.Exit(3)


@app.command()
def remove(
    name: _List,
    pictures: Annotated[list[str] | None, typer.Argument(help="Ids that add printed, or hashes in hex.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Remove the whole list.")] = False,
    json: _Json = False,
) -> None:
    """Take pictures off a list, or remove it whole, also one that does not open any more. It holds at once, in running
    services too."""
    from guardrail.errors import KnownImagesError
    from guardrail.keys import existing_keyring
    from guardrail.known import remove_whole

    if bool(pictures) == whole:
        raise typer.BadParameter("say which: ids or hashes of pictures, or --whole")
    ring = existing_keyring()
    if ring is None:
        raise KnownImagesError(f"no list is called {name}")
    count = remove_whole(_folder(), name, ring) if whole else _lists().remove(name, pictures or ())
    if json:
        show.print_json({"list": name, "removed": count})
    elif count is None:
        show.say(f"the list {name}, which did not open, was removed")
    else:
        show.say(f"{count:,} pictures taken off the list {name}")


@app.command()
def rekey(json: _Json = False) -> None:
    """Seal every list anew under the active key of the keyring. Running services need that key: restart them before."""
    from guardrail.keys import existing_keyring
    from guardrail.known import HashLists

    ring = existing_keyring()
    done = HashLists(_folder(), ring).rekey() if ring is not None else ()
    if json:
        show.print_json({"key": ring.active if ring else None, "lists": done})
    elif ring is None:
        show.say("there is no key yet, and no list")
    elif done:
        show.say(f"under key {ring.active} now: {', '.join(done)}")
    else:
        show.say(f"no list was under another key than {ring.active}")
