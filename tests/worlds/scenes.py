"""Written DescribeServices answers: what ECS would tell in the course of a rollout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schoolctl.model.services import (
    ContainerState,
    Deployment,
    RolloutState,
    ServiceEvent,
    ServiceState,
    Task,
    TaskDefinitionRef,
)

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
OLD = TaskDefinitionRef("web", 6, "arn:aws:ecs:us-east-1:123456789012:task-definition/web:6")
NEW = TaskDefinitionRef("web", 7, "arn:aws:ecs:us-east-1:123456789012:task-definition/web:7")
OTHER = TaskDefinitionRef("web", 8, "arn:aws:ecs:us-east-1:123456789012:task-definition/web:8")
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
BREAKER_ALONE = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}

IN_PROGRESS, COMPLETED, FAILED = RolloutState


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def deployment(  # noqa: PLR0913  # the fields of a deployment, by name
    id_: str = "ecs-svc/new",
    ref: TaskDefinitionRef = NEW,
    state: RolloutState | None = IN_PROGRESS,
    *,
    status: str = "PRIMARY",
    desired: int = 2,
    running: int = 0,
    pending: int = 0,
    failed: int = 0,
    reason: str = "",
    created: float = 0,
) -> Deployment:
    return Deployment(
        id=id_,
        status=status,
        task_definition=ref,
        rollout_state=state,
        rollout_reason=reason,
        desired=desired,
        running=running,
        pending=pending,
        failed=failed,
        created_at=at(created),
        updated_at=at(created),
    )


def old(state: RolloutState | None = COMPLETED, **values: Any) -> Deployment:
    """Give the deployment before ours: two tasks of the old revision, an hour old."""
    values = {"status": "ACTIVE", "running": 2, "created": -3600, **values}
    return deployment("ecs-svc/old", OLD, state, **values)


def service(
    *deployments: Deployment,
    desired: int = 2,
    status: str = "ACTIVE",
    configuration: dict[str, Any] | None = None,
    events: tuple[str, ...] = (),
    target_groups: tuple[str, ...] = (),
) -> ServiceState:
    primary = next((each for each in deployments if each.status == "PRIMARY"), None)
    return ServiceState(
        name="web",
        arn="arn:aws:ecs:us-east-1:123456789012:service/school/web",
        cluster="school",
        status=status,
        task_definition=primary.task_definition if primary else OLD,
        desired=desired,
        running=sum(each.running for each in deployments),
        pending=sum(each.pending for each in deployments),
        deployments=deployments,
        events=tuple(
            ServiceEvent(f"event-{number}", at(number), text) for number, text in enumerate(events)
        ),
        target_group_arns=target_groups,
        settings={"deploymentConfiguration": BREAKER if configuration is None else configuration},
    )


def container(
    exit_code: int | None = None, *, name: str = "web", reason: str = "", status: str = "STOPPED"
) -> ContainerState:
    return ContainerState(name, status, exit_code, reason, "registry/web:1.0", None)


def stopped(
    stop_code: str = "EssentialContainerExited",
    reason: str = "Essential container in task exited",
    *containers: ContainerState,
    id_: str = "4f0c12ab00000000000000000000beef",
    ref: TaskDefinitionRef = NEW,
    started_by: str = "ecs-svc/new",
    created: float = 1,
) -> Task:
    return Task(
        id=id_,
        arn=f"arn:aws:ecs:us-east-1:123456789012:task/school/{id_}",
        task_definition=ref,
        last_status="STOPPED",
        desired_status="STOPPED",
        health="UNKNOWN",
        started_by=started_by,
        created_at=at(created),
        started_at=at(created + 1),
        stopped_at=at(created + 2),
        stop_code=stop_code,
        stopped_reason=reason,
        containers=containers or (container(1),),
    )
