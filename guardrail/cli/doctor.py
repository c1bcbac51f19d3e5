"""``guardrail doctor``: what is in force here, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show

__all__ = ["register"]


def doctor(
    measure: Annotated[bool, typer.Option(help="Run each check and say how long it took.")] = True,
    face_backend: Annotated[str, typer.Option(help="auto, insightface, opencv, yunet or embedded.")] = "auto",
    pack: Annotated[Path | None, typer.Option(help="Folder of a local insightface pack.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine this installation. Exit code: 0 the default policy can be enforced, 1 it cannot."""
    from guardrail.checks.base import CheckSettings
    from guardrail.doctor import examine

    settings = CheckSettings(face_backend=face_backend, insightface_pack=str(pack.absolute()) if pack else "")
    found = examine(measure=measure, settings=settings)
    if json:
        show.print_json(found.to_json())
        raise typer.Exit(1 if found.faults else 0)
    from rich.table import Table

    out = show.console()
    for name, value in found.system.items():
        out.print(f"{name}: {show.in_markup(value)}")
    out.print("packages: " + ", ".join(f"{n} {v or '[dim]absent[/]'}" for n, v in found.packages.items()))
    models = Table("model", "state", "licence", "sha256", box=None, padding=(0, 2))
    for m in found.models:
        models.add_row(m["name"], m["state"], m["licence"], m["sha256"][:16])
    out.print(models)
    checks = Table("check", "state", "ms", "runs on", box=None, padding=(0, 2))
    for c in found.checks:
        ms = f"{c['ms']:.1f}" if "ms" in c else ""
        checks.add_row(
            c["name"], c.get("state", ""), ms, show.in_markup(c.get("runs") or c.get("cause", ""), lines=True)
        )
    out.print(checks)
    for c in found.checks:
        for what, told in c.get("about", {}).items():
            out.print(f"[dim]{c['name']}, {what}: {show.in_markup(told)}[/]")
    for p in found.policies:
        colour = "green" if p["state"] == "can be enforced" else "red"
        out.print(f"policy {p['policy']}: [{colour}]{p['state']}[/]")
    for m in found.models:
        if m["mend"]:
            out.print(f"[dim]to have {m['name']}: {show.in_markup(m['mend'])}[/]")
    for remark in found.remarks:
        out.print(f"[yellow]note:[/] {show.in_markup(remark, lines=True)}")
    for fault in found.faults:
        out.print(f"[red]fault:[/] {show.in_markup(fault, lines=True)}")
    raise typer.Exit(1 if found.faults else 0)


def register(app: typer.Typer) -> None:
    app.command()(doctor)
