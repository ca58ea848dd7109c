"""Reads what `status` and `logs` need of a service, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from schoolctl.aws.autoscaling import find_scaling_range
from schoolctl.aws.ecs.services import (
    describe_revision,
    describe_revisions,
    describe_service,
    list_tasks,
)
from schoolctl.aws.health import target_health
from schoolctl.base.errors import AccessDeniedError, NotFoundError, SchoolctlError
from schoolctl.core.aws_lock import read_lock
from schoolctl.core.lock_rules import lock_name
from schoolctl.ecs_service.causes.logs import LogPlace, container_names, log_places
from schoolctl.ecs_service.run.run_task import running_revision
from schoolctl.ecs_service.status.task_list import in_order
from schoolctl.ecs_service.status.view import Status
from schoolctl.params.freshness import oldest_start
from schoolctl.params.observe_settings import SettingsObservation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.clock import Clock
    from schoolctl.config.models import Config
    from schoolctl.core.lock_rules import Found
    from schoolctl.model.scaling import ScalingRange
    from schoolctl.model.services import ServiceState, Task

T = TypeVar("T")


def observe_status(
    clients: Clients, config: Config, clock: Clock, warn: Callable[[str], None]
) -> Status:
    """Read a service, its tasks, its revision and its targets, its settings and its lock.

    Args:
        clients: the AWS clients.
        config: which service.
        clock: the time.
        warn: is told what may not be read and is left out.

    Raises:
        NotFoundError: there is no such service.
    """
    where = config.service
    tasks = clients.start(list_tasks, clients, where.cluster, service=where.name)
    settings = SettingsObservation(clients, config)
    lock = clients.start(read_lock, clients, lock_name(config), clock)
    scaling = clients.start(find_scaling_range, clients, where.cluster, where.name)
    service = need_service(clients, config)
    revision = clients.start(describe_revision, clients, service.task_definition)
    targets = clients.start(target_health, clients, service.target_group_arns)
    no_tasks: list[Task] = []
    seen = _allowed(tasks, no_tasks, "the tasks are", warn)
    runs = _allowed(revision, None, "the image is", warn)
    definition = runs.definition if runs is not None else None
    return Status(
        service=service,
        revision=runs,
        container=config.task.container,
        tasks=tuple(in_order(seen)),
        targets=_allowed(targets, (), "the targets' health is", warn),
        freshness=settings.since(oldest_start(seen), definition) if seen else None,
        lock=_lock(lock),
        scaling=_limits(scaling, warn),
    )


def _limits(
    answer: Future[ScalingRange | None], warn: Callable[[str], None]
) -> ScalingRange | None:
    """Give what auto scaling keeps to; that it may not be read is told at the end of the run."""
    try:
        return answer.result()
    except AccessDeniedError:
        return None
    except SchoolctlError as error:
        warn(f"whether auto scaling manages the count is not known: {error.why}")
        return None


def _lock(answer: Future[Found | None]) -> Found | None:
    """Give the lock; who may not read it most likely does not deploy, and needs no warning."""
    try:
        return answer.result()
    except SchoolctlError:
        return None


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
