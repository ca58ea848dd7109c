"""Limits given on the command line."""

from __future__ import annotations

import math

from schoolctl.errors import UsageError

_LONGEST_SECONDS = 24 * 60 * 60


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
