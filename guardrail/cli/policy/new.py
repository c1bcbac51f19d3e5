"""``guardrail policy new``: begin a policy, or a test from a decision on record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.log import LOG, bodies
from guardrail.cli.policy.shared import JSON, installed, load, refuse
from guardrail.errors import PolicyError

__all__ = ["register"]


def new_(
    name: Annotated[str, typer.Argument(help="Name of the new policy, or the path of its file.")] = "",
    extends: Annotated[str, typer.Option(help="What it builds on: a shipped policy, or a path beside it.")] = "default",
    test_from: Annotated[str, typer.Option(help="Print a test made of this decision, by the id in its message.")] = "",
    policy: Annotated[str, typer.Option(help="With --test-from: the policy that the test is for.")] = "default",
    log: LOG = None,
    json: JSON = False,
) -> None:
    """Write a policy that extends another one, with comments, a first rule and its tests; or print a test.

    Exit code: 0 done, 2 usage.
    """
    if bool(name) == bool(test_from):
        refuse("give either a name for a new policy, or --test-from DECISION for a test", json)
    if test_from:
        _print_test(test_from, policy, log, json)
    else:
        _write_policy(name, extends, json)


def _write_policy(name: str, extends: str, json: bool) -> None:
    from guardrail.policy import BuiltinEngine, load_policy, run_tests
    from guardrail.policy.scaffold import new_policy

    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    try:
        # Never over a file that is there.
        with path.open("x", encoding="utf-8") as file:
            file.write(new_policy(path.stem, str(path), extends))
    except FileExistsError:
        refuse(f"{path} is there already: choose another name", json)
    except (OSError, ValueError) as error:
        refuse(f"{path} cannot be written: {getattr(error, 'strerror', None) or 'not a usable path'}", json)
    try:
        made = load_policy(path, **installed())
        report = run_tests(made, BuiltinEngine(made))
    except PolicyError as error:
        path.unlink()
        refuse(error, json)
    if json:
        show.print_json({"file": str(path), "id": made.id, "extends": extends, "tests": report.to_json()})
        return
    show.say(f"{path}: a policy that extends {extends}, with one rule and {len(report.results)} tests")
    for failed in report.failed:
        show.say(str(failed), lines=True)
    show.say(f"next: read it, change it, then guardrail policy test {path}")


def _print_test(decision: str, policy: str, log: Path | None, json: bool) -> None:
    from guardrail.policy import BuiltinEngine
    from guardrail.policy.replay import Unreplayable, is_decision, past_of
    from guardrail.policy.scaffold import case_of

    loaded = load(policy, json)
    with bodies(log, json, decision=decision) as found:
        body = next((b for b in found if isinstance(b, dict) and is_decision(b)), None)
    if body is None:
        refuse(f"there is no decision {decision} on record: guardrail audit show lists them", json)
    try:
        past = past_of(body)
        then = f"{past.outcome.action} by {' '.join(past.policy)}"
        note = f"It was decided then: {then}. Expected is what {loaded.id} {loaded.version} says to its signals."
        text = case_of(past, BuiltinEngine(loaded), loaded.vocabulary, note)
    except Unreplayable as error:
        refuse(f"no test can be made of the decision {decision}: {error}", json)
    if json:
        show.print_json({"decision": decision, "policy": loaded.ref.to_json(), "yaml": text})
    else:
        show.say(text.rstrip("\n"), lines=True)


def register(app: typer.Typer) -> None:
    app.command(name="new")(new_)
