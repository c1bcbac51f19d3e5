"""``guardrail policy explain``: why a request is, or was, decided as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import JSON, load, refuse
from guardrail.errors import ConfigurationError, GuardrailError, PolicyError
from guardrail.signals import Stage

if TYPE_CHECKING:
    from guardrail.policy import Policy

__all__ = ["register"]


class _Asked(NamedTuple):
    """What is to be explained, and what there is to say about where it comes from."""

    signals: Any
    stage: Stage
    due: frozenset[Stage]
    notes: tuple[str, ...] = ()
    recorded: dict[str, Any] | None = None


def explain_(
    policy: Annotated[str, typer.Argument(help="A rule file, or the name of a shipped policy.")] = "default",
    prompt: Annotated[str | None, typer.Option(help="A prompt, read by the real checks.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A reference image; may be given several times.")] = None,
    names: Annotated[Path | None, typer.Option(help="A file with names to protect, one a line.")] = None,
    given: Annotated[
        str | None, typer.Option(help="Signals as in a test, such as '{prompt.sexual: 0.5}', or a file with them.")
    ] = None,
    stage: Annotated[Stage | None, typer.Option(help="With --given: where the request stands.")] = None,
    decision: Annotated[str | None, typer.Option(help="A decision on record, by the id in its message.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Another record than the one in the data folder.")] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only this rule; may be given several times.")] = None,
    json: JSON = False,
) -> None:
    """Say for each rule whether it fires and why: every comparison with its value, its threshold and the margin."""
    from guardrail.policy.explain import explain
    from guardrail.policy.findings import near
    from guardrail.policy.telling import tell

    ways = [prompt is not None or bool(image), given is not None, decision is not None]
    if sum(ways) != 1:
        refuse("give one of: --prompt and --image, --given, or --decision", json)
    if stage is not None and given is None:
        refuse("--stage belongs to --given: a request and a record know where they stand", json)
    loaded = load(policy, json)
    known = [r.id for r in loaded.rules]
    for unknown in (r for r in rule or () if r not in known):
        refuse(f"{policy} has no rule {unknown!r}: {near(unknown, known)}", json)
    if given is not None:
        asked = _given(given, stage, loaded, json)
    elif decision is not None:
        asked = _on_record(decision, file, loaded, json)
    else:
        asked = _request(prompt, image or [], names, loaded, json)
    explanation = explain(loaded, asked.signals, asked.stage, asked.due)
    notes = list(asked.notes)
    if asked.recorded and asked.recorded["action"] != explanation.decision:
        notes.append(f"NOTE: decided then: {asked.recorded['action']}; by the rules alone: {explanation.decision}")
    if json:
        shown = explanation.to_json()
        for at in shown["stages"]:
            at["rules"] = [r for r in at["rules"] if not rule or r["rule"] in rule]
        show.print_json({**shown, "notes": notes, "recorded": asked.recorded})
        return
    for note in notes:
        show.say(note)
    show.say(tell(explanation, rule or ()), lines=True)


def _given(text: str, stage: Stage | None, policy: Policy, json: bool) -> _Asked:
    from guardrail.policy.given import read_given

    path = "--given"
    if not text.lstrip().startswith("{") and "\n" not in text:
        path = text
        try:
            text = Path(text).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            refuse(f"--given {path}: {why} — write signals such as '{{prompt.sexual: 0.5}}', or name a file", json)
    try:
        case = read_given(text, policy, stage=stage, path=path)
    except PolicyError as error:
        for finding in error.findings:
            finding.mend = finding.mend.replace("add `stage:`", "add `stage:`, or --stage")
        refuse(PolicyError(error.findings), json)
    return _Asked(case.signals, case.stage, case.due)


def _request(prompt: str | None, images: list[Path], names: Path | None, policy: Policy, json: bool) -> _Asked:
    from guardrail import Guard

    for path in (p for p in [*images, *([names] if names else [])] if not p.is_file()):
        refuse(f"{path} is not a file", json)
    try:
        guard = Guard(policy, audit=None, names=names or (), releases=False)
    except ConfigurationError as error:
        refuse(error, json)
    with guard:
        made = guard.check_request(prompt=prompt, images=images)
    return _Asked(made.signals, made.stage, frozenset(made.due), _own([r.to_json() for r in made.reasons]))


def _on_record(decision: str, file: Path | None, policy: Policy, json: bool) -> _Asked:
    from guardrail.audit import records
    from guardrail.guard.build import open_audit
    from guardrail.keys import load_keyring
    from guardrail.paths import home

    path = file or home() / "audit.sqlite"
    if not path.is_file():
        refuse(f"there is no record at {path}", json)
    try:
        with open_audit(path, load_keyring()) as log:  # type: ignore[union-attr]
            found = list(records(log, 1, decision_id=decision, type="decision"))
    except GuardrailError as error:
        refuse(error, json)
    if not found:
        refuse(f"{path} has no decision {decision}", json)
    body = found[0].body
    signals = {n: tuple(v) if isinstance(v, list) else v for n, v in body["signals"].items()}
    then = body["policy"]
    notes = [f"decision {body['id']} of {body['created']}: {body['action']} at {body['stage']}"]
    if then["sha256"] != policy.ref.sha256:
        notes.append(
            f"NOTE: it was decided under {then['id']} {then['version']} (sha256 {then['sha256'][:12]}…), and is "
            f"explained by {policy.id} {policy.version} (sha256 {policy.ref.sha256[:12]}…)"
        )
    recorded = {key: body[key] for key in ("id", "created", "action", "stage", "rules", "shadow_rules", "policy")}
    due = frozenset(Stage(s) for s in body["due"])
    return _Asked(signals, Stage(body["stage"]), due, (*notes, *_own(body["reasons"])), recorded)


def _own(reasons: list[dict[str, Any]]) -> tuple[str, ...]:
    """Why the guard itself blocked: no rule can explain that."""
    own = (r for r in reasons if r["kind"] not in ("rule", "missing"))
    return tuple(f"NOTE: the guard itself blocked ({r['kind']}): {r['cause']}" for r in own)


def register(app: typer.Typer) -> None:
    app.command(name="explain")(explain_)
