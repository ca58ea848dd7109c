"""Group commit: who does the work, who gets what, and that nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from service.together import MOST_TOGETHER, Together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class TooLateError(Exception):
    """The turn did not come."""


class Gate:
    """A handler that lets its first group wait until it is told to go on."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            self.entered.set()
            assert self.go_on.wait(10)
        return [ValueError(str(item)) if item < 0 else item * 10 for item in items]


def make(
    handle: Callable[[Sequence[int]], Sequence[int | Exception]],
    patience_seconds: float = 10,
    at_once: int = 1,
    late_seconds: float = 0,
) -> Together[int, int]:
    return Together(
        handle,
        at_once=at_once,
        patience_seconds=patience_seconds,
        too_late=TooLateError,
        late_seconds=late_seconds,
    )


def waiting(together: Together[int, int], count: int) -> None:
    """Wait until so many calls stand in line."""
    tick = threading.Event()
    for _ in range(1000):
        if together.waiting == count:
            return
        tick.wait(0.01)
    pytest.fail(f"{together.waiting} calls wait, not {count}")


def test_one_call_alone_is_handled_at_once() -> None:
    assert make(lambda items: [item + 1 for item in items]).submit(1) == 2


def test_what_arrives_meanwhile_goes_together() -> None:
    gate = Gate()
    together = make(gate)
    with ThreadPoolExecutor(MOST_TOGETHER + 10) as pool:
        first = pool.submit(together.submit, 1)
        assert gate.entered.wait(10)
        others = [pool.submit(together.submit, item) for item in range(2, MOST_TOGETHER + 5)]
        waiting(together, len(others))
        gate.go_on.set()
        assert first.result(10) == 10
        assert [each.result(10) for each in others] == [
            item * 10 for item in range(2, MOST_TOGETHER + 5)
        ]
    assert [len(group) for group in gate.groups] == [1, MOST_TOGETHER, 3]
    assert together.submit(7) == 70


def test_each_call_gets_its_own_error() -> None:
    gate = Gate()
    together = make(gate)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(together.submit, 1)
        assert gate.entered.wait(10)
        bad = pool.submit(together.submit, -5)
        good = pool.submit(together.submit, 6)
        waiting(together, 2)
        gate.go_on.set()
        assert first.result(10) == 10
        assert good.result(10) == 60
        with pytest.raises(ValueError, match="-5"):
            bad.result(10)


def test_an_error_of_the_group_reaches_all_of_it_and_the_next_group_goes_on() -> None:
    def broken(items: Sequence[int]) -> list[int]:
        raise OSError(f"no database for {len(items)}")

    together = make(broken)
    for item in (1, 2):
        with pytest.raises(OSError, match="no database"):
            together.submit(item)


def test_a_call_whose_turn_does_not_come_gives_up_and_is_not_handled() -> None:
    gate = Gate()
    together = make(gate, patience_seconds=0.05)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(together.submit, 1)
        assert gate.entered.wait(10)
        with pytest.raises(TooLateError):
            together.submit(2)
        gate.go_on.set()
        assert first.result(10) == 10
    assert gate.groups == [[1]]


def test_a_group_that_is_late_does_not_hold_up_those_behind_it() -> None:
    gate = Gate()
    together = make(gate, at_once=2)
    with ThreadPoolExecutor(1) as pool:
        held_up = pool.submit(together.submit, 1)
        assert gate.entered.wait(10)
        assert [together.submit(item) for item in (2, 3)] == [20, 30]
        gate.go_on.set()
        assert held_up.result(10) == 10


def test_beside_a_group_that_is_not_late_none_begins() -> None:
    gate = Gate()
    together = make(gate, at_once=2, late_seconds=60)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(together.submit, 1)
        assert gate.entered.wait(10)
        others = [pool.submit(together.submit, item) for item in (2, 3)]
        waiting(together, 2)
        gate.go_on.set()
        assert [each.result(10) for each in (first, *others)] == [10, 20, 30]
    assert [len(group) for group in gate.groups] == [1, 2]
