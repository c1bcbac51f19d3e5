"""``guardrail policy``: lint and test rule files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.cli import show
from guardrail.errors import Finding

if TYPE_CHECKING:
    from guardrail.policy import Policy

__all__ = ["app"]

app = typer.Typer(help="Lint and test rule files.", no_args_is_help=True)
_Files = Annotated[list[str], typer.Argument(help="Rule files, or names of shipped policies.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _options() -> dict[str, Any]:
    from guardrail.actions import action_kinds
    from guardrail.checks.registry import declared_checks, vocabulary
    from guardrail.paths import shipped_policies

    return {"vocabulary": vocabulary(declared_checks()), "actions": action_kinds(), "shipped": shipped_policies()}


@app.command()
def lint(files: _Files, json: _Json = False) -> None:
    """Check rule files without running anything. Exit code: 0 clean, 1 findings."""
    from guardrail.policy import lint_file

    options = _options()
    findings: list[Finding] = []
    for file in files:
        findings += lint_file(file, **options)
    if json:
        show.print_json([f.to_json() for f in findings])
    else:
        for finding in findings:
            typer.echo(str(finding))
            if finding.source.strip():
                typer.echo(f"    {finding.source.strip()}")
        wrong = sum(not f.warning for f in findings)
        if not findings:
            typer.echo(f"{', '.join(files)}: nothing to remark")
        else:
            typer.echo(f"{wrong} {'error' if wrong == 1 else 'errors'}, {len(findings) - wrong} warnings")
    raise typer.Exit(1 if findings else 0)


@app.command(name="test")
def test_(
    files: _Files,
    offline: Annotated[bool, typer.Option("--offline", help="Only tests on signals; no check is run.")] = False,
    json: _Json = False,
) -> None:
    """Run the tests beside the rules. Exit code: 0 all passed, 1 a test failed."""
    from guardrail.policy import BuiltinEngine, load_policy, run_tests

    options = _options()
    failed = False
    reports = []
    for file in files:
        loaded = load_policy(file, **options)
        report = run_tests(loaded, BuiltinEngine(loaded), None if offline else _checks(loaded))
        reports.append((file, report))
        failed = failed or not report.ok
    if json:
        show.print_json([{"file": file, **report.to_json()} for file, report in reports])
    else:
        for _, report in reports:
            typer.echo(str(report))
    raise typer.Exit(1 if failed else 0)


def _checks(policy: Policy) -> Any:
    """Signals of a raw prompt or image by the real checks, for tests that name one."""
    from guardrail.checks.base import CheckSettings
    from guardrail.checks.registry import construct
    from guardrail.guard.runner import Runner
    from guardrail.media import Request, TextInput
    from guardrail.media.read import read_image
    from guardrail.policy import BuiltinEngine
    from guardrail.signals import Stage

    runners: list[Runner] = []

    def run(prompt: str | None, image: Path | None) -> dict[str, Any]:
        if not runners:
            runners.append(Runner(construct(BuiltinEngine(policy).needs(), CheckSettings())[0]))
        texts = (TextInput(prompt),) if prompt is not None else ()
        images = (read_image(image),) if image is not None else ()
        request = Request(texts, images)
        signals: dict[str, Any] = {}
        for stage in (Stage.PROMPT, Stage.REFERENCE):
            (found,) = runners[0].run([request], stage)
            signals.update(found.signals)
        return signals

    return run
