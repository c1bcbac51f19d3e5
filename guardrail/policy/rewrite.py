"""Formatting a file in place, without ever changing what it means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from guardrail.decision import CORE_ACTIONS, ActionKind
from guardrail.errors import ConfigurationError, PolicyError
from guardrail.policy.files import read_bytes
from guardrail.policy.findings import Findings
from guardrail.policy.loader import load_policy
from guardrail.policy.model import Policy
from guardrail.policy.nodes import Map, Node, Scalar, Seq
from guardrail.policy.schema import TEST_FILE, Reader
from guardrail.policy.when import _COMPARISON
from guardrail.signals import CORE, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Formatted", "format_file"]


class Formatted(NamedTuple):
    """A file before and after."""

    path: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


def format_file(
    path: Path,
    *,
    write: bool = True,
    shipped: Path | None = None,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
) -> Formatted:
    """Format a rule file, a deployment file or a test file.

    Args:
        write: False to find out only.
        shipped, vocabulary, actions: as `load_policy` takes them.

    Raises:
        PolicyError: it does not load; mend that first.
        ConfigurationError: it would mean something else afterwards, or it cannot be written. It is left as it was.
    """
    from guardrail.policy.compose import MAX_BYTES
    from guardrail.policy.fmt import format_text

    options: dict[str, Any] = {"shipped": shipped, "vocabulary": vocabulary, "actions": actions}
    raw = read_bytes(path, MAX_BYTES + 1)
    tree = _tree(raw, path)
    policy = load_policy(path, **options) if "policy" in tree else None
    made = Formatted(str(path), raw.decode("utf-8"), format_text(raw.decode("utf-8"), vocabulary))
    try:
        same = _tree(made.after.encode("utf-8"), path) == tree
    except PolicyError:
        same = False
    if not same:
        raise _other(path)
    if made.changed and write:
        _replace(path.resolve(), made.after, policy, options)
    return made


def _replace(path: Path, text: str, policy: Policy | None, options: Mapping[str, Any]) -> None:
    # Beside the file: what it extends is looked for from there, and a rename within a folder is atomic.
    fresh = path.with_name(f".{path.stem}.{os.getpid()}.yaml")
    try:
        fresh.write_bytes(text.encode("utf-8"))
        fresh.chmod(path.stat().st_mode)
        if policy is not None and _meaning(load_policy(fresh, **options)) != _meaning(policy):
            raise _other(path)
        fresh.replace(path)
    except PolicyError:
        raise _other(path) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)


def _other(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: formatting would change what it means, so it was left as it is; please report it"
    )


def _tree(raw: bytes, path: Path) -> Any:
    """What stands in the file, without order of keys and without the spelling of comparisons."""
    from guardrail.policy.compose import compose

    findings = Findings(str(path))
    root = compose(raw, findings)
    if root is not None and isinstance(root, Map) and not any(key.text == "policy" for key, _ in root.entries):
        Reader(findings).fields(root, TEST_FILE)  # not a rule file: then a test file
    findings.refuse()
    return _plain(root)


def _plain(node: Node | None) -> Any:
    if isinstance(node, Map):
        return {key.text: _plain(value) for key, value in node.entries}
    if isinstance(node, Seq):
        return [_plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    match = _COMPARISON.fullmatch(node.text)
    # Whether a comparison stands in quotes makes no difference; whether `null` does, makes one.
    return (match[1], match[2]) if match else (node.text, node.is_null)


def _meaning(policy: Policy) -> Policy:
    """The policy without the places in its file."""
    nowhere: dict[str, Any] = {"line": 0, "column": 0, "path": ""}
    rules = tuple(replace(r, **nowhere) for r in policy.rules)
    cases = tuple(c._replace(path="", line=0) for c in policy.cases)
    # A deployment's version carries the name of its file.
    version = policy.version.partition("+")[0] if policy.kind == "deployment" else policy.version
    ref = replace(policy.ref, sha256="", version=version)
    return replace(policy, ref=ref, rules=rules, cases=cases, path="", places={}, sources=())
