"""Conversion of ECS's answers into schoolctl's types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schoolctl.base.clock import parse_time
from schoolctl.model.images import Digest
from schoolctl.model.services import (
    ContainerState,
    Deployment,
    Revision,
    RolloutState,
    ServiceEvent,
    ServiceState,
    Task,
    TaskDefinitionRef,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_ecs.type_defs import (
        ContainerTypeDef,
        DeploymentTypeDef,
        DescribeTaskDefinitionResponseTypeDef,
        ServiceTypeDef,
        TaskTypeDef,
    )

COMPLETED_AT_TAG = "schoolctl:completed-at"
COMPLETED_AGAIN_AT_TAG = "schoolctl:completed-again-at"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# UpdateService names what to change; these say which service, which revision and how many tasks.
_NOT_SETTINGS = {"cluster", "service", "taskDefinition", "desiredCount", "forceNewDeployment"}
# ECS keeps these with the deployment, though UpdateService takes them for the service.
_KEPT_WITH_DEPLOYMENT = ("serviceConnectConfiguration", "volumeConfigurations")


def service_state(answer: ServiceTypeDef, updatable: Iterable[str]) -> ServiceState:
    """Read a service of DescribeServices, CreateService or UpdateService.

    Args:
        answer: the service; one that `has_revision`.
        updatable: the members of an UpdateService request, in AWS's spelling.
    """
    task_sets = _task_sets(answer)
    deployments = sorted(
        (deployment(each) for each in answer.get("deployments", [])),
        key=lambda each: each.created_at,
        reverse=True,
    )
    events = sorted(
        (
            ServiceEvent(each.get("id", ""), _time(each), each.get("message", ""))
            for each in answer.get("events", [])
        ),
        key=lambda each: each.at,
        reverse=True,
    )
    balancers = answer.get("loadBalancers", [])
    return ServiceState(
        name=answer.get("serviceName", ""),
        arn=answer.get("serviceArn", ""),
        cluster=last_part(answer.get("clusterArn", "")),
        status=answer.get("status", ""),
        task_definition=TaskDefinitionRef.from_arn(answer["taskDefinition"])
        if answer.get("taskDefinition")
        else task_sets[0],
        desired=answer.get("desiredCount", 0),
        running=answer.get("runningCount", 0),
        pending=answer.get("pendingCount", 0),
        deployments=tuple(deployments),
        events=tuple(events),
        target_group_arns=tuple(
            each["targetGroupArn"] for each in balancers if each.get("targetGroupArn")
        ),
        settings=_settings(answer, updatable),
        task_sets=task_sets,
    )


def has_revision(answer: ServiceTypeDef) -> bool:
    """Say whether a service is at any revision.

    With an external deployment controller its task sets are, and before the first there is none.
    """
    return bool(answer.get("taskDefinition") or _task_sets(answer))


def _task_sets(answer: ServiceTypeDef) -> tuple[TaskDefinitionRef, ...]:
    """Give the revisions of the task sets, that of the PRIMARY first."""
    ordered = sorted(answer.get("taskSets", []), key=lambda each: each.get("status") != "PRIMARY")
    arns = (each.get("taskDefinition") for each in ordered)
    return tuple(TaskDefinitionRef.from_arn(arn) for arn in arns if arn)


def _settings(answer: ServiceTypeDef, updatable: Iterable[str]) -> dict[str, object]:
    names = [name for name in updatable if name not in _NOT_SETTINGS]
    settings: dict[str, object] = {name: answer[name] for name in names if name in answer}  # type: ignore[literal-required]  # the members of the request
    primary = next(
        (each for each in answer.get("deployments", []) if each.get("status") == "PRIMARY"), None
    )
    for name in _KEPT_WITH_DEPLOYMENT:
        if primary is not None and name in primary:
            settings.setdefault(name, primary[name])  # type: ignore[literal-required]  # likewise
    return settings


def deployment(answer: DeploymentTypeDef) -> Deployment:
    """Read one of a service's deployments."""
    state = answer.get("rolloutState")
    return Deployment(
        id=answer.get("id", ""),
        status=answer.get("status", ""),
        task_definition=TaskDefinitionRef.from_arn(answer.get("taskDefinition", "")),
        rollout_state=_rollout_state(state) if state else None,
        rollout_reason=answer.get("rolloutStateReason", ""),
        desired=answer.get("desiredCount", 0),
        running=answer.get("runningCount", 0),
        pending=answer.get("pendingCount", 0),
        failed=answer.get("failedTasks", 0),
        created_at=_time(answer),
        updated_at=_time(answer, "updatedAt"),
    )


