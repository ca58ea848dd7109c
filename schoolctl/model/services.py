"""Services: revisions, deployments, tasks, log lines, scaling, exec agents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from schoolctl.model.images import Digest

_SHORT = 8


_TASK_DEFINITION_ARN = re.compile(
    r"(?P<prefix>arn:[^:]+:ecs:[^:]*:[^:]*:task-definition/)(?P<family>[^:]+):(?P<revision>\d+)"
)


@dataclass(frozen=True, order=True)
class TaskDefinitionRef:
    """One revision of a task definition family."""

    family: str
    revision: int
    arn: str = field(compare=False, default="")

    @classmethod
    def from_arn(cls, arn: str) -> Self:
        """Read the ARN that ECS gives; a form that ECS never gives is a `ValueError`."""
        match = _TASK_DEFINITION_ARN.fullmatch(arn)
        if match is None:
            raise ValueError(f"not a task definition ARN: {arn}")
        return cls(match["family"], int(match["revision"]), arn)

    def __str__(self) -> str:
        return f"{self.family}:{self.revision}"


class RolloutState(StrEnum):
    """`rolloutState` of a deployment, as ECS spells it."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Deployment:
    """One attempt to bring a service to a revision. `status` is PRIMARY, ACTIVE or INACTIVE."""

    id: str
    status: str
    task_definition: TaskDefinitionRef
    rollout_state: RolloutState | None
    rollout_reason: str
    desired: int
    running: int
    pending: int
    failed: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ServiceEvent:
    """One of the newest hundred service events."""

    id: str
    at: datetime
    message: str


@dataclass(frozen=True)
class ServiceState:
    """A service as DescribeServices tells of it, newest deployment and event first."""

    name: str
    arn: str
    cluster: str
    status: str
    task_definition: TaskDefinitionRef
    desired: int
    running: int
    pending: int
    deployments: tuple[Deployment, ...]
    events: tuple[ServiceEvent, ...]
    target_group_arns: tuple[str, ...]
    settings: Mapping[str, object]
    """What UpdateService can change, in AWS's own shape: network, deployment, grace period."""
    task_sets: tuple[TaskDefinitionRef, ...] = ()
    """The revisions of its task sets, where CodeDeploy or an external controller deploys it."""

    @property
    def primary(self) -> Deployment | None:
        """The deployment that the service is at, or on its way to."""
        return next((each for each in self.deployments if each.status == "PRIMARY"), None)


@dataclass(frozen=True)
class ContainerState:
    """One container of a task; `exit_code` is None while it runs or when it never ran."""

    name: str
    status: str
    exit_code: int | None
    reason: str
    image: str
    image_digest: Digest | None


@dataclass(frozen=True)
class Task:
    """One task as DescribeTasks tells of it."""

    id: str
    arn: str
    task_definition: TaskDefinitionRef
    last_status: str
    desired_status: str
    health: str
    started_by: str
    created_at: datetime | None
    started_at: datetime | None
    stopped_at: datetime | None
    stop_code: str
    stopped_reason: str
    containers: tuple[ContainerState, ...]
    zone: str = ""
    """The availability zone; empty where ECS does not tell."""
    address: str = ""
    """Its private IPv4 address; empty before it has one."""
    pull_started_at: datetime | None = None
    pull_stopped_at: datetime | None = None
    stopping_at: datetime | None = None
    """When it was told to stop."""


@dataclass(frozen=True)
class Revision:
    """One revision of a family with what schoolctl noted on it.

    `definition` is the RegisterTaskDefinition shape without ECS's read-only fields.
    """

    ref: TaskDefinitionRef
    active: bool
    registered_at: datetime | None
    definition: Mapping[str, object]
    images: tuple[str, ...]
    tags: Mapping[str, str]
    completed_at: datetime | None = None
    """When a rollout of it completed for the first time: the tag `schoolctl:completed-at`."""
    completed_again_at: datetime | None = None
    """When one did last, where that was a later one: `schoolctl:completed-again-at`."""

    @property
    def last_completed_at(self) -> datetime | None:
        """When a rollout of it completed last; None where none is known to have."""
        return self.completed_again_at or self.completed_at


@dataclass(frozen=True)
class LogLine:
    """One line of a container's log."""

    at: datetime
    task_id: str
    message: str
    container: str = ""


class Metric(StrEnum):
    """What a policy keeps near its target, as AWS spells it.

    Source: application-autoscaling PutScalingPolicy, `PredefinedMetricType`.
    """

    CPU = "ECSServiceAverageCPUUtilization"
    REQUESTS = "ALBRequestCountPerTarget"


@dataclass(frozen=True)
class ScalingRange:
    """Between which counts auto scaling keeps a service."""

    minimum: int
    maximum: int

    def __str__(self) -> str:
        return f"{self.minimum} to {self.maximum}"


@dataclass(frozen=True)
class ScalingPolicy:
    """A policy by which auto scaling moves the count.

    Attributes:
        name: of the policy.
        metric: the predefined metric that it tracks; empty for a policy of another kind.
        target: what the metric is kept near.
        label: which load balancer and target group the metric is of; empty where it is of none.
        settings: what else its configuration says, as AWS spells it, such as `ScaleInCooldown`.
    """

    name: str
    metric: str = ""
    target: float = 0.0
    label: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class AutoScaling:
    """What auto scaling does with one service."""

    limits: ScalingRange | None = None
    """None where it does not manage the count."""
    policies: tuple[ScalingPolicy, ...] = ()
    scheduled: tuple[str, ...] = ()
    """The names of the scheduled actions, read only where auto scaling is to end."""


@dataclass(frozen=True)
class Registered:
    """Placeholder for the revision that this plan registers."""

    family: str

    def __str__(self) -> str:
        return f"the new revision of {self.family}"


@dataclass(frozen=True)
class LogPlace:
    """The log group of a container, and how ECS names the streams in it."""

    group: str
    prefix: str
    container: str

    @property
    def streams(self) -> str:
        """What the names of all the container's streams begin with."""
        return f"{self.prefix}/{self.container}/"

    def stream(self, task_id: str) -> str:
        """Give the name of one task's stream. Source: awslogs-stream-prefix, ECS guide."""
        return f"{self.streams}{task_id}"


def short_id(task_id: str) -> str:
    """Give the first eight digits of a task's id, as people compare them."""
    return task_id[:_SHORT]


SSM_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""What the task role must allow. Source: ECS guide, "ECS Exec"."""


@dataclass(frozen=True)
class Agents:
    """What a task says of its exec agents. `runtime_ids` and `agents` are by container."""

    enabled: bool
    runtime_ids: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    """The status of each container's exec agent, as ECS spells it: RUNNING, PENDING, STOPPED."""


def running_revision(service: ServiceState) -> TaskDefinitionRef:
    """Give the revision that the service is known to run.

    While a rollout is under way that is the one before it: the new one is not proven yet.
    """
    completed = [
        each for each in service.deployments if each.rollout_state is RolloutState.COMPLETED
    ]
    completed.sort(key=lambda each: each.status != "PRIMARY")
    return completed[0].task_definition if completed else service.task_definition


def not_connected_hint() -> str:
    """Give what to check where the exec agent of a task cannot be reached."""
    return (
        "wait a few seconds and run it again; if it stays so, the task role must allow"
        f" {', '.join(SSM_ACTIONS)}, and the task must reach ssmmessages (a public address, NAT,"
        " or an interface endpoint)"
    )
