"""The plans for a session in a container and for a one-off command. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from schoolctl.base.errors import NeverRanError, NotFoundError, UsageError
from schoolctl.base.plan import Plan
from schoolctl.base.text import duration
from schoolctl.ecs_service.define.service_request import launch_of
from schoolctl.ecs_service.steps.tasks import OpenSession, RunTask
from schoolctl.model.services import SSM_ACTIONS, Agents, not_connected_hint, short_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schoolctl.model.images import Digest
    from schoolctl.model.services import Revision, ServiceState, Task, TaskDefinitionRef

SHELL = ("/bin/sh",)
ENABLE = "service.overrides: {enableExecuteCommand: true}"
_RUNNING = "RUNNING"
PURPOSE = "command"


def choose_task(service: ServiceState, tasks: Sequence[Task], prefix: str) -> Task:
    """Give the task to go to: the one asked for, else the newest of the service's revision.

    Args:
        service: as it was observed.
        tasks: its tasks that run, or are to run.
        prefix: the first digits of the id asked for; empty for any.

    Raises:
        NotFoundError: no task runs, or none of that id.
        UsageError: several have an id that begins so.
    """
    running = [each for each in tasks if each.last_status == _RUNNING]
    found = [each for each in running if each.id.startswith(prefix)]
    if prefix and len(found) > 1:
        raise UsageError(
            f"--task {prefix} means {len(found)} tasks",
            why=", ".join(each.id for each in found),
            hint="give more digits",
        )
    if not found:
        raise _no_task(service, running, prefix)
    return max(
        found,
        key=lambda each: (
            each.task_definition == service.task_definition,
            each.started_at is not None and each.started_at.timestamp(),
        ),
    )


def _no_task(service: ServiceState, running: Sequence[Task], prefix: str) -> NotFoundError:
    name = f"{service.cluster}/{service.name}"
    if running:
        ids = ", ".join(short_id(each.id) for each in running)
        return NotFoundError(
            f"no running task of {name} has an id that begins with {prefix}",
            why=f"these run: {ids}",
            hint="`schoolctl tasks` lists them",
        )
    wanted = f"its desired count is {service.desired}, {service.pending} are pending"
    hint = "`schoolctl why` tells why none runs" if service.desired else "`schoolctl scale 1`"
    return NotFoundError(f"no task of {name} is running", why=wanted, hint=hint)


def plan_session(
    service: ServiceState,
    task: Task,
    agents: Agents,
    definition: Mapping[str, object],
    *,
    container: str,
    command: Sequence[str],
) -> Plan:
    """Plan the session, where nothing that is known forbids it.

    Args:
        service: as it was observed.
        task: where to go.
        agents: what the task says of its exec agents.
        definition: its task definition, in the shape of RegisterTaskDefinition.
        container: the container to go to.
        command: what to run there; empty for a shell.

    Raises:
        NotFoundError: the task has no such container.
        NeverRanError: ECS Exec cannot reach it, and how that is mended.
    """
    _check(service, task, agents, definition, container)
    runtime_id = agents.runtime_ids[container]
    step = OpenSession(
        cluster=service.cluster,
        task_arn=task.arn,
        container=container,
        # One line, as ECS takes it; the agent takes it apart again as a shell would.
        command=shlex.join(command or SHELL),
        target=f"ecs:{service.cluster}_{task.id}_{runtime_id}",
    )
    return Plan(f"Open a session in {service.name}.", (step,), quiet=True)


def _check(
    service: ServiceState,
    task: Task,
    agents: Agents,
    definition: Mapping[str, object],
    container: str,
) -> None:
    name, short = f"{service.cluster}/{service.name}", short_id(task.id)
    if container not in agents.runtime_ids:
        raise NotFoundError(
            f"task {short} has no running container {container}",
            why=f"those that run are {', '.join(agents.runtime_ids) or 'none'}",
            hint="name one of them with --container",
        )
    if _is_read_only(definition, container):
        raise NeverRanError(
            f"container {container} of {task.task_definition} has a read-only root file system",
            why="the agent of ECS Exec writes into the container, and cannot start there",
            hint="for a service that needs it, in schoolctl.yaml: `task.overrides:"
            f" {{containerDefinitions: [{{name: {container}, readonlyRootFilesystem: false}}]}}`"
            f" and `{ENABLE}`; then `schoolctl deploy`."
            " A command without a terminal needs neither: `schoolctl run`",
        )
    if not agents.enabled:
        raise _disabled(service, name, short)
    if not definition.get("taskRoleArn"):
        raise NeverRanError(
            f"{task.task_definition} has no task role",
            why="the agent of ECS Exec calls AWS with the task role",
            hint=f"name one in `task.task_role` that allows {', '.join(SSM_ACTIONS)};"
            " then `schoolctl deploy`",
        )
    status = agents.agents.get(container, _RUNNING)
    if status != _RUNNING:
        raise NeverRanError(
            f"the exec agent of container {container} in task {short} is {status}",
            why="it starts some seconds after the container, and ends where it may not call AWS",
            hint=not_connected_hint(),
        )


def _disabled(service: ServiceState, name: str, task: str) -> NeverRanError:
    if service.settings.get("enableExecuteCommand"):
        return NeverRanError(
            f"task {task} was started without ECS Exec",
            why=f"{name} has it by now, and a task takes it over when it starts",
            hint="`schoolctl restart` replaces the tasks",
        )
    return NeverRanError(
        f"ECS Exec is not enabled for {name}",
        why="enableExecuteCommand is false",
        hint=f"write `{ENABLE}` into schoolctl.yaml; then `schoolctl deploy`,"
        " and `schoolctl restart` for the tasks that run",
    )


def _is_read_only(definition: Mapping[str, object], container: str) -> bool:
    found = definition.get("containerDefinitions")
    listed = found if isinstance(found, list | tuple) else ()
    return any(
        bool(each.get("readonlyRootFilesystem"))
        for each in listed
        if isinstance(each, dict) and each.get("name") == container
    )


# A one-off command


def revision_of_image(
    revisions: Sequence[Revision], tag: str, digest: Digest | None
) -> TaskDefinitionRef:
    """Give the newest revision that runs the image `tag`.

    Args:
        revisions: ACTIVE revisions of the family, newest first.
        tag: the tag that was asked for.
        digest: what the tag is in the repository now; None where it is not there.

    Raises:
        NotFoundError: none of the revisions has the image.
    """
    for each in revisions:
        by_digest = digest is not None and any(image.endswith(str(digest)) for image in each.images)
        if by_digest or any(image.endswith(f":{tag}") for image in each.images):
            return each.ref
    raise NotFoundError(
        f"no revision runs the image {tag}",
        why="the tag is not in the repository"
        if digest is None
        else f"none of the newest {len(revisions)} revisions names {digest}",
        hint="`schoolctl images list` shows the tags;"
        f" `schoolctl taskdef register --tag {tag}` makes a revision",
    )


def plan_run(
    service: ServiceState,
    revision: TaskDefinitionRef,
    *,
    container: str,
    command: Sequence[str],
    timeout_seconds: float,
) -> Plan:
    """Plan a one-off task in the network of the service.

    Raises:
        NotFoundError: the service has no network configuration, as Fargate tasks need it.
    """
    network = service.settings.get("networkConfiguration")
    if not isinstance(network, dict) or not network:
        raise NotFoundError(
            f"service {service.cluster}/{service.name} has no network configuration",
            why="a task on Fargate needs subnets and security groups, and takes the service's",
            hint="deploy the service with schoolctl first",
        )
    step = RunTask(
        cluster=service.cluster,
        container=container,
        task_definition=revision,
        command=tuple(command),
        network=network,
        purpose=PURPOSE,
        timeout_seconds=timeout_seconds,
        must_succeed=False,
        launch=launch_of(service.settings),
        log_is_result=True,
    )
    own = (
        "no COMMAND was given, so the image's own runs; that of a service is its server, which goes"
        f" on until Ctrl-C, or for {duration(timeout_seconds)}"
    )
    return Plan(
        summary=f"run a one-off task in {service.cluster} beside {service.name}.",
        steps=(step,),
        notes=() if command else (own,),
        quiet=True,
    )
