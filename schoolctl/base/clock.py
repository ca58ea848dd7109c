"""The clock as a parameter, so that waits are tested without waiting; the times that AWS writes."""

from __future__ import annotations

import gc
import time
from datetime import UTC, datetime
from typing import Protocol

from schoolctl.base.interruption import check


class Clock(Protocol):
    """What the product may ask of time."""

    def now(self) -> datetime:
        """Give the present time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Give seconds that only ever grow, for measuring durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Give the present time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that only ever grow, for measuring durations."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`; a run that was interrupted does not."""
        check()
        if not gc.isenabled():
            # The command began without the collector; a run that waits may go on for hours.
            gc.freeze()
            gc.enable()
        time.sleep(seconds)


def parse_time(value: float | str) -> datetime:
    """Return the time that AWS wrote, aware and in UTC.

    Every client of `Clients` reads its answers with this function, so the times in an answer are
    in UTC already.

    Args:
        value: seconds since the epoch, as the JSON protocols have them; or an ISO 8601 text, as
            the query protocols have it. A text without a zone is in UTC; so is one that ends in
            `UTC`, as older versions of `aws sso login` wrote it.

    Raises:
        ValueError: the value is neither, or not within the years 1 to 9999.
    """
    if isinstance(value, str):
        moment = datetime.fromisoformat(value.removesuffix("UTC"))
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value} is not a time in seconds since the epoch") from error
