"""``guardrail demo``: the whole way once, with a report in pictures."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show

__all__ = ["register"]


def demo(
    model: Annotated[str, typer.Option(help="A model id or folder for diffusers; an id is downloaded.")] = "",
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file.")] = "default",
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("demo"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Real prompts and photographs through real checks into a real pipeline. Exit code: 1 if a case went otherwise."""
    begun = time.perf_counter()
    _quiet()
    from guardrail.demo.cases import CASES
    from guardrail.demo.report import write_report
    from guardrail.demo.run import run_demo

    with _Bar(len(CASES)) as step:
        run = run_demo(out, model=model, policy=policy, progress=step)
    write_report(run, out / "report.html")
    seconds = time.perf_counter() - begun
    if json:
        show.print_json(
            {
                "ok": run.ok,
                "seconds": round(seconds, 2),
                "report": str(out / "report.html"),
                "cases": [
                    {
                        "title": r.case.title,
                        "ok": r.ok,
                        "actions": [d.action.value for d in r.decisions],
                        "rules": [list(d.rules) for d in r.decisions],
                        "differences": r.differences,
                        "notes": r.notes,
                        "verified": r.verified,
                    }
                    for r in run.results
                ],
            }
        )
        raise typer.Exit(0 if run.ok else 1)
    from rich.table import Table

    table = Table("case", "decision", "rules", "as expected", box=None, padding=(0, 2))
    for r in run.results:
        actions = " ".join(f"[{show.COLOURS[d.action.value]}]{d.action.value}[/]" for d in r.decisions)
        rules = ", ".join(dict.fromkeys(rule for d in r.decisions for rule in d.rules if rule != "mark-everything"))
        verdict = "[green]yes[/]" if r.ok else f"[red]NO: {show.in_markup('; '.join(r.differences))}[/]"
        table.add_row(show.in_markup(r.case.title), actions, rules, verdict)
    console = show.console()
    console.print(table)
    good = sum(r.ok for r in run.results)
    console.print(f"{good} of {len(run.results)} cases as expected, {seconds:.1f} s. Report: {out / 'report.html'}")
    if run.standin:
        console.print("No model was given: the pictures are those of a small stand-in model. See the report.")
    raise typer.Exit(0 if run.ok else 1)


class _Bar:
    """A bar on stderr where that is a terminal, else nothing."""

    def __init__(self, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(), TextColumn("{task.completed}/{task.total} {task.description}"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=show.console(stderr=True), disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("loading", total=total)
        self._begun = 0

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, title: str) -> None:
        self._bar.update(self._task, description=title, completed=self._begun)
        self._begun += 1


def _quiet() -> None:
    """The libraries' remarks about themselves are not part of the demo."""
    import os
    import warnings

    warnings.simplefilter("ignore", FutureWarning)
    for name in ("DIFFUSERS_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        os.environ.setdefault(name, "error")


def register(app: typer.Typer) -> None:
    app.command()(demo)
