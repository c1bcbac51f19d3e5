"""``guardrail gallery``: who is protected and who consented; enrolling, renewing, revoking, and the file itself."""

from __future__ import annotations

import dataclasses
import datetime as dt
import getpass
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from guardrail.cli import show
from guardrail.errors import GalleryError

__all__ = ["app"]

NONE = "there is no gallery yet, and no identity in it; guardrail gallery add begins one"
app = typer.Typer(help="Identities: who is protected, who consented.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Id = Annotated[str, typer.Argument(help="The id that add printed.")]
_By = Annotated[str, typer.Option("--attested-by", help="Who says so; by default the user of this machine. Encrypted.")]
_Evidence = Annotated[str, typer.Option(help="Reference to the paper or ticket that shows it. Encrypted.")]
_Labels = Annotated[
    bool, typer.Option("--labels", help="Print labels; show and --json: evidence and who attested it too.")
]
_Expires = Annotated[dt.datetime | None, typer.Option(help="When it ends, e.g. 2027-01-31 (UTC).")]
_Purposes = Annotated[list[str] | None, typer.Option("--purpose", help="What it covers; none means anything.")]
_Secret = Annotated[Path | None, typer.Option("--passphrase-file", help="Its first line; else $GUARDRAIL_PASSPHRASE.")]
_Ring = Annotated[bool, typer.Option("--keyring", help="Lock it with a key of the keyring, not with a passphrase.")]
_Opens = Annotated[bool, typer.Option("--keyring", help="Open it with a key of the keyring, not with a passphrase.")]


def _gallery() -> Any:
    """For what writes: a key and a gallery are made on first use."""
    from guardrail.guard.build import open_gallery
    from guardrail.keys import load_keyring

    return open_gallery("auto", load_keyring())


def _there() -> Any:
    """The gallery for all else; ``None`` where there is none yet."""
    from guardrail.keys import existing_keyring
    from guardrail.paths import home

    path = home() / "gallery.sqlite"
    if not path.exists():
        return None
    if existing_keyring() is None:
        raise GalleryError(f"{path} is empty; put your copy of it back, or delete it to begin a new one")
    return _gallery()


def _opened() -> Any:
    gallery = _there()
    if gallery is None:
        raise GalleryError(NONE)
    return gallery


def _row(identity: Any, labels: bool = False) -> dict[str, Any]:
    active = identity.active(dt.datetime.now(dt.UTC))
    row = {
        "id": identity.id,
        "list": identity.list,
        "state": "active" if active else "revoked" if identity.revoked else "expired",
        "purposes": list(identity.purposes),
        "created": identity.created,
        "expires": identity.expires or None,
        "revoked": identity.revoked or None,
        "embedders": list(identity.embedders),
    }
    if labels:
        row |= {"label": identity.label, "attested": [dataclasses.asdict(a) for a in identity.attested]}
    return row


def _say(identity: Any, text: str, json: bool) -> None:
    if json:
        show.print_json(_row(identity))
    else:
        show.say(f"{identity.id} {text}")


def _by(given: str) -> str:
    try:
        return given or getpass.getuser()
    except (OSError, KeyError):
        return ""  # a container may run as a user without a name


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    return moment.replace(tzinfo=dt.UTC) if moment else None


@app.command()
def add(
    photos: Annotated[list[Path], typer.Argument(help="Photographs of one person, one person in each.")],
    consent: Annotated[bool, typer.Option("--consent", help="This person agrees to be depicted.")] = False,
    protect: Annotated[bool, typer.Option("--protect", help="This person must never be depicted.")] = False,
    to: Annotated[str, typer.Option("--to", help="Add the photographs to this identity.")] = "",
    label: Annotated[str, typer.Option(help="What you call this entry; encrypted at rest.")] = "",
    purpose: _Purposes = None,
    expires: _Expires = None,
    evidence: _Evidence = "",
    attested_by: _By = "",
    accept: Annotated[
        list[str] | None, typer.Option(help="Id of an entry that looks the same and is somebody else.")
    ] = None,
    face_backend: Annotated[
        str, typer.Option(help="That of the guard: auto, insightface, opencv, yunet or embedded.")
    ] = "auto",
    pack: Annotated[Path | None, typer.Option(help="The folder of a local insightface pack.")] = None,
    json: _Json = False,
) -> None:
    """Enrol one person, or add photographs to one. Only face vectors are kept, encrypted; the photographs are not."""
    if consent + protect + bool(to) != 1:
        raise typer.BadParameter("say which: --consent, --protect or --to ID")
    if to and (label or purpose or expires):
        raise typer.BadParameter("--to adds photographs only; renew changes purposes and the end")
    from guardrail.checks.base import CheckSettings
    from guardrail.checks.image.faces import FaceCheck
    from guardrail.guard.conflicts import find_conflicts
    from guardrail.guard.enrol import add_photos, enrol, read_photos
    from guardrail.keys import existing_keyring

    settings = CheckSettings(face_backend=face_backend, insightface_pack=str(pack.absolute()) if pack else "")
    faces: Any = FaceCheck(settings)
    # Whoever typed the name of a file may read it.
    names = [str(photo) for photo in photos]
    if existing_keyring() is None:
        # What cannot be enrolled makes no key: on first use photographs are looked at before, too.
        read_photos(faces, photos, names=names)
    gallery = _gallery()
    note = {"evidence": evidence, "attested_by": _by(attested_by), "accept": accept or (), "names": names}
    if to:
        identity = add_photos(faces, gallery, to, photos, **note)  # type: ignore[arg-type]
    else:
        identity = enrol(
            faces,
            gallery,
            photos,
            list="consented" if consent else "protected",
            label=label,
            purposes=purpose or (),
            expires=_utc(expires),
            **note,  # type: ignore[arg-type]
        )
    name = faces.embedder.name
    vectors = gallery.vectors(identity.id, name)
    found = find_conflicts(
        gallery.index(name), vectors, faces.embedder.scale, list=identity.list, besides=[identity.id]
    )
    if json:
        conflicts = [dataclasses.asdict(c) for c in found]
        show.print_json(_row(identity) | {"pictures": len(vectors), "conflicts": conflicts})
        return
    show.say(f"{identity.id} is on the {identity.list} list ({len(vectors)} pictures, {name})")
    for conflict in found:
        show.say(conflict.describe())


app.command("enrol", hidden=True)(add)


@app.command(name="list")
def list_(labels: _Labels = False, json: _Json = False) -> None:
    """All identities, revoked ones too."""
    gallery = _there()
    rows = [_row(identity, labels) for identity in gallery.identities()] if gallery is not None else []
    if json:
        show.print_json(rows)
        return
    from rich.table import Table

    table = Table(
        "id", "list", "state", "purposes", "expires", *(["label"] if labels else []), box=None, padding=(0, 2)
    )
    for row in rows:
        purposes = ", ".join(row["purposes"]) or "any"
        label = [show.in_markup(row["label"])] if labels else []
        table.add_row(row["id"], row["list"], row["state"], show.in_markup(purposes), row["expires"] or "never", *label)
    show.console().print(table if rows else "nobody is enrolled")


@app.command(name="show")
def show_(identity: _Id, labels: _Labels = False, json: _Json = False) -> None:
    """What is known of one identity."""
    row = _row(_opened().identity(identity), labels)
    if json:
        show.print_json(row)
        return
    for name, value in row.items():
        show.say(f"{name}: {_plain(value)}")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(" ".join(v for v in one.values() if v) if isinstance(one, dict) else one for one in value)
    return value or "-"


@app.command()
def renew(
    identity: _Id,
    expires: _Expires = None,
    no_end: Annotated[bool, typer.Option("--no-end", help="It holds until it is revoked.")] = False,
    purpose: Annotated[list[str] | None, typer.Option("--purpose", help="What it covers from now on.")] = None,
    any_purpose: Annotated[bool, typer.Option("--any-purpose", help="It covers anything from now on.")] = False,
    evidence: _Evidence = "",
    attested_by: _By = "",
    json: _Json = False,
) -> None:
    """Give a consent or a protection a new end, and new purposes if you name any; also one that has expired."""
    if (expires is None) != no_end:
        raise typer.BadParameter("say until when: --expires or --no-end")
    if purpose and any_purpose:
        raise typer.BadParameter("--purpose or --any-purpose, not both")
    covers = [] if any_purpose else purpose or None
    renewed = _opened().renew(
        identity, expires=_utc(expires), purposes=covers, evidence=evidence, attested_by=_by(attested_by)
    )
    _say(renewed, f"holds until {renewed.expires or 'it is revoked'}", json)


@app.command()
def revoke(identity: _Id, evidence: _Evidence = "", attested_by: _By = "", json: _Json = False) -> None:
    """Delete somebody's vectors and keep that it was revoked. It holds at once, in running services too."""
    revoked = _opened().revoke(identity, evidence=evidence, attested_by=_by(attested_by))
    _say(revoked, f"revoked {revoked.revoked}", json)


@app.command()
def delete(
    identity: _Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: _Json = False,
) -> None:
    """Delete an identity with its label and all that was said of it. A consent is better revoked."""
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nobody is there to ask; say --yes")
        typer.confirm(f"delete {show.escaped(identity)} and all that is known of it?", abort=True, err=True)
    _opened().delete(identity)
    if json:
        show.print_json({"id": identity, "deleted": True})
    else:
        show.say(f"{identity} deleted")


@app.command()
def export(out: Path, passphrase_file: _Secret = None, keyring: _Ring = False, json: _Json = False) -> None:
    """Write everything into one encrypted file."""
    lock = _lock(passphrase_file, keyring)
    count = _opened().export(out, lock)
    if json:
        show.print_json({"file": str(out), "identities": count})
    else:
        show.say(f"{out}: {count:,} identities")


@app.command(name="import")
def import_(source: Path, passphrase_file: _Secret = None, keyring: _Opens = False, json: _Json = False) -> None:
    """Add what an export holds. What is here stays; what was revoked there is revoked here."""
    from guardrail.gallery import require_export
    from guardrail.keys import existing_keyring

    lock = _lock(passphrase_file, keyring, source)
    if existing_keyring() is None:
        # What cannot be taken in makes no key.
        require_export(source, lock)
    done = _gallery().take_in(source, lock)
    if json:
        show.print_json(dataclasses.asdict(done))
    else:
        show.say(f"{done.added:,} added, {done.known:,} were here, {done.revoked:,} of them revoked now")


def _lock(file: Path | None, keyring: bool, source: Path | None = None) -> Any:
    """The secret of a new export, or of `source`. Never an argument: those are seen by everybody on the machine."""
    from guardrail.gallery import Lock, ring_lock
    from guardrail.keys import existing_keyring

    if keyring and file is not None:
        raise typer.BadParameter("--passphrase-file or --keyring, not both")
    if keyring:
        ring = existing_keyring()
        if ring is None:
            raise GalleryError(
                "there is no key yet: put the keyring here that the export was made with" if source else NONE
            )
        return ring_lock(ring, source)
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{file} cannot be read: {type(error).__name__}") from None
        if not lines or not lines[0]:
            raise typer.BadParameter(f"the first line of {file} is empty; it is the passphrase")
        return Lock(passphrase=lines[0])
    given = os.environ.get("GUARDRAIL_PASSPHRASE", "")
    if not given and sys.stdin.isatty():
        given = typer.prompt("passphrase", hide_input=True, confirmation_prompt=source is None, err=True)
    if not given:
        raise typer.BadParameter("give a passphrase: --passphrase-file, $GUARDRAIL_PASSPHRASE, or --keyring")
    return Lock(passphrase=given)


@app.command()
def rekey(json: _Json = False) -> None:
    """Encrypt this gallery anew under the active key of the keyring. Keep the older key: lists of known images stay
    sealed under it, and marks, records and exports made under it need it."""
    gallery = _opened()
    changed = gallery.rekey()
    key = gallery.statistics().key_id
    if json:
        show.print_json({"key": key, "changed": changed})
    else:
        show.say(f"under key {key} now" if changed else f"encrypted anew under key {key}, as before")
        show.say("keep the older keys: lists of known images, marks, records and exports may need them")


@app.command()
def stats(json: _Json = False) -> None:
    """How much there is, without anybody's name."""
    found = dataclasses.asdict(_opened().statistics())
    if json:
        show.print_json(found)
        return
    for name, states in found["lists"].items():
        show.say(f"{name}: " + ", ".join(f"{count:,} {state}" for state, count in states.items()))
    for name, of in found["embedders"].items():
        how = "exact" if of["exact"] else "approximate"
        show.say(f"{name}: {of['vectors']:,} vectors of {of['dimension']}, {how} search")
        if missing := of["uncovered"]:
            identities = "identity has" if missing == 1 else "identities have"
            show.say(f"{name}: {missing:,} protected {identities} no vectors of it: a guard with it does not know them")
    show.say(f"key {found['key_id']}, {found['changes']:,} changes, {found['bytes']:,} bytes")
    if found["outdated_key"]:
        show.say("this key is not the active one: run guardrail gallery rekey")
