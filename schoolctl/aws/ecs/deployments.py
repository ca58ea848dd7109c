"""ECS: service deployments, and stopping one.

They are younger than most of ECS. Where an AWS does not know the operation, a list is None: that
is no failure, as DescribeServices tells the most of it, too. A denied one is an error as anywhere.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto

from schoolctl.aws.session.errors import error_code, error_message, is_code, translated
from schoolctl.base.text import batches
from schoolctl.model.deployments import (
    BreakerState,
    DeploymentStrategy,
    HookStatus,
    LifecycleHook,
    LifecycleStage,
    MonitorStatus,
    RevisionShare,
    ServiceDeployment,
    ServiceDeploymentBrief,
    ServiceDeploymentStatus,
)
from schoolctl.model.services import TaskDefinitionRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from schoolctl.aws.session.clients import Clients

# The most that one call takes. Source: the ECS service model.
_PAGE = 100
_ARNS_A_CALL = 20
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_UNDECIDED = tuple(
    each
    for each in ServiceDeploymentStatus
    if not each.is_decided and each is not ServiceDeploymentStatus.UNKNOWN
)
_BEGUN = (ServiceDeploymentStatus.PENDING, ServiceDeploymentStatus.IN_PROGRESS)


# Reading


def list_service_deployments(
    clients: Clients,
    cluster: str,
    service: str,
    *,
    statuses: Sequence[ServiceDeploymentStatus] = (),
    created_after: datetime | None = None,
    limit: int = _PAGE,
) -> list[ServiceDeploymentBrief] | None:
    """Give the newest service deployments, newest first; None where this AWS knows none.

    Args:
        clients: the AWS clients.
        cluster: name or ARN.
        service: its name.
        statuses: only those with one of these; empty for all.
        created_after: only those that are newer.
        limit: how many to give at most, in as many pages as it takes.

    Raises:
        AccessDeniedError: the caller may not.
        UnavailableError: no answer came; the call is made once, for whoever asks again anyway.

    Source: ECS ListServiceDeployments; nothing older than 90 days, nor than 2024-10-25.
    """
    request: dict[str, Any] = {"cluster": cluster, "service": service}
    if statuses:
        request["status"] = [each.value for each in statuses]
    if created_after is not None:
        request["createdAt"] = {"after": created_after}
    found: list[ServiceDeploymentBrief] = []
    with translated(f"list the deployments of service {cluster}/{service}"):
        while len(found) < limit:
            request["maxResults"] = min(_PAGE, limit - len(found))
            try:
                # Once: what does not know the operation may answer with a server error.
                answer = clients.ecs_once.list_service_deployments(**request)
            except boto.ClientError as error:
                if _is_unknown_operation(error):
                    return None
                raise
            found += map(_brief, answer["serviceDeployments"])
            request["nextToken"] = answer.get("nextToken")
            if not request["nextToken"]:
                break
    return sorted(found, key=lambda each: each.created_at, reverse=True)[:limit]


def describe_service_deployments(
    clients: Clients, arns: Sequence[str], *, once: bool = False
) -> list[ServiceDeployment]:
    """Give the service deployments among `arns` that ECS knows, in any order.

    Args:
        clients: the AWS clients.
        arns: theirs.
        once: whether a call without an answer is not repeated, for whoever asks again anyway.

    Source: ECS DescribeServiceDeployments, 20 a call; those it does not know are in `failures`.
    """
    ecs = clients.ecs_once if once else clients.ecs
    found: list[ServiceDeployment] = []
    with translated("look at the deployments of the service"):
        for batch in batches(arns, _ARNS_A_CALL):
            answer = ecs.describe_service_deployments(serviceDeploymentArns=batch)
            found += map(_deployment, answer["serviceDeployments"])
    return found


def revisions_behind(clients: Clients, arns: Iterable[str]) -> dict[str, TaskDefinitionRef]:
    """Give the task definition of each service revision that ECS knows, by the revision's ARN.

    Source: ECS DescribeServiceRevisions, 20 a call, side by side.
    """
    wanted = list(dict.fromkeys(each for each in arns if each))
    calls = [clients.start(_revisions, clients, each) for each in batches(wanted, _ARNS_A_CALL)]
    return {arn: ref for call in calls for arn, ref in call.result().items()}


def _revisions(clients: Clients, arns: Sequence[str]) -> dict[str, TaskDefinitionRef]:
    with translated("look at the revisions of the service"):
        answer = clients.ecs_once.describe_service_revisions(serviceRevisionArns=list(arns))
    return {
        each.get("serviceRevisionArn", ""): TaskDefinitionRef.from_arn(each["taskDefinition"])
        for each in answer["serviceRevisions"]
        if each.get("taskDefinition")
    }


def with_task_definitions(
    clients: Clients, briefs: Sequence[ServiceDeploymentBrief]
) -> list[ServiceDeploymentBrief]:
    """Give the deployments with the task definition that each was to bring."""
    behind = revisions_behind(clients, (each.revision_arn for each in briefs))
    return [replace(each, task_definition=behind.get(each.revision_arn)) for each in briefs]


# Stopping


def stop_deployments(clients: Clients, cluster: str, service: str) -> list[str] | None:
    """Ask ECS to stop the deployments of a service that are in progress, and go back.

    Returns:
        The ARNs of those that were asked to stop; None where this AWS cannot do it, which is no
        failure: an update goes over a deployment in progress.
    """
    listed = list_service_deployments(clients, cluster, service, statuses=_BEGUN)
    if listed is None:
        return None
    for each in listed:
        stop_service_deployment(clients, each.arn)
    return [each.arn for each in listed]


def stop_service_deployment(clients: Clients, arn: str) -> bool:
    """Ask ECS to stop a deployment and go back; False where it was decided by then.

    Source: ECS StopServiceDeployment; of the model's two types of stop, only ROLLBACK is valid.
    """
    with translated("stop the deployment of the service"):
        try:
            clients.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
        except boto.ClientError as error:
            if is_code(error, "ConflictException", "ServiceDeploymentNotFoundException"):
                return False
            raise
    return True


def still_stopping(clients: Clients, arns: Sequence[str]) -> bool:
    """Say whether one of these service deployments has not yet begun to go back."""
    undecided = {*_UNDECIDED} - {ServiceDeploymentStatus.ROLLBACK_IN_PROGRESS}
    return any(each.status in undecided for each in describe_service_deployments(clients, arns))


def _is_unknown_operation(error: boto.ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    unknown = error_code(error) in {
        "UnknownOperationException",
        "UnsupportedFeatureException",
        "InvalidAction",
        "UnknownAction",
    }
    return unknown or status in {404, 501} or "not implemented" in error_message(error).lower()


# Shapes


def _brief(answer: Mapping[str, Any]) -> ServiceDeploymentBrief:
    return ServiceDeploymentBrief(
        arn=answer.get("serviceDeploymentArn", ""),
        status=ServiceDeploymentStatus(answer.get("status", "")),
        reason=answer.get("statusReason", ""),
        created_at=answer.get("createdAt") or _LONG_AGO,
        started_at=answer.get("startedAt"),
        finished_at=answer.get("finishedAt"),
        revision_arn=answer.get("targetServiceRevisionArn", ""),
    )


def _deployment(answer: Mapping[str, Any]) -> ServiceDeployment:
    alarms, rollback = answer.get("alarms", {}), answer.get("rollback", {})
    stage = answer.get("lifecycleStage")
    strategy = answer.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    return ServiceDeployment(
        arn=answer.get("serviceDeploymentArn", ""),
        status=ServiceDeploymentStatus(answer.get("status", "")),
        reason=answer.get("statusReason", ""),
        created_at=answer.get("createdAt") or _LONG_AGO,
        started_at=answer.get("startedAt"),
        finished_at=answer.get("finishedAt"),
        stopped_at=answer.get("stoppedAt"),
        target=_share(answer.get("targetServiceRevision", {})),
        sources=tuple(map(_share, answer.get("sourceServiceRevisions", []))),
        strategy=DeploymentStrategy(strategy),
        stage=LifecycleStage(stage) if stage else None,
        hooks=tuple(map(_hook, answer.get("lifecycleHookDetails", []))),
        breaker=_breaker(answer.get("deploymentCircuitBreaker")),
        alarms=MonitorStatus(alarms.get("status", "DISABLED")),
        triggered_alarms=tuple(alarms.get("triggeredAlarmNames", [])),
        rollback_reason=rollback.get("reason", ""),
        rollback_revision_arn=rollback.get("serviceRevisionArn", ""),
    )


def _share(answer: Mapping[str, Any]) -> RevisionShare:
    return RevisionShare(
        revision_arn=answer.get("arn", ""),
        requested=answer.get("requestedTaskCount", 0),
        running=answer.get("runningTaskCount", 0),
        pending=answer.get("pendingTaskCount", 0),
        test_weight=answer.get("requestedTestTrafficWeight"),
        production_weight=answer.get("requestedProductionTrafficWeight"),
    )


def _hook(answer: Mapping[str, Any]) -> LifecycleHook:
    return LifecycleHook(
        id=answer.get("hookId", ""),
        kind=answer.get("targetType", ""),
        target=answer.get("targetArn", ""),
        status=HookStatus(answer.get("status", "")),
        expires_at=answer.get("expiresAt"),
        timeout_action=answer.get("timeoutAction", ""),
    )


def _breaker(answer: Mapping[str, Any] | None) -> BreakerState | None:
    if not answer:
        return None
    return BreakerState(
        status=MonitorStatus(answer.get("status", "DISABLED")),
        failures=answer.get("failureCount", 0),
        threshold=answer.get("threshold", 0),
    )
