"""ECS: starting and stopping one-off tasks."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from schoolctl.aws.ecs.services import describe_tasks
from schoolctl.aws.ecs.shapes import task as read_task
from schoolctl.aws.session.errors import translated
from schoolctl.aws.session.visible import changing
from schoolctl.base.errors import ExitCode, NotFoundError, SchoolctlError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_ecs.type_defs import TaskOverrideTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import Task, TaskDefinitionRef

_REASONS = {
    "MISSING": "ECS does not know the cluster or the task definition",
    "RESOURCE:": "the cluster has no room for the task",
    "AGENT": "the container instance's agent is not connected",
    "Capacity is unavailable": "AWS has no Fargate capacity left in these zones",
}


def start_task(
    clients: Clients,
    *,
    cluster: str,
    task_definition: TaskDefinitionRef,
    container: str,
    command: Sequence[str],
    request: Mapping[str, Any],
) -> Task:
    """Start a one-off task; a repeated call after a lost reply starts no second one.

    Args:
        clients: the AWS clients.
        cluster: its name or ARN.
        task_definition: the revision to run.
        container: whose command is replaced.
        command: what it runs; empty for the image's own command.
        request: all else of a RunTask request: its network, what it runs on, its origin.

    Raises:
        NotVisibleYetError: ECS does not see a role yet.
        SchoolctlError: ECS did not start it, for the reason in its `failures`.

    Source: ECS RunTask; it answers HTTP 200 when it has started nothing.
    """
    doing = f"start a task of {task_definition}"
    overrides: TaskOverrideTypeDef = {}
    if command:
        overrides["containerOverrides"] = [{"name": container, "command": list(command)}]
    with changing(doing):
        answer = clients.ecs.run_task(
            cluster=cluster,
            taskDefinition=task_definition.arn or str(task_definition),
            count=1,
            overrides=overrides,
            clientToken=str(uuid.uuid4()),
            **request,
        )
    if answer["tasks"]:
        return read_task(answer["tasks"][0])
    said = "; ".join(
        ": ".join(filter(None, (each.get("reason"), each.get("detail"))))
        for each in answer.get("failures", [])
    )
    meaning = next((text for start, text in _REASONS.items() if said.startswith(start)), "")
    raise SchoolctlError(
        f"could not {doing}",
        why="; ".join(filter(None, (f"ECS answered {said}" if said else "", meaning)))
        or "ECS answered neither a task nor a reason",
        exit_code=ExitCode.NEVER_RAN,
    )


def list_started(clients: Clients, cluster: str, started_by: str, family: str) -> list[Task]:
    """Give the tasks of an origin and a family that have not ended: those that are stopping, too.

    Source: ECS ListTasks, all pages; DescribeTasks. A task that was told to stop is listed among
    the stopped ones while it still works.
    """
    pages = clients.ecs.get_paginator("list_tasks")
    # ECS takes no other filter beside the origin.
    at_work = pages.paginate(cluster=cluster, startedBy=started_by)
    stopping = pages.paginate(cluster=cluster, family=family, desiredStatus="STOPPED")
    for listed in (at_work, stopping):
        with translated(f"list the tasks of {started_by}"):
            arns = [arn for page in listed for arn in page["taskArns"]]
        found = [
            each
            for each in describe_tasks(clients, cluster, arns)
            if each.started_by == started_by
            and each.task_definition.family == family
            and each.last_status != "STOPPED"
        ]
        if found:
            return found
    return []


def describe_task(clients: Clients, cluster: str, task_arn: str) -> Task | None:
    """Give one task; None where ECS does not know it (yet). Source: ECS DescribeTasks."""
    found = describe_tasks(clients, cluster, [task_arn])
    return found[0] if found else None


def stop_task(clients: Clients, cluster: str, task_arn: str, reason: str) -> None:
    """Ask ECS to stop a task; one that has stopped already is left as it is.

    Source: ECS StopTask: SIGTERM, and SIGKILL after the container's stopTimeout.
    """
    try:
        with translated("stop the task"):
            clients.ecs.stop_task(cluster=cluster, task=task_arn, reason=reason)
    except NotFoundError:
        return
