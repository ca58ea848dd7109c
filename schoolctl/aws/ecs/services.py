"""ECS: reading clusters, services, tasks and task definitions.

ECS answers HTTP 200 for a service or task that is not there and says so in `failures`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from schoolctl.aws.ecs import shapes
from schoolctl.aws.session.errors import error_message, is_code, translated
from schoolctl.base.errors import NotFoundError, SchoolctlError
from schoolctl.base.text import batches
from schoolctl.model.services import TaskDefinitionRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy_boto3_ecs.type_defs import FailureTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import Revision, ServiceState, Task

T = TypeVar("T")

# The most that one call takes. Source: the ECS service model.
_SERVICES_A_CALL = 10
_TASKS_A_CALL = 100
_PAGE = 100
_REVISIONS_AT_ONCE = 64


# Clusters and services


def list_clusters(clients: Clients) -> list[str]:
    """Give the ARNs of every cluster of the account in this region. Source: ECS ListClusters."""
    pages = clients.ecs.get_paginator("list_clusters")
    with translated("list the clusters"):
        return [arn for page in pages.paginate() for arn in page["clusterArns"]]


def list_services(clients: Clients, cluster: str) -> list[str]:
    """Give the ARNs of a cluster's services.

    Raises:
        NotFoundError: there is no such cluster.

    Source: ECS ListServices, all pages.
    """
    pages = clients.ecs.get_paginator("list_services")
    with _in_cluster(f"list the services of cluster {cluster}", cluster):
        found = pages.paginate(cluster=cluster, PaginationConfig={"PageSize": _PAGE})
        return [arn for page in found for arn in page["serviceArns"]]


def describe_service(
    clients: Clients, cluster: str, service: str, *, once: bool = False
) -> ServiceState | None:
    """Give one service; None where the cluster has none of that name.

    A deleted service is told of for a while, with status INACTIVE.

    Args:
        clients: the AWS clients.
        cluster: name or ARN.
        service: name or ARN.
        once: whether a call without an answer is not repeated, for whoever asks again anyway.

    Raises:
        NotFoundError: there is no such cluster.

    Source: ECS DescribeServices.
    """
    found = _describe_services(clients, cluster, [service], once=once)
    return found[0] if found else None


def describe_services(clients: Clients, cluster: str, names: Sequence[str]) -> list[ServiceState]:
    """Give the services among `names` (names or ARNs) that exist, ten a call, side by side.

    One that has never been at a revision, as an external controller may leave it, is left out.

    Raises:
        NotFoundError: there is no such cluster.
        SchoolctlError: ECS failed to tell of one for another reason than that it is missing.

    Source: ECS DescribeServices.
    """
    return _gathered(clients, _describe_services, cluster, names, _SERVICES_A_CALL)


def _describe_services(
    clients: Clients, cluster: str, names: Sequence[str], *, once: bool = False
) -> list[ServiceState]:
    doing = f"look at service {', '.join(map(shapes.last_part, names))} of cluster {cluster}"
    ecs = clients.ecs_once if once else clients.ecs
    with _in_cluster(doing, cluster):
        answer = ecs.describe_services(cluster=cluster, services=list(names))
    _refuse_failures(answer.get("failures", []), doing)
    updatable = request_members(clients, "UpdateService")
    found = filter(shapes.has_revision, answer["services"])
    return [shapes.service_state(each, updatable) for each in found]


# Tasks


def list_tasks(
    clients: Clients, cluster: str, *, service: str | None = None, stopped: bool = False
) -> list[Task]:
    """Give the tasks of a cluster, or of one service, as DescribeTasks tells of them.

    Args:
        clients: the AWS clients.
        cluster: name or ARN.
        service: only the tasks that this service started.
        stopped: the stopped tasks instead of those that run or are to run. ECS shows a stopped
            task for at least an hour.

    Raises:
        NotFoundError: there is no such cluster, or no such service.

    Source: ECS ListTasks, all pages; DescribeTasks.
    """
    pages = clients.ecs.get_paginator("list_tasks")
    whose = f"service {service}" if service else f"cluster {cluster}"
    with _in_cluster(f"list the tasks of {whose}", cluster):
        found = pages.paginate(
            cluster=cluster,
            # RUNNING is what is wanted of them: tasks that are still pending are among these.
            desiredStatus="STOPPED" if stopped else "RUNNING",
            **({"serviceName": service} if service else {}),  # type: ignore[arg-type]  # a TypedDict cannot be unpacked in part
        )
        arns = [arn for page in found for arn in page["taskArns"]]
    return describe_tasks(clients, cluster, arns)


def describe_tasks(clients: Clients, cluster: str, arns: Sequence[str]) -> list[Task]:
    """Give the tasks among `arns` (ids or ARNs) that ECS still knows, 100 a call, side by side.

    Source: ECS DescribeTasks.
    """
    return _gathered(clients, _describe_tasks, cluster, arns, _TASKS_A_CALL)


def _describe_tasks(clients: Clients, cluster: str, arns: Sequence[str]) -> list[Task]:
    doing = f"look at the tasks of cluster {cluster}"
    with _in_cluster(doing, cluster):
        answer = clients.ecs.describe_tasks(cluster=cluster, tasks=list(arns))
    # A task may be gone between the two calls.
    _refuse_failures(answer.get("failures", []), doing)
    return [shapes.task(each) for each in answer["tasks"]]


# Task definitions


def services_of(clients: Clients, cluster: str) -> tuple[ServiceState, ...]:
    """Return the services of a cluster; none if there is no such cluster.

    Source: ECS ListServices, DescribeServices.
    """
    try:
        names = list_services(clients, cluster)
        return tuple(describe_services(clients, cluster, names)) if names else ()
    except NotFoundError:
        return ()


def count_tasks(clients: Clients, cluster: str) -> int:
    """Return how many tasks of a cluster run or are to run. Source: ECS ListTasks, one page."""
    with translated(f"look for tasks in cluster {cluster}"):
        try:
            return len(clients.ecs.list_tasks(cluster=cluster)["taskArns"])
        except ClientError as error:
            if is_code(error, "ClusterNotFoundException"):
                return 0
            raise


def list_families(clients: Clients, prefix: str = "") -> list[str]:
    """Give the families that have an ACTIVE revision. Source: ECS ListTaskDefinitionFamilies."""
    pages = clients.ecs.get_paginator("list_task_definition_families")
    with translated("list the task definition families"):
        found = pages.paginate(
            status="ACTIVE",
            **({"familyPrefix": prefix} if prefix else {}),  # type: ignore[arg-type]  # a TypedDict cannot be unpacked in part
        )
        return [family for page in found for family in page["families"]]


def list_revisions(
    clients: Clients, family: str, *, limit: int | None = None, active: bool = True
) -> list[TaskDefinitionRef]:
    """Give the revisions of a family, newest first; empty for a family that is not there.

    Args:
        clients: the AWS clients.
        family: its whole name.
        limit: how many to give at most.
        active: the ACTIVE ones, else the INACTIVE ones.

    Source: ECS ListTaskDefinitions, as many pages as it takes.
    """
    pages = clients.ecs.get_paginator("list_task_definitions")
    with translated(f"list the revisions of {family}"):
        found = pages.paginate(
            familyPrefix=family,
            sort="DESC",
            status="ACTIVE" if active else "INACTIVE",
            PaginationConfig={"PageSize": min(limit or _PAGE, _PAGE)},
        )
        refs: list[TaskDefinitionRef] = []
        for page in found:
            refs += map(TaskDefinitionRef.from_arn, page["taskDefinitionArns"])
            if limit is not None and len(refs) >= limit:
                break
    own = (ref for ref in refs if ref.family == family)
    # Not every AWS look-alike heeds the order that was asked for.
    return sorted(own, key=lambda ref: ref.revision, reverse=True)[:limit]


def describe_revision(clients: Clients, which: TaskDefinitionRef | str) -> Revision | None:
    """Give a revision with its tags; None where there is none.

    Args:
        clients: the AWS clients.
        which: a revision, an ARN, `family:revision`, or a family: its newest ACTIVE revision.

    Source: ECS DescribeTaskDefinition.
    """
    name = which if isinstance(which, str) else which.arn or str(which)
    with translated(f"read task definition {shapes.last_part(name)}"):
        try:
            answer = clients.ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
        except ClientError as error:
            # The same code tells of a missing permission.
            if is_code(error, "ClientException") and "Unable to describe" in error_message(error):
                return None
            raise
    return shapes.revision(answer, request_members(clients, "RegisterTaskDefinition"))


def describe_revisions(clients: Clients, refs: Iterable[TaskDefinitionRef]) -> list[Revision]:
    """Give the revisions of `refs` that exist, in their order, read side by side."""
    found: list[Revision | None] = []
    # Each call that is started is a thread: an account may have thousands of revisions.
    for batch in batches(refs, _REVISIONS_AT_ONCE):
        calls = [clients.start(describe_revision, clients, ref) for ref in batch]
        found += [call.result() for call in calls]
    return [each for each in found if each is not None]


# How


def request_members(clients: Clients, operation: str) -> list[str]:
    """Give the members of an operation's request, as the installed botocore knows them."""
    shape = clients.ecs.meta.service_model.operation_model(operation).input_shape
    return list(shape.members) if shape is not None else []


