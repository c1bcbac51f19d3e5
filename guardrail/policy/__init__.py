"""The policy room: a rule file becomes a checked policy, and an engine turns signals into verdicts by it.

    policy = load_policy("policies/default.yaml")
    engine = BuiltinEngine(policy)
    verdict = engine.evaluate({"prompt.sexual": 0.8}, stage=Stage.PROMPT, due=frozenset({Stage.PROMPT}))

Reading (`nodes`, `compose`, `findings`, `schema`, `when`, `then`, `rules`, `cases`, `files`, `loader`) knows YAML and
never decides; deciding (`probes`, `conditions`, `merge`, `engine`) knows the model and never reads a file.
"""

from guardrail.policy.engine import BuiltinEngine, PolicyEngine
from guardrail.policy.lint import lint_file, warnings_of
from guardrail.policy.loader import load_cases, load_policy
from guardrail.policy.model import Case, Expectation, Policy, Rule
from guardrail.policy.testing import CaseResult, Checks, RunReport, run_tests

__all__ = [
    "BuiltinEngine",
    "Case",
    "CaseResult",
    "Checks",
    "Expectation",
    "Policy",
    "PolicyEngine",
    "Rule",
    "RunReport",
    "lint_file",
    "load_cases",
    "load_policy",
    "run_tests",
    "warnings_of",
]
