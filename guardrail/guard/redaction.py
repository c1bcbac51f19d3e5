"""Covering faces or body parts of a picture on request, without a policy of the user's: for `guardrail redact`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from guardrail.actions import action_kinds
from guardrail.actions.redact import targets
from guardrail.checks.registry import declared_checks, vocabulary
from guardrail.decision import CORE_ACTIONS, ActionSpec, Decision
from guardrail.errors import ActionError, ConfigurationError
from guardrail.guard.guard import Guard
from guardrail.guard.item import Item
from guardrail.guard.judge import REDACTIONS
from guardrail.media import ImageInput, Region, Request
from guardrail.media.types import Frame
from guardrail.paths import shipped_policies
from guardrail.policy import load_policy
from guardrail.signals import Stage

__all__ = ["Redaction", "lowest_threshold", "redact"]

_CONDITIONS = {
    "faces": "{reference.faces: {any: {real: '>= 0'}}}",
    "unconsented-faces": "{reference.faces: {any: {consent: [no, unknown], real: '>= 0.5'}}}",
    "nudity": "{{reference.nudity: '>= {floor}'}}",
}


@dataclass(frozen=True, slots=True)
class Redaction:
    """What became of a picture.

    Args:
        frames: all frames, covered where there was something to cover.
        regions: what was covered, in the coordinates of the frames.
        strength: 1 … 3 as far as it had to go, 0 where nothing was there.
        decision: of the guard that did it.
    """

    frames: tuple[Frame, ...] = field(repr=False)
    regions: tuple[Region, ...]
    strength: int
    decision: Decision


def lowest_threshold() -> float:
    """From which score on the default policy calls a picture partly nude (`partial`).

    Raises:
        ConfigurationError: it does not load.
    """
    policy = load_policy(
        shipped_policies() / "default.yaml", vocabulary=vocabulary(declared_checks()), actions=action_kinds()
    )
    return policy.thresholds["nudity"]["partial"]


def redact(image: ImageInput, method: str, target: str, *, at_least: float | None = None, **options: Any) -> Redaction:
    """Cover every `target` in all frames, stronger until nobody is recognised any more.

    Args:
        method: ``blur``, ``pixelate``, ``fill`` or ``replace``.
        target: ``faces``, ``unconsented-faces`` or ``nudity``.
        at_least: of nudity: the lowest score, over 0 up to 1, that is covered, and that must not be left; by default
            `lowest_threshold`.
        options: of `Guard`, such as `face_backend`.

    Raises:
        ConfigurationError: an unknown method or target, or a model that is needed is not here.
        ActionError: it could not be done so that it holds, something objects and does not say where (a second opinion
            on nudity), or a check could not run; nothing is to be released then.
    """
    if method not in REDACTIONS:
        raise ConfigurationError(f"no redaction is called {method!r}; there is: {', '.join(sorted(REDACTIONS))}")
    allowed = next(p.choices for p in CORE_ACTIONS[method].params if p.name == "target")
    if target not in allowed:
        raise ConfigurationError(f"{method} covers {', '.join(allowed)}, not {target!r}")
    floor = 0.0
    if target == "nudity":
        floor = lowest_threshold() if at_least is None else at_least
        if not 0.0 < floor <= 1.0:
            raise ConfigurationError(f"a score that is covered is over 0 and at most 1, not {floor:g}")
    elif at_least is not None:
        raise ConfigurationError(f"{target} are covered whatever their score; at_least is for nudity")
    when = _CONDITIONS[target].format(floor=floor) if target == "nudity" else _CONDITIONS[target]
    rules = (
        "policy: {id: redact, version: 1.0.0}\nrules:\n"
        f"- {{id: redact, at: reference, when: {when}, then: {{{method}: {{target: {target}}}}}}}\n"
    )
    with tempfile.TemporaryDirectory(prefix="guardrail-redact-") as folder:
        path = Path(folder) / "redact.yaml"
        path.write_text(rules, "utf-8")
        with Guard(path, **{"audit": None, "gallery": None, **options}) as guard:
            return _by(guard, image, method, target, floor)


def _by(guard: Guard, image: ImageInput, method: str, target: str, floor: float) -> Redaction:
    session = guard.session()
    session.open([Request(images=(image,))])
    (item,) = session.items
    judge = guard._parts.judge
    ((verdict, found),) = judge.stage([item], Stage.REFERENCE)
    _require(item)
    located = tuple(targets(found.regions, target))
    # A place of no score that counts is left as it is: a cup was covered, and with it 98 % of a picture. NaN counts.
    regions = tuple(r for r in located if target != "nudity" or not r.score < floor)
    asked = [s for s in verdict.specs if s.kind == method and s.params.get("target") == target]
    if not regions and asked:
        # The picture as a whole counts, by a second opinion: what is doubtful by itself is what it means.
        regions = located
    if not regions and asked:
        raise ActionError(f"{target} was found, but not where: a second opinion judges whole pictures")
    if not regions:
        return Redaction(tuple(image.frames), (), 0, _closed(session, item))
    # What was located is covered, also where a second opinion made the score so low that the rule does not fire.
    if not asked:
        verdict = replace(verdict, specs=(*verdict.specs, ActionSpec(method, {"target": target})))
    found = replace(found, regions=[r for r in found.regions if r in regions or r not in located])
    judge.alter_inputs(item, verdict, found, Stage.REFERENCE)
    _require(item)
    covered = item.current.images[0]
    done = [a for a in item.alterations if a.kind == method and a.status == "applied"]
    if not done:
        raise ActionError(f"{target} were found and not covered")
    return Redaction(tuple(covered.frames), regions, _strength(done), _closed(session, item))


def _require(item: Item) -> None:
    if item.blocked:
        raise ActionError("; ".join(r.describe() for r in item.reasons) or "the picture was refused")


def _closed(session: Any, item: Item) -> Decision:
    ((decision,), _) = session.close([(item, "", "")])
    return decision  # type: ignore[no-any-return]


def _strength(done: Sequence[Any]) -> int:
    """As its own note says: "2 regions, strength 1 of 3"."""
    return max(int(a.detail.rsplit("strength ", 1)[1].split()[0]) for a in done)
