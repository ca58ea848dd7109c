"""The nouns of the product: image references, revisions, deployments, tasks, parameters.

Frozen, without behaviour that needs a network; AWS's own dictionaries are turned into these in
`schoolctl/aws/` and go no further.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from schoolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Docker's own limit of 128; ECR's API would take 300, which no engine can push.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_TASK_DEFINITION_ARN = re.compile(
    r"(?P<prefix>arn:[^:]+:ecs:[^:]*:[^:]*:task-definition/)(?P<family>[^:]+):(?P<revision>\d+)"
)


@dataclass(frozen=True, order=True)
class Digest:
    """An image digest, `sha256:` and 64 hexadecimal digits."""

    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a digest; anything else is a `UsageError`."""
        if not _DIGEST.fullmatch(text):
            raise UsageError(
                f"{text!r} is not an image digest",
                why="a digest is `sha256:` followed by 64 hexadecimal digits",
                hint="run `schoolctl images list --json` to see the digests",
            )
        return cls(text)

    @property
    def short(self) -> str:
        """The first twelve digits, as people compare them."""
        return self.value.removeprefix("sha256:")[:12]

    def __str__(self) -> str:
        return self.value


def parse_tag(text: str) -> str:
    """Give `text` back if it may be the tag of a release, or raise a `UsageError`.

    `latest` is refused: it names another image every week, so nothing can be rolled back to it.
    """
    if text == "latest":
        raise UsageError(
            "the tag `latest` is refused",
            why="it moves, so a revision that names it cannot be told from another or rolled back",
            hint="give each release its own tag: `schoolctl push --tag 1.0`, then deploy that tag",
        )
    if not _TAG.fullmatch(text):
        raise UsageError(
            f"{text!r} is not an image tag",
            why="a tag has 1 to 128 letters, digits, `_`, `.` or `-`, and starts with none of `.-`",
            hint="use a version or a commit, such as `1.0` or `2026-11-02`",
        )
    return text


@dataclass(frozen=True, order=True)
class RepositoryUri:
    """Where images of one repository live: registry host and repository name."""

    registry: str
    name: str

    def tagged(self, tag: str) -> ImageRef:
        """Give the reference of this repository's image `tag`."""
        return ImageRef(self, tag=tag)

    def at(self, digest: Digest) -> ImageRef:
        """Give the reference of this repository's image with `digest`."""
        return ImageRef(self, digest=digest)

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"


@dataclass(frozen=True)
class ImageRef:
    """An image reference: a repository with a tag or a digest (the digest wins in text)."""

    repository: RepositoryUri
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `registry/name:tag` or `registry/name@sha256:...`; None for other forms."""
        body, _, digest_text = text.partition("@")
        head, colon, tag = body.rpartition(":")
        if not colon or "/" in tag:
            head, tag = body, ""
        registry, slash, name = head.partition("/")
        if not slash or not name or (digest_text and not _DIGEST.fullmatch(digest_text)):
            return None
        digest = Digest(digest_text) if digest_text else None
        return cls(RepositoryUri(registry, name), tag=tag or None, digest=digest)

    def __str__(self) -> str:
        if self.digest is not None:
            return f"{self.repository}@{self.digest}"
        return f"{self.repository}:{self.tag}" if self.tag else str(self.repository)


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


class SecretValue:
    """Text that must not be seen: it prints as `***` wherever it ends up."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text, for the call that needs it or for `--reveal`."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class Repository:
    """An ECR repository as DescribeRepositories tells of it."""

    name: str
    uri: RepositoryUri
    arn: str
    immutable_tags: bool
    scan_on_push: bool
    encryption: str
    created_at: datetime | None


@dataclass(frozen=True)
class Image:
    """One image of an ECR repository; `tags` may be empty, `children` is filled for an index."""

    digest: Digest
    tags: tuple[str, ...]
    size_bytes: int
    pushed_at: datetime
    pulled_at: datetime | None = None
    media_type: str = ""
    children: tuple[Digest, ...] = ()
    subject: Digest | None = None
    """The image that this one (an attestation, a signature) refers to."""
    archived: bool = False
    """Whether it has to be restored from ECR's archive before it can be read or pulled."""


@dataclass(frozen=True)
class Source:
    """The state of a git work tree.

    Attributes:
        commit: the full name of HEAD's commit.
        committed_at: the committer's time.
        branches: the branch that is checked out; for a detached HEAD, as CI systems have it,
            the branches that end at this commit, the remote's too.
        url: of the remote `origin`, without user name and password; None without one.
        changed: paths with changes that are not committed, new files too, in the paths asked about.
    """

    commit: str
    committed_at: datetime
    branches: tuple[str, ...]
    url: str | None
    changed: tuple[str, ...]

    @property
    def short(self) -> str:
        """The commit's first twelve digits."""
        return self.commit[:12]


@dataclass(frozen=True)
class NoSource:
    """Why git cannot tell: no repository, no commit yet, no git."""

    reason: str


@dataclass(frozen=True)
class RegistryLogin:
    """What a registry is logged in to with; ECR's user name is always `AWS`."""

    registry: str
    """The registry's host, and its port where it has one."""
    username: str
    password: SecretValue
    expires_at: datetime


@dataclass(frozen=True)
class Parameter:
    """An SSM parameter; `value` is None where it was not read."""

    name: str
    type: str
    version: int
    modified_at: datetime | None
    value: SecretValue | None = None


@dataclass(frozen=True)
class SecretInfo:
    """A Secrets Manager secret without its value."""

    name: str
    arn: str
    changed_at: datetime | None
    deleted_at: datetime | None = None
    owner: str = ""
    """The AWS service that manages and rotates it, such as `rds`; empty for one of our own."""


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


@dataclass(frozen=True)
class TargetHealth:
    """One target of a load balancer; `state` as ELB spells it: healthy, initial, unhealthy ..."""

    target_group: str
    address: str
    port: int
    state: str
    reason: str
    description: str


@dataclass(frozen=True)
class TargetGroup:
    """A target group; `target_type` is `ip` for tasks of awsvpc, which Fargate runs."""

    arn: str
    name: str
    target_type: str
    vpc_id: str
    load_balancer_arns: tuple[str, ...]


@dataclass(frozen=True)
class Subnet:
    """A subnet of a VPC."""

    id: str
    vpc_id: str


@dataclass(frozen=True)
class SecurityGroup:
    """A security group; its name is unique in its VPC only."""

    id: str
    name: str
    vpc_id: str


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
    """When a rollout of it completed: the tag `schoolctl:completed-at`."""


@dataclass(frozen=True)
class LogLine:
    """One line of a container's log."""

    at: datetime
    task_id: str
    message: str


@dataclass(frozen=True)
class Identity:
    """Who the credentials belong to: sts GetCallerIdentity."""

    account: str
    arn: str
    user_id: str
