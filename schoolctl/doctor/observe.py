"""Reads that only `doctor` makes: the caller, the clock, the disk, and what IAM allows."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.ecr_images import list_images
from schoolctl.aws.elbv2 import forwarding_load_balancers, only_load_balancer
from schoolctl.aws.iam import denied_actions, find_role
from schoolctl.aws.session.errors import translated
from schoolctl.aws.session.profiles import sign_in_ends
from schoolctl.base.errors import AccessDeniedError, SchoolctlError
from schoolctl.ecs_service.define.target import choose_newest
from schoolctl.iam.permission import Case, On
from schoolctl.iam.policy import needed, to_simulate
from schoolctl.model.surroundings import Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.clock import Clock
    from schoolctl.docker.engine import EngineInfo
    from schoolctl.ecs_service.define.target import ChosenImage
    from schoolctl.iam.permission import Permission
    from schoolctl.iam.policy import Document, Scope
    from schoolctl.model.images import Repository
    from schoolctl.model.surroundings import TargetGroup


_SKEW_SECONDS = 300
"""AWS takes no signature that is older or younger."""
_ANY_WILL_DO = frozenset({On.LOG_GROUP, On.SERVICE_DEPLOYMENTS, On.SERVICE_REVISIONS})
"""Kinds with several ARNs of which AWS asks for one; which one depends on the action."""
_ALWAYS = frozenset({None, Case.TARGET_GROUP, Case.RELEASE_COMMAND})
"""The cases that every run comes to, where the configuration has them."""


@dataclass(frozen=True)
class Caller:
    """What AWS said when it was asked who we are.

    Attributes:
        identity: who we are; None where it did not tell.
        error: why not.
        skew_seconds: how far this machine's clock is ahead of AWS's; None where no answer came.
        expires_seconds: how long the credentials last; None where they do not expire, or are
            renewed without a person.
        renewal: what a person does to renew them.
    """

    identity: Identity | None
    error: SchoolctlError | None
    skew_seconds: float | None
    expires_seconds: float | None = None
    renewal: str = ""

    @property
    def is_skewed(self) -> bool:
        """Whether AWS takes no signature of this machine's."""
        return self.skew_seconds is not None and abs(self.skew_seconds) >= _SKEW_SECONDS


@dataclass(frozen=True)
class Disk:
    """The disk that the engine keeps its images on; `free_bytes` is None where it is elsewhere."""

    path: str
    free_bytes: int | None


def observe_disk(engine: EngineInfo) -> Disk:
    """Return the free space where the engine keeps its images, if it is on this machine."""
    folder = Path(engine.folder)
    if not engine.host.startswith(("unix://", "http+unix://", "http+docker://")):
        return Disk(engine.folder, None)
    # Docker Desktop's engine is a machine of its own behind a socket of this one.
    try:
        return Disk(engine.folder, shutil.disk_usage(folder).free)
    except OSError:
        return Disk(engine.folder, None)


def observe_caller(clients: Clients, clock: Clock) -> Caller:
    """Return who AWS says the caller is; the clock skew even if AWS refuses.

    Source: STS GetCallerIdentity, and the answer's `Date` header.
    """
    try:
        with translated("find out whose credentials these are"):
            answer = clients.sts.get_caller_identity()
    except SchoolctlError as error:
        refusal = error.__cause__
        headers = (
            refusal.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            if isinstance(refusal, ClientError)
            else {}
        )
        return Caller(None, error, _skew(headers.get("date"), clock.now()))
    now = clock.now()
    skew = _skew(answer["ResponseMetadata"]["HTTPHeaders"].get("date"), now)
    identity = Identity(answer["Account"], answer["Arn"], answer["UserId"])
    ends_at, renewal = _ends(clients)
    left = (ends_at - now).total_seconds() if ends_at is not None else None
    return Caller(identity, None, skew, left, renewal)


def _skew(date: str | None, now: datetime) -> float | None:
    try:
        return (now - parsedate_to_datetime(date or "").astimezone(UTC)).total_seconds()
    except ValueError:
        return None


def _ends(clients: Clients) -> tuple[datetime | None, str]:
    """Return when a person has to renew the credentials, and how."""
    found = clients.credentials()
    profile = clients.connection.profile
    if found is None:
        return None, ""
    if found.method == "env":
        # botocore asks the environment again, which says the same.
        expiry = getattr(found, "_expiry_time", None)
        return expiry, "put new ones into the environment: these came from there"
    if found.method.startswith("sso") and profile is not None:
        return sign_in_ends(profile), f"`aws sso login --profile {profile}`"
    return None, ""


def observe_newest(clients: Clients, repository: Repository | None) -> ChosenImage | None:
    """Return the image that `deploy` picks by default; None if there is none."""
    if repository is None:
        return None
    return choose_newest(list_images(clients, repository.name), repository)


def observe_listening(
    clients: Clients, group: TargetGroup | None
) -> tuple[TargetGroup | None, str]:
    """Return the target group with the load balancers that forward to it, or the one that could.

    Returns:
        The second is the ARN of the one load balancer of the VPC, where none forwards; `ARN`
        where it is not one, or may not be read: it stands in the cure alone.
    """
    if group is None:
        return None, ""
    forwarding = forwarding_load_balancers(clients, group)
    found = replace(group, load_balancer_arns=forwarding)
    if forwarding:
        return found, ""
    try:
        return found, only_load_balancer(clients, group.vpc_id) or "ARN"
    except AccessDeniedError:
        return found, "ARN"


