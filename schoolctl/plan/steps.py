"""The steps that a plan can hold, each a frozen dataclass that can describe itself.

A step that changes nothing on AWS but waits or verifies is a step too: the reader of a plan sees
everything that the command will do. What an earlier step yields stands in a later one as a
placeholder (`Pushed`, `Registered`), which `execute` fills in on the way.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.plan.network_steps import (
    AuthorizeEgress,
    AuthorizeIngress,
    CreateSecurityGroup,
    RevokeIngress,
)
from schoolctl.plan.rotation_steps import (
    AwaitRotation,
    EndRotation,
    PromoteSecret,
    RotateSecret,
    StageSecret,
)
from schoolctl.plan.scaling_steps import (
    DeregisterScalableTarget,
    PutScalingPolicy,
    RegisterScalableTarget,
)
from schoolctl.plan.stack.steps import StackStep
from schoolctl.text import count, size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from schoolctl.build_secrets import BuildSecret
    from schoolctl.builder import Builder
    from schoolctl.model import (
        Deployment,
        Digest,
        Image,
        ImageRef,
        RegistryLogin,
        RepositoryUri,
        Revision,
        SecretValue,
        TaskDefinitionRef,
    )
    from schoolctl.plan.scan import Severity


@dataclass(frozen=True)
class Registered:
    """Placeholder for the revision that this plan registers."""

    family: str

    def __str__(self) -> str:
        return f"the new revision of {self.family}"


@dataclass(frozen=True)
class CreateRepository:
    """Create an ECR repository: immutable tags, scan on push, encrypted."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"create repository {self.name} (immutable tags, scan on push, AES-256)"


@dataclass(frozen=True)
class BuildImage:
    """Build an image from a context directory and give it a local tag."""

    image: ImageRef
    context: Path
    dockerfile: Path
    platform: str
    build_args: Mapping[str, str]
    labels: Mapping[str, str]
    context_bytes: int
    builder: Builder
    secrets: tuple[BuildSecret, ...] = ()

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        named = ", ".join(each.id for each in self.secrets)
        return (
            f"build {self.image} for {self.platform} from {self.context}"
            f" ({size(self.context_bytes)}, {self.builder}{f', secrets: {named}' if named else ''})"
        )


@dataclass(frozen=True)
class PushImage:
    """Push a local image and compare the digest that ECR reports with the one pushed."""

    image: ImageRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"push {self.image}"


@dataclass(frozen=True)
class CopyImage:
    """Copy an image by digest from another environment's repository, registry to registry."""

    source: ImageRef
    environment: str
    """Whose repository the source is in."""
    image: ImageRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"copy {self.source} of environment {self.environment} to {self.image}"


@dataclass(frozen=True)
class ReadScan:
    """Wait for ECR's scan of the image, and tell what it found."""

    repository: str
    digest: Digest | None
    """None for the image that this plan pushes."""
    fail_on: Severity | None
    """Findings as bad as this are an error."""
    timeout_seconds: float

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        limit = f", and fail on findings that are {self.fail_on}" if self.fail_on else ""
        return f"read what ECR's scan finds (at most {self.timeout_seconds:.0f} s){limit}"


@dataclass(frozen=True)
class PullImage:
    """Pull an image, logged in."""

    image: ImageRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"pull {self.image}"


@dataclass(frozen=True)
class StoreLogin:
    """Put a registry's login where Docker looks for it."""

    login: RegistryLogin
    place: str
    """Docker's configuration file, or the credential helper in charge."""

    def describe(self) -> str:
        """Say what the step does, in the imperative, without the token."""
        return f"store the login for {self.login.registry} in {self.place}"


