"""``guardrail mark``: mark picture files of your own that were made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.cli import show
from guardrail.errors import GuardrailError, InputError, MarkError

if TYPE_CHECKING:
    from guardrail.marks.marking_files import FileMarker

__all__ = ["register"]


def mark(
    files: Annotated[list[Path], typer.Argument(metavar="FILES…", help="PNG, JPEG, WebP or AVIF files.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder that marked copies are written to.")],
    system: Annotated[str, typer.Option(help="The generator, as the metadata names it.")] = "",
    system_version: Annotated[str, typer.Option(help="Its version.")] = "",
    provider: Annotated[str, typer.Option(help="Who offers the service, as the metadata names it.")] = "",
    psnr: Annotated[float, typer.Option(min=30, max=60, help="Strength in dB; more is fainter.")] = 43.0,
    composite: Annotated[
        bool, typer.Option("--composite", help="The pictures were made out of other pictures.")
    ] = False,
    registry: Annotated[Path | None, typer.Option(metavar="FILE", help="Where they are registered.")] = None,
    signer: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="CHAIN KEY", help="PEM files that sign Content Credentials: certificates, private key."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files in DIR, never those that are read.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Mark pictures: watermark, metadata, credentials with --signer. Each is read back before it is written.

    For pictures of your own. Do not offer this as a service on pictures that others send: from one marked flat picture
    the mark can be copied onto any other.

    Exit code: 0 all are marked, 2 a file could not be read, 3 one could not be marked (the others are).
    """
    from guardrail.keys import load_keyring
    from guardrail.marks.marking_files import FileMarker, targets_of
    from guardrail.marks.registry import Registry

    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"{out} is a file: --out names a folder")
    options: dict[str, Any] = {"registry": Registry(registry) if registry else None}
    if registry is not None and registry.exists():
        len(options["registry"])  # what is no registry is an error before the first file
    if signer is not None:
        from guardrail.marks.credentials import Signer

        options["signer"] = Signer.from_files(*signer)
    marker = FileMarker(
        load_keyring(),
        system=system,
        system_version=system_version,
        provider=provider,
        psnr_db=psnr,
        composite=composite,
        **options,
    )
    pairs, refused = targets_of(files, out, force=force)
    rows: list[dict[str, Any]] = [_refused(source, error) for source, error in refused]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MarkError(f"{out} cannot be made: {error.strerror or type(error).__name__}") from None
    rows += [_marked(marker, source, target) for source, target in pairs]
    rows.sort(key=lambda row: [str(file) for file in files].index(row["file"]))
    if json:
        show.print_json(rows)
    else:
        for row in rows:
            _print(row)
    failed = [row["error"] for row in rows if "error" in row]
    raise typer.Exit(0 if not failed else 3 if "mark" in failed else 2)


def _marked(marker: FileMarker, source: Path, target: Path) -> dict[str, Any]:
    try:
        return marker.mark(source, target).to_json()
    except (InputError, MarkError) as error:
        return _refused(source, error)


def _refused(source: Path, error: GuardrailError) -> dict[str, Any]:
    code = error.code if isinstance(error, InputError) else "mark"
    return {"file": str(source), "error": code, "message": str(error)}


def _print(row: dict[str, Any]) -> None:
    if "error" in row:
        show.say(f"{row['file']}: not marked: {row['message']}", err=True)
        return
    watermark = row["layers"][0]
    verdicts = {layer["name"]: layer["verdict"] for layer in row["layers"]}
    # What --signer signed is claimed only: nobody says here whom readers trust.
    ours = (n for n, v in verdicts.items() if v == "found" or (n == "content credentials" and v == "claimed"))
    found = " and ".join(ours)
    show.say(f"{row['out']}: mark {row['mark_id']}, read back from {found} (statistic {watermark['statistic']:.3g})")
    for note in row["notes"]:
        show.say(f"  {note}")


def register(app: typer.Typer) -> None:
    app.command()(mark)
