"""The steps that write, delete and restore parameters and secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step

if TYPE_CHECKING:
    from datetime import datetime

    from schoolctl.model.values import SecretValue


@dataclass(frozen=True)
class PutParameter(Step):
    """Write one SSM parameter."""

    name: str
    type: str
    value: SecretValue
    overwrite: bool
    description: str = ""
    compared: bool = True
    """Whether the value before could be read; if not, it may well be the same."""

    def describe(self) -> str:
        """Say what the step does, in the imperative, without the value."""
        verb = "write" if not self.compared else "change" if self.overwrite else "create"
        return f"{verb} parameter {self.name} ({self.type})"


@dataclass(frozen=True)
class DeleteParameter(Step):
    """Delete one SSM parameter, with all its versions."""

    name: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"delete parameter {self.name}"


@dataclass(frozen=True)
class PutSecret(Step):
    """Create a Secrets Manager secret, or give it a new value."""

    name: str
    value: SecretValue
    create: bool
    description: str = ""

    def describe(self) -> str:
        """Say what the step does, in the imperative, without the value."""
        return f"{'create' if self.create else 'change'} secret {self.name}"


@dataclass(frozen=True)
class RestoreSecret(Step):
    """Take back the deletion that a Secrets Manager secret is scheduled for."""

    name: str
    deleted_at: datetime

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"restore secret {self.name} (to be deleted on {self.deleted_at:%Y-%m-%d})"


AnyValueStep = PutParameter | DeleteParameter | PutSecret | RestoreSecret
