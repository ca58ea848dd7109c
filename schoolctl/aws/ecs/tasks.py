"""ECS: one-off tasks, the ExecuteCommand agent and its sessions."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schoolctl.aws.ecs.services import describe_tasks
from schoolctl.aws.ecs.shapes import task as read_task
from schoolctl.aws.session.errors import changing, error_code, error_message, is_code, translated
from schoolctl.base.errors import ExitCode, NeverRanError, NotFoundError, SchoolctlError
from schoolctl.model.services import Agents, not_connected_hint
from schoolctl.model.values import SecretValue

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
_AGENT = "ExecuteCommandAgent"


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


def observe_agents(clients: Clients, cluster: str, task_arn: str) -> Agents:
    """Read whether a task has ECS Exec, and its running containers.

    Raises:
        NotFoundError: ECS no longer knows the task.

    Source: ECS DescribeTasks: enableExecuteCommand, containers.runtimeId and managedAgents.
    """
    with translated("look at the task's containers"):
        answer = clients.ecs.describe_tasks(cluster=cluster, tasks=[task_arn])
    for task in answer["tasks"]:
        running = [each for each in task.get("containers", []) if each.get("runtimeId")]
        return Agents(
            enabled=bool(task.get("enableExecuteCommand")),
            runtime_ids={each.get("name", ""): each.get("runtimeId", "") for each in running},
            agents={
                each.get("name", ""): agent.get("lastStatus", "")
                for each in running
                for agent in each.get("managedAgents", [])
                if agent.get("name") == _AGENT
            },
        )
    raise NotFoundError(
        "the task ended a moment ago", hint="`schoolctl tasks` lists those that run"
    )


def open_session(
    clients: Clients, *, cluster: str, task_arn: str, container: str, command: str
) -> dict[str, SecretValue]:
    """Open a session; gives what the plugin needs to take it over, by the names that ECS uses.

    Raises:
        NeverRanError: the agent in the container cannot be reached.

    Source: ECS ExecuteCommand.
    """
    with translated(f"open a session in container {container}"):
        try:
            answer = clients.ecs.execute_command(
                cluster=cluster,
                task=task_arn,
                container=container,
                command=command,
                interactive=True,
            )
        except ClientError as error:
            if is_code(error, "TargetNotConnectedException") or "agent isn" in error_message(error):
                raise NeverRanError(
                    f"the exec agent of container {container} is not connected",
                    why=f"ECS answered {error_code(error)}: {error_message(error)}",
                    hint=not_connected_hint(),
                ) from error
            raise
    return {name: SecretValue(str(value)) for name, value in answer["session"].items()}
