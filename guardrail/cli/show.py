"""Printing: JSON on request, tables for people; colours and progress only on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from guardrail.decision import Action, Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from guardrail.guard.explain import Explained
    from guardrail.guard.look import Looked
    from guardrail.media import Region

__all__ = ["COLOURS", "console", "print_decision", "print_explained", "print_json", "print_looked"]

KNOWN_BY = {
    "file": "the very same file",
    "pixels": "the very same pixels",
    "perceptual": "the same picture, changed a little",
    "service": "an outside service says so",
}
COLOURS = {"allow": "green", "alter": "yellow", "block": "red"}


def console(*, stderr: bool = False) -> Console:
    """A console that knows whether it is a terminal, and honours NO_COLOR."""
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False)
    # Where nobody looks (a pipe, a file), tables are not squeezed into 80 columns.
    return out if out.is_terminal else Console(stderr=stderr, highlight=False, width=200)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def print_decision(decision: Decision, lang: str = "") -> None:
    """A decision for people."""
    from rich.markup import escape
    from rich.table import Table

    out = console()
    colour = COLOURS[decision.action.value]
    out.print(
        f"[bold {colour}]{decision.action.value}[/] at {decision.stage.value}, policy {decision.policy.id} "
        f"{decision.policy.version}, decision {decision.id}"
    )
    if decision.message(lang):
        out.print(escape(decision.message(lang)))
    if decision.reasons:
        table = Table("rule", "stage", "asks for", "because", box=None, padding=(0, 2))
        for reason in decision.reasons:
            rule = reason.rule or f"({reason.kind})"
            effect = f"{reason.effect.value}{' (shadow)' if reason.shadow else ''}"
            table.add_row(escape(rule), reason.stage.value, effect, escape(reason.describe()))
        out.print(table)
    for stage in ("reference", "output"):
        known = decision.signals.get(f"{stage}.known_images")
        for item in known if isinstance(known, tuple) else ():
            by = KNOWN_BY.get(str(item["by"]), str(item["by"]))
            out.print(f"a known image, of the list {item['list']}: {by}", markup=False)
    for alteration in decision.alterations:
        if alteration.kind not in ("label", "report"):
            out.print(f"{alteration.kind} {alteration.argument}: {alteration.status} {escape(alteration.detail)}")
    for gap in decision.coverage:
        out.print(f"[dim]not covered: {gap.what} {escape(gap.argument)} {escape(gap.detail)}[/]")
    ran = ", ".join(e.name for e in decision.effective) or "nothing"
    out.print(f"[dim]checked by {escape(ran)}[/]")


def print_looked(seen: Sequence[Looked], names: Sequence[str], described: Callable[[Region], str]) -> None:
    """What was found in each image, a line each; only places and kinds, never who somebody is."""
    out = console()
    for one in seen:
        name = names[one.index]
        if one.image is None:
            out.print(f"{name}: not looked at: {one.fault}", markup=False)
            continue
        height, width = one.image.size
        found = one.found
        frames = len(one.image.frames)
        size = f"{width}×{height}" + (f", {frames} frames" if frames > 1 else "")
        nothing = "nothing found" if one.failures else "no face and no exposed body part found"
        out.print(f"{name} ({size}): {'' if found else nothing}", markup=False)
        for region in found:
            at = f" in frame {region.frame + 1}" if frames > 1 else ""
            out.print(f"  {described(region)}{at}", markup=False)
        for note in one.notes:
            out.print(f"  {note}", markup=False)
        for check, cause in one.failures:
            out.print(f"  {check} could not look: {cause}", markup=False)


def print_explained(texts: Sequence[Explained]) -> None:
    """Each text with what fired underlined. For the person who typed it: this is content."""
    from guardrail.cli.underline import underlined

    out = console()
    width = min(out.width, 100)
    for text in texts:
        out.print(f"{text.argument}{' (to be avoided)' if text.negative else ''}:", markup=False)
        for line in underlined(text.text, text.spans, width):
            out.print(line, soft_wrap=True)
        if not text.spans:
            out.print("  no word or phrase fired here", style="dim")
        for name, cause in text.failures:
            out.print(f"  {name} could not look: {cause}", markup=False)
    if not texts:
        out.print("not explained: the text was refused unread", style="dim")


def exit_code(decision: Decision) -> int:
    """0 allow, 10 alter, 11 block; 3 where it is a block only because something could not be checked."""
    if decision.action is Action.BLOCK:
        judged = any(r.kind == "rule" and r.effect is Action.BLOCK and not r.shadow for r in decision.reasons)
        return 11 if judged else 3
    return 10 if decision.action is Action.ALTER else 0
