"""Times in AWS's answers and tags: whatever their form, aware and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schoolctl.base.clock import parse_time

NINE = datetime(2025, 11, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1_762_074_000,  # the JSON protocols
        1_762_074_000.0,
        "2025-11-02T09:00:00Z",  # the query protocols, and our tags
        "2025-11-02T09:00:00.000Z",
        "2025-11-02T10:00:00+01:00",
        "2025-11-02T09:00:00",  # a local AWS
        "2025-11-02 09:00:00",
        "2025-11-02T09:00:00UTC",  # `aws sso login` of old
    ],
)
def test_a_time_is_aware_and_in_utc(value: float | str) -> None:
    found = parse_time(value)
    assert found == NINE
    assert found.tzinfo is UTC


@pytest.mark.parametrize("value", ["", "yesterday", "7", 1e18, float("nan")])
def test_anything_else_is_an_error(value: float | str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # Python's own words, which change
        parse_time(value)
