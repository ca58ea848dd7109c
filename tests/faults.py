"""A proxy in front of moto's server that fails chosen calls as AWS and networks do."""

from __future__ import annotations

import json
import threading
from collections import deque
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


class Faults:
    """Passes AWS calls on, notes each, and spoils those that a test names.

    Calls are named as the API does: `PutParameter`, `GetCallerIdentity`.
    """

    def __init__(self, upstream: str) -> None:
        self.calls: list[str] = []
        self.bodies: list[bytes] = []
        self._upstream = urlsplit(upstream).netloc
        self._rules: dict[str, deque[Callable[[_Handler], bool]]] = {}
        self._standing: dict[str, Callable[[_Handler], bool]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.faults = self  # type: ignore[attr-defined]  # the handler finds us here
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def endpoint_url(self) -> str:
        """Where the product's calls should go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, call: str, code: str, message: str, *, status: int = 400) -> None:
        """Answer the next `call` with an error instead of passing it on."""
        self._add(call, _error(code, message, status))

    def answer_always(self, call: str, code: str, message: str) -> None:
        """Answer every `call` with an error until `heal`."""
        self._standing[call] = _error(code, message, 400)

    def heal(self) -> None:
        """Pass on again what `answer_always` spoils."""
        self._standing.clear()

    def deny(self, call: str, action: str) -> None:
        """Answer the next `call` as AWS does where a policy lacks `action`."""
        self.answer(
            call,
            "AccessDeniedException",
            f"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: {action}"
            " because no identity-based policy allows it",
        )

    def lose_reply(self, call: str) -> None:
        """Carry out the next `call` and drop the connection instead of answering."""
        self._add(call, lambda handler: handler.forward(answer=False))

    def pass_on(self, call: str) -> None:
        """Let the next `call` through; for rules that are meant for a later one."""
        self._add(call, _Handler.forward)

    def before(self, call: str, happens: Callable[[], object]) -> None:
        """Let something happen, then let the next `call` through."""

        def rule(handler: _Handler) -> bool:
            happens()
            return handler.forward()

        self._add(call, rule)

    def _add(self, call: str, rule: Callable[[_Handler], bool]) -> None:
        self._rules.setdefault(call, deque()).append(rule)

    def rule_for(self, call: str) -> Callable[[_Handler], bool] | None:
        """Take the rule of the next `call`."""
        rules = self._rules.get(call)
        return rules.popleft() if rules else self._standing.get(call)

    @property
    def upstream(self) -> str:
        """Host and port of the real thing."""
        return self._upstream

    def unused(self) -> list[str]:
        """Give the calls that were to fail and never came."""
        return [call for call, rules in self._rules.items() if rules]


def _error(code: str, message: str, status: int) -> Callable[[_Handler], bool]:
    in_json = json.dumps({"__type": code, "message": message})
    in_xml = (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    )

    def reply(handler: _Handler) -> bool:
        # STS, EC2 and their like speak XML.
        text = in_json if "X-Amz-Target" in handler.headers else in_xml
        return handler.reply(status, text.encode())

    return reply


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body: bytes = b""

    @property
    def faults(self) -> Faults:
        found: Faults = self.server.faults  # type: ignore[attr-defined]  # see Faults
        return found

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = self._call()
        self.faults.calls.append(call)
        self.faults.bodies.append(self.body)
        rule = self.faults.rule_for(call) or _Handler.forward
        rule(self)

    def _call(self) -> str:
        target = self.headers.get("X-Amz-Target")
        if target:
            return str(target).rpartition(".")[2]
        return parse_qs(self.body.decode(errors="replace")).get("Action", ["?"])[0]

    def forward(self, *, answer: bool = True) -> bool:
        connection = HTTPConnection(self.faults.upstream, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name != "Connection"}
        connection.request("POST", self.path, self.body, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if not answer:
            self.close_connection = True
            return False
        return self.reply(response.status, content, dict(response.getheaders()))

    def reply(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> bool:
        self.send_response(status)
        kept = {"Content-Type": "application/x-amz-json-1.1", **(headers or {})}
        for name, value in kept.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return True

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""
