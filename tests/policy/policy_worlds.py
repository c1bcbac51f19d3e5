"""Random policies of the whole grammar, random signals, and a second, naive reading of what they mean.

The oracle works on the Python objects that are written out as YAML and shares no code with the engine. It computes two
bounds for every condition, once as if everything that is not due did not hold and once as if it did; a rule fires when
the lower bound holds.
"""

from __future__ import annotations

import json
import math
import os
from functools import cache
from typing import Any

import yaml
from hypothesis import settings
from hypothesis import strategies as st

from guardrail.decision import CORE_ACTIONS, Action, ActionKind, Param, Verdict
from guardrail.signals import CORE, Choice, Flag, Items, Kind, Score, SignalSpec, Stage, Text

NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"
# Over 200,000 cases a night and over 5,000 in every run, all tests of random policies together.
CASES = settings(max_examples=12_000 if NIGHTLY else 120, deadline=None, derandomize=not NIGHTLY, database=None)

THRESHOLDS = {
    "sexual": {"suggestive": "0.4", "explicit": "0.7"},
    "nudity": {"partial": "0.35"},
    "real": {"likely": "0.5"},
    "minor": {"possible": "0.2"},
    "match": {"person": "0.5"},
}
SCORES = st.sampled_from([0.0, 0.1, 0.2, 0.35, 0.4, 0.5, 0.7, 0.9, 1.0])
WORDS = st.sampled_from(["film", "art", "news"])
STAGES = list(Stage)


# ---- policies, as the objects that become YAML


# Strategies are built once: building them costs more than drawing from them.
@cache
def comparisons(family: str) -> st.SearchStrategy[str]:
    names = [*THRESHOLDS[family], "0.3", "0.5", "0", "1"]
    return st.sampled_from([f"{op} {name}" for op in (">=", ">", "<=", "<") for name in names])


def tests_of(kind: Kind) -> st.SearchStrategy[Any]:
    if isinstance(kind, Score):
        return comparisons(kind.family)
    if isinstance(kind, Flag):
        return st.sampled_from(["true", "false"])
    words = st.sampled_from(kind.values) if isinstance(kind, Choice) else WORDS
    return st.one_of(words, st.lists(words, min_size=1, max_size=3, unique=True))


def leaf(spec: SignalSpec) -> st.SearchStrategy[dict[str, Any]]:
    if not isinstance(spec.kind, Items):
        return tests_of(spec.kind).map(lambda test: {spec.name: test})
    fields = {name: tests_of(kind) for name, kind in spec.kind.fields.items()}
    body = st.fixed_dictionaries({}, optional=fields).filter(bool)
    quantified = st.dictionaries(st.sampled_from(["any", "all", "none"]), body, min_size=1, max_size=2)
    return quantified.map(lambda parts: {spec.name: parts})


