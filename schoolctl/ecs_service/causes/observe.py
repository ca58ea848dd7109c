"""Looks at what can explain a rollout that did not succeed. Reads only, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from schoolctl.aws.ecs.services import describe_revision, list_tasks
from schoolctl.aws.elbv2 import target_health
from schoolctl.aws.logs import last_lines
from schoolctl.base.errors import SchoolctlError
from schoolctl.ecs_service.causes.failure import (
    LOG_LINES,
    FailureReport,
    culprit,
    events_since,
    tasks_of,
)
from schoolctl.ecs_service.causes.logs import log_place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import Deployment, LogLine, ServiceState, Task

T = TypeVar("T")


def observe_failure(
    clients: Clients,
    service: ServiceState | None,
    deployment: Deployment,
    *,
    cluster: str,
    service_name: str,
    container: str,
    settled: bool = False,
) -> FailureReport:
    """Gather what explains why `deployment` did not complete.

    What cannot be read (a denied action, a log group that is not there) is named in the report:
    the failure itself must not be hidden by another one.

    Args:
        clients: the AWS clients.
        service: the newest answer about the service, None when it is gone.
        deployment: the deployment that is to be explained.
        cluster: the service's cluster.
        service_name: the service.
        container: the container that serves.
        settled: whether it completed, and all tasks run.
    """
    unread: list[str] = []
    tasks = clients.start(list_tasks, clients, cluster, service=service_name, stopped=True)
    groups = service.target_group_arns if service else ()
    targets = clients.start(target_health, clients, groups)
    revision = clients.start(describe_revision, clients, deployment.task_definition.arn)
    ended: list[Task] = result_or(tasks, [], unread)
    stopped = tasks_of(deployment, ended, settled=settled)
    definition = result_or(revision, None, unread)
    speaker = stopped[0] if stopped else None
    if speaker is None and not settled:
        # A task that starts and is found unhealthy may tell why before it is stopped.
        alive = clients.start(list_tasks, clients, cluster, service=service_name)
        seen: list[Task] = result_or(alive, [], [])
        speaker = next(iter(tasks_of(deployment, seen)), None)
    log: tuple[LogLine, ...] | None = None
    if speaker is not None and definition is not None:
        log = read_log(clients, definition.definition, container, speaker, unread)
    return FailureReport(
        container=container,
        stopped=stopped,
        log=log,
        log_of=speaker,
        events=events_since(deployment, service.events if service else ()),
        targets=result_or(targets, (), unread),
        unread=tuple(unread),
    )


def read_log(
    clients: Clients,
    definition: Mapping[str, object],
    container: str,
    task: Task,
    unread: list[str],
) -> tuple[LogLine, ...] | None:
    """Give the last lines of the container that explains a task; None, and why, without them."""
    guilty = culprit(task, container)
    name = guilty.name if guilty else container
    place = log_place(definition, name)
    if place is None:
        unread.append(f"the log of container {name}: it does not log to CloudWatch")
        return None
    try:
        return last_lines(clients, place, task.id, limit=LOG_LINES)
    except SchoolctlError as error:
        unread.append(f"{error.what}: {error.why}")
        return None


def result_or(answer: Future[T], otherwise: T, unread: list[str]) -> T:
    """Give a call's answer; `otherwise` where it failed, and note in `unread` why."""
    try:
        return answer.result()
    except SchoolctlError as error:
        unread.append(f"{error.what}: {error.why}")
        return otherwise
