"""The steps that register revisions, and bring a service to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.plan import Step
from schoolctl.base.text import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.model.services import Deployment, Registered, TaskDefinitionRef


@dataclass(frozen=True)
class CreateLogGroup(Step):
    """Create a CloudWatch log group that the task definition names."""

    name: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"create log group {self.name}"


@dataclass(frozen=True)
class RegisterTaskDefinition(Step):
    """Register a revision. `definition` is the RegisterTaskDefinition request without tags."""

    family: str
    definition: Mapping[str, object]
    tags: Mapping[str, str]
    changes: tuple[str, ...] = ()
    """What differs from the newest revision, a line each; empty for the first revision."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        if not self.changes:
            return f"register the first revision of {self.family}"
        shown = "; ".join(self.changes)
        return f"register a new revision of {self.family} ({shown})"


@dataclass(frozen=True)
class CreateService(Step):
    """Create the ECS service. `request` is the CreateService request without task definition."""

    cluster: str
    name: str
    task_definition: TaskDefinitionRef | Registered
    request: Mapping[str, object]
    desired_count: int

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return (
            f"create service {self.cluster}/{self.name} with {count(self.desired_count, 'task')}"
            f" of {self.task_definition}"
        )


@dataclass(frozen=True)
class UpdateService(Step):
    """Point the service at a revision, and change its settings where they differ."""

    cluster: str
    name: str
    task_definition: TaskDefinitionRef | Registered
    request: Mapping[str, object]
    """Further fields of UpdateService, only those that differ."""
    running: TaskDefinitionRef | None = None
    """The revision that the service is at now."""
    changes: tuple[str, ...] = ()
    force: bool = False

    @property
    def desired_count(self) -> int | None:
        """How many tasks are to run from here on; None where the count is left alone."""
        wanted = self.request.get("desiredCount")
        return wanted if isinstance(wanted, int) else None

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        if self.running == self.task_definition:
            target = "start new tasks of the same revision" if self.force else "change settings"
        else:
            target = f"from {self.running} to {self.task_definition}"
        extra = f" ({'; '.join(self.changes)})" if self.changes else ""
        return f"update service {self.cluster}/{self.name}: {target}{extra}"


@dataclass(frozen=True)
class StopDeployment(Step):
    """Stop the deployment that is in progress, so that another may begin."""

    cluster: str
    service: str
    deployment_id: str
    task_definition: TaskDefinitionRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"stop the deployment of {self.task_definition} that is in progress"


@dataclass(frozen=True)
class WaitForRollout(Step):
    """Follow a deployment until it is decided: the one that this plan started, or `deployment`."""

    watches = True
    decides = True

    cluster: str
    service: str
    timeout_seconds: float
    deployment: Deployment | None = None
    """What to follow where this plan starts none: a deployment of an earlier run."""
    fail_fast: int | None = None
    """After how many stopped tasks the rollout is ended, and the service brought back."""
    healthy: bool = False
    """Whether the tasks have to be healthy for the load balancer, too, and not for ECS alone."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        limits = [f"at most {self.timeout_seconds:.0f} s"]
        if self.fail_fast is not None:
            limits.append(f"ended when {count(self.fail_fast, 'task')} failed")
        return f"wait until the rollout is decided ({', '.join(limits)})"


@dataclass(frozen=True)
class MarkCompleted(Step):
    """Note on the revision that its rollout completed, for a later rollback to find."""

    watches = True

    task_definition: TaskDefinitionRef | Registered
    again: bool = False
    """Whether one did before: the first time stays, the last is noted beside it."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"mark {self.task_definition} as completed{' again' if self.again else ''}"


AnyServiceStep = (
    CreateLogGroup
    | RegisterTaskDefinition
    | CreateService
    | UpdateService
    | StopDeployment
    | WaitForRollout
    | MarkCompleted
)
