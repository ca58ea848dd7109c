"""A TCP proxy between the service and its database that goes silent, ends, and cuts connections."""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 65536
_LAST_ANSWER_SECONDS = 5


class Cut(Enum):
    """Where a connection was cut."""

    QUESTION = "before a statement arrived"
    ANSWER = "after a statement was done, before its answer arrived"
    WITHIN_ANSWER = "in the middle of an answer"


class Proxy:
    """Passes bytes between clients on `port` and a server on 127.0.0.1.

    Attributes:
        port: where clients connect.
        silent: while set, bytes in both directions vanish and connections stay open.
        sent: how many pieces clients have sent.
        cuts: how often it cut a connection, by where.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._replies_until_cut: int | None = None
        self._chances: random.Random | None = None
        self._chance = 0.0
        self._end_at: int | None = None
        self._last_arrives = False
        self._over = threading.Event()
        self._answered = threading.Event()
        self._counting = threading.Lock()
        self.silent = False
        self.sent = 0
        self.cuts: Counter[Cut] = Counter()
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after_replies(self, replies: int) -> None:
        """Pass so many more replies of the server, then drop one and close its connection."""
        self._replies_until_cut = replies

    def cut_at_random(self, chance: float, seed: int) -> None:
        """Cut from now on, with this chance for each piece of data, in any of the three places."""
        self._chances, self._chance = random.Random(seed), chance  # noqa: S311 - no secret

    def end_at(self, piece: int, *, arrives: bool) -> None:
        """End for good with a piece that clients send, as if their machine were switched off.

        Args:
            piece: its number, from 1, over all connections.
            arrives: whether the server still gets it; its answer is dropped in any case.
        """
        self._end_at, self._last_arrives = piece, arrives

    def cut_all(self) -> None:
        """Close every connection."""
        for each in list(self._open):
            _shut(each)

    def close(self) -> None:
        """Close everything."""
        self._listener.close()
        self.cut_all()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                return  # the server is away, and so the client finds us
            with server:
                self._open |= {client, server}
                back = threading.Thread(target=self._pump, args=(server, client, True), daemon=True)
                back.start()
                self._pump(client, server, False)
                back.join()
                self._open -= {client, server}

    def _pump(self, source: socket.socket, sink: socket.socket, replies: bool) -> None:  # noqa: FBT001 - a thread's argument
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if self.silent:
                    continue
                if not replies and self._ends(sink, data):
                    break
                cut = self._cut(replies=replies)
                if cut is Cut.WITHIN_ANSWER:
                    sink.sendall(data[: len(data) // 2])
                if cut is not None:
                    self.cuts[cut] += 1
                    break
                sink.sendall(data)
        _shut(source)
        _shut(sink)

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

    def _cut(self, *, replies: bool) -> Cut | None:
        if replies and self._over.is_set():
            self._answered.set()
            return Cut.ANSWER
        if self._chances is not None and self._chances.random() < self._chance:
            if not replies:
                return Cut.QUESTION
            return self._chances.choice([Cut.ANSWER, Cut.WITHIN_ANSWER])
        if not replies or self._replies_until_cut is None:
            return None
        if self._replies_until_cut == 0:
            self._replies_until_cut = None
            return Cut.ANSWER
        self._replies_until_cut -= 1
        return None


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


@contextmanager
def run_proxy(target_port: int) -> Iterator[Proxy]:
    """Run a proxy until the end of the context."""
    proxy = Proxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
