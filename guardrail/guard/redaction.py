"""Covering faces or body parts of a picture on request, without a policy of the user's: for `guardrail redact`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrail.actions.redact import targets
from guardrail.decision import CORE_ACTIONS, Decision
from guardrail.errors import ActionError, ConfigurationError
from guardrail.guard.guard import Guard
from guardrail.guard.item import Item
from guardrail.guard.judge import REDACTIONS
from guardrail.media import ImageInput, Region, Request
from guardrail.media.types import Frame
from guardrail.signals import Stage

__all__ = ["Redaction", "redact"]

_CONDITIONS = {
    "faces": "{reference.faces: {any: {real: '>= 0'}}}",
    "unconsented-faces": "{reference.faces: {any: {consent: [no, unknown], real: '>= 0.5'}}}",
    "nudity": "{reference.nudity: '> 0'}",
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


def redact(image: ImageInput, method: str, target: str, **options: Any) -> Redaction:
    """Cover every `target` in all frames, stronger until nobody is recognised any more.

    Args:
        method: ``blur``, ``pixelate``, ``fill`` or ``replace``.
        target: ``faces``, ``unconsented-faces`` or ``nudity``.
        options: of `Guard`, such as `face_backend`.

    Raises:
        ConfigurationError: an unknown method or target, or a model that is needed is not here.
        ActionError: it could not be done so that it holds, or a check could not run; nothing is to be released then.
    """
    if method not in REDACTIONS:
        raise ConfigurationError(f"no redaction is called {method!r}; there is: {', '.join(sorted(REDACTIONS))}")
    allowed = next(p.choices for p in CORE_ACTIONS[method].params if p.name == "target")
    if target not in allowed:
        raise ConfigurationError(f"{method} covers {', '.join(allowed)}, not {target!r}")
    rules = (
        "policy: {id: redact, version: 1.0.0}\nrules:\n"
        f"- {{id: redact, at: reference, when: {_CONDITIONS[target]}, then: {{{method}: {{target: {target}}}}}}}\n"
    )
    with tempfile.TemporaryDirectory(prefix="guardrail-redact-") as folder:
        path = Path(folder) / "redact.yaml"
        path.write_text(rules, "utf-8")
        with Guard(path, **{"audit": None, "gallery": None, **options}) as guard:
            return _by(guard, image, method, target)


def _by(guard: Guard, image: ImageInput, method: str, target: str) -> Redaction:
    session = guard.session()
    session.open([Request(images=(image,))])
    (item,) = session.items
    judge = guard._parts.judge
    ((verdict, found),) = judge.stage([item], Stage.REFERENCE)
    _require(item)
    regions = tuple(targets(found.regions, target))
    if not regions:
        return Redaction(image.frames, (), 0, _closed(session, item))
    judge.alter_inputs(item, verdict, found, Stage.REFERENCE)
    _require(item)
    covered = item.current.images[0]
    done = [a for a in item.alterations if a.kind == method and a.status == "applied"]
    if not done:
        raise ActionError(f"{target} were found and not covered")
    return Redaction(covered.frames, regions, _strength(done), _closed(session, item))


def _require(item: Item) -> None:
    if item.blocked:
        raise ActionError("; ".join(r.describe() for r in item.reasons) or "the picture was refused")


def _closed(session: Any, item: Item) -> Decision:
    ((decision,), _) = session.close([(item, "", "")])
    return decision  # type: ignore[no-any-return]


def _strength(done: Sequence[Any]) -> int:
    """As its own note says: "2 regions, strength 1 of 3"."""
    return max(int(a.detail.rsplit("strength ", 1)[1].split()[0]) for a in done)
