"""The steps that change a deploy lock by hand."""

from __future__ import annotations

from dataclasses import dataclass

from schoolctl.base.step_kinds import LockStep


@dataclass(frozen=True)
class FreeLock(LockStep):
    """Delete the deploy lock, if it still has this id."""

    name: str
    id: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"free the deploy lock {self.name}"


AnyLockStep = FreeLock
