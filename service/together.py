"""Group commit: what arrives while one statement is under way goes into the next one, together.

A commit costs the database a write to its log and us a round trip. Many registrations that come at
once share both; one that comes alone is stored at once, as nothing waits for company.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_TOGETHER: Final = 50
LATE_SECONDS: Final = 0.05
"""A commit takes a few milliseconds; one that takes this long is held up by something."""


class _Waiting(Generic[Item, Result]):
    """One call whose turn has not come."""

    __slots__ = ("item", "leads", "outcome", "signal")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.outcome: Result | Exception | None = None
        self.leads = False
        """Whether this call is to do the work of a group."""
        self.signal = threading.Lock()
        self.signal.acquire()


class Together(Generic[Item, Result]):
    """Hands items to a function in groups; each call gets its own result or error.

    There is no thread in the background: the first of a group does the work for all of it. One
    group at a time is under way, as two would only be smaller; another begins beside it where it
    is late, so that one that is held up does not hold up everybody.

    Args:
        handle: gives for each item, in order, its result or the exception to raise.
        at_once: how many groups may be under way at the same time, those that are late included.
        patience_seconds: how long a call waits for its turn.
        too_late: makes the exception for a call whose turn did not come.
        late_seconds: how long a group may take before the next one begins beside it.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        at_once: int,
        patience_seconds: float,
        too_late: Callable[[], Exception],
        late_seconds: float = LATE_SECONDS,
    ) -> None:
        self._handle = handle
        self._at_once = at_once
        self._patience_seconds = patience_seconds
        self._too_late = too_late
        self._late_seconds = late_seconds
        self._mutex = threading.Lock()
        self._under_way = 0
        self._begun = 0.0
        self._waiting: deque[_Waiting[Item, Result]] = deque()

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._waiting)

    def submit(self, item: Item) -> Result:
        """Have an item handled, and give its result.

        Raises:
            Exception: what `handle` gave for this item, or raised for its group.
        """
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._mutex:
            self._waiting.append(mine)
            if self._may_begin():
                self._under_way += 1
                self._begin()
        self._wait(mine)
        if mine.leads:
            self._lead(mine)
        return _given(mine.outcome)

    def _wait(self, mine: _Waiting[Item, Result]) -> None:
        if mine.signal.acquire(timeout=self._patience_seconds):
            return
        with self._mutex:
            if mine in self._waiting:
                self._waiting.remove(mine)
                raise self._too_late()
        # It is in a group that is under way; that ends within the database's own time-outs.
        mine.signal.acquire()

    def _lead(self, mine: _Waiting[Item, Result]) -> None:
        """Do the work of a group, then have the next one begun."""
        outcomes: Sequence[Result | Exception] | None = None
        batch = [mine]
        try:
            # Requests that have arrived are read first: that takes no longer than they would wait.
            time.sleep(0)
            with self._mutex:
                others = min(MOST_TOGETHER - 1, len(self._waiting))
                batch += [self._waiting.popleft() for _ in range(others)]
            outcomes = self._handle([each.item for each in batch])
        except Exception as error:  # noqa: BLE001 - passed on to each of the group
            outcomes = [error] * len(batch)
        finally:
            self._pass_on()
            # None where something ended the work that is no error, such as the worker's end.
            given = outcomes or [self._too_late()] * len(batch)
            for each, outcome in zip(batch, given, strict=True):
                each.outcome = outcome
                each.signal.release()

    def _pass_on(self) -> None:
        with self._mutex:
            if self._waiting:
                self._begin()
            else:
                self._under_way -= 1

    def _may_begin(self) -> bool:
        if self._under_way == 0:
            return True
        late = time.monotonic() - self._begun > self._late_seconds
        return late and self._under_way < self._at_once

    def _begin(self) -> None:
        """Have the first that waits lead the next group: itself, and whoever waits by then."""
        first = self._waiting.popleft()
        self._begun = time.monotonic()
        first.leads = True
        first.signal.release()


def _given(outcome: Result | Exception | None) -> Result:
    if isinstance(outcome, Exception):
        raise outcome
    if outcome is None:
        raise AssertionError("a call ended without an outcome")
    return outcome
