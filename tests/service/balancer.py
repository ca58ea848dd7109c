"""A load balancer as an ALB is one: keep-alive to its targets, and draining before they stop."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_SECONDS = 30


class Balancer:
    """Passes requests on to its targets in turn; keeps connections to them open for the next.

    A request that a target does not answer is answered with 502, and never sent to another one.
    """

    def __init__(self) -> None:
        self.served: dict[int, int] = {}
        """How many requests each target's port answered."""
        self._targets: list[int] = []
        self._turn = 0
        self._in_flight: dict[int, int] = {}
        self._idle: dict[int, list[HTTPConnection]] = {}
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.balancer = self
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def register(self, port: int) -> None:
        """Send requests to this target, too."""
        with self._changed:
            self._targets.append(port)

    def drain(self, port: int, timeout_seconds: float = 30) -> None:
        """Send no new request to a target, and wait until it has answered those it has.

        Its idle connections stay open, as those of an ALB do until the target closes them.
        """
        with self._changed:
            self._targets.remove(port)
            done = self._changed.wait_for(lambda: not self._in_flight.get(port), timeout_seconds)
        assert done, "a request is not answered"

    def close(self) -> None:
        """Stop listening, and close the connections to all targets."""
        self._server.shutdown()
        self._server.server_close()
        for connections in self._idle.values():
            for connection in connections:
                connection.close()

    def pass_on(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes, str]:
        """Have a target answer; gives status, body and type."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        with self._changed:
            if not self._targets:
                return 503, b"", "text/plain"
            self._turn += 1
            port = self._targets[self._turn % len(self._targets)]
            self._in_flight[port] = self._in_flight.get(port, 0) + 1
            idle = self._idle.setdefault(port, [])
            connection = (
                idle.pop() if idle else HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
            )
        headers = {**dict(request.headers), "X-Forwarded-For": request.client_address[0]}
        try:
            connection.request(request.command, request.path, body, headers)
            response = connection.getresponse()
            answer = response.status, response.read(), response.headers["Content-Type"]
        except (OSError, HTTPException) as error:
            connection.close()
            return 502, repr(error).encode(), "text/plain"
        else:
            with self._changed:
                self._idle[port].append(connection)
                self.served[port] = self.served.get(port, 0) + 1
            return answer
        finally:
            with self._changed:
                self._in_flight[port] -= 1
                self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    balancer: Balancer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        status, body, kind = self.server.balancer.pass_on(self)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - likewise

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def run_balancer() -> Iterator[Balancer]:
    """Run a load balancer without targets until the end of the context."""
    balancer = Balancer()
    try:
        yield balancer
    finally:
        balancer.close()
