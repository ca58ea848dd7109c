"""A constant, bounded load through the sandbox's load balancer, and what became of each request."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 4
_PAUSE_SECONDS = 0.02
_LIMIT_SECONDS = 300.0
_TRIES_WITHIN_SECONDS = 15.0
# The emulator forwards to a task as soon as its container runs, before anything listens in it.
_REFUSED = re.compile(r"Target (?P<address>[\d.]+):\d+ connect error")


@dataclass
class Load:
    """What was answered. A request that a front would have repeated stands here with its end."""

    statuses: dict[int, int] = field(default_factory=dict)
    """How many requests ended with each status, after the repetitions."""
    refused_by: list[str] = field(default_factory=list)
    """The address of the task behind each attempt that was refused."""
    failures: list[str] = field(default_factory=list)
    """Everything else that is not an answer of the service."""

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return sum(self.statuses.values()) + len(self.failures)


@contextmanager
def constant_load(url: str) -> Iterator[Load]:
    """Ask for the page, the health check and a registration in turn while the block runs.

    A connection that a task refuses is tried again, as a front that retries does: nothing of the
    request has been read by then.
    """
    load, stop = Load(), threading.Event()
    lock = threading.Lock()
    clients = [
        threading.Thread(target=_client, args=(url, load, lock, stop), daemon=True)
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        stop.set()
        for client in clients:
            client.join()


def _client(url: str, load: Load, lock: threading.Lock, stop: threading.Event) -> None:
    end = time.monotonic() + _LIMIT_SECONDS
    for kind in itertools.cycle(("page", "health", "registration")):
        if stop.is_set() or time.monotonic() > end:
            return
        refused: list[str] = []
        try:
            status, text = _until_taken(url, kind, refused)
        except OSError as error:
            status, text = 0, repr(error)
        with lock:
            load.refused_by += refused
            if status in {200, 201}:
                load.statuses[status] = load.statuses.get(status, 0) + 1
            else:
                load.failures.append(f"{kind}: {status} {text[:300]}")
        stop.wait(_PAUSE_SECONDS)


def _until_taken(url: str, kind: str, refused: list[str]) -> tuple[int, str]:
    end = time.monotonic() + _TRIES_WITHIN_SECONDS
    while True:
        status, text = _ask(url, kind)
        found = _REFUSED.search(text) if status == 502 else None
        if found is None or time.monotonic() > end:
            return status, text
        refused.append(found["address"])
        time.sleep(_PAUSE_SECONDS)


def _ask(url: str, kind: str) -> tuple[int, str]:
    """Send one request to this machine under the load balancer's name."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=20)
    headers = {"Host": parts.netloc, "Content-Type": "application/json"}
    try:
        if kind == "registration":
            person = {
                "name": "Grace Hopper",
                "email": f"grace.{uuid.uuid4().hex}@school.example",
                "phone": "+44 20 7946 0958",
                "program": "Mathematics",
            }
            connection.request("POST", "/api/register", json.dumps(person), headers)
        else:
            connection.request("GET", "/" if kind == "page" else "/healthz", None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()
