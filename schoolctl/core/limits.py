"""Limits given on the command line."""

from __future__ import annotations

import math
import re

from schoolctl.base.errors import UsageError

_LONGEST_SECONDS = 24 * 60 * 60
_AGE = re.compile(r"([0-9]{1,5})([hdw])")
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def parse_timeout(seconds: float) -> float:
    """Give `seconds` back if a command can wait so long, or raise a `UsageError`."""
    if math.isnan(seconds) or not 0 < seconds <= _LONGEST_SECONDS:
        raise UsageError(
            f"--timeout {seconds:g} is no time to wait",
            why=f"it must be more than 0 and at most {_LONGEST_SECONDS} seconds (a day)",
            hint="leave it out for the usual limit",
        )
    return seconds


def parse_lock_wait(seconds: float) -> float:
    """Give `seconds` back if a command can wait so long for a lock, or raise a `UsageError`."""
    if math.isnan(seconds) or not 0 <= seconds <= _LONGEST_SECONDS:
        raise UsageError(
            f"--lock-wait {seconds:g} is no time to wait",
            why=f"it must be at least 0 and at most {_LONGEST_SECONDS} seconds (a day)",
            hint="leave it out to be told at once who holds the lock",
        )
    return seconds


def parse_age(text: str) -> float:
    """Read an age such as `30d`, `12h` or `2w`; gives days, or raises a `UsageError`."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--older-than {text!r} is no age",
            why="an age is a number and a unit: h for hours, d for days, w for weeks",
            hint="write 30d, 12h or 2w; 0d for any age",
        )
    return int(found[1]) * _DAYS[found[2]]
