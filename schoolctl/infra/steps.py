"""Steps that create, update or delete a stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step
from schoolctl.base.text import count

if TYPE_CHECKING:
    from schoolctl.model.stacks import ChangeSet, Template


@dataclass(frozen=True)
class LayStack(Step):
    """Create a stack of a template, and follow it."""

    name: str
    template: Template = field(repr=False)
    timeout_seconds: float

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        number = len(self.template.document["Resources"])
        return f"create stack {self.name} ({count(number, 'resource')})"


@dataclass(frozen=True)
class ChangeStack(Step):
    """Carry out a change set, and follow it."""

    name: str
    change_set: ChangeSet = field(repr=False)
    timeout_seconds: float

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        number = len(self.change_set.changes)
        return f"change stack {self.name} ({count(number, 'resource')})"


@dataclass(frozen=True)
class DeleteStack(Step):
    """Delete a stack, and follow it."""

    name: str
    id: str
    timeout_seconds: float
    why: str = ""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"delete stack {self.name}{f' ({self.why})' if self.why else ''}"


@dataclass(frozen=True)
class ProtectStack(Step):
    """Turn the termination protection of a stack on or off."""

    name: str
    protected: bool

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        verb = "protect" if self.protected else "take the protection off"
        return f"{verb} stack {self.name}{' from deletion' if self.protected else ''}"


@dataclass(frozen=True)
class DeleteService(Step):
    """Delete an ECS service that runs nothing."""

    cluster: str
    name: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"delete service {self.cluster}/{self.name}, which runs no task"


@dataclass(frozen=True)
class UnprotectDatabase(Step):
    """Turn the deletion protection of an RDS instance off."""

    instance: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"take the deletion protection off database {self.instance}"


@dataclass(frozen=True)
class DeleteDatabase(Step):
    """Delete an RDS instance and leave no snapshot."""

    instance: str
    timeout_seconds: float

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"delete database {self.instance} with all its data, and keep no snapshot"


@dataclass(frozen=True)
class DeleteLogGroup(Step):
    """Delete a log group with its lines."""

    name: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"delete log group {self.name} with all its lines"


@dataclass(frozen=True)
class CreateIdentityProvider(Step):
    """Let roles of the account be taken by workflows of GitHub."""

    host: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"create the identity provider {self.host}, which the account shares"


AnyStackStep = (
    LayStack
    | ChangeStack
    | DeleteStack
    | ProtectStack
    | DeleteService
    | UnprotectDatabase
    | DeleteDatabase
    | DeleteLogGroup
    | CreateIdentityProvider
)
