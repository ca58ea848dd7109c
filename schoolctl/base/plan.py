"""A plan: the steps that a command is going to take, in order.

A step that changes nothing on AWS but waits or verifies is a step too: the reader of a plan sees
everything that the command will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol


class Step(Protocol):
    """One change, as a frozen dataclass. Each subject has its own in a module `steps`."""

    watches: ClassVar[bool] = False
    """Whether it only watches, or records what is a fact by then: it needs no lock."""
    decides: ClassVar[bool] = False
    """Whether the steps after it are only for its success: none of them is left to do."""

    def describe(self) -> str:
        """Return what the step does, in the imperative."""
        ...


@dataclass(frozen=True)
class Plan:
    """What a command is going to do, in order.

    `summary` says in one line what it is for; `nothing` is what the user reads where there is no
    step; `notes` and `warnings` are shown with the steps.
    """

    summary: str
    steps: tuple[Step, ...]
    nothing: str = "nothing to do"
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    deletes: bool = False
    """Whether something is deleted: such a plan asks first."""
    asks: bool = False
    """Whether it asks first for another reason, which its notes tell."""
    local: bool = False
    """Whether only this machine is changed: then a protected environment asks nothing."""
    watches: bool = False
    """Whether it only watches, and notes what came of it: that asks nothing, either."""
    quiet: bool = False
    """Whether a run need not show the steps first (`--dry-run` shows them all the same)."""
