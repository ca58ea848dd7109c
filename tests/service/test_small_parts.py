from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.aws import AwsReadError, Login
from service.budget import RESERVED, Budget
from service.credentials import MIN_SECONDS_BETWEEN_READS, Credentials
from service.logs import JsonFormatter
from service.ratelimit import MAX_CLIENTS, RateLimit, RateLimiter, client_key

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = Login("admin", "old")
NEW = Login("admin", "new")


class Time:
    """A clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """A secret that counts how often it is read; `pending` is what a rotation is making it."""

    def __init__(self, login: Login, pending: Login | None = None) -> None:
        self.login = login
        self.pending = pending
        self.reads = 0
        self.broken = False

    def __call__(self) -> Iterator[Login]:
        self.reads += 1
        if self.broken:
            raise AwsReadError("no answer")
        yield self.login
        if self.pending is not None:
            yield self.pending


def test_a_rotated_password_is_found() -> None:
    credentials = Credentials(OLD, Source(NEW), Time())
    assert credentials.refresh(OLD) == NEW
    assert credentials.current() == NEW


def test_the_pending_password_is_tried_while_the_current_one_is_refused() -> None:
    source = Source(OLD, pending=NEW)
    credentials = Credentials(OLD, source, Time())
    assert credentials.refresh(OLD) == NEW


def test_a_refused_pending_password_gives_way_to_the_current_one() -> None:
    credentials = Credentials(NEW, Source(OLD, pending=NEW), Time())
    assert credentials.refresh(NEW) == OLD


def test_a_password_that_stays_wrong_is_read_once_in_ten_seconds() -> None:
    source, time = Source(OLD), Time()
    credentials = Credentials(OLD, source, time)
    for _ in range(50):
        assert credentials.refresh(OLD) == OLD
    assert source.reads == 1
    time.now += MIN_SECONDS_BETWEEN_READS
    source.login = NEW
    assert credentials.refresh(OLD) == NEW


def test_many_refused_at_once_share_one_reading() -> None:
    source = Source(NEW)
    credentials = Credentials(OLD, source, Time())
    results: list[Login] = []
    threads = [
        threading.Thread(target=lambda: results.append(credentials.refresh(OLD))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [NEW] * 20
    assert source.reads == 1


def test_a_secret_that_cannot_be_read_leaves_the_login_as_it_was() -> None:
    source = Source(NEW)
    source.broken = True
    credentials = Credentials(OLD, source, Time())
    assert credentials.refresh(OLD) == OLD


def test_a_client_may_use_its_whole_allowance_at_once_and_then_waits() -> None:
    time = Time()
    limiter = RateLimiter(RateLimit(3, 60), time)
    assert [limiter.take("203.0.113.7") for _ in range(4)] == [0, 0, 0, 20]
    time.now += 20
    assert [limiter.take("203.0.113.7") for _ in range(2)] == [0, 20]


def test_one_client_does_not_use_up_the_allowance_of_another() -> None:
    limiter = RateLimiter(RateLimit(1, 60), Time())
    assert [limiter.take(f"203.0.113.{number}") for number in range(5)] == [0] * 5


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5), st.integers(1, 60))
def test_no_more_than_allowance_plus_refill_is_ever_granted(
    pauses: list[float], requests: int, seconds: int
) -> None:
    time = Time()
    limiter = RateLimiter(RateLimit(requests, seconds), time)
    granted = 0
    for pause in pauses:
        time.now += pause
        granted += limiter.take("203.0.113.7") == 0
    assert granted <= requests + sum(pauses) * requests / seconds + 1e-6


def test_the_memory_for_clients_is_bounded() -> None:
    limiter = RateLimiter(RateLimit(1, 3600), Time())
    limiter.take("198.51.100.1")
    for number in range(MAX_CLIENTS):
        limiter.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert limiter.take("198.51.100.1") == 0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("203.0.113.7, 1.1.1.1", "unknown"),
    ],
)
def test_clients_are_counted_by_address_and_by_network_for_ipv6(address: str, key: str) -> None:
    assert client_key(address) == key


@given(st.integers(1, 500), st.integers(1, 5000))
def test_tasks_that_fit_do_so_while_they_are_replaced_and_one_more_does_not(
    each_task: int, limit: int
) -> None:
    budget = Budget(each_task, limit)
    fitting = budget.tasks_at_most
    assert fitting == 0 or fitting * 2 * each_task <= limit - RESERVED
    assert (fitting + 1) * 2 * each_task > limit - RESERVED
    assert (budget.problem() is None) == (fitting > 0)


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_whatever_is_logged_is_one_line_of_json(message: str, fields: dict[str, str]) -> None:
    record = logging.LogRecord("service", logging.INFO, "", 0, "%s", (message,), None)
    record.fields = fields
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert isinstance(json.loads(line), dict)
