"""Measures two ways of doing the same thing in turn, A B A B, and gives the ratio."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Pair:
    """Wall seconds of each round, warm-up not counted."""

    name: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    target: float

    @property
    def ratio(self) -> float:
        """The median of ours divided by the median of theirs."""
        return statistics.median(self.ours) / statistics.median(self.theirs)

    def line(self) -> str:
        """Say the figures in one line."""
        verdict = "met" if self.ratio <= self.target else "MISSED"
        return (
            f"{self.name}: {statistics.median(self.ours):.3f} s against"
            f" {statistics.median(self.theirs):.3f} s"
            f" ({min(self.ours):.3f}-{max(self.ours):.3f} against"
            f" {min(self.theirs):.3f}-{max(self.theirs):.3f}),"
            f" ratio {self.ratio:.2f}, target at most {self.target}: {verdict}"
        )


def measure(
    name: str,
    ours: Callable[[], None],
    theirs: Callable[[], None],
    *,
    rounds: int,
    target: float,
    before: Callable[[], None] = lambda: None,
    warm_up: bool = True,
) -> Pair:
    """Run both in turn `rounds` times after one warm-up each.

    In turn, so that a machine that slows down slows both. What `before` does before each is not
    counted.
    """
    if warm_up:
        ours()
        theirs()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, into in zip((ours, theirs), times, strict=True):
            before()
            start = time.perf_counter()
            call()
            into.append(time.perf_counter() - start)
    return Pair(name, tuple(times[0]), tuple(times[1]), target)
