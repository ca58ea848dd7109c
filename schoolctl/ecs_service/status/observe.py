"""Observations for `why`, `status`, `logs` and `history`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from schoolctl.aws.autoscaling import find_scaling_range
from schoolctl.aws.ecs.deployments import list_service_deployments, with_task_definitions
from schoolctl.aws.ecs.services import (
    describe_revision,
    describe_revisions,
    describe_service,
    list_revisions,
    list_tasks,
)
from schoolctl.aws.elbv2 import target_health
from schoolctl.base.errors import AccessDeniedError, NotFoundError, SchoolctlError
from schoolctl.core.lock import read_lock
from schoolctl.core.lock_rules import lock_name
from schoolctl.ecs_service.causes.failure import FailureReport
from schoolctl.ecs_service.causes.logs import container_names, log_places
from schoolctl.ecs_service.causes.observe import observe_failure, read_log, result_or
from schoolctl.ecs_service.define.observe import need_service
from schoolctl.ecs_service.rollout.observe import observe_target
from schoolctl.ecs_service.rollout.wait import deployment_in_question
from schoolctl.ecs_service.status.history import History, attempts
from schoolctl.ecs_service.status.view import Status, in_order
from schoolctl.ecs_service.status.why import Why, rolled_back, task_in_question
from schoolctl.model.services import LogPlace, RolloutState, running_revision
from schoolctl.params.freshness import oldest_start
from schoolctl.params.observe import SettingsObservation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.clock import Clock
    from schoolctl.config.models import Config
    from schoolctl.core.lock_rules import Found
    from schoolctl.model.deployments import ServiceDeploymentBrief
    from schoolctl.model.services import (
        Revision,
        ScalingRange,
        ServiceState,
        Task,
        TaskDefinitionRef,
    )
    from schoolctl.model.surroundings import TargetHealth

T = TypeVar("T")


# For `why`


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


# For `status`


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


def _allowed(answer: Future[T], otherwise: T, what: str, warn: Callable[[str], None]) -> T:
    try:
        return answer.result()
    except (AccessDeniedError, NotFoundError) as error:
        warn(f"{what} not known: {error.why}")
        return otherwise


# For `logs`


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


# For `history`


def observe_history(
    clients: Clients, config: Config, limit: int, warn: Callable[[str], None]
) -> tuple[ServiceState, History]:
    """Give a service and its newest `limit` deployments, as far as AWS tells of them.

    Args:
        clients: the AWS clients.
        config: which service.
        limit: how many at most.
        warn: is told what may not be read and is left out.

    Raises:
        NotFoundError: there is no such service.
    """
    record = clients.start(_record, clients, config, limit)
    listed = clients.start(list_revisions, clients, config.task.family, limit=limit)
    service = need_service(clients, config)
    try:
        recorded = record.result()
    except SchoolctlError as error:
        warn(f"deployments that failed may be missing: {_told(error)}")
        recorded = None
    told = (*(recorded or ()), *service.deployments)
    refs = [service.task_definition, *(each.task_definition for each in told), *listed.result()]
    wanted = dict.fromkeys(each for each in refs if each is not None)
    revisions = {each.ref: each for each in describe_revisions(clients, wanted)}
    running = revisions.get(service.task_definition)
    target = _target(clients, config, running, warn) if running is not None else None
    found = attempts(service, recorded or (), revisions.values(), target)
    return service, History(
        tuple(found[:limit]), revisions, config.task.container, recorded is not None
    )


def _record(clients: Clients, config: Config, limit: int) -> list[ServiceDeploymentBrief] | None:
    where = config.service
    found = list_service_deployments(clients, where.cluster, where.name, limit=limit)
    return with_task_definitions(clients, found) if found else found


def _target(
    clients: Clients, config: Config, running: Revision, warn: Callable[[str], None]
) -> TaskDefinitionRef | None:
    """Give where a rollback would go; None where nothing is there, or it cannot be told."""
    try:
        # That ECS's record may not be read has been told by now.
        return observe_target(clients, config, running, lambda _: None).revision.ref
    except NotFoundError:
        return None
    except SchoolctlError as error:
        warn(f"where a rollback goes is not known: {_told(error)}")
        return None


def _told(error: SchoolctlError) -> str:
    # What is no AWS may answer with a whole page.
    return f"{error.what}: {error.why.partition(chr(10))[0]}"