def _gathered(
    clients: Clients,
    describe: Callable[[Clients, str, Sequence[str]], list[T]],
    cluster: str,
    names: Sequence[str],
    size: int,
) -> list[T]:
    """Describe `names` in batches of `size`, the batches side by side, in their order."""
    if 0 < len(names) <= size:
        return describe(clients, cluster, names)
    calls = [clients.start(describe, clients, cluster, batch) for batch in batches(names, size)]
    return [each for call in calls for each in call.result()]


def _refuse_failures(failures: Sequence[FailureTypeDef], doing: str) -> None:
    """Raise for what ECS failed to tell; that a thing is missing is no failure here."""
    others = [each for each in failures if each.get("reason") != "MISSING"]
    if others:
        told = "; ".join(f"{each.get('arn')}: {each.get('reason')}" for each in others)
        raise SchoolctlError(f"could not {doing}", why=f"ECS answered {told}", hint="run it again")


@contextmanager
def _in_cluster(doing: str, cluster: str) -> Iterator[None]:
    with translated(doing):
        try:
            yield
        except ClientError as error:
            if is_code(error, "ClusterNotFoundException"):
                raise _no_cluster(cluster, error_message(error)) from error
            raise


def _no_cluster(cluster: str, message: str) -> NotFoundError:
    """Give the error for a cluster that is not there."""
    return NotFoundError(
        f"cluster {cluster} does not exist",
        why=f"ECS answered ClusterNotFoundException: {message}",
        hint="check `service.cluster`, the region and the account: `schoolctl profile show`",
    )
