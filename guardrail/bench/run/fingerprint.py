"""What a decision depends on, by hash: so that a run can say what was another one since an earlier run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from guardrail.policy import Policy, PolicyEngine
from guardrail.policy.model import Rule

__all__ = ["deciding", "differences", "list_facts", "measured_on", "other_samples", "policy_facts", "weakened"]

_LISTS = "checks/text/lists"
_ById = dict[str, Mapping[str, Any]]
_SHORT = 12  # characters of a hash that a message shows


def policy_facts(engine: PolicyEngine) -> dict[str, Any]:
    """Id, version, sha256 and mode; of a rule file also its thresholds, a digest of each rule and of its terms, and
    which rules are locked."""
    facts: dict[str, Any] = engine.ref.to_json()
    policy = getattr(engine, "policy", None)
    if isinstance(policy, Policy):
        facts["thresholds"] = {
            f"{family}.{name}": limit for family, names in policy.thresholds.items() for name, limit in names.items()
        }
        facts["rules"] = {rule.id: _digest(_said(rule)) for rule in policy.rules}
        facts["terms"] = _digest(policy.terms)
        facts["protected"] = len(policy.terms.names) + len(policy.terms.words)
        facts["locked"] = sorted(rule.id for rule in policy.rules if rule.locked)
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
    return [*deciding(before, after), *other_samples(before, after), *_programs(before, after)]


def deciding(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Of `differences`, what decides: policies, lists and checks with their models."""
    return [*_policies(before, after), *_lists(before, after), *_checks(before, after)]


def weakened(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Of `deciding`, what no figure has to show before it counts: a check, a locked rule or a list that is no longer
    what it was, whether or not the data have a case for it."""
    old, new = _in_step(before, after)
    for name in sorted(old.keys() & new.keys()):
        of = f" of {name}" if name and len(new) > 1 else ""
        if new[name].get("mode", "enforce") != "enforce":
            yield from _mode(old[name], new[name], of)
        a, b = old[name].get("protected", 0), new[name].get("protected", 0)
        if b < a:
            yield f"the names and words of the deployment{of}: {a:,} → {b:,}"
        rules, now = old[name].get("rules") or {}, new[name].get("rules") or {}
        for rule in old[name].get("locked") or ():
            if rule not in now or rule not in (new[name].get("locked") or ()):
                yield f"locked rule {rule}{of} is {'no longer locked' if rule in now else 'gone'}"
            elif rules.get(rule) != now[rule]:
                yield f"locked rule {rule}{of}, or a threshold in it, was changed"
    lists, shorter = before.get("lists") or {}, after.get("lists") or {}
    for name, told in sorted(lists.items() if shorter else ()):
        if told["entries"] and not (shorter.get(name) or {"entries": 0})["entries"]:
            yield f"list {name} is {'empty' if name in shorter else 'gone'}"
    ran = {check["check"] for check in after.get("checks") or ()}
    yield from (f"check {c['check']} no longer ran" for c in before.get("checks") or () if c["check"] not in ran)


def _policies(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old, new = _in_step(before, after)
    if "" in old:
        yield f"policy {next(iter(_by_id(before)))} → {next(iter(_by_id(after)))}"
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            yield f"policy {name} {'is new' if name in new else 'was not measured'}"
            continue
        of = f" of {name}" if name and len(new) > 1 else ""
        told = [
            *_mode(old[name], new[name], of),
            *_thresholds(old[name], new[name], of),
            *_rules(old[name], new[name], of),
        ]
        yield from told
        a, b = old[name].get("sha256"), new[name].get("sha256")
        if a != b and not told:
            yield f"the policy{of} was changed in another part: sha256 {_short(a)} → {_short(b)}"


def _in_step(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[_ById, _ById]:
    """Policies by id; one in the place of another under the id "", for what it says of the same names matters."""
    old, new = _by_id(before), _by_id(after)
    if len(old) == len(new) == 1 and old.keys() != new.keys():
        old, new = ({"": next(iter(of.values()))} for of in (old, new))
    return old, new


def _mode(before: Mapping[str, Any], after: Mapping[str, Any], of: str) -> Iterator[str]:
    a, b = (policy.get("mode", "enforce") for policy in (before, after))
    if a != b:
        yield f"policy mode{of}: {a} → {b}"


def _by_id(run: Mapping[str, Any]) -> _ById:
    policies = run.get("policies") or [run.get("policy") or {}]
    return {str(policy["id"]): policy for policy in policies if isinstance(policy, Mapping) and policy.get("id")}


def _thresholds(before: Mapping[str, Any], after: Mapping[str, Any], of: str) -> Iterator[str]:
    old, new = before.get("thresholds") or {}, after.get("thresholds") or {}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"threshold {name}{of}: {_number(old.get(name))} → {_number(new.get(name))}"


def _number(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def _rules(before: Mapping[str, Any], after: Mapping[str, Any], of: str) -> Iterator[str]:
    old, new = before.get("rules") or {}, after.get("rules") or {}
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"rule {name}{of} is gone"
        elif name not in old:
            yield f"rule {name}{of} is new"
        elif old[name] != new[name]:
            yield f"rule {name}{of} was changed"
    if before.get("terms") != after.get("terms"):
        yield f"the terms{of} were changed"
    if before.get("version") != after.get("version"):
        yield f"policy version{of}: {before.get('version', '?')} → {after.get('version', '?')}"


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


# What says which samples were measured: of run.json, and of its part `data`.
_OF_RUN = ("kind", "seed", "limit", "disguises", "attack", "attacks", "draws", "known_images", "pictures", "labels")
_OF_DATA = (
    "sha256",
    "rows",
    "measured",
    "limit",
    "columns",
    "labels",
    "pictures",
    "chosen",
    "made_from_seed",
    "to_be_blocked",
)


def measured_on(run: Mapping[str, Any]) -> dict[str, Any]:
    """Which samples a run is of, apart from the guard that judged them; empty where run.json does not say."""
    suites = run.get("suites")
    if isinstance(suites, Mapping):
        # Of several suites, what each is of: a limit or a disguise that one of them was given is not told elsewhere.
        return {str(name): told["samples"] for name, told in suites.items() if "samples" in told}
    data = run.get("data")
    data = data if isinstance(data, Mapping) else {}
    hashes = sorted(str(entry.get("sha256", "")) for entry in data.get("files") or () if isinstance(entry, Mapping))
    found = {"files": hashes} if hashes and all(hashes) else {}
    found |= {f"data.{name}": data[name] for name in _OF_DATA if data.get(name) is not None}
    if not found and run.get("draws") is None and run.get("pictures") is None:
        return {}
    return found | {name: run[name] for name in _OF_RUN if run.get(name) is not None}


def other_samples(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What of `measured_on` differs, in words."""
    old, new = measured_on(before), measured_on(after)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            a, b = old.get(name), new.get(name)
            plain = all(value is None or isinstance(value, int | float | str) for value in (a, b))
            yield f"{name}: {_short(a)} → {_short(b)}" if plain else f"the data are others: {name}"


def _programs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    told = "commit" if before.get("commit") != after.get("commit") else "source"
    for what in ("guardrail", told):
        a, b = before.get(what), after.get(what)
        if a != b:
            yield f"{what}: {_short(a)} → {_short(b)}"
    old, new = before.get("packages") or {}, after.get("packages") or {}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"package {name}: {old.get(name, 'none')} → {new.get(name, 'none')}"


def _short(value: object) -> str:
    if value in (None, ""):
        return "none"
    head, changed, change = str(value).partition("+")
    return head[:_SHORT] + changed + change[:_SHORT]
