"""A server on this machine that speaks the decision API of an Open Policy Agent and evaluates with regopy.

It stands in for `opa run --server`, of which no binary can be installed here: ``POST /v1/data/<path>`` with
``{"input": …}``, answered by ``{"result": …}``, or by ``{}`` when the document is undefined.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from guardrail.policy.engines.rego import LIBRARY, Documents

Reply = tuple[int, bytes]


class Agent:
    """What a test may change: `reply` is asked before the documents, and `drip_s` is waited after every byte."""

    def __init__(self, source: str, package: str) -> None:
        names = tuple(f"{package}/{name}" for name in ("manifest", "decision"))
        self.documents = Documents({"three.rego": LIBRARY.read_text("utf-8"), "policy.rego": source}, names)
        self.known = {f"/v1/data/{name}": name for name in names}
        self.reply: Callable[[str, dict[str, Any]], Reply | None] = lambda path, body: None
        self.drip_s = 0.0
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.address = ""

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        own = self.reply(path, body)
        if own is not None:
            return own
        if path not in self.known:
            return 200, b"{}"
        result = self.documents.ask(self.known[path], body["input"])
        return 200, json.dumps({} if result is None else {"result": result}).encode()


@contextmanager
def serving(path: Path, package: str) -> Iterator[Agent]:
    agent = Agent(path.read_text("utf-8"), package)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            agent.asked.append((self.path, body, dict(self.headers)))
            status, content = agent.answer(self.path, body)
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                for at in range(0, len(content), 1 if agent.drip_s else len(content) or 1):
                    self.wfile.write(content[at : at + (1 if agent.drip_s else len(content))])
                    self.wfile.flush()
                    time.sleep(agent.drip_s)
            except OSError:
                pass  # the client had enough

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    agent.address = f"http://127.0.0.1:{server.server_port}/v1/data/{package}"
    try:
        yield agent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
