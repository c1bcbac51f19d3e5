"""Safety middleware around image-generation pipelines.

    import guardrail
    pipe = guardrail.wrap(pipe, policy="default")
    out = pipe("a castle at dusk")
    out.images, out.guardrail

Names are imported on first use: ``import guardrail`` loads neither torch nor any model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from guardrail.version import __version__

if TYPE_CHECKING:
    from guardrail.decision import Action as Action
    from guardrail.decision import Decision as Decision
    from guardrail.decision import Decisions as Decisions
    from guardrail.errors import Blocked as Blocked
    from guardrail.errors import GuardrailError as GuardrailError
    from guardrail.files import encode as encode
    from guardrail.files import save as save
    from guardrail.files import verify as verify
    from guardrail.guard import Guard as Guard
    from guardrail.marks.settings import Marking as Marking
    from guardrail.pipelines import encode_prompt as encode_prompt
    from guardrail.pipelines import install as install
    from guardrail.pipelines import last_decisions as last_decisions
    from guardrail.pipelines import unwrap as unwrap
    from guardrail.pipelines import wrap as wrap

_HOMES = {
    "Action": "guardrail.decision",
    "Blocked": "guardrail.errors",
    "Decision": "guardrail.decision",
    "Decisions": "guardrail.decision",
    "Guard": "guardrail.guard",
    "GuardrailError": "guardrail.errors",
    "Marking": "guardrail.marks.settings",
    "encode": "guardrail.files",
    "encode_prompt": "guardrail.pipelines",
    "install": "guardrail.pipelines",
    "last_decisions": "guardrail.pipelines",
    "save": "guardrail.files",
    "unwrap": "guardrail.pipelines",
    "verify": "guardrail.files",
    "wrap": "guardrail.pipelines",
}

__all__ = [
    "Action",
    "Blocked",
    "Decision",
    "Decisions",
    "Guard",
    "GuardrailError",
    "Marking",
    "__version__",
    "encode",
    "encode_prompt",
    "install",
    "last_decisions",
    "save",
    "unwrap",
    "verify",
    "wrap",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'guardrail' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