@cache
def conditions(last: int) -> st.SearchStrategy[dict[str, Any]]:
    """Conditions on signals up to the stage at position `last`."""

    def wider(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        several = st.lists(inner, min_size=1, max_size=3)
        return st.one_of(
            several.map(lambda parts: {"any": parts}),
            several.map(lambda parts: {"all": parts}),
            inner.map(lambda part: {"not": part}),
            several.map(lambda parts: {k: v for p in parts for k, v in p.items()}),
        )

    specs = [s for s in CORE.signals.values() if s.stage is None or s.stage.position <= last]
    return st.recursive(st.one_of([leaf(s) for s in specs]), wider, max_leaves=6)


def parameter(param: Param) -> st.SearchStrategy[str]:
    if param.type == "choice":
        return st.sampled_from(param.choices)
    if param.type == "flag":
        return st.sampled_from(["true", "false"])
    if param.type == "word":
        return st.sampled_from(["csam", "review"])
    return st.integers(math.ceil(param.minimum), math.floor(param.maximum)).map(str)


def action(kind: ActionKind) -> st.SearchStrategy[Any]:
    required = {p.name: parameter(p) for p in kind.params if p.default is None and not p.optional}
    others = {p.name: parameter(p) for p in kind.params if p.name not in required}
    params = st.fixed_dictionaries(required, optional=others)
    return params.map(lambda values: {kind.name: values} if values else kind.name)


@cache
def actions(at: frozenset[Stage]) -> st.SearchStrategy[list[Any]]:
    able = st.one_of([action(k) for k in CORE_ACTIONS.values() if k.stages & at])
    return st.lists(able, min_size=1, max_size=3)


@cache
def rule_bodies(at: frozenset[Stage]) -> st.SearchStrategy[dict[str, Any]]:
    when = conditions(max(s.position for s in at))
    severity = st.sampled_from(["info", "low", "medium", "high", "critical"])
    fixed = {
        "at": st.just([s.value for s in at]),
        "then": actions(at),
        "when": st.one_of(when, when, when, st.just("always")),
    }
    locked = st.fixed_dictionaries({**fixed, "locked": st.just("true")}, optional={"severity": severity})
    free = {"mode": st.sampled_from(["enforce", "shadow"]), "on_missing": st.sampled_from(["block", "ignore"])}
    return st.one_of(locked, st.fixed_dictionaries(fixed, optional={**free, "severity": severity}))


# Often at every stage: otherwise most rules are not looked at.
RULES = st.one_of(
    st.frozensets(st.sampled_from(STAGES), min_size=1).flatmap(rule_bodies),
    rule_bodies(frozenset(STAGES)),
    rule_bodies(frozenset(STAGES)),
)
_HEAD = {"policy": st.just({"id": "random", "version": "1.0.0"}), "thresholds": st.just(THRESHOLDS)}
_DEFAULTS = {"mode": st.sampled_from(["enforce", "shadow"]), "on_missing": st.sampled_from(["block", "ignore"])}


@cache
def policies(most: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    rules = st.lists(RULES, min_size=1, max_size=most).map(
        lambda found: [{"id": f"r{i}", **r} for i, r in enumerate(found)]
    )
    return st.fixed_dictionaries({**_HEAD, "rules": rules}, optional=_DEFAULTS)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(policy: dict[str, Any], *, flow: bool = False) -> str:
    """Block style, or JSON, which is YAML in flow style."""
    if flow:
        return json.dumps(policy, ensure_ascii=False, indent=1)
    return yaml.dump(policy, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


# ---- signals


def values(kind: Kind) -> st.SearchStrategy[Any]:
    if isinstance(kind, Score):
        return SCORES
    if isinstance(kind, Flag):
        return st.booleans()
    if isinstance(kind, Choice):
        return st.sampled_from(kind.values)
    if isinstance(kind, Text):
        return WORDS
    item = st.fixed_dictionaries({name: values(k) for name, k in kind.fields.items()})
    return st.lists(item, max_size=3).map(tuple)


SIGNALS = st.fixed_dictionaries({s.name: values(s.kind) for s in CORE.signals.values()})
# Often everything is due: otherwise most conditions wait, and the cases say little.
DUE = st.one_of(st.frozensets(st.sampled_from(STAGES)), st.just(frozenset(STAGES)), st.just(frozenset(STAGES)))


class Thorny:
    """Raises whenever it is compared, counted, converted or hashed."""

    def _raise(self, *args: object) -> Any:
        raise RuntimeError("thorn")

    __eq__ = __ge__ = __gt__ = __le__ = __lt__ = __bool__ = __len__ = __iter__ = __hash__ = __float__ = _raise


class Endless(list):  # type: ignore[type-arg]
    """Says that it is empty and never ends."""

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Any:
        while True:
            yield {}


LOST_FIELD = st.one_of(st.sampled_from([None, math.nan, 2.0, b"", "no such word"]), st.builds(Thorny))
LOST = st.one_of(
    st.sampled_from([None, math.nan, math.inf, -0.1, 1.5, 10**400, b"", ({},) * 65, "no such word"]),
    st.builds(Thorny),
    st.builds(Endless),
    st.builds(dict),
)


@st.composite
def losses(draw: st.DrawFn, signals: dict[str, Any]) -> dict[str, Any]:
    """The same signals with some of them, or some fields of their items, gone or replaced by what is no value."""
    lost = dict(signals)
    if draw(st.booleans()):
        return {name: value for name, value in signals.items() if draw(st.booleans())}
    for name in draw(st.lists(st.sampled_from(sorted(signals)), min_size=1, unique=True)):
        kind = CORE[name].kind
        if isinstance(kind, Items) and lost[name] and draw(st.booleans()):
            items = [dict(item) for item in lost[name]]
            field = draw(st.sampled_from(sorted(kind.fields)))
            items[draw(st.integers(0, len(items) - 1))][field] = draw(LOST_FIELD)
            lost[name] = tuple(items)
        elif draw(st.booleans()):
            del lost[name]
        else:
            value = draw(LOST)
            # Any text is a text: for a signal of that kind it is not lost but changed.
            lost[name] = None if isinstance(kind, Text) and isinstance(value, str) else value
    return lost


# ---- the second reading

Bounds = tuple["bool | None", "bool | None"]


def _not(x: bool | None) -> bool | None:
    return None if x is None else not x


def _and(xs: list[bool | None]) -> bool | None:
    return False if False in xs else None if None in xs else True


def _or(xs: list[bool | None]) -> bool | None:
    return _not(_and([_not(x) for x in xs]))


def _limit(family: str, word: str) -> float:
    return float(THRESHOLDS[family].get(word, word))


def _holds(kind: Kind, test: Any, value: Any) -> bool | None:
    if isinstance(kind, Score):
        if type(value) not in (int, float) or not 0 <= value <= 1:
            return None
        op, word = test.split()
        limit = _limit(kind.family, word)
        return {">=": value >= limit, ">": value > limit, "<=": value <= limit, "<": value < limit}[op]
    if isinstance(kind, Flag):
        return (value is True) == (test == "true") if type(value) is bool else None
    known = type(value) is str and (isinstance(kind, Text) or value in getattr(kind, "values", ()))
    return value in ([test] if isinstance(test, str) else test) if known else None


def _item_list(kind: Items, body: dict[str, Any], items: Any) -> bool | None:
    if type(items) not in (tuple, list) or len(items) > 64:
        return None
    parts: list[bool | None] = []
    for quantifier, fields in body.items():
        each = [_and([_holds(kind.fields[f], t, item.get(f)) for f, t in fields.items()]) for item in items]
        parts.append({"any": _or(each), "all": _and(each), "none": _not(_or(each))}[quantifier])
    return _and(parts)


def bounds(when: Any, signals: dict[str, Any], due: frozenset[Stage]) -> Bounds:
    """(as if nothing that is not due held in the rule's favour, as if everything did)."""
    if when == "always":
        return True, True
    found: list[Bounds] = []
    for key, value in when.items():
        if key in ("any", "all"):
            parts = [bounds(part, signals, due) for part in value]
            join = _or if key == "any" else _and
            found.append((join([low for low, _ in parts]), join([high for _, high in parts])))
        elif key == "not":
            low, high = bounds(value, signals, due)
            found.append((_not(high), _not(low)))
        else:
            spec = CORE[key]
            if spec.stage is not None and spec.stage not in due:
                found.append((False, True))
            else:
                kind = spec.kind
                held = (
                    _item_list(kind, value, signals.get(key))
                    if isinstance(kind, Items)
                    else _holds(kind, value, signals.get(key))
                )
                found.append((held, held))
    return _and([low for low, _ in found]), _and([high for _, high in found])


def expected(policy: dict[str, Any], signals: dict[str, Any], stage: Stage, due: frozenset[Stage]) -> dict[str, Any]:
    """The action, and each rule's part in it, by the naive reading."""
    rank, part = 0, {}
    for rule in policy["rules"]:
        able = [a for a in rule["then"] if stage in CORE_ACTIONS[a if isinstance(a, str) else next(iter(a))].stages]
        if stage.value not in rule["at"] or not able:
            continue
        effect = max(CORE_ACTIONS[a if isinstance(a, str) else next(iter(a))].effect.rank for a in able)
        locked = rule.get("locked") == "true"
        shadow = not locked and rule.get("mode", policy.get("mode", "enforce")) == "shadow"
        ignore = not locked and rule.get("on_missing", policy.get("on_missing", "block")) == "ignore"
        held, _ = bounds(rule["when"], signals, due)
        if held is False or (held is None and (ignore or effect < Action.ALTER.rank)):
            continue
        part[rule["id"]] = ("rule" if held else "missing", shadow)
        if not shadow:
            rank = max(rank, effect if held else Action.BLOCK.rank)
    return {"action": list(Action)[rank], "rules": part}


def seen(verdict: Verdict) -> dict[str, Any]:
    """The same two facts about a verdict of the engine."""
    return {"action": verdict.action, "rules": {r.rule: (r.kind, r.shadow) for r in verdict.reasons}}


def strictness(verdict: Verdict) -> int:
    """A label does not stop anything: for "looser or tighter" it is an allow."""
    return 0 if verdict.action is Action.LABEL else verdict.action.rank
