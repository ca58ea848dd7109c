"""Sizes, times and counts as text, and batches."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


# To the last @ before the path: a password may hold one, too.
_USER_INFO = re.compile(r"(?<=://)[^/\s\"']*@")
_SIZES = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def size(size_bytes: float) -> str:
    """Write a size with three digits at most: `265 MB`, `1.2 kB`."""
    value = float(size_bytes)
    for unit in _SIZES:
        if value < _THOUSAND or unit == _SIZES[-1]:
            digits = 0 if unit == "B" or value >= 10 else 1  # noqa: PLR2004  # one decimal below ten
            return f"{value:.{digits}f} {unit}"
        value /= _THOUSAND
    raise AssertionError("the last unit ends the loop")


def duration(seconds: float) -> str:
    """Write a duration in its two largest units: `4 s`, `3 m 20 s`, `2 h 5 m`, `12 d 3 h`."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two_units(whole, _MINUTE, 1, "ms")
    if whole < _DAY:
        return _two_units(whole, _HOUR, _MINUTE, "hm")
    return _two_units(whole, _DAY, _HOUR, "dh")


def _two_units(seconds: int, large: int, small: int, names: str) -> str:
    rest = seconds % large // small
    first = f"{seconds // large} {names[0]}"
    return f"{first} {rest} {names[1]}" if rest else first


def ago(moment: datetime, now: datetime) -> str:
    """Write how long ago `moment` was, seen from `now`: `3 m 20 s ago`."""
    return f"{duration((now - moment).total_seconds())} ago"


def local_time(moment: datetime) -> str:
    """Write a time in the user's own zone, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def zoned_time(moment: datetime) -> str:
    """Write a time in the user's own zone and name the zone: `2026-11-02 09:00 CET`."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def exact_time(moment: datetime) -> str:
    """Write a time as `zoned_time` does, to the second: `2026-11-02 09:00:12 CET`."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def iso(moment: datetime | None) -> str | None:
    """Write a time for JSON: ISO 8601, UTC, whole seconds; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows of cells as lines whose columns stand below each other."""
    if not rows:
        return []
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def count(number: int, noun: str) -> str:
    """Write `1 image`, `2 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def is_loopback(host: str) -> bool:
    """Say whether a host's name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def without_user_info(text: str) -> str:
    """Give a text without the user and the password of any address in it."""
    return _USER_INFO.sub("", text)


T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut into lists of at most `size`, in the order of `items`; nothing gives no list."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
