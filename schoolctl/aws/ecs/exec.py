"""ECS Exec: which containers can be reached, and the session that the plugin takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import error_code, error_message, is_code, translated
from schoolctl.base.errors import NotFoundError
from schoolctl.ecs_service.run.rules import Agents, NeverRanError, not_connected_hint
from schoolctl.model.secret_value import SecretValue

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients

_AGENT = "ExecuteCommandAgent"


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