def _rollout_state(told: str) -> RolloutState:
    """Read a rolloutState; one that is not known yet decides nothing."""
    known = RolloutState.__members__.get(told)
    return RolloutState.IN_PROGRESS if known is None else known


def task(answer: TaskTypeDef) -> Task:
    """Read a task of DescribeTasks or RunTask."""
    return Task(
        id=last_part(answer.get("taskArn", "")),
        arn=answer.get("taskArn", ""),
        task_definition=TaskDefinitionRef.from_arn(answer.get("taskDefinitionArn", "")),
        last_status=answer.get("lastStatus", ""),
        desired_status=answer.get("desiredStatus", ""),
        health=answer.get("healthStatus", ""),
        started_by=answer.get("startedBy", ""),
        created_at=answer.get("createdAt"),
        started_at=answer.get("startedAt"),
        stopped_at=answer.get("stoppedAt"),
        stop_code=answer.get("stopCode", ""),
        stopped_reason=answer.get("stoppedReason", ""),
        containers=tuple(_container(each) for each in answer.get("containers", [])),
        zone=answer.get("availabilityZone", ""),
        address=_address(answer),
        pull_started_at=answer.get("pullStartedAt"),
        pull_stopped_at=answer.get("pullStoppedAt"),
        stopping_at=answer.get("stoppingAt"),
    )


def _address(answer: TaskTypeDef) -> str:
    """Give a task's private address: a detail of its network interface, told of in two places."""
    told = (
        detail.get("value", "")
        for attachment in answer.get("attachments", [])
        for detail in attachment.get("details", [])
        if detail.get("name") == "privateIPv4Address"
    )
    seen = (
        interface.get("privateIpv4Address", "")
        for container in answer.get("containers", [])
        for interface in container.get("networkInterfaces", [])
    )
    return next((each for each in (*told, *seen) if each), "")


def _container(answer: ContainerTypeDef) -> ContainerState:
    digest = answer.get("imageDigest", "")
    return ContainerState(
        name=answer.get("name", ""),
        status=answer.get("lastStatus", ""),
        exit_code=answer.get("exitCode"),
        reason=answer.get("reason", ""),
        image=answer.get("image", ""),
        image_digest=Digest(digest) if digest else None,
    )


def revision(answer: DescribeTaskDefinitionResponseTypeDef, registrable: Iterable[str]) -> Revision:
    """Read an answer of DescribeTaskDefinition.

    Args:
        answer: the whole answer, tags included.
        registrable: the members of a RegisterTaskDefinition request; whatever else ECS tells of
            a task definition is read-only and left out.
    """
    told = answer["taskDefinition"]
    tags = {each.get("key", ""): each.get("value", "") for each in answer.get("tags", [])}
    return Revision(
        ref=TaskDefinitionRef.from_arn(told.get("taskDefinitionArn", "")),
        active=told.get("status", "ACTIVE") == "ACTIVE",
        registered_at=told.get("registeredAt"),
        definition={name: told[name] for name in registrable if name in told},  # type: ignore[literal-required]  # the members of the request
        images=tuple(each.get("image", "") for each in told.get("containerDefinitions", [])),
        tags=tags,
        completed_at=_completion(tags, COMPLETED_AT_TAG),
        completed_again_at=_completion(tags, COMPLETED_AGAIN_AT_TAG),
    )


def _completion(tags: Mapping[str, str], name: str) -> datetime | None:
    """Return the time in a completion tag; None where somebody edited it into something else."""
    try:
        return parse_time(tags.get(name, ""))
    except ValueError:
        return None


def last_part(arn: str) -> str:
    """Give what follows the last slash: the name or id at the end of an ARN, or a plain name."""
    return arn.rpartition("/")[2]


def _time(answer: Mapping[str, Any], name: str = "createdAt") -> datetime:
    moment: datetime = answer.get(name, _LONG_AGO)
    return moment
