"""`schoolctl history`: the service's deployments, and what became of each."""

from __future__ import annotations

from typing import Annotated

import typer

from schoolctl.core.options import Command
from schoolctl.core.run import Run

_LIMIT = 20

app = typer.Typer(rich_markup_mode=None)


@app.command("history", cls=Command)
def history(
    context: typer.Context,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", metavar="N", min=1, help="Show this many at most."),
    ] = _LIMIT,
) -> None:
    """List the service's deployments, and what became of each.

    The newest comes first. What ECS itself recorded in the last 90 days is joined with what
    schoolctl noted on the revisions; the one that runs, and where a rollback would go, are marked.
    """
    from schoolctl.ecs_service.status.history import COLUMNS
    from schoolctl.ecs_service.status.observe_history import observe_history

    run = Run.of(context)
    service, found = observe_history(run.clients, run.config, limit, run.reporter.warn)
    run.check_account()
    run.reporter.table(
        {
            "service": service.name,
            "cluster": service.cluster,
            "recorded_by_ecs": found.recorded,
            "deployments": found.document(),
        },
        COLUMNS,
        found.rows(),
    )