def principal_of(clients: Clients, identity: Identity) -> str | None:
    """Return the ARN of the user or role behind the credentials; None for the root user.

    An assumed role's ARN lacks the role's path: IAM is asked for it.
    """
    kind, name = named_principal(identity.arn)
    if kind == "root":
        return None
    if kind != "assumed-role":
        return identity.arn
    try:
        role = find_role(clients, name)
    except AccessDeniedError:
        role = None
    return role.arn if role is not None else role_arn_of(identity.arn)


def observe_denials(
    clients: Clients, principal: str, questions: Sequence[Question]
) -> list[Denial]:
    """Return what IAM denies a user or role; all questions are asked in parallel."""
    calls = [
        [
            clients.start(
                denied_actions, clients, principal, each.actions, resource, dict(each.context)
            )
            for resource in each.resources
        ]
        for each in questions
    ]
    return [
        denial
        for question, asked in zip(questions, calls, strict=True)
        for denial in denials(question, [call.result() for call in asked])
    ]


@dataclass(frozen=True)
class Question:
    """What IAM is asked.

    Attributes:
        actions: such as `ecr:PutImage`.
        resources: ARNs without wildcards, or `*` alone.
        context: condition keys of the request, by name.
        any_will_do: whether an action is allowed where it is so on one of the resources.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: tuple[tuple[str, str], ...] = ()
    any_will_do: bool = False


def questions_of_command(command: str, scope: Scope, *, optional: bool) -> list[Question]:
    """Return what to ask about a caller who runs a command.

    Args:
        command: as `schoolctl --help` spells it.
        scope: where.
        optional: ask about what the command can do without, instead of what it needs.
    """
    wanted = (
        each
        for each in needed(scope.config, command)
        if each.is_optional is optional and each.when in _ALWAYS
    )
    return _grouped(_asked(wanted, scope))


def _asked(
    permissions: Iterable[Permission], scope: Scope
) -> Iterator[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], bool]]:
    for each in to_simulate(permissions, scope):
        resources = tuple(map(_example, each.resources))
        yield (
            each.permission.action,
            resources,
            tuple(sorted(each.context.items())),
            each.permission.on in _ANY_WILL_DO,
        )


def _grouped(
    asked: Iterable[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], bool]],
) -> list[Question]:
    """Join what is asked about the same resources: one call takes many actions."""
    groups: dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...], bool], list[str]] = {}
    for action, resources, context, any_will_do in asked:
        groups.setdefault((resources, context, any_will_do), []).append(action)
    return [Question(tuple(sorted(set(actions))), *about) for about, actions in groups.items()]


def questions_of_statements(
    statements: Sequence[Document], known: Sequence[str] = ()
) -> list[Question]:
    """Return what to ask about a role that should have a policy of these statements.

    Args:
        statements: each with `Action` and `Resource`, as a list or alone.
        known: ARNs that exist: one that a pattern matches is asked about in its place.
    """
    found = []
    for each in statements:
        for resource in _many(each["Resource"]):
            there = next((arn for arn in known if fnmatchcase(arn, resource)), resource)
            found.append(Question(tuple(_many(each["Action"])), (_example(there),)))
    return found


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _example(pattern: str) -> str:
    """Return an ARN that a pattern matches: IAM simulates calls on ARNs, not on patterns."""
    if pattern == "*":
        return pattern
    name = "log-stream:1" if ":log-group:" in pattern else "1"
    return pattern.replace("??????", "a1B2c3").replace("*", name)


@dataclass(frozen=True)
class Denial:
    """What IAM says is not allowed."""

    action: str
    resource: str

    def __str__(self) -> str:
        return self.action if self.resource == "*" else f"{self.action} on {self.resource}"


def denials(question: Question, answers: Sequence[frozenset[str]]) -> list[Denial]:
    """Return the denials in IAM's answers.

    Args:
        question: what was asked.
        answers: for each of its resources, the actions that are denied on it.
    """
    if question.any_will_do:
        everywhere = frozenset.intersection(*answers)
        return [Denial(action, question.resources[0]) for action in sorted(everywhere)]
    return [
        Denial(action, resource)
        for resource, denied in zip(question.resources, answers, strict=True)
        for action in sorted(denied)
    ]


def named_principal(arn: str) -> tuple[str, str]:
    """Return the kind and the name of the caller that an STS ARN names.

    Returns:
        `root`, `user`, `assumed-role` (whose name is the role's) or another, with the name.
    """
    kind, _, path = arn.rpartition(":")[2].partition("/")
    return kind, path.partition("/")[0] if kind == "assumed-role" else path


def role_arn_of(arn: str) -> str:
    """Return the ARN of an assumed role, for a role without a path."""
    partition, account = arn.split(":")[1], arn.split(":")[4]
    return f"arn:{partition}:iam::{account}:role/{named_principal(arn)[1]}"
