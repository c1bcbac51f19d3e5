"""Engines besides the built-in one: conditions in CEL, documents in Rego, a remote Open Policy Agent, and plugins.

    engine = engine_for("my.cel.yaml")                                     # chosen by the end of the name
    engine = engine_for("rego:policies/mine.rego")                         # or named before the path
    engine = engine_for("opa:http://127.0.0.1:8181/v1/data/guardrail/mine")

All of them keep the promises of `guardrail.policy.engine.PolicyEngine`: they never raise, and whatever cannot be judged
blocks. What all share is in `reading` (head, rules and messages are those of a rule file), `present` (which signals are
there), `verdicts` (outcomes of rules → verdict) and `base`. CEL is in `cel`, `cel_words` and `cel_study`; Rego in
`rego`, `answers` and `opa`. The packages that do the work are optional and imported when an engine is made.
"""

from guardrail.policy.engines.registry import GROUP, engine_for, engine_names

__all__ = ["GROUP", "engine_for", "engine_names"]
