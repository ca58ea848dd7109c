"""Reads what the service runs, for whoever asks who reads a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecs.services import describe_revisions, describe_service, list_tasks
from schoolctl.base.errors import AccessDeniedError, NotFoundError
from schoolctl.params.freshness import oldest_start
from schoolctl.params.use import Use

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config


def observe_use(clients: Clients, config: Config) -> Use:
    """Read the revisions of a service's tasks and deployments, and when the oldest task started.

    It is an extra: what may not be read is named in `unread`. A service that does not exist reads
    nothing.

    Source: ECS DescribeServices, ListTasks, DescribeTasks, DescribeTaskDefinition.
    """
    where = config.service
    asked = clients.start(list_tasks, clients, where.cluster, service=where.name)
    try:
        service = describe_service(clients, where.cluster, where.name)
        if service is None or service.status == "INACTIVE":
            return Use((), None)
        tasks = asked.result()
        refs = {each.task_definition for each in service.deployments}
        refs |= {each.task_definition for each in tasks}
        revisions = describe_revisions(clients, refs)
    except NotFoundError:
        return Use((), None)
    except AccessDeniedError as denied:
        return Use((), None, unread=denied.why)
    ordered = sorted(revisions, key=lambda each: (each.ref.family, each.ref.revision))
    return Use(tuple(ordered), oldest_start(tasks))
