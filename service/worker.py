"""gunicorn's gevent worker with some habits changed: how it stops, refuses, and reads on."""

import json
import logging
import socket
from contextlib import suppress
from http import HTTPStatus
from types import FrameType
from typing import TYPE_CHECKING, Final, cast

import gevent
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.http import errors
from gunicorn.http.body import LengthReader
from gunicorn.workers.ggevent import GeventWorker

from service.exchange import new_request_id
from service.logs import LOGGER, log

if TYPE_CHECKING:
    from gevent.socket import socket as GeventSocket  # noqa: N812 - gevent's name for its class
    from gunicorn.app.base import BaseApplication
    from gunicorn.config import Config
    from gunicorn.http import Request

    Address = tuple[str, int] | str | int

LINGER_SECONDS: Final = 2.0
# What is read of a body after its request was refused. Who sends no more than that gets to see
# the answer; who sends without an end is cut off.
UNWANTED_SECONDS: Final = 2.0
UNWANTED_BYTES: Final = 8 * 1024 * 1024

_STATUSES: Final[dict[type[Exception], HTTPStatus]] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}


class Logger(GunicornLogger):
    """gunicorn's logger without its access log: the service writes a line of its own."""

    def access(self, *_args: object) -> None:
        """Do nothing; gunicorn would gather what it could write, and drop it."""


class _OneWrite:
    """A connection that sends an answer in one piece; gunicorn writes head and body apart.

    Each write is a packet and wakes the client: together they take half the time.
    """

    def __init__(self, connection: "GeventSocket") -> None:
        self._connection = connection
        self._held = b""

    def sendall(self, data: bytes) -> None:
        """Keep the head of an answer until its body comes; anything else goes out at once."""
        if self._held or not data.startswith(b"HTTP/1."):
            data, self._held = self._held + data, b""
            self._connection.sendall(data)
        else:
            self._held = data

    def flush(self) -> None:
        """Send a head that no body followed."""
        held, self._held = self._held, b""
        if held:
            self._connection.sendall(held)

    def __getattr__(self, name: str) -> object:
        self.flush()  # what else is done with the connection comes after the head
        return getattr(self._connection, name)


def _read_off(req: "Request") -> bool:
    """Read what is left of a request's body, within limits; say whether that was all of it."""
    body = req.body
    if body is None or (isinstance(body.reader, LengthReader) and body.reader.length == 0):
        return True  # as nearly always
    left = UNWANTED_BYTES
    timeout = gevent.Timeout(UNWANTED_SECONDS)
    try:
        with timeout:
            while left > 0:
                piece = body.read(65536)
                if not piece:
                    return True
                left -= len(piece)
    except gevent.Timeout as fired:
        if fired is not timeout:
            raise
    except errors.ParseException:
        pass  # where its next request begins is unknown
    return False


class Worker(GeventWorker):
    """Closes idle connections soon after SIGTERM, and answers malformed requests in JSON.

    gunicorn waits for every open connection until its graceful time-out, and a load balancer
    keeps idle ones open: stopping would always take the full time, and on a platform that kills
    after five seconds no request in progress would be safe.
    """

    def __init__(
        self,
        age: int,
        ppid: int,
        sockets: "list[socket.socket]",
        app: "BaseApplication",
        timeout: int,
        cfg: "Config",
        log: "Logger",
    ) -> None:
        super().__init__(age, ppid, sockets, app, timeout, cfg, log)
        self._idle: set[socket.socket] = set()
        self._lingered = False

    def handle(self, listener: "GeventSocket", client: "GeventSocket", addr: "Address") -> None:
        """Serve one connection to its end."""
        self._idle.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)

    def handle_request(
        self,
        listener_name: "Address",
        req: "Request",
        sock: "GeventSocket",
        addr: "Address",
    ) -> bool:
        """Serve one request; meanwhile its connection is not idle."""
        self._idle.discard(sock)
        answer = _OneWrite(sock)
        try:
            keep = super().handle_request(listener_name, req, cast("socket.socket", answer), addr)
        finally:
            with suppress(OSError):
                answer.flush()
        if not _read_off(req):
            raise StopIteration  # gunicorn's word for closing the connection
        self._idle.add(sock)
        if self._lingered:
            # It began before SIGTERM, so that its answer did not say `Connection: close`.
            self._close_idle()
        return keep

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on SIGTERM: take no new connection, finish requests, then close idle connections.

        For a moment requests on open connections are still taken, and answered with
        `Connection: close`.
        """
        super().handle_exit(sig, frame)
        gevent.spawn_later(LINGER_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        self._lingered = True
        for connection in list(self._idle):
            try:
                # Wakes the greenlet that waits for the next request, as if the client had left.
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                continue  # closed in this moment

    def handle_error(
        self,
        req: "Request | None",  # noqa: ARG002 - the signature is gunicorn's
        client: socket.socket,
        addr: "Address",  # noqa: ARG002 - likewise
        exc: BaseException,
    ) -> None:
        """Refuse what is not a well-formed request, in the API's shape.

        gunicorn's own answer is HTML that quotes the request, and its log line names the client.
        """
        request_id = new_request_id()
        if isinstance(exc, errors.ParseException):
            status = _STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
            code, message = "malformed_request", "This is not a well-formed HTTP request."
            log(logging.INFO, "malformed request", request_id=request_id, kind=type(exc).__name__)
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            code, message = "internal_error", "Something went wrong on our side."
            fields = {"request_id": request_id}
            LOGGER.error("unexpected error", exc_info=exc, extra={"fields": fields})
        error = {"code": code, "message": message, "fields": {}, "request_id": request_id}
        body = json.dumps({"error": error}).encode() + b"\n"
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "Connection: close\r\n"
            "Content-Type: application/json; charset=utf-8\r\n"
            "Cache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\n"
            f"X-Request-Id: {request_id}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            client.sendall(head.encode() + body)
        except OSError:
            log(logging.INFO, "the client left before its answer", request_id=request_id)
