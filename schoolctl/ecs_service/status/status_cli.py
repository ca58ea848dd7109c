"""`schoolctl status`: what runs, since when, from which image, how healthy."""

from __future__ import annotations

import typer

from schoolctl.core.options import Command
from schoolctl.core.run import Run

app = typer.Typer(rich_markup_mode=None)


@app.command("status", cls=Command)
def status(context: typer.Context) -> None:
    """Show what runs, since when, from which image, how healthy."""
    from schoolctl.core.stack_values import settle_secrets
    from schoolctl.ecs_service.status.observe_status import observe_status

    run = Run.of(context)
    settle_secrets(run)
    found = observe_status(run.clients, run.config, run.clock, run.reporter.warn)
    run.check_account()
    lines = found.lines(run.clock.now())
    run.reporter.result(found.document(), map(run.for_environment, lines))
