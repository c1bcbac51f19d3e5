"""The words that a rule file may use, as Markdown tables: signals with their stages and ranges, actions, parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from guardrail.decision import CORE_ACTIONS, ActionKind, Param
from guardrail.signals import CORE, Choice, Flag, Items, Kind, Score, Stage, Text, Vocabulary

__all__ = ["markdown"]


def markdown(vocabulary: Vocabulary = CORE, actions: Mapping[str, ActionKind] = CORE_ACTIONS) -> str:
    """Two tables, in the order in which signals become known and actions are carried out."""
    specs = sorted(vocabulary.signals.values(), key=lambda s: s.stage.position if s.stage else -1)
    signals = ((f"`{s.name}`", s.stage.value if s.stage else "from the start", _kind(s.kind), s.doc) for s in specs)
    kinds = sorted(actions.values(), key=lambda k: (k.order, k.name))
    acts = ((f"`{k.name}`", k.effect.value, _stages(k.stages), _params(k), k.doc) for k in kinds)
    return "\n".join(
        [
            "## Signals",
            "",
            *_table(("signal", "known at", "compared as", "what it says"), signals),
            "",
            "## Actions",
            "",
            *_table(("action", "effect", "acts at", "parameters", "what it does"), acts),
        ]
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    # A bar would end the cell.
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _kind(kind: Kind) -> str:
    if isinstance(kind, Score):
        return f"score 0..1, thresholds of `{kind.family}`"
    if isinstance(kind, Flag):
        return "true or false"
    if isinstance(kind, Choice):
        return "one of " + ", ".join(f"`{word}`" for word in kind.values)
    if isinstance(kind, Text):
        return "a word"
    if isinstance(kind, Items):
        fields = "; ".join(f"`{name}`: {_kind(field)}" for name, field in kind.fields.items())
        return f"list (any, all, none) of: {fields}"
    raise TypeError(f"unknown kind of signal {type(kind).__name__}")


def _params(kind: ActionKind) -> str:
    return "; ".join(_param(p) for p in kind.params) or "none"


def _param(param: Param) -> str:
    if param.type == "choice":
        values = ", ".join(f"`{word}`" for word in param.choices)
    elif param.type in ("integer", "number"):
        values = f"{param.type} {param.minimum:g}..{param.maximum:g}"
    elif param.type == "text":
        values = f"a text of {param.minimum:g}..{param.maximum:g} printable characters"
    else:
        values = "true or false" if param.type == "flag" else "a word"
    default = "optional" if param.optional else "required"
    if param.default is not None:
        text = str(param.default).lower() if isinstance(param.default, bool) else str(param.default)
        default = f"default `{text}`"
    return f"`{param.name}`: {values}, {default}" + (f" ({param.doc})" if param.doc else "")


def _stages(stages: frozenset[Stage]) -> str:
    return "every stage" if stages == frozenset(Stage) else ", ".join(s.value for s in Stage if s in stages)
