"""The same documents on a remote Open Policy Agent, over its HTTP decision API.

    opa run --server three.rego mine.rego
    engine_for("opa:http://127.0.0.1:8181/v1/data/guardrail/mine")

The address is that of the package. ``POST <address>/decision`` with ``{"input": …}`` is answered by ``{"result": …}``;
an answer without `result` means that the document is undefined
(https://www.openpolicyagent.org/docs/rest-api#get-a-document-with-input). `manifest` is asked for once, when the engine
is made: an agent that cannot be reached then is an error, since nobody knows which signals its policy reads. The policy
is tried then, too. Afterwards whatever goes wrong is a block that names it: not reachable, too late, another status
than 200 (a redirect is one: none is followed), more than 1 MB, no JSON, NaN, undefined, an unknown rule or action,
another policy than the one that was loaded (make a new guard after the server has a new version).

Only the address that was given is contacted, no proxy of the environment. What is sent are signals, never prompts
or pictures; `context.purpose` and `context.locale` are the caller's words, sent where a rule reads them. The limit of
time holds for connecting, asking and reading together; looking up the host's name is the system's business, so give an
address in numbers where a name server may be slow.

No opa binary was at hand when this was written: it is tested against a small server that speaks the documented API and
evaluates with regopy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike, fspath
from pathlib import Path
from socket import SHUT_RDWR
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from guardrail.decision import CORE_ACTIONS, ActionKind
from guardrail.errors import ConfigurationError, Finding, PolicyError
from guardrail.policy.engines.answers import DocumentEngine, read_json, read_manifest
from guardrail.policy.engines.base import Refusal, late
from guardrail.policy.findings import Findings
from guardrail.signals import CORE, Vocabulary

if TYPE_CHECKING:
    from http.client import HTTPConnection
    from socket import socket

__all__ = ["Agent", "OpaEngine", "load_opa"]

LIMIT_S = 0.5  # of one question; the guard gives its policy a second
LOADING_LIMIT_S = 5.0  # a server that has just been started is slower
MAX_BYTES = 1_000_000  # the answer of the default policy has under 2 kB


class Agent:
    """Asks one address, with a limit of time and of size for each answer. Safe to share between threads.

    Args:
        address: of a package, such as ``http://127.0.0.1:8181/v1/data/guardrail/mine``.
        token: sent as ``Authorization: Bearer``, where the server asks for one; only with https or to this machine.

    Raises:
        ConfigurationError: the address is none, or holds a name and a password, or a token would go out unencrypted.
    """

    def __init__(self, address: str, token: str = "") -> None:
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(f"not an address of an Open Policy Agent: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ConfigurationError(
                "the address of an Open Policy Agent is http:// or https://, a host and a path, without name and "
                "password: opa:http://127.0.0.1:8181/v1/data/guardrail/mine"
            )
        if not parts.path.startswith("/v1/data/") or parts.query or parts.fragment or not _plain(parts.path):
            raise ConfigurationError(f"the path {parts.path!r} is not that of a package: it begins with /v1/data/")
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if token and parts.scheme == "http" and not local:
            raise ConfigurationError("a token goes out over https only, except to this machine")
        self.address = address
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, port
        self._path = parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def ask(self, document: str, given: Mapping[str, Any], limit_s: float) -> Any:
        """The value of a document of the package, or None when it is undefined.

        Raises:
            Refusal: there is no answer, for the reason that it names.
        """
        end = monotonic() + limit_s
        body = json.dumps({"input": given}, allow_nan=False).encode()
        try:
            with self._connection(limit_s) as connection:
                connection.request("POST", f"{self._path}/{document}", body, self._headers)
                response = connection.getresponse()
                text = response.read(MAX_BYTES + 1) if response.status == 200 else b""
        except Exception as error:  # noqa: BLE001 — http.client raises errors of several trees
            if monotonic() >= end or isinstance(error, TimeoutError):
                raise Refusal("the policy agent took too long") from None
            raise Refusal(f"the policy agent cannot be reached: {type(error).__name__}") from None
        if monotonic() >= end:
            raise Refusal("the policy agent took too long")
        if response.status != 200:
            raise Refusal(f"the policy agent answered with status {response.status}")
        if len(text) > MAX_BYTES:
            raise Refusal("the policy agent answered with more than 1 MB")
        answer = read_json(text)
        if not isinstance(answer, dict):
            raise Refusal("malformed answer: no object")
        return answer.get("result")

    @contextmanager
    def _connection(self, limit_s: float) -> Iterator[HTTPConnection]:
        """A connection that is cut when the time is over: a socket's own limit starts anew with every byte."""
        from http.client import HTTPConnection, HTTPSConnection  # 15 ms, which only this engine needs

        kind = HTTPSConnection if self._secure else HTTPConnection
        connection = kind(self._host, self._port, timeout=limit_s)
        # The connection forgets its socket once the head of an answer is read, though the body still comes from it.
        sockets: list[socket] = []
        timer = Timer(limit_s, _cut, (connection, sockets))
        timer.daemon = True
        timer.start()
        try:
            connection.connect()
            sockets.append(connection.sock)
            yield connection
        finally:
            timer.cancel()
            connection.close()


def load_opa(
    source: str | PathLike[str],
    *,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
    shipped: Path | None = None,
    token: str = "",
) -> OpaEngine:
    """The engine for the package at an address.

    Raises:
        PolicyError: the agent cannot be asked, its manifest is wrong, or its documents fail when they are tried.
        ConfigurationError: `source` is no such address.
    """
    agent = Agent(fspath(source), token)
    findings = Findings(agent.address)
    try:
        manifest = agent.ask("manifest", {}, LOADING_LIMIT_S)
    except Refusal as refusal:
        mend = "start it with the documents loaded, and check the address"
        raise PolicyError([Finding("GP220", agent.address, 0, 0, str(refusal), mend)]) from None
    policy, reads = read_manifest(manifest, findings, vocabulary, actions)
    engine = OpaEngine(policy, reads, manifest, agent)
    engine.limit_s = LOADING_LIMIT_S
    engine.try_out(findings)
    findings.refuse()
    engine.limit_s = LIMIT_S
    return engine


class OpaEngine(DocumentEngine):
    """Asks a remote agent; one connection for each decision.

    Attributes:
        limit_s: longest wait for one answer; the deadline of a request may be nearer.
    """

    def __init__(
        self, policy: Any, reads: Mapping[str, tuple[str, ...]], manifest: Mapping[str, Any], agent: Agent
    ) -> None:
        super().__init__(policy, reads, manifest)
        self._agent = agent
        self.limit_s = LIMIT_S

    def _ask(self, given: Mapping[str, Any], deadline: float | None) -> Any:
        if late(deadline):
            raise Refusal("deadline passed")
        left = self.limit_s if deadline is None else min(self.limit_s, deadline - monotonic())
        return self._agent.ask("decision", given, max(left, 0.001))


def _plain(path: str) -> bool:
    """Printable ASCII without spaces: nothing that could end the request line."""
    return path.isascii() and path.isprintable() and " " not in path


def _cut(connection: HTTPConnection, sockets: list[socket]) -> None:
    for sock in (connection.sock, *sockets):
        # `sock` is None before it is there; one that was closed meanwhile cannot be shut down.
        with suppress(OSError, AttributeError):
            sock.shutdown(SHUT_RDWR)
