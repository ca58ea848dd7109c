"""`schoolctl exec`: a shell, or a command, in a container that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.core.options import ChangingCommand
from schoolctl.core.run import Run
from schoolctl.ecs_service.run.cli import its_own_exit_code, leave

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan

app = typer.Typer(rich_markup_mode=None)


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
        outcome = run.carry_out(_plan(run, command or [], task, container))
    if outcome is not None:
        leave(run, outcome.exit_code or 0, "the session")


def _plan(run: Run, command: list[str], task: str | None, container: str | None) -> Plan:
    from schoolctl.aws.ecs.exec import observe_agents
    from schoolctl.aws.ecs.services import describe_revision, list_tasks
    from schoolctl.ecs_service.run.rules import choose_task, plan_session
    from schoolctl.ecs_service.run.session_plugin import find_plugin
    from schoolctl.ecs_service.status.observe_status import need_service
    from schoolctl.ecs_service.status.tasks_cli import task_prefix

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
