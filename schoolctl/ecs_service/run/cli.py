"""The commands `run` and `exec`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ecr import find_image, find_repository
from schoolctl.aws.ecs.services import (
    describe_revision,
    describe_revisions,
    describe_service,
    list_revisions,
    list_tasks,
)
from schoolctl.aws.ecs.tasks import observe_agents
from schoolctl.base.errors import DeclinedError, ExitCode, NotFoundError, SchoolctlError, UsageError
from schoolctl.core.options import ChangingCommand, parse_timeout, task_prefix
from schoolctl.core.run import Run
from schoolctl.ecs_service.define.observe import need_service
from schoolctl.ecs_service.run.rules import choose_task, plan_run, plan_session, revision_of_image
from schoolctl.ecs_service.run.session import find_plugin
from schoolctl.model.services import TaskDefinitionRef, running_revision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.plan import Plan
    from schoolctl.config.models import Config
    from schoolctl.model.services import ServiceState

_REVISIONS = 30
_HOUR = 3600.0

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "run",
    cls=ChangingCommand,
    # What follows the first word belongs to COMMAND, options included, as with `docker run`.
    context_settings={"allow_interspersed_args": False},
)
def run(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="What to run, else the image's own command."),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option("--tag", metavar="TAG", help="Run the newest revision with this image."),
    ] = None,
    revision: Annotated[
        int | None,
        typer.Option(
            "--revision", metavar="N", min=1, help="Run this revision, not the service's."
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="Stop the task after this time.",
            show_default="an hour",
        ),
    ] = _HOUR,
) -> None:
    """Run a command as a one-off task, with its log and exit code.

    The task has the network of the service and the revision that it runs. Its output goes to
    stdout; the exit code is the command's own, and 125 where it never ran.
    """
    run = Run.of(context)
    timeout_seconds = parse_timeout(timeout)
    if tag is not None and revision is not None:
        raise UsageError("--tag and --revision name two things to run", hint="give one of them")
    with its_own_exit_code(run):
        plan = _plan(run, command or [], tag, revision, timeout_seconds)
        outcome = run.carry_out(plan)
    if outcome is not None:
        leave(run, outcome.exit_code or 0, "the command")


@contextmanager
def its_own_exit_code(run: Run) -> Iterator[None]:
    """Tell a failure of ours apart from the command's, by exit code 125; it is in the document."""
    try:
        yield
    except SchoolctlError as error:
        if error.exit_code is ExitCode.FAILED and not isinstance(error, DeclinedError):
            error.exit_code = ExitCode.NEVER_RAN
        run.reporter.result({"exit_code": int(error.exit_code)})
        raise


def leave(run: Run, exit_code: int, what: str) -> None:
    """End with the exit code of what ran; on a terminal its own output has said why."""
    run.reporter.result({"exit_code": exit_code})
    if exit_code:
        told = SchoolctlError(f"{what} ended with exit code {exit_code}").document()
        run.reporter.result({"error": {**told, "exit_code": exit_code}})
        raise typer.Exit(exit_code)


def _plan(
    run: Run, command: list[str], tag: str | None, revision: int | None, timeout_seconds: float
) -> Plan:
    config = run.config
    service = _service(run.clients, config)
    return plan_run(
        service,
        _revision(run.clients, config, service, tag, revision),
        container=config.task.container,
        command=command,
        timeout_seconds=timeout_seconds,
    )


def _service(clients: Clients, config: Config) -> ServiceState:
    found = describe_service(clients, config.service.cluster, config.service.name)
    if found is None or found.status != "ACTIVE":
        raise NotFoundError(
            f"there is no service {config.service.cluster}/{config.service.name}",
            why="a one-off task takes its network and its revision from the service",
            hint="`schoolctl deploy` creates it",
        )
    return found


def _revision(
    clients: Clients,
    config: Config,
    service: ServiceState,
    tag: str | None,
    revision: int | None,
) -> TaskDefinitionRef:
    if revision is not None:
        return TaskDefinitionRef(config.task.family, revision)
    if tag is None:
        return running_revision(service)
    repository = find_repository(clients, config)
    image = find_image(clients, repository, tag=tag) if repository else None
    refs = list_revisions(clients, config.task.family, limit=_REVISIONS)
    known = describe_revisions(clients, refs)
    return revision_of_image(known, tag, image.digest if image else None)


# `exec`


@app.command(
    "exec",
    cls=ChangingCommand,
    # What follows the first word belongs to COMMAND, options included, as with `docker exec`.
    context_settings={"allow_interspersed_args": False},
)
def exec_(
    context: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="What to run, else /bin/sh.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="ID", help="In this task; the first digits will do."),
    ] = None,
    container: Annotated[
        str | None,
        typer.Option("--container", metavar="NAME", help="In this container of the task."),
    ] = None,
) -> None:
    """Open a shell in a running task, or run a command there.

    It takes ECS Exec and the Session Manager plugin; what is missing of it is named with its cure.
    The exit code is the plugin's, and 125 where nothing ran. `run` needs neither.
    """
    run = Run.of(context)
    with its_own_exit_code(run):
        outcome = run.carry_out(_plan_session(run, command or [], task, container))
    if outcome is not None:
        leave(run, outcome.exit_code or 0, "the session")


def _plan_session(run: Run, command: list[str], task: str | None, container: str | None) -> Plan:
    find_plugin(run.services.environ)
    prefix = task_prefix(task)
    clients, where = run.clients, run.config.service
    tasks = clients.start(list_tasks, clients, where.cluster, service=where.name)
    service = need_service(clients, run.config)
    chosen = choose_task(service, tasks.result(), prefix)
    revision = clients.start(describe_revision, clients, chosen.task_definition)
    agents = observe_agents(clients, where.cluster, chosen.arn)
    found = revision.result()
    name = container or run.config.task.container
    run.reporter.result({"task": chosen.id, "container": name})
    return plan_session(
        service,
        chosen,
        agents,
        found.definition if found is not None else {},
        container=name,
        command=command,
    )
