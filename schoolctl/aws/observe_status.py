"""Reads what `status` and `logs` need of a service, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from schoolctl.aws.ecs import describe_revision, describe_service, list_tasks
from schoolctl.aws.health import target_health
from schoolctl.errors import AccessDeniedError, NotFoundError
from schoolctl.plan.logs import LogPlace, log_place
from schoolctl.plan.run_task import running_revision
from schoolctl.plan.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from schoolctl.aws.clients import Clients
    from schoolctl.config import Config
    from schoolctl.model import ServiceState, Task

T = TypeVar("T")


def observe_status(clients: Clients, config: Config, warn: Callable[[str], None]) -> Status:
    """Read a service, its tasks, its revision and its targets.

    Args:
        clients: the AWS clients.
        config: which service.
        warn: is told what may not be read and is left out.

    Raises:
        NotFoundError: there is no such service.
    """
    where = config.service
    tasks = clients.start(list_tasks, clients, where.cluster, service=where.name)
    service = need_service(clients, config)
    revision = clients.start(describe_revision, clients, service.task_definition)
    targets = clients.start(target_health, clients, service.target_group_arns)
    no_tasks: list[Task] = []
    seen = _allowed(tasks, no_tasks, "the tasks are", warn)
    return Status(
        service=service,
        revision=_allowed(revision, None, "the image is", warn),
        container=config.task.container,
        tasks=tuple(sorted(seen, key=lambda each: str(each.started_at or ""))),
        targets=_allowed(targets, (), "the targets' health is", warn),
    )


def need_service(clients: Clients, config: Config) -> ServiceState:
    """Give the service, or raise a `NotFoundError` that says how to make it."""
    where = config.service
    service = describe_service(clients, where.cluster, where.name)
    if service is not None and service.status != "INACTIVE":
        return service
    raise NotFoundError(
        f"there is no service {where.name} in cluster {where.cluster}",
        why=f"environment {config.environment} names it, and ECS in {clients.region} has none"
        if service is None
        else "it was deleted",
        hint="`schoolctl deploy` creates it",
    )


def observe_log_place(clients: Clients, config: Config) -> LogPlace:
    """Give where the service's container logs: by its running revision, else by schoolctl.yaml."""
    written = LogPlace(config.task.log_group, config.task.container, config.task.container)
    try:
        service = describe_service(clients, config.service.cluster, config.service.name)
        revision = describe_revision(clients, running_revision(service)) if service else None
    except (AccessDeniedError, NotFoundError):
        # The log outlives the service, and may be readable to whoever may not see the service.
        return written
    place = log_place(revision.definition, config.task.container) if revision else None
    return place or written


def _allowed(answer: Future[T], otherwise: T, what: str, warn: Callable[[str], None]) -> T:
    try:
        return answer.result()
    except (AccessDeniedError, NotFoundError) as error:
        warn(f"{what} not known: {error.why}")
        return otherwise
