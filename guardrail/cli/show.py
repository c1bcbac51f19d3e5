"""Printing: JSON on request, tables for people; colours and progress only on a terminal.

Names and texts of files are printed through here and nowhere else: as they are, they could steer the terminal.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

import typer

from guardrail.decision import Action, Decision
from guardrail.errors import PolicyError, SignalUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.text import Text

    from guardrail.guard.explain import Explained
    from guardrail.guard.look import Looked
    from guardrail.media import Region

__all__ = [
    "COLOURS",
    "console",
    "escaped",
    "exit_code",
    "in_markup",
    "print_decision",
    "print_explained",
    "print_json",
    "print_json_line",
    "print_looked",
    "progress",
    "say",
    "told",
]

KNOWN_BY = {
    "file": "the very same file",
    "pixels": "the very same pixels",
    "perceptual": "the same picture, changed a little",
    "service": "an outside service says so",
}
COLOURS = {"allow": "green", "alter": "yellow", "block": "red"}
# Zero width joiner and non-joiner: they move nothing, and Persian and Hindi are misspelt without them.
_JOINERS = frozenset("\u200c\u200d")


def escaped(text: str, *, lines: bool = False) -> str:
    """What would steer a terminal, as JSON writes it: control characters, turns of direction, what is no text.

    JSON itself escapes the first 32 only; others begin sequences too, turn the direction, or cannot be encoded. JSON
    that goes through here says the same as before.

    Args:
        lines: keep the ends of lines. Only for what is made of lines here: in a name, one would begin a line that looks
            like ours.
    """
    return "".join(c if _is_drawn(c) or (lines and c == "\n") else json.dumps(c)[1:-1] for c in text)


def _is_drawn(c: str) -> bool:
    # Python calls the spaces of other scripts unprintable.
    return c.isprintable() or c in _JOINERS or unicodedata.category(c) == "Zs"


def in_markup(text: str, *, lines: bool = False) -> str:
    """As `escaped`, for tables and whatever else may have colours: brackets are brackets."""
    from rich.markup import escape

    return escape(escaped(text, lines=lines))


def say(text: str = "", *, err: bool = False, lines: bool = False) -> None:
    """Print one line, or several with `lines`, with everything `escaped`."""
    typer.echo(escaped(text, lines=lines), err=err)


def told(error: Exception, *, lines: bool = False) -> str:
    """An error, `escaped`: one line, or several where it tells of several things.

    Args:
        lines: its text may have several lines, whatever the error is.
    """
    if isinstance(error, PolicyError):
        return "\n".join(escaped(str(finding)) for finding in error.findings)
    return escaped(str(error), lines=lines or isinstance(error, SignalUnavailable))


def progress(text: str = "") -> None:
    """Replace the line of progress on stderr; the caller sees to it that this is a terminal."""
    typer.echo(f"\r\x1b[K{escaped(text)}", err=True, nl=False)


def console(*, stderr: bool = False) -> Console:
    """A console that knows whether it is a terminal, and honours NO_COLOR. No text that it is given steers it."""
    from rich.console import Console

    class Escaping(Console):
        """Every text passes here before it is laid out, in tables as well."""

        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(escaped(text, lines=True), **how)

    out = Escaping(stderr=stderr, highlight=False)
    # Where nobody looks (a pipe, a file), tables are not squeezed into 80 columns.
    return out if out.is_terminal else Escaping(stderr=stderr, highlight=False, width=200)


def print_json(value: Any) -> None:
    """One JSON value, over several lines."""
    say(json.dumps(value, ensure_ascii=False, indent=1), lines=True)


def print_json_line(value: Any) -> None:
    """One JSON value on one line."""
    say(json.dumps(value, ensure_ascii=False))


def print_decision(decision: Decision, lang: str = "") -> None:
    """A decision for people."""
    from rich.table import Table

    out = console()
    colour = COLOURS[decision.action.value]
    out.print(
        f"[bold {colour}]{decision.action.value}[/] at {decision.stage.value}, policy {in_markup(decision.policy.id)} "
        f"{in_markup(decision.policy.version)}, decision {in_markup(decision.id)}"
    )
    if decision.message(lang):
        out.print(in_markup(decision.message(lang)))
    if decision.reasons:
        table = Table("rule", "stage", "asks for", "because", box=None, padding=(0, 2))
        for reason in decision.reasons:
            rule = reason.rule or f"({reason.kind})"
            effect = f"{reason.effect.value}{' (shadow)' if reason.shadow else ''}"
            table.add_row(in_markup(rule), reason.stage.value, effect, in_markup(reason.describe()))
        out.print(table)
    for stage in ("reference", "output"):
        known = decision.signals.get(f"{stage}.known_images")
        for item in known if isinstance(known, tuple) else ():
            by = KNOWN_BY.get(str(item["by"]), str(item["by"]))
            out.print(escaped(f"a known image, of the list {item['list']}: {by}"), markup=False)
    for alteration in decision.alterations:
        if alteration.kind not in ("label", "report"):
            out.print(in_markup(f"{alteration.kind} {alteration.argument}: {alteration.status} {alteration.detail}"))
    for gap in decision.coverage:
        out.print(f"[dim]{in_markup(f'not covered: {gap.what} {gap.argument} {gap.detail}')}[/]")
    ran = ", ".join(e.name for e in decision.effective) or "nothing"
    out.print(f"[dim]checked by {in_markup(ran)}[/]")


def print_looked(seen: Sequence[Looked], names: Sequence[str], described: Callable[[Region], str]) -> None:
    """What was found in each image, a line each; only places and kinds, never who somebody is."""
    out = console()
    for one in seen:
        name = names[one.index]
        if one.image is None:
            out.print(escaped(f"{name}: not looked at: {one.fault}"), markup=False)
            continue
        height, width = one.image.size
        found = one.found
        frames = len(one.image.frames)
        size = f"{width}×{height}" + (f", {frames} frames" if frames > 1 else "")
        nothing = "nothing found" if one.failures else "no face and no exposed body part found"
        out.print(escaped(f"{name} ({size}): {'' if found else nothing}"), markup=False)
        for region in found:
            at = f" in frame {region.frame + 1}" if frames > 1 else ""
            out.print(escaped(f"  {described(region)}{at}"), markup=False)
        for note in one.notes:
            out.print(escaped(f"  {note}"), markup=False)
        for check, cause in one.failures:
            out.print(escaped(f"  {check} could not look: {cause}"), markup=False)


def print_explained(texts: Sequence[Explained]) -> None:
    """Each text with what fired underlined. For the person who typed it: this is content."""
    from guardrail.cli.underline import underlined

    out = console()
    width = min(out.width, 100)
    for text in texts:
        out.print(escaped(f"{text.argument}{' (to be avoided)' if text.negative else ''}:"), markup=False)
        for line in underlined(text.text, text.spans, width):
            out.print(line, soft_wrap=True)
        if not text.spans:
            out.print("  no word or phrase fired here", style="dim")
        for name, cause in text.failures:
            out.print(escaped(f"  {name} could not look: {cause}"), markup=False)
    if not texts:
        out.print("not explained: the text was refused unread", style="dim")


def exit_code(decision: Decision) -> int:
    """0 allow, 10 alter, 11 block; 3 where it is a block only because something could not be checked."""
    if decision.action is Action.BLOCK:
        judged = any(r.kind == "rule" and r.effect is Action.BLOCK and not r.shadow for r in decision.reasons)
        return 11 if judged else 3
    return 10 if decision.action is Action.ALTER else 0
