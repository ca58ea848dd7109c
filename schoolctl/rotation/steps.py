"""Steps of a rotation: stage a new password, give it to the database, promote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step

if TYPE_CHECKING:
    from schoolctl.model.values import SecretValue


@dataclass(frozen=True)
class StageSecret(Step):
    """Store a new password under AWSPENDING; the current one stays in use."""

    name: str
    value: SecretValue
    version: str
    """The id that the new version gets."""

    def describe(self) -> str:
        """Say what the step does, in the imperative, without the value."""
        return f"stage a new random password in secret {self.name} (AWSPENDING)"


@dataclass(frozen=True)
class PromoteSecret(Step):
    """Make the staged version the current one."""

    name: str
    version: str
    instead_of: str
    """The version that is current before; it becomes AWSPREVIOUS."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"make the staged password the current one of secret {self.name} (AWSCURRENT)"


@dataclass(frozen=True)
class EndRotation(Step):
    """Take AWSPENDING off a version that is not pending any more."""

    name: str
    version: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"take the label AWSPENDING off secret {self.name}"


@dataclass(frozen=True)
class RotateSecret(Step):
    """Have Secrets Manager rotate a secret whose rotation it manages."""

    name: str
    version: str
    """The id that the new version gets."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"have Secrets Manager rotate secret {self.name} now (RotateSecret)"


@dataclass(frozen=True)
class AwaitRotation(Step):
    """Wait until Secrets Manager has rotated a secret."""

    watches = True

    name: str
    version: str
    timeout_seconds: float

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return (
            f"wait until its new password is the current one (at most {self.timeout_seconds:.0f} s)"
        )


AnyRotationStep = StageSecret | PromoteSecret | EndRotation | RotateSecret | AwaitRotation
