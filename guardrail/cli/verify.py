"""``guardrail verify``: what files say about where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.cli import show
from guardrail.errors import GuardrailError, InputError, UnsupportedInput

if TYPE_CHECKING:
    from guardrail.keys import Keyring
    from guardrail.marks.registry import Registry
    from guardrail.marks.verify import Verification

__all__ = ["register"]

_LONGEST_SAID = 60  # characters of one value in the table; --json has all of it
_COLOURS = {"found": "green", "claimed": "green", "copied": "red", "invalid": "red"}


def verify(
    files: Annotated[list[str], typer.Argument(metavar="FILES…", help="Image files, or folders of them.")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders within folders as well.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON array, an object a file.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one line of JSON a file, as they are done.")] = False,
    no_search: Annotated[
        bool, typer.Option("--no-search", help="Do not look for marks that were cropped or turned: much faster.")
    ] = False,
    registry: Annotated[Path | None, typer.Option(help="The registry of released pictures.")] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="A PEM file of certificates that are trusted to sign Content Credentials.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="A PNG of what was found, with the grid of the mark; of one file.")
    ] = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Larger pictures are refused unread.")] = 8192 * 8192,
) -> None:
    """Look for marks, layer by layer. Absence of marks proves nothing, and nothing here says that it does.

    Exit code: 0 all looked at, 2 a file could not be read (the others are reported), 3 the registry or the trust list
    could not be read.
    """
    from guardrail.keys import find_keyring

    options = _options(registry, anchors, max_pixels, search=not no_search)
    keyring = find_keyring()
    found, refused = _found(files, recursive)
    if picture is not None:
        _require_one(found, refused, picture)
    if keyring is None:
        show.say("no key is here, so watermarks of ours cannot be read; none is made by looking", err=True)
    rows: list[dict[str, Any]] = []
    failed = bool(refused)
    for file in found:
        row, said = _look(file, keyring, options)
        failed |= said is None
        if said is not None and picture is not None:
            _draw(file, said, keyring, picture, options)
        _report(row, rows, json=json, jsonl=jsonl)
    for row in refused:
        _report(row, rows, json=json, jsonl=jsonl)
    if json:
        show.print_json(rows)
    raise typer.Exit(2 if failed else 0)


def _options(registry: Path | None, anchors: Path | None, max_pixels: int, *, search: bool) -> dict[str, Any]:
    """What all files are looked at with; what is wrong with it is an error before the first."""
    from dataclasses import replace

    from guardrail.marks.verify import VERIFY_LIMITS

    options: dict[str, Any] = {"search": search, "limits": replace(VERIFY_LIMITS, pixels=max_pixels)}
    if registry is not None:
        options["registry"] = _opened(registry)
    if anchors is not None:
        from guardrail.marks.credentials import load_anchors
        from guardrail.marks.credentials.library import library

        library()
        options["anchors"] = load_anchors(anchors)
    return options


def _opened(path: Path) -> Registry:
    from guardrail.marks.registry import Registry

    registry = Registry(path)
    len(registry)
    return registry


def _found(given: list[str], recursive: bool) -> tuple[list[Path], list[dict[str, Any]]]:
    """The files to look at, and what is said of folders that have none."""
    from guardrail.marks.picture_files import picture_files

    found: list[Path] = []
    refused: list[dict[str, Any]] = []
    for path in given:
        try:
            if "://" in path:
                raise UnsupportedInput("a URL is not fetched; download the file and verify that")
            files, unreadable = picture_files(Path(path), recursive=recursive)
        except InputError as error:
            refused.append({"file": path, "error": error.code, "message": str(error)})
            continue
        found += files
        message = "the folder cannot be read: give this user access to it"
        refused += [{"file": str(folder), "error": "unreadable-folder", "message": message} for folder in unreadable]
    return list(dict.fromkeys(found)), refused


def _look(file: Path, keyring: Keyring | None, options: dict[str, Any]) -> tuple[dict[str, Any], Verification | None]:
    from guardrail.marks.verify import verify_image

    try:
        said = verify_image(file, keyring, **options)
    except InputError as error:
        return {"file": str(file), "error": error.code, "message": str(error)}, None
    return {"file": str(file), **said.to_json()}, said


def _report(row: dict[str, Any], rows: list[dict[str, Any]], *, json: bool, jsonl: bool) -> None:
    """Now, or for the array at the end."""
    if json:
        rows.append(row)
    elif jsonl:
        show.print_json_line(row)
    else:
        _print(row)


def _print(row: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = show.console()
    said = show.escaped(row.get("summary") or row["message"])
    out.print(Text.assemble((show.escaped(row["file"]), "bold"), ": ", said), soft_wrap=True)
    if "layers" not in row:
        return
    table = Table("layer", "verdict", "statistic", "chance of error", "says", box=None, padding=(0, 2))
    for layer in row["layers"]:
        colour = _COLOURS.get(layer["verdict"], "dim" if layer["verdict"].startswith(("n", "says")) else "yellow")
        statistic, rate = layer["statistic"], layer["false_positive_rate"]
        table.add_row(
            layer["name"],
            f"[{colour}]{layer['verdict']}[/]",
            "" if statistic is None else f"{statistic:.3g}",
            "" if rate is None else f"{rate:.0e}",
            Text("\n".join(f"{_short(name)}: {_short(value)}" for name, value in layer["says"].items() if value)),
        )
    out.print(table)


def _short(text: str) -> str:
    from guardrail.marks.label import one_line

    line = one_line(text)
    return line if len(line) <= _LONGEST_SAID else line[: _LONGEST_SAID - 1] + "…"


def _require_one(found: list[Path], refused: list[dict[str, Any]], picture: Path) -> None:
    if len(found) + len(refused) != 1:
        raise typer.BadParameter("--picture draws what was found in one file: give one")
    if picture.suffix.lower() != ".png":
        raise typer.BadParameter("--picture writes a PNG: choose a name that ends in .png")
    if picture.exists() and found and picture.samefile(found[0]):
        raise typer.BadParameter("--picture would overwrite the file itself: choose another name")


def _draw(file: Path, said: Verification, keyring: Keyring | None, picture: Path, options: dict[str, Any]) -> None:
    from guardrail.drafts import write_whole
    from guardrail.marks.picture import picture_of_found

    content = picture_of_found(file, said, keyring, limits=options["limits"], search=options["search"])
    try:
        write_whole(picture, content)
    except OSError as error:
        raise GuardrailError(f"{picture} cannot be written: {error.strerror or type(error).__name__}") from None


def register(app: typer.Typer) -> None:
    app.command()(verify)
