"""Clients that begin a request and never end it, and how a service bears them."""

from __future__ import annotations

import selectors
import socket
import threading
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = b"POST /api/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BEGINNINGS = {
    "half bodies": _HEAD + b'Content-Length: 100\r\n\r\n{"name"',
    "half headers": _HEAD[:60],
    "silence": b"",
}
_PATIENCE_SECONDS = 30
_PAUSE_SECONDS = 0.1


@contextmanager
def stalled_clients(port: int, count: int) -> Iterator[None]:
    """Keep so many clients stalled: one that the service gives up on is followed by another."""
    over = threading.Event()
    all_there = threading.Event()
    keeper = threading.Thread(target=_keep_stalled, args=(port, count, over, all_there))
    keeper.start()
    try:
        if not all_there.wait(_PATIENCE_SECONDS):
            raise TimeoutError("the stalled clients could not connect")
        yield
    finally:
        over.set()
        keeper.join()


@contextmanager
def slowest_health(port: int, seconds: list[float]) -> Iterator[None]:
    """Ask for the health all the time; appends how long the slowest answer took."""
    over = threading.Event()
    asking = threading.Thread(target=_ask_for_health, args=(port, seconds, over))
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()


def _keep_stalled(port: int, count: int, over: threading.Event, all_there: threading.Event) -> None:
    beginnings = list(BEGINNINGS.values())
    with selectors.DefaultSelector() as selector:
        for number in range(count):
            selector.register(*_begin(port, beginnings[number % len(beginnings)]))
        all_there.set()
        while not over.is_set():
            for key, _ in selector.select(_PAUSE_SECONDS):
                # An answer, such as 408, or the end of the connection.
                selector.unregister(key.fileobj)
                _close(key.fileobj)
                selector.register(*_begin(port, key.data))
        for key in list(selector.get_map().values()):
            _close(key.fileobj)


def _begin(port: int, beginning: bytes) -> tuple[socket.socket, int, bytes]:
    connection = socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS)
    connection.sendall(beginning)
    return connection, selectors.EVENT_READ, beginning


def _close(connection: object) -> None:
    assert isinstance(connection, socket.socket)
    connection.close()


def _ask_for_health(port: int, seconds: list[float], over: threading.Event) -> None:
    slowest = 0.0
    while not over.is_set():
        begun = time.perf_counter()
        try:
            # A connection of its own each time, as a load balancer's.
            with urllib.request.urlopen(  # this machine's
                f"http://127.0.0.1:{port}/healthz", timeout=_PATIENCE_SECONDS
            ):
                pass
        except OSError:
            slowest = float("inf")
        slowest = max(slowest, time.perf_counter() - begun)
        over.wait(_PAUSE_SECONDS)
    seconds.append(slowest)
