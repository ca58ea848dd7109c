"""Clients that register many people at once, note every answer, and repeat what had none."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from tests.service.conftest import ADA

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

TIMEOUT_SECONDS = 20.0
PAUSE_SECONDS = 0.05
TAKEN = frozenset({200, 201})


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request of one client came to.

    Attributes:
        at: when it was over, monotonic seconds.
        seconds: how long it took.
        client: whose request it was.
        email: the person that it was about.
        status: None where no answer came.
        identity: the id that was answered.
    """

    at: float
    seconds: float
    client: int
    email: str
    status: int | None
    identity: str | None


class Crowd:
    """Clients, each on a connection of its own, that register one person after the other.

    A person who was not answered with 200 or 201 is sent again until that comes. The clients begin
    and end with the context.
    """

    def __init__(self, port: int, *, clients: int = 16, people_each: int | None = None) -> None:
        """Make the clients.

        Args:
            port: of the service, or of what stands before it.
            clients: how many there are.
            people_each: after so many people a client is done; None means when the context ends.
        """
        self.answers: list[Answer] = []
        self._port = port
        self._people_each = people_each
        self._taken = 0
        self._over = threading.Event()
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, args=(client,), daemon=True)
            for client in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self.join(2 * TIMEOUT_SECONDS)

    def join(self, timeout_seconds: float) -> None:
        """Wait until every client is done."""
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"a client waits still: {self.statuses()}"

    def wait_for(self, taken: int, timeout_seconds: float = 120) -> None:
        """Wait until so many people are registered in all."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._taken >= taken, timeout_seconds)
        assert done, f"{self._taken} of {taken} were registered: {self.statuses()}"

    def wait_for_more(self, people: int, timeout_seconds: float = 120) -> None:
        """Wait until so many more people are registered."""
        self.wait_for(self._taken + people, timeout_seconds)

    def statuses(self) -> Counter[int | None]:
        """Give how often each status was answered."""
        return Counter(answer.status for answer in self.answers)

    def failed_since(self, moment: float) -> list[Answer]:
        """Give the requests that ended without a registration after a moment."""
        return [
            each for each in list(self.answers) if each.at > moment and each.status not in TAKEN
        ]

    def all_served_after(self, moment: float) -> float:
        """Give the seconds after a moment by which each client had registered somebody."""
        firsts: dict[int, float] = {}
        for answer in list(self.answers):
            # One that began before was not answered by what there is after it.
            if answer.status in TAKEN and answer.at - answer.seconds > moment:
                firsts[answer.client] = min(answer.at, firsts.get(answer.client, answer.at))
        assert len(firsts) == len(self._threads), "a client was not served at all"
        return max(firsts.values()) - moment

    def _run(self, client: int) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        numbers = itertools.count() if self._people_each is None else range(self._people_each)
        for number in numbers:
            email = f"person{client}-{number}@example.com"
            while not self._ask(connection, client, email):
                if self._over.wait(PAUSE_SECONDS):
                    break
            if self._over.is_set():
                break
        connection.close()

    def _ask(self, connection: HTTPConnection, client: int, email: str) -> bool:
        started = time.monotonic()
        status: int | None = None
        identity: str | None = None
        try:
            connection.request(
                "POST",
                "/api/register",
                json.dumps({**ADA, "email": email}),
                {"Content-Type": "application/json"},
            )
            response = connection.getresponse()
            body = response.read()
            status = response.status
            with suppress(ValueError):
                identity = json.loads(body).get("id")
        except (OSError, HTTPException):
            connection.close()  # the next request opens it again
        now = time.monotonic()
        self.answers.append(Answer(now, now - started, client, email, status, identity))
        if status not in TAKEN:
            return False
        with self._changed:
            self._taken += 1
            self._changed.notify_all()
        return True
