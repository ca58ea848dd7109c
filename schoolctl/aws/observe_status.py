"""Reads what `status` and `logs` need of a service, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from schoolctl.aws.ecs import (
    describe_revision,
    describe_revisions,
    describe_service,
    list_tasks,
)
from schoolctl.aws.health import target_health
from schoolctl.errors import AccessDeniedError, NotFoundError
from schoolctl.plan.logs import LogPlace, container_names, log_places
from schoolctl.plan.run_task import running_revision
from schoolctl.plan.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
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


def observe_log_places(
    clients: Clients, config: Config, containers: Sequence[str] | None
) -> tuple[LogPlace, ...]:
    """Give where the service's containers log: by its revisions, else by schoolctl.yaml.

    During a rollout there are two revisions, and both are read.

    Args:
        clients: the AWS clients.
        config: which service.
        containers: the containers' names; None for all of them.

    Raises:
        NotFoundError: none of them logs to CloudWatch, or there is no such container.
    """
    name = config.task.container
    written: tuple[LogPlace, ...] = (LogPlace(config.task.log_group, name, name),)
    if containers not in (None, (name,)):
        written = ()
    try:
        definitions = _definitions(clients, config)
    except (AccessDeniedError, NotFoundError):
        # The log outlives the service, and may be readable to whoever may not see the service.
        definitions = []
    found = log_places(definitions, containers) or written
    if found:
        return found
    known = dict.fromkeys(
        each for definition in definitions for each in container_names(definition)
    )
    asked = f"container {', '.join(containers)}" if containers else "the service"
    raise NotFoundError(
        f"no log in CloudWatch is known of {asked}",
        why=f"the service's containers are {', '.join(known) or 'not known'}",
        hint="`schoolctl taskdef render` shows what they log to",
    )


def _definitions(clients: Clients, config: Config) -> list[Mapping[str, object]]:
    """Give the task definitions of the service's deployments, the running one first."""
    service = describe_service(clients, config.service.cluster, config.service.name)
    if service is None:
        return []
    refs = (running_revision(service), *(each.task_definition for each in service.deployments))
    found = describe_revisions(clients, dict.fromkeys(refs))
    return [each.definition for each in found]


def _allowed(answer: Future[T], otherwise: T, what: str, warn: Callable[[str], None]) -> T:
    try:
        return answer.result()
    except (AccessDeniedError, NotFoundError) as error:
        warn(f"{what} not known: {error.why}")
        return otherwise
