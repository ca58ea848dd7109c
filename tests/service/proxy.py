"""A TCP proxy between the service and its database that can go silent or cut a reply off."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 65536


class Proxy:
    """Passes bytes between clients on `port` and a server on 127.0.0.1.

    Attributes:
        port: where clients connect.
        silent: while set, bytes in both directions vanish and connections stay open.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._replies_until_cut: int | None = None
        self.silent = False
        self.cuts = 0
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after_replies(self, replies: int) -> None:
        """Pass so many more replies of the server, then drop one and close its connection."""
        self._replies_until_cut = replies

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
                if replies and self._is_cut():
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _is_cut(self) -> bool:
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
