"""``guardrail policy lint``: check rule files without running anything."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import FILES, JSON, installed, refuse
from guardrail.errors import Finding, PolicyError

__all__ = ["register"]


def lint(
    files: FILES,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0, for code review.")] = False,
    json: JSON = False,
) -> None:
    """Check rule files without running anything. Exit code: 0 clean, 1 findings."""
    from guardrail.policy import lint_file

    if sarif and json:
        refuse("--sarif and --json are two formats; give one of them", json)
    options = installed()
    findings: list[Finding] = []
    for file in files:
        findings += lint_file(file, **options) if _is_rule_file(file) else _load(file, options)
    if sarif:
        from guardrail import __version__
        from guardrail.policy.sarif import sarif as log

        show.print_json(log(findings, __version__))
    elif json:
        show.print_json([f.to_json() for f in findings])
    else:
        for finding in findings:
            show.say(str(finding))
            if finding.source.strip():
                show.say(f"    {finding.source.strip()}")
        wrong = sum(not f.warning for f in findings)
        if not findings:
            show.say(f"{', '.join(files)}: nothing to remark")
        else:
            show.say(f"{wrong} {'error' if wrong == 1 else 'errors'}, {len(findings) - wrong} warnings")
        if not wrong:
            for file in filter(_is_rule_file, files):
                _note_signing(file, options)
    raise typer.Exit(1 if findings else 0)


def _note_signing(file: str, options: dict[str, Any]) -> None:
    """Say so where only a guard with a signer starts: that is nothing to mend in the file."""
    from guardrail.policy import load_policy

    try:
        rules = load_policy(file, **options).signing_rules
    except PolicyError:  # a file of tests: its policy is linted
        return
    if rules:
        asking = f"files must be signed ({', '.join(rules)})"
        show.say(f"{file}: {asking}: a guard needs marking=Marking(signer=…), see guardrail keys new --help")


def _is_rule_file(file: str) -> bool:
    return not file.endswith((".cel.yaml", ".cel.yml", ".rego"))


def _load(file: str, options: dict[str, Any]) -> tuple[Finding, ...]:
    """The errors of a policy in another language: loading it finds them all."""
    from guardrail.policy.engines import engine_for

    try:
        engine_for(file, **options)
    except PolicyError as error:
        return error.findings
    return ()


def register(app: typer.Typer) -> None:
    app.command()(lint)
