"""Loading a rule file: from a path or a shipped name to a checked policy, or to every finding at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from guardrail.decision import CORE_ACTIONS, ActionKind, PolicyRef
from guardrail.errors import PolicyError
from guardrail.policy.cases import CaseReader
from guardrail.policy.files import locate, read_bytes, tests_beside
from guardrail.policy.findings import Findings, shown
from guardrail.policy.layers import check_locks, exempting, finish, inherit, overridden, with_thresholds
from guardrail.policy.model import Case, Policy, Rule
from guardrail.policy.nodes import Map, Node, Scalar
from guardrail.policy.references import read_reference, version_fits
from guardrail.policy.rules import Defaults, Mode, RuleReader, read_mode, read_on_missing
from guardrail.policy.schema import DEPLOYMENT, FILE, TEST_FILE, Fields, Reader
from guardrail.policy.sections import Head, Places, read_head, read_messages, read_terms, read_thresholds
from guardrail.policy.video import read_video
from guardrail.policy.when import ConditionReader
from guardrail.signals import CORE, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_cases", "load_policy"]

DEEPEST = 8  # files on top of each other
_PACK_KEYS = ("extends", "packs", "override", "mode", "video")

_V = TypeVar("_V")


class _World(NamedTuple):
    """What a file is read against, and the files that are being read already."""

    shipped: Path | None
    vocabulary: Vocabulary
    actions: Mapping[str, ActionKind]
    above: tuple[Path, ...] = ()


def load_policy(
    source: str | PathLike[str],
    *,
    shipped: Path | None = None,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
) -> Policy:
    """Load and check a rule file, with everything that it extends.

    Args:
        source: a path, or the name of a policy in `shipped` such as ``"default"``.
        shipped: the folder with the shipped policies.
        vocabulary: the signals that rules may name.
        actions: the actions that rules may ask for, by name.

    Raises:
        PolicyError: the file cannot be read or is wrong; it carries every finding of the file.
    """
    return _load(locate(source, shipped), _World(shipped, vocabulary, actions))


def load_cases(policy: Policy) -> tuple[Case, ...]:
    """The tests in the policy's file and in `<name>.test.yaml` beside it.

    Raises:
        PolicyError: the test file is wrong.
    """
    from pathlib import Path

    beside = tests_beside(Path(policy.path))
    if not beside.is_file():
        return policy.cases
    findings = Findings(str(beside))
    reader = Reader(findings)
    root, _ = _compose(beside, findings)
    fields = reader.fields(root, TEST_FILE) if root else None
    cases: tuple[Case, ...] = ()
    if fields and "tests" in fields:
        ids = [rule.id for rule in policy.rules]
        cases = CaseReader(reader, policy.vocabulary, ids, policy.actions).read(fields["tests"].value)
    findings.refuse()
    return policy.cases + cases


def _load(path: Path, world: _World) -> Policy:
    findings = Findings(str(path))
    root, raw = _compose(path, findings)
    policy: Policy | None = None
    if root is not None:
        loader = _Loader(path, raw, findings, world._replace(above=(*world.above, path.resolve())))
        policy = loader.deployment(root) if _names_its_policy(root) else loader.policy(root)
    findings.refuse()
    assert policy is not None
    return policy


def _compose(path: Path, findings: Findings) -> tuple[Node | None, bytes]:
    # The parser takes 12 ms to import, which evaluating a loaded policy does not need.
    from guardrail.policy.compose import MAX_BYTES, compose

    raw = read_bytes(path, MAX_BYTES + 1)
    return compose(raw, findings), raw


def _names_its_policy(root: Node) -> bool:
    """A deployment file says which policy it deploys: ``policy: acme@0.3``."""
    entries = root.entries if isinstance(root, Map) else []
    return any(key.text == "policy" and isinstance(value, Scalar) and not value.is_null for key, value in entries)


class _Loader:
    """Reads one file."""

    def __init__(self, path: Path, raw: bytes, findings: Findings, world: _World) -> None:
        self.path = path
        self.raw = raw
        self.findings = findings
        self.reader = Reader(findings)
        self.world = world
        self.places: Places = {}

    def policy(self, root: Node) -> Policy | None:
        """A policy or a pack."""
        fields = self.reader.fields(root, FILE)
        if fields is None:
            return None
        head = read_head(fields["policy"].value, self.reader) if "policy" in fields else Head()
        self._require_rules(root, fields, head)
        parents = self._parents(fields, "extends") + self._parents(fields, "packs")
        said = Defaults(read_mode(fields, self.reader), read_on_missing(fields, self.reader))
        below = next((p.ref.mode for _, p in parents if p.kind == "policy"), "enforce")
        mode: Mode = said.mode or ("shadow" if below == "shadow" else "enforce")
        thresholds = read_thresholds(fields, self.reader, self.world.vocabulary.families(), self.places)
        inherited = inherit(parents, thresholds, self.findings)
        thresholds = _over(inherited.thresholds, thresholds)
        messages = _over(inherited.messages, read_messages(fields, self.reader, self.places))
        conditions = ConditionReader(self.reader, self.world.vocabulary, thresholds)
        defaults = said._replace(mode=mode)
        reader = RuleReader(self.reader, conditions, self.world.actions, messages, defaults)
        own = reader.read(fields["rules"].value) if "rules" in fields else ()
        for rule in own:
            if rule.id in inherited.rules:
                known = inherited.rules[rule.id].path
                message = f"the rule {shown(rule.id)} stands in {known} already"
                self.findings.add("GP084", Node(rule.line, rule.column), message, "rename it, or use `override`")
        lower = self._worked_in(fields, inherited.rules, thresholds, said, reader)
        rules = (*lower, *own)
        cases: tuple[Case, ...] = ()
        if "tests" in fields:
            ids = {**dict.fromkeys(inherited.rules), **reader.ids}
            cases = CaseReader(self.reader, self.world.vocabulary, ids, self.world.actions).read(fields["tests"].value)
        ref = PolicyRef(head.id, head.version, self._sha256([p for _, p in parents]), mode)
        made = self._made(ref, rules, thresholds, messages, cases, [p for _, p in parents], head.kind)
        return replace(made, video=read_video(fields, self.reader, [p.video for _, p in parents]))

    def deployment(self, root: Node) -> Policy | None:
        """A file that sets thresholds, mode and terms of another one, and has no rules of its own."""
        fields = self.reader.fields(root, DEPLOYMENT)
        bases = self._parents(fields, "policy") if fields else []
        if fields is None or not bases:
            return None
        base = bases[0][1]
        thresholds = read_thresholds(fields, self.reader, self.world.vocabulary.families(), self.places)
        for family, names in thresholds.items():
            for name in names:
                known = base.thresholds.get(family, {})
                if name not in known:
                    place = Node(*self.places[f"thresholds.{family}.{name}"])
                    self.findings.unknown("GP032", place, f"threshold of {family}:", name, known)
        said = Defaults(read_mode(fields, self.reader), None)
        rules = self._worked_in(fields, {r.id: r for r in base.rules}, thresholds, said, None)
        terms = read_terms(fields, self.reader)
        if terms.exempt:
            rules = tuple(rule if rule.locked else exempting(rule, self.world.vocabulary) for rule in rules)
        version = f"{base.version.partition('+')[0]}+{_build(self.path.stem)}"
        ref = PolicyRef(base.id, version, self._sha256([base]), said.mode or base.ref.mode)
        joined = _over(base.thresholds, thresholds)
        made = self._made(ref, rules, joined, base.messages, (), [base], "deployment")
        return replace(made, terms=terms, video=read_video(fields, self.reader, [base.video]))

    def _require_rules(self, root: Node, fields: Fields, head: Head) -> None:
        if "rules" not in fields and not ("extends" in fields and head.kind == "policy"):
            self.findings.add("GP022", root, "the file has no `rules`", "add `rules:`")
        if head.kind == "pack":
            for name in _PACK_KEYS:
                if name in fields:
                    message = f"a pack has no `{name}`: it only adds rules to the policies that name it"
                    self.findings.add("GP089", fields[name].key, message, "remove it, or make it a policy")

    def _parents(self, fields: Fields, key: str) -> list[tuple[Node, Policy]]:
        if key not in fields:
            return []
        what = {"extends": "a policy to extend", "packs": "a pack", "policy": "the policy of a deployment"}[key]
        found: list[tuple[Node, Policy]] = []
        for node in self.reader.one_or_many(fields[key].value):
            parent = self._parent(node, what, key)
            if parent is not None:
                found.append((node, parent))
        return found

    def _parent(self, node: Node, what: str, key: str) -> Policy | None:
        reference = read_reference(node, what, self.path, self.world.shipped, self.reader)
        if reference is None:
            return None
        if reference.path.resolve() in self.world.above or len(self.world.above) >= DEEPEST:
            message = f"{what}: {reference.path.name} leads back here, or lies more than {DEEPEST} files deep"
            self.findings.add("GP081", node, message, "a file cannot be worked into itself")
            return None
        try:
            parent = _load(reference.path, self.world)
        except PolicyError as error:
            self.findings.include(error.findings)
            return None
        if not version_fits(parent.version, reference.version):
            message = f"{what}: {parent.id} has version {parent.version}, not {reference.version}"
            self.findings.add("GP088", node, message, "read its changelog, then name the version that is there")
        wanted = "pack" if key == "packs" else "policy"
        if parent.kind != wanted:
            message = f"{what}: {reference.path.name} is a {parent.kind}, not a {wanted}"
            mend = "name it under `packs`" if parent.kind == "pack" else "name it under `extends`"
            if parent.kind == "deployment":
                mend = "name the policy that it deploys"
            self.findings.add("GP082", node, message, mend)
            return None
        return parent

    def _worked_in(
        self,
        fields: Fields,
        inherited: Mapping[str, Rule],
        thresholds: Mapping[str, Mapping[str, float]],
        said: Defaults,
        reader: RuleReader | None,
    ) -> tuple[Rule, ...]:
        """The inherited rules as this file leaves them; a locked one that is not as strict any more is noted."""
        lower = {rule.id: finish(with_thresholds(rule, thresholds), said) for rule in inherited.values()}
        overrides: dict[str, Node] = {}
        if reader is not None and "override" in fields:
            node = fields["override"].value
            self.reader.mapping(node, "`override`")
            lower, places = overridden(node, lower, reader.ids, reader, self.findings)
            overrides.update(places)  # type: ignore[arg-type]
        if not self.findings.any_error:
            check_locks(
                inherited, lower, overrides, self.places, self.findings, self.world.actions, self.world.vocabulary
            )
        return tuple(lower.values())

    def _sha256(self, parents: Sequence[Policy]) -> str:
        from hashlib import sha256  # 3 ms to import, see above

        own = sha256(self.raw).hexdigest()
        if not parents:
            return own
        return sha256("\n".join([own, *(p.ref.sha256 for p in parents)]).encode()).hexdigest()

    def _made(
        self,
        ref: PolicyRef,
        rules: tuple[Rule, ...],
        thresholds: Mapping[str, Mapping[str, float]],
        messages: Mapping[str, Mapping[str, str]],
        cases: tuple[Case, ...],
        parents: Sequence[Policy],
        kind: str,
    ) -> Policy:
        sources = dict.fromkeys([self.findings.path, *(s for p in parents for s in p.sources)])
        return Policy(
            ref,
            rules,
            _frozen(thresholds),
            _frozen(messages),
            cases,
            self.world.vocabulary,
            self.world.actions,
            self.findings.path,
            self.places,
            kind,  # type: ignore[arg-type]
            tuple(sources),
        )


def _over(below: Mapping[str, Mapping[str, _V]], above: Mapping[str, Mapping[str, _V]]) -> dict[str, dict[str, _V]]:
    """Two tables of tables as one; where both have a value, that of `above`."""
    joined = {key: dict(inner) for key, inner in below.items()}
    for key, inner in above.items():
        joined.setdefault(key, {}).update(inner)
    return joined


def _build(stem: str) -> str:
    """The name of a deployment file as the build part of a semantic version."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in stem)[:32] or "deployment"


def _frozen(table: Mapping[str, Mapping[str, _V]]) -> Mapping[str, Mapping[str, _V]]:
    return MappingProxyType({key: MappingProxyType(dict(inner)) for key, inner in table.items()})
