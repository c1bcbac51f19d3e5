"""A remote agent: every way in which it can fail blocks, in time, and says which; nobody else is contacted."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from guardrail.decision import Action, Verdict
from guardrail.errors import ConfigurationError, PolicyError
from guardrail.policy.engines import engine_for
from guardrail.policy.engines.opa import MAX_BYTES, Agent, OpaEngine, load_opa
from guardrail.signals import Stage
from tests.policy.engines import agent_server

PROMPT = frozenset({Stage.PROMPT})
HARMLESS: dict[str, Any] = {"prompt.sexual": 0.0, "prompt.minor": 0.0, "prompt.persons": (), "request.unverified": ()}


def decide(engine: Any, deadline: float | None = None) -> Verdict:
    verdict: Verdict = engine.evaluate(HARMLESS, stage=Stage.PROMPT, due=PROMPT, deadline=deadline)
    return verdict


def result(**changes: Any) -> bytes:
    judged = ["explicit-request", "minor-sexual", "named-public-figure", "real-person-sexual", "suggestive-request"]
    answer = {
        "policy": {"id": "default", "version": "1.0.0"},
        "judged": [*judged, "unreadable-input"],
        "fired": [],
        "missing": [],
    }
    return json.dumps({"result": {**answer, **changes}}).encode()


REPLIES: list[tuple[int, bytes, str]] = [
    (200, b"{}", "undefined"),
    (200, b'{"result": null}', "undefined"),
    (200, b'{"decision_id": "4ca6"}', "undefined"),
    (200, b"", "no JSON"),
    (200, b"<html>", "no JSON"),
    (200, b'{"result": ', "no JSON"),
    (200, b"\xff\xfe", "no JSON"),
    (200, b"[" * 100_000, "no JSON"),
    (200, b"[]", "no object"),
    (200, b'{"result": NaN}', "NaN is no number"),
    (200, b'{"result": {"fired": [Infinity]}}', "Infinity is no number"),
    (200, b'{"result": true}', "no object"),
    (200, result(judged=[]), "not judged: explicit-request"),
    (200, result(fired=[{"id": "nobody", "then": ["block"]}]), "names a rule"),
    (200, result(fired=[{"id": "suggestive-request", "then": ["explode"]}]), "unknown action 'explode'"),
    (200, result(fired=[{"id": "explicit-request", "then": [{"guide": {"scale": 1e999}}]}]), "no number"),
    (200, result(policy={"id": "default", "version": "2.0.0"}), "another version"),
    (200, b" " * (MAX_BYTES + 1), "more than 1 MB"),
    (204, b"", "status 204"),
    (302, b"", "status 302"),
    (307, b"", "status 307"),
    (400, b'{"code": "invalid_parameter"}', "status 400"),
    (401, b"", "status 401"),
    (404, result(), "status 404"),
    (500, result(), "status 500"),
]


@pytest.mark.parametrize(("status", "body", "cause"), REPLIES, ids=[f"{r[0]}-{r[2]}"[:30] for r in REPLIES])
def test_an_answer_that_is_none_blocks_and_says_why(
    opa: OpaEngine, agent: agent_server.Agent, status: int, body: bytes, cause: str
) -> None:
    assert decide(opa).action is Action.ALLOW
    agent.asked.clear()
    agent.reply = lambda path, given: (status, body)
    verdict = decide(opa)
    assert verdict.action is Action.BLOCK
    (reason,) = verdict.reasons
    assert reason.kind == "engine"
    assert cause in reason.cause
    assert [path for path, _, _ in agent.asked] == ["/v1/data/guardrail/default_policy/decision"]  # no redirect
    agent.reply = lambda path, given: (200, result())
    assert decide(opa).action is Action.ALLOW


def test_what_is_sent(opa: OpaEngine, agent: agent_server.Agent) -> None:
    agent.asked.clear()
    signals = {**HARMLESS, "prompt.persons": ({"match": 0.25, "kind": "private"},), "context.purpose": "canary"}
    opa.evaluate(signals, stage=Stage.PROMPT, due=PROMPT)
    ((path, body, headers),) = agent.asked
    assert path == "/v1/data/guardrail/default_policy/decision"
    assert body["input"]["signals"] == {
        "prompt.sexual": 0.0,
        "prompt.minor": 0.0,
        "prompt.persons": [{"match": 0.25, "kind": "private"}],
        "request.unverified": [],
    }
    assert set(body["input"]) == {"stage", "due", "waiting", "signals"}
    assert headers["Content-Type"] == "application/json"
    assert "Authorization" not in headers


def test_a_token_is_sent_as_one(agent: agent_server.Agent) -> None:
    load_opa(agent.address, token="s3cret")
    assert {headers.get("Authorization") for _, _, headers in agent.asked[-9:]} == {"Bearer s3cret"}


# ---- time


def within(seconds: float, call: Callable[[], Verdict]) -> Verdict:
    begun = time.monotonic()
    verdict = call()
    assert time.monotonic() - begun < seconds
    return verdict


@pytest.mark.parametrize("drip_s", [0.0, 0.02], ids=["silent", "dripping"])
def test_a_slow_agent_blocks_in_time(opa: OpaEngine, agent: agent_server.Agent, drip_s: float) -> None:
    opa.limit_s = 0.3
    released = threading.Event()

    def slow(path: str, given: dict[str, Any]) -> tuple[int, bytes]:
        if not drip_s:
            released.wait(10)
        return 200, result()

    agent.reply, agent.drip_s = slow, drip_s  # 500 bytes at 20 ms: each arrives within the limit of a socket
    try:
        for deadline in (None, 60.0):
            verdict = within(3.0, lambda d=deadline: decide(opa, None if d is None else time.monotonic() + d))  # type: ignore[misc]
            assert verdict.action is Action.BLOCK
            assert verdict.reasons[0].cause == "the policy agent took too long"
        opa.limit_s = 60.0
        verdict = within(3.0, lambda: decide(opa, time.monotonic() + 0.2))
        assert verdict.reasons[0].cause == "the policy agent took too long"
    finally:
        released.set()


@pytest.mark.parametrize("deadline", [0.0, float("nan")])
def test_after_the_deadline_nobody_is_asked(opa: OpaEngine, agent: agent_server.Agent, deadline: float) -> None:
    agent.asked.clear()
    assert [r.cause for r in decide(opa, deadline).reasons] == ["deadline passed"]
    assert agent.asked == []


def test_an_agent_that_is_gone_blocks(agent: agent_server.Agent, opa: OpaEngine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # a port where nobody listens
        opa._agent = Agent(f"http://127.0.0.1:{taken.getsockname()[1]}/v1/data/guardrail/default_policy")
        verdict = decide(opa)
        assert verdict.action is Action.BLOCK
        assert verdict.reasons[0].cause == "the policy agent cannot be reached: ConnectionRefusedError"


def test_an_agent_that_hangs_up_blocks(opa: OpaEngine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        opa._agent = Agent(f"http://127.0.0.1:{server.getsockname()[1]}/v1/data/guardrail/default_policy")
        for content in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"SSH-2.0\r\n", b"\x00" * 70_000):

            def hang_up(content: bytes = content) -> None:
                peer, _ = server.accept()
                peer.recv(65_536)
                peer.sendall(content)
                peer.close()

            thread = threading.Thread(target=hang_up)
            thread.start()
            verdict = decide(opa)
            thread.join()
            assert verdict.action is Action.BLOCK
            assert verdict.reasons[0].cause.startswith(("the policy agent cannot be reached", "malformed answer"))


# ---- making one


def test_an_agent_that_cannot_be_asked_is_refused_at_load(agent: agent_server.Agent) -> None:
    with pytest.raises(PolicyError, match="GP211 the manifest has no `rules`"):
        engine_for(f"opa:{agent.address}_absent")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(PolicyError, match="GP220 the policy agent cannot be reached"):
            engine_for(f"opa:http://127.0.0.1:{taken.getsockname()[1]}/v1/data/x")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://host/v1/data/x",
        "/v1/data/x",
        "http:///v1/data/x",
        "http://host/",
        "http://host/v1/policies/x",
        "http://host:port/v1/data/x",
        "http://user:secret@host/v1/data/x",
        "http://host/v1/data/x?pretty=true",
        "http://host/v1/data/x#y",
        "http://host/v1/data/x y",
        "http://[::1/v1/data/x",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        engine_for(f"opa:{address}")
    assert "secret" not in str(caught.value)


def test_a_token_never_leaves_unencrypted() -> None:
    with pytest.raises(ConfigurationError, match="https"):
        Agent("http://opa.example/v1/data/x", "token")
    Agent("https://opa.example/v1/data/x", "token")


def test_proxies_of_the_environment_are_not_asked(opa: OpaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert decide(opa).action is Action.ALLOW