@dataclass(frozen=True)
class ConfirmUnused:
    """Look once more whether something uses the images that are about to go."""

    repository: RepositoryUri
    images: tuple[Image, ...]
    window: int
    """How many revisions of a family a rollback may go to."""
    known: tuple[Revision, ...] = field(default=(), compare=False, repr=False)
    """The revisions that were read for the plan."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return "look once more whether anything uses them"


@dataclass(frozen=True)
class Deletion:
    """An image that goes, and what has to be gone before it."""

    digest: Digest
    after: tuple[Digest, ...] = ()


@dataclass(frozen=True)
class DeleteImages:
    """Delete images by digest, wave by wave: what belongs to an image goes after it."""

    repository: RepositoryUri
    waves: tuple[tuple[Deletion, ...], ...]
    size_bytes: int

    @property
    def digests(self) -> tuple[Digest, ...]:
        """All that go, in order."""
        return tuple(each.digest for wave in self.waves for each in wave)

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        number = sum(map(len, self.waves))
        return f"delete {count(number, 'image')} from {self.repository.name}"


@dataclass(frozen=True)
class DeregisterTaskDefinitions:
    """Make revisions INACTIVE."""

    revisions: tuple[TaskDefinitionRef, ...]

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        if len(self.revisions) == 1:
            return f"deregister {self.revisions[0]}"
        return f"deregister {count(len(self.revisions), 'revision')}"


@dataclass(frozen=True)
class PutParameter:
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
class DeleteParameter:
    """Delete one SSM parameter, with all its versions."""

    name: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"delete parameter {self.name}"


@dataclass(frozen=True)
class PutSecret:
    """Create a Secrets Manager secret, or give it a new value."""

    name: str
    value: SecretValue
    create: bool
    description: str = ""

    def describe(self) -> str:
        """Say what the step does, in the imperative, without the value."""
        return f"{'create' if self.create else 'change'} secret {self.name}"


@dataclass(frozen=True)
class RestoreSecret:
    """Take back the deletion that a Secrets Manager secret is scheduled for."""

    name: str
    deleted_at: datetime

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"restore secret {self.name} (to be deleted on {self.deleted_at:%Y-%m-%d})"


@dataclass(frozen=True)
class CreateLogGroup:
    """Create a CloudWatch log group that the task definition names."""

    name: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"create log group {self.name}"


@dataclass(frozen=True)
class RegisterTaskDefinition:
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
class RunTask:
    """Run a command as a one-off task, show its log and take its exit code."""

    cluster: str
    container: str
    task_definition: TaskDefinitionRef | Registered
    command: tuple[str, ...]
    network: Mapping[str, object]
    purpose: str
    """Such as `release command`; used in messages."""
    log_group: str = ""
    timeout_seconds: float = 900
    must_succeed: bool = True
    """Whether another exit code than 0 ends the plan."""
    log_is_result: bool = False
    """Whether the container's log is what the command is asked for, and goes to stdout."""
    launch: Mapping[str, object] = field(default_factory=lambda: {"launchType": "FARGATE"})
    """What it runs on: `launchType` or `capacityProviderStrategy`, as RunTask takes them."""
    alone: bool = False
    """Whether one that an earlier run left is waited for, before this one begins."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        command = shlex.join(self.command) or "the image's own command"
        return f"run the {self.purpose} `{command}` on {self.task_definition}"


@dataclass(frozen=True)
class OpenSession:
    """Open a session in a running container, and hand the terminal over to it."""

    cluster: str
    task_arn: str
    container: str
    command: str
    """In one line, as ECS takes it."""
    target: str
    """The container, as Systems Manager names it."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        task = self.task_arn.rpartition("/")[2][:8]
        return f"run `{self.command}` in container {self.container} of task {task}"


@dataclass(frozen=True)
class CreateService:
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
class UpdateService:
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
class StopDeployment:
    """Stop the deployment that is in progress, so that another may begin."""

    cluster: str
    service: str
    deployment_id: str
    task_definition: TaskDefinitionRef

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"stop the deployment of {self.task_definition} that is in progress"


@dataclass(frozen=True)
class WaitForRollout:
    """Follow a deployment until it is decided: the one that this plan started, or `deployment`."""

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
class WaitForCount:
    """Wait until a service runs just so many tasks, and its load balancer finds them healthy."""

    cluster: str
    service: str
    count: int
    timeout_seconds: float
    before: int
    """How many it was to run before."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        verb = "runs" if self.count == 1 else "run"
        return (
            f"wait until {count(self.count, 'task')} {verb} (at most {self.timeout_seconds:.0f} s)"
        )


@dataclass(frozen=True)
class MarkCompleted:
    """Note on the revision that its rollout completed, for a later rollback to find."""

    task_definition: TaskDefinitionRef | Registered
    again: bool = False
    """Whether one did before: the first time stays, the last is noted beside it."""

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"mark {self.task_definition} as completed{' again' if self.again else ''}"


@dataclass(frozen=True)
class FreeLock:
    """Delete the deploy lock, if it still has this id."""

    name: str
    id: str

    def describe(self) -> str:
        """Say what the step does, in the imperative."""
        return f"free the deploy lock {self.name}"


Step = (
    CreateRepository
    | BuildImage
    | PushImage
    | CopyImage
    | ReadScan
    | PullImage
    | StoreLogin
    | ConfirmUnused
    | DeleteImages
    | DeregisterTaskDefinitions
    | PutParameter
    | DeleteParameter
    | PutSecret
    | RestoreSecret
    | StageSecret
    | PromoteSecret
    | EndRotation
    | RotateSecret
    | AwaitRotation
    | CreateLogGroup
    | RegisterTaskDefinition
    | RunTask
    | OpenSession
    | CreateService
    | UpdateService
    | StopDeployment
    | WaitForRollout
    | WaitForCount
    | MarkCompleted
    | FreeLock
    | CreateSecurityGroup
    | AuthorizeIngress
    | AuthorizeEgress
    | RevokeIngress
    | RegisterScalableTarget
    | PutScalingPolicy
    | DeregisterScalableTarget
    | StackStep
)


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
