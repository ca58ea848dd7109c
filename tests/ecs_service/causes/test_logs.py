"""Where log lines are, and how a beginning is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.base.errors import UsageError
from schoolctl.ecs_service.causes.logs import container_names, log_place, moment, parse_since
from schoolctl.model.services import LogPlace

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1w", timedelta(weeks=1)),
        ("1h30m", timedelta(minutes=90)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_counted_back(text: str, ago: timedelta) -> None:
    assert parse_since(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-02T08:00:00Z", datetime(2026, 11, 2, 8, 0, tzinfo=UTC)),
        ("2026-11-02T09:30:00+02:00", datetime(2026, 11, 2, 7, 30, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1).astimezone()),  # local on purpose
    ],
)
def test_a_time_is_read_with_its_zone_or_in_the_users(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    ["", "m", "10", "10x", "-5m", "1.5h", "10 m", "tomorrow", "2027-01-01", "9" * 30 + "d", "0001"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        parse_since(text, NOW)


@given(st.text(max_size=12))
def test_no_text_ends_in_another_error(text: str) -> None:
    try:
        assert parse_since(text, NOW) <= NOW
    except UsageError:
        return


def definition(**logging: Any) -> dict[str, Any]:
    return {"containerDefinitions": [{"name": "proxy"}, {"name": "web", **logging}]}


AWSLOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "ecs"},
}


def test_a_stream_is_named_by_prefix_container_and_task() -> None:
    place = log_place(definition(logConfiguration=AWSLOGS), "web")
    assert place == LogPlace("/ecs/web", "ecs", "web")
    assert place.stream("4f0c") == "ecs/web/4f0c"


@pytest.mark.parametrize(
    "logging",
    [
        {},
        {"logConfiguration": {"logDriver": "awsfirelens", "options": {}}},
        {"logConfiguration": {"logDriver": "awslogs"}},
        {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/x"}}},
    ],
    ids=["no logging", "another driver", "no options", "no prefix"],
)
def test_a_container_may_log_where_its_lines_cannot_be_found(logging: dict[str, Any]) -> None:
    assert log_place(definition(**logging), "web") is None


def test_a_container_that_is_not_there_has_no_log() -> None:
    assert log_place(definition(logConfiguration=AWSLOGS), "worker") is None


def test_containers_are_named_in_order() -> None:
    assert container_names(definition()) == ("proxy", "web")
    assert container_names({}) == ()


def test_a_lines_time_keeps_its_milliseconds() -> None:
    assert moment(datetime(2026, 11, 2, 9, 0, 0, 71_000, UTC)) == "2026-11-02T09:00:00.071Z"
