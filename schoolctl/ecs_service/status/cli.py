"""`schoolctl why`: one screen for a rollout or a task that fails."""

from __future__ import annotations

from typing import Annotated

import typer

from schoolctl.base.errors import UsageError
from schoolctl.core.options import Command
from schoolctl.core.run import Run

app = typer.Typer(rich_markup_mode=None)


@app.command("why", cls=Command)
def why(
    context: typer.Context,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="ID", help="This task; the first digits will do."),
    ] = None,
    deployment: Annotated[
        str | None,
        typer.Option("--deployment", metavar="ID", help="This deployment, not the newest."),
    ] = None,
) -> None:
    """Explain why the newest deployment fails: cause, fix, log lines.

    With nothing wrong it says what runs, and since when. It only looks, so it ends with 0 either
    way.
    """
    from schoolctl.ecs_service.status.observe import observe_deployment, observe_task
    from schoolctl.ecs_service.status.tasks_cli import task_prefix

    if task is not None and deployment is not None:
        raise UsageError("--task and --deployment each say what to explain", hint="give one")
    run = Run.of(context)
    if task is not None:
        found = observe_task(run.clients, run.config, task_prefix(task))
    else:
        found = observe_deployment(run.clients, run.config, deployment)
    run.check_account()
    now = run.clock.now()
    run.reporter.result(found.document(now), map(run.for_environment, found.lines(now)))
