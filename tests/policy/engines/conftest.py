"""The default policy in every engine; the agent is asked over HTTP on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrail.policy import BuiltinEngine, PolicyEngine, load_policy
from guardrail.policy.engines import engine_for
from tests.policy.engines.agent_server import Agent, serving

FOLDER = Path(__file__).resolve().parents[3] / "policies"


@pytest.fixture(scope="session")
def builtin() -> BuiltinEngine:
    return BuiltinEngine(load_policy("default", shipped=FOLDER))


@pytest.fixture(scope="session")
def cel() -> PolicyEngine:
    return engine_for("cel:default", shipped=FOLDER)


@pytest.fixture(scope="session")
def rego() -> PolicyEngine:
    return engine_for("rego:default", shipped=FOLDER)


@pytest.fixture(scope="session")
def agent() -> Iterator[Agent]:
    with serving(FOLDER / "engines" / "default.rego", "guardrail/default_policy") as running:
        yield running


@pytest.fixture
def opa(agent: Agent) -> Iterator[PolicyEngine]:
    agent.asked.clear()
    engine = engine_for(f"opa:{agent.address}")
    engine.limit_s = 30.0  # type: ignore[attr-defined] # two busy cores; the limit has tests of its own
    try:
        yield engine
    finally:
        agent.reply, agent.drip_s = (lambda path, body: None), 0.0


@pytest.fixture(params=["cel", "rego", "opa"])
def engine(request: pytest.FixtureRequest) -> PolicyEngine:
    """Each of the engines with the default policy, by hand in its language."""
    found: PolicyEngine = request.getfixturevalue(request.param)
    return found
