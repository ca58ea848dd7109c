"""Sizes, durations, times and counts as they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from schoolctl.base import text


@pytest.mark.parametrize(
    ("size_bytes", "written"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (12_345, "12 kB"),
        (265_000_000, "265 MB"),
        (3_000_000_000_000_000, "3000 TB"),
    ],
)
def test_sizes(size_bytes: int, written: str) -> None:
    assert text.size(size_bytes) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-3, "0 s"),
        (4.4, "4 s"),
        (59.6, "1 m"),
        (200, "3 m 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 m"),
        (1_047_600, "12 d 3 h"),
    ],
)
def test_durations(seconds: float, written: str) -> None:
    assert text.duration(seconds) == written


def test_ago_counts_from_the_given_present() -> None:
    now = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

    assert text.ago(now - timedelta(seconds=200), now) == "3 m 20 s ago"


def test_json_times_are_utc_whatever_the_zone_was() -> None:
    moment = datetime(2026, 11, 2, 9, 0, 0, 123, tzinfo=timezone(timedelta(hours=2)))

    assert text.iso(moment) == "2026-11-02T07:00:00Z"
    assert text.iso(None) is None


@pytest.mark.parametrize(("number", "written"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_counts(number: int, written: str) -> None:
    assert text.count(number, "image") == written
