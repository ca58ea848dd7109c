"""Reads what `history` tells: ECS's record of deployments, revisions and their notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecs.deployments import list_service_deployments, with_task_definitions
from schoolctl.aws.ecs.services import describe_revisions, list_revisions
from schoolctl.base.errors import NotFoundError, SchoolctlError
from schoolctl.ecs_service.rollout.observe_rollback import observe_target
from schoolctl.ecs_service.status.history import History, attempts
from schoolctl.ecs_service.status.observe_status import need_service

if TYPE_CHECKING:
    from collections.abc import Callable

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.model.deployments import ServiceDeploymentBrief
    from schoolctl.model.services import Revision, ServiceState, TaskDefinitionRef


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
