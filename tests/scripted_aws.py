"""An AWS endpoint that gives written answers, for what no emulator can be brought to say.

It speaks HTTP, so that requests, parsing and errors are botocore's own.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable

IDENTITY = """\
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ann</Arn><UserId>AID</UserId>
<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


@dataclass(frozen=True)
class Refusal:
    """An error that AWS answers."""

    code: str
    message: str = "as the test wants it"
    status: int = 400


Answer = dict[str, Any] | str | Refusal


class ScriptedAws:
    """Answers each operation with what a test has written, in order, and the last for ever."""

    calls: list[tuple[str, dict[str, Any]]]
    _answers: dict[str, deque[Answer | Callable[[dict[str, Any]], Answer]]]

    def __init__(self) -> None:
        self.reset()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.script = self  # type: ignore[attr-defined]  # the handler finds us here
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def reset(self) -> None:
        """Forget every answer but who the caller is."""
        self.calls = []
        self._answers = defaultdict(deque)
        self.answer("GetCallerIdentity", IDENTITY)

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, operation: str, *answers: Answer | Callable[[dict[str, Any]], Answer]) -> None:
        """Write the next answers of an operation; text is XML, as the query protocol wants it."""
        self._answers[operation].extend(answers)

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """Give what the operation was asked with, in order."""
        return [request for name, request in self.calls if name == operation]

    def next_answer(self, operation: str, request: dict[str, Any]) -> Answer:
        with self._lock:
            self.calls.append((operation, request))
            answers = self._answers[operation]
            if not answers:
                return Refusal("NotScripted", f"the test has no answer for {operation}", 501)
            found = answers[0] if len(answers) == 1 else answers.popleft()
        return found(request) if callable(found) else found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        script = cast("ScriptedAws", self.server.script)  # type: ignore[attr-defined]  # see above
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target")
        request = json.loads(body) if target else dict(parse_qsl(body.decode()))
        operation = target.rpartition(".")[2] if target else request["Action"]
        answer = script.next_answer(operation, request)
        if isinstance(answer, Refusal):
            content = {"__type": answer.code, "message": answer.message}
            self._reply(answer.status, json.dumps(content))
        elif isinstance(answer, str):
            self._reply(200, answer, "text/xml")
        else:
            self._reply(200, json.dumps(answer))

    def _reply(self, status: int, text: str, kind: str = "application/x-amz-json-1.1") -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""
