"""A TCP proxy between the service and its database that can go silent or cut a reply off."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 65536
_LAST_ANSWER_SECONDS = 5


class Proxy:
    """Passes bytes between clients on `port` and a server on 127.0.0.1.

    Attributes:
        port: where clients connect.
        silent: while set, bytes in both directions vanish and connections stay open.
        sent: how many pieces clients have sent.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._replies_until_cut: int | None = None
        self._end_at: int | None = None
        self._last_arrives = False
        self._over = threading.Event()
        self._answered = threading.Event()
        self._counting = threading.Lock()
        self.silent = False
        self.sent = 0
        self.cuts = 0
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after_replies(self, replies: int) -> None:
        """Pass so many more replies of the server, then drop one and close its connection."""
        self._replies_until_cut = replies

    def end_at(self, piece: int, *, arrives: bool) -> None:
        """End for good with a piece that clients send, as if their machine were switched off.

        Args:
            piece: its number, from 1, over all connections.
            arrives: whether the server still gets it; its answer is dropped in any case.
        """
        self._end_at, self._last_arrives = piece, arrives

    def close(self) -> None:
        """Close everything."""
        self._listener.close()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                self._sockets += [client, server]
                for arguments in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, replies: bool) -> None:  # noqa: FBT001 - a thread's argument
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if self.silent:
                    continue
                if self._is_cut() if replies else self._ends(sink, data):
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _ends(self, server: socket.socket, data: bytes) -> bool:
        with self._counting:
            if self._over.is_set():
                return True
            self.sent += 1
            if self.sent != self._end_at:
                return False
            self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        if self._last_arrives:
            server.sendall(data)
            self._answered.wait(_LAST_ANSWER_SECONDS)
        return True

    def _is_cut(self) -> bool:
        if self._over.is_set():
            self._answered.set()
            return True
        if self._replies_until_cut is None:
            return False
        if self._replies_until_cut == 0:
            self._replies_until_cut = None
            self.cuts += 1
            return True
        self._replies_until_cut -= 1
        return False


@contextmanager
def run_proxy(target_port: int) -> Iterator[Proxy]:
    """Run a proxy until the end of the context."""
    proxy = Proxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
