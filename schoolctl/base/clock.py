"""The clock as a parameter: every wait can be tested without waiting."""

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
