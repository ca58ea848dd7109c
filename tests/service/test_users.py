"""Registrations that are stored together: each is answered for itself."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from service.db import POOL_TIMEOUT_SECONDS, Database, make_engine
from service.errors import ServiceError
from service.users import Registered, Registrations
from service.validation import Registration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.settings import SqliteSettings

AT_ONCE = 1
GATHER_SECONDS = 0.3
EMAIL, COLUMNS = 2, 6
"""Where the email is among the values of one person."""


@dataclass
class Crowd:
    """A way to have registrations stored in one group: its first statements wait for it."""

    settings: SqliteSettings
    gather_seconds: float = GATHER_SECONDS
    groups: list[list[str]] = field(default_factory=list)
    _go: threading.Event = field(default_factory=threading.Event)
    _held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def add(self, people: Sequence[Registration]) -> list[Registered | Exception]:
        """Add all at once, behind as many others as may be under way; gives what became of each."""
        engine = make_engine(self.settings, time.monotonic)
        event.listen(engine, "before_cursor_execute", self._hold)
        registrations = Registrations(Database(engine, time.monotonic), AT_ONCE)

        def add(person: Registration) -> Registered | Exception:
            try:
                return registrations.add(person, str(uuid4()))
            except ServiceError as error:
                return error

        with ThreadPoolExecutor(AT_ONCE + len(people)) as pool:
            for number in range(AT_ONCE):
                pool.submit(add, someone(f"first{number}"))
                assert self._held.acquire(timeout=10)
            answers = [pool.submit(add, person) for person in people]
            threading.Event().wait(self.gather_seconds)
            self._go.set()
            given = [answer.result(10) for answer in answers]
        engine.dispose()
        return given

    def _hold(self, _c: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        if not sql.startswith("INSERT"):
            return
        self.groups.append(list(values[EMAIL::COLUMNS]))
        self._held.release()
        assert self._go.wait(10)


def someone(name: str, program: str = "Mathematics") -> Registration:
    return Registration(name, f"{name}@example.com", "+442079460958", program)


@pytest.fixture
def crowd(sqlite: SqliteSettings) -> Crowd:
    return Crowd(sqlite)


def test_a_group_is_stored_in_the_order_of_the_unique_key(crowd: Crowd) -> None:
    """Two groups with the same people in two orders would wait for each other for ever."""
    answers = crowd.add([someone(name) for name in ("dora", "anna", "carl", "bert")])
    assert crowd.groups[AT_ONCE] == [
        f"{name}@example.com" for name in ("anna", "bert", "carl", "dora")
    ]
    assert [outcome_of(answer) for answer in answers] == ["created"] * 4


def test_each_of_a_group_is_answered_for_itself(crowd: Crowd, sqlite: SqliteSettings) -> None:
    database = Database(make_engine(sqlite, time.monotonic), time.monotonic)
    before = Registrations(database, AT_ONCE)
    before.add(someone("dora"), str(uuid4()))
    people = [someone("anna"), someone("bert"), someone("bert"), someone("dora", "Art")]
    answers = crowd.add(people)
    assert len(crowd.groups[AT_ONCE]) == len(people)
    anna, *berts, dora = (outcome_of(answer) for answer in answers)
    assert (anna, sorted(berts), dora) == ("created", ["created", "repeated"], "EmailTakenError")


def test_one_that_waits_too_long_is_refused_and_the_log_says_why(
    crowd: Crowd, caplog: pytest.LogCaptureFixture
) -> None:
    crowd.gather_seconds = POOL_TIMEOUT_SECONDS + 0.5
    answers = crowd.add([someone("anna")])
    assert outcome_of(answers[0]) == "DatabaseUnavailableError"
    assert len(crowd.groups) == AT_ONCE
    assert "a registration waited too long for its turn" in caplog.messages


def outcome_of(answer: Registered | Exception) -> str:
    if isinstance(answer, Registered):
        return answer.outcome.value
    return type(answer).__name__
