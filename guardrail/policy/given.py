"""Signals as an author writes them by hand, read as `given` of a test is: what is not named is benign."""

from __future__ import annotations

from guardrail.policy.cases import CaseReader
from guardrail.policy.findings import Findings
from guardrail.policy.model import Case, Policy
from guardrail.policy.nodes import Map, Node, Scalar, Seq
from guardrail.policy.schema import Reader
from guardrail.signals import Stage

__all__ = ["read_given"]


def read_given(text: str, policy: Policy, *, stage: Stage | None = None, path: str = "given") -> Case:
    """A test without expectation out of ``{stage: reference, prompt.sexual: 0.5}``: YAML, which JSON is too.

    Args:
        stage: where the text does not say.
        path: what to call it in findings.

    Raises:
        PolicyError: it does not read.
    """
    from guardrail.policy.compose import compose

    findings = Findings(path, text)
    root = compose(text.encode("utf-8", "surrogatepass"), findings)
    if isinstance(root, Map) and stage is not None and "stage" not in (key.text for key, _ in root.entries):
        root.entries.append((_word("stage", root), _word(stage.value, root)))
    cases: tuple[Case, ...] = ()
    if root is not None:
        expect = Map(root.line, root.column, [(_word("decision", root), _word("allow", root))])
        entries = [
            (_word("name", root), _word("given", root)),
            (_word("given", root), root),
            (_word("expect", root), expect),
        ]
        reader = CaseReader(Reader(findings), policy.vocabulary, (), policy.actions)
        cases = reader.read(Seq(root.line, root.column, [Map(root.line, root.column, entries)]))
    findings.refuse()
    return cases[0]


def _word(text: str, at: Node) -> Scalar:
    return Scalar(at.line, at.column, text, True)
