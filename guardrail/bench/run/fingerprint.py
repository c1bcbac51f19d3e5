"""What a decision depends on, by hash: so that a run can say what was another one since an earlier run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from guardrail.policy import Policy, PolicyEngine
from guardrail.policy.model import Rule

__all__ = ["differences", "list_facts", "policy_facts"]

_LISTS = "checks/text/lists"
_SHORT = 12  # characters of a hash that a message shows


def policy_facts(engine: PolicyEngine) -> dict[str, Any]:
    """Id, version and sha256; of a rule file also its thresholds, and a digest of each rule and of its terms."""
    facts: dict[str, Any] = engine.ref.to_json()
    policy = getattr(engine, "policy", None)
    if isinstance(policy, Policy):
        facts["thresholds"] = {
            f"{family}.{name}": limit for family, names in policy.thresholds.items() for name, limit in names.items()
        }
        facts["rules"] = {rule.id: _digest(_said(rule)) for rule in policy.rules}
        facts["terms"] = _digest(policy.terms)
    return facts


def _said(rule: Rule) -> tuple[object, ...]:
    at = sorted(stage.value for stage in rule.at)
    return (at, rule.when, rule.then, rule.locked, rule.severity, rule.mode, rule.on_missing)


def _digest(value: object) -> str:
    return sha256(repr(value).encode()).hexdigest()[:_SHORT]


def list_facts() -> dict[str, dict[str, Any]]:
    """The word and name lists that are shipped: sha256 and entries (lines that are neither empty nor a comment)."""
    found = {}
    for item in sorted(files("guardrail").joinpath(_LISTS).iterdir(), key=lambda item: item.name):
        if item.name.endswith((".txt", ".tsv")):
            content = item.read_bytes()
            lines = (line.strip() for line in content.decode("utf-8").splitlines())
            entries = sum(bool(line) and not line.startswith("#") for line in lines)
            found[item.name] = {"sha256": sha256(content).hexdigest(), "entries": entries}
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What two run.json differ in that can change a decision or a figure, most telling first, in words."""
    return [
        *_thresholds(before, after),
        *_rules(before, after),
        *_lists(before, after),
        *_checks(before, after),
        *_data(before, after),
        *_programs(before, after),
    ]


def _policy(run: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    found = run.get("policy", {}).get(part) or {}
    return found if isinstance(found, Mapping) else {}


def _thresholds(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old, new = _policy(before, "thresholds"), _policy(after, "thresholds")
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"threshold {name}: {_number(old.get(name))} → {_number(new.get(name))}"


def _number(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def _rules(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old, new = _policy(before, "rules"), _policy(after, "rules")
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"rule {name} is gone"
        elif name not in old:
            yield f"rule {name} is new"
        elif old[name] != new[name]:
            yield f"rule {name} was changed"
    terms = [run.get("policy", {}).get("terms") for run in (before, after)]
    if None not in terms and terms[0] != terms[1]:
        yield "the policy's own terms were changed"
    ids = [f"{p.get('id', '?')} {p.get('version', '?')}" for p in (before.get("policy", {}), after.get("policy", {}))]
    if ids[0] != ids[1]:
        yield f"policy {ids[0]} → {ids[1]}"


def _lists(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old, new = before.get("lists") or {}, after.get("lists") or {}
    for name in sorted({*old, *new}):
        a, b = old.get(name), new.get(name)
        if a is None or b is None:
            yield f"list {name} is {'new' if a is None else 'gone'}"
        elif a["sha256"] != b["sha256"]:
            yield f"list {name}: {a['entries']:,} → {b['entries']:,} entries"


def _checks(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old, new = ({c["check"]: c for c in run.get("checks") or ()} for run in (before, after))
    for name in sorted({*old, *new}):
        if name not in new or name not in old:
            yield f"check {name} {'no longer ran' if name in old else 'is new'}"
            continue
        if old[name]["version"] != new[name]["version"]:
            yield f"check {name}: version {old[name]['version']} → {new[name]['version']}"
        a, b = old[name]["weights"], new[name]["weights"]
        for model in sorted({*a, *b}):
            if a.get(model) != b.get(model):
                yield f"check {name}: model {model} {_hash(a.get(model))} → {_hash(b.get(model))}"


def _hash(value: str | None) -> str:
    return "none" if value is None else value[:_SHORT]


def _data(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if data_hashes(before) != data_hashes(after):
        yield "the data are others"


def data_hashes(run: Mapping[str, Any]) -> list[str]:
    """The sha256 of every data file of a run, sorted."""
    data = run.get("data") or {}
    of = data.get("files", ()) if isinstance(data, Mapping) else data
    return sorted(str(entry.get("sha256", "")) for entry in of)


def _programs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for what in ("guardrail", "commit", "seed", "limit"):
        a, b = before.get(what), after.get(what)
        if a != b:
            yield f"{what}: {_short(a)} → {_short(b)}"
    old, new = before.get("packages") or {}, after.get("packages") or {}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"package {name}: {old.get(name, 'none')} → {new.get(name, 'none')}"


def _short(value: object) -> str:
    return (str(value)[:_SHORT] + ("+" if str(value).endswith("+") else "")) if value not in (None, "") else "none"
