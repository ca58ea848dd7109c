"""Reads what `why` needs: the service, then all that explains a deployment or a task of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schoolctl.aws.ecs.deployments import list_service_deployments, with_task_definitions
from schoolctl.aws.ecs.services import describe_revision, list_tasks
from schoolctl.aws.health import target_health
from schoolctl.base.errors import SchoolctlError
from schoolctl.ecs_service.causes.failure import FailureReport
from schoolctl.ecs_service.causes.observe import observe_failure, read_log, result_or
from schoolctl.ecs_service.status.observe_status import need_service
from schoolctl.ecs_service.status.why import (
    Why,
    deployment_in_question,
    rolled_back,
    task_in_question,
)
from schoolctl.model.services import RolloutState

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.model.deployments import ServiceDeploymentBrief
    from schoolctl.model.surroundings import TargetHealth


def observe_deployment(clients: Clients, config: Config, wanted: str | None) -> Why:
    """Give what is wrong with a service's newest deployment, or with the one that is asked for.

    Raises:
        NotFoundError: there is no such service, or no such deployment of it.
    """
    record = clients.start(_newest_record, clients, config) if wanted is None else None
    service = need_service(clients, config)
    gone = rolled_back(service, record.result()) if record is not None else None
    deployment = gone or deployment_in_question(service, wanted)
    completed = deployment.rollout_state in {RolloutState.COMPLETED, None}
    settled = completed and service.running >= service.desired
    report = observe_failure(
        clients,
        # What ECS complained of before all tasks ran is over.
        replace(service, events=()) if settled else service,
        deployment,
        cluster=config.service.cluster,
        service_name=config.service.name,
        container=config.task.container,
        settled=settled,
    )
    return Why(service, deployment, None, report)


def _newest_record(clients: Clients, config: Config) -> ServiceDeploymentBrief | None:
    """Give the newest deployment by ECS's own record; None where it cannot be read."""
    where = config.service
    try:
        found = list_service_deployments(clients, where.cluster, where.name, limit=1) or []
        return next(iter(with_task_definitions(clients, found)), None)
    except SchoolctlError:
        return None  # an extra: DescribeServices tells the most of it


def observe_task(clients: Clients, config: Config, wanted: str) -> Why:
    """Give what is wrong with the task whose id begins with `wanted`.

    Raises:
        NotFoundError: there is no such service, or no such task of it.
    """
    where = config.service
    calls = [
        clients.start(list_tasks, clients, where.cluster, service=where.name, stopped=stopped)
        for stopped in (False, True)
    ]
    service = need_service(clients, config)
    task = task_in_question([each for call in calls for each in call.result()], wanted, where.name)
    unread: list[str] = []
    targets = clients.start(target_health, clients, service.target_group_arns)
    revision = result_or(
        clients.start(describe_revision, clients, task.task_definition), None, unread
    )
    log = None
    if revision is not None:
        log = read_log(clients, revision.definition, config.task.container, task, unread)
    unknown: tuple[TargetHealth, ...] = ()
    report = FailureReport(
        container=config.task.container,
        stopped=(task,) if task.last_status == "STOPPED" else (),
        log=log,
        log_of=task,
        targets=tuple(
            each
            for each in result_or(targets, unknown, unread)
            if task.address and each.address == task.address
        ),
        unread=tuple(unread),
    )
    return Why(service, None, task, report)
