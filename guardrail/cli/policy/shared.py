"""What the verbs under ``guardrail policy`` share: what is installed here, and the checks for tests on raw input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from guardrail.cli import show
from guardrail.errors import PolicyError

if TYPE_CHECKING:
    from guardrail.policy import Policy

__all__ = ["FILES", "JSON", "installed", "load", "real_checks", "refuse"]

FILES = Annotated[list[str], typer.Argument(help="Rule files, or names of shipped policies.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def installed() -> dict[str, Any]:
    """The signals, actions and shipped policies of this installation, as `load_policy` takes them."""
    from guardrail.actions import action_kinds
    from guardrail.checks.registry import declared_checks, vocabulary
    from guardrail.paths import shipped_policies

    return {"vocabulary": vocabulary(declared_checks()), "actions": action_kinds(), "shipped": shipped_policies()}


def refuse(message: str | Exception, json: bool = False) -> NoReturn:
    """End with exit code 2: the verb was called with something that it cannot work on."""
    if json:
        show.print_json({"error": "usage", "message": str(message)})
    text = show.escaped(message) if isinstance(message, str) else show.told(message)
    show.say(f"guardrail: {text}", err=True, lines=True)
    raise typer.Exit(2)


def load(file: str, json: bool = False) -> Policy:
    """A rule file or a shipped policy; exit code 2 with its findings where it does not load."""
    from guardrail.policy import load_policy

    try:
        return load_policy(file, **installed())
    except PolicyError as error:
        refuse(error, json)


def real_checks(policy: Policy) -> Any:
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
            terms = policy.terms
            settings = CheckSettings(names=terms.names, words=terms.words, exempt=terms.exempt)
            runners.append(Runner(construct(BuiltinEngine(policy).needs(), settings)[0]))
        texts = (TextInput(prompt),) if prompt is not None else ()
        images = (read_image(image),) if image is not None else ()
        request = Request(texts, images)
        # What the guard itself knows of such a request.
        signals: dict[str, Any] = {"context.purpose": "", "context.locale": "en", "request.unverified": ()}
        signals["request.adapters"] = ()
        for stage in (Stage.PROMPT, Stage.REFERENCE):
            (found,) = runners[0].run([request], stage)
            signals.update(found.signals)
        return signals

    return run
