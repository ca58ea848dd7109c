"""`schoolctl diff`: everything that `deploy` would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from schoolctl.aws.ecs.services import list_tasks
from schoolctl.base.errors import AccessDeniedError, ExitCode, NotFoundError
from schoolctl.core.options import AsRevision, Command, ExitWith10, ImageDigest, ImageTag, Reveal
from schoolctl.core.run import Run
from schoolctl.core.stack_values import settle
from schoolctl.ecs_service.define.plan import DeployOptions
from schoolctl.ecs_service.define.planning import plan_choice
from schoolctl.ecs_service.define.target import parse_choice
from schoolctl.params.freshness import oldest_start
from schoolctl.params.observe import SettingsObservation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.ecs_service.define.diff import Diff
    from schoolctl.params.freshness import Freshness

app = typer.Typer(rich_markup_mode=None)


@app.command("diff", cls=Command)
def diff(
    context: typer.Context,
    tag: ImageTag = None,
    digest: ImageDigest = None,
    revision: AsRevision = None,
    exit_code: ExitWith10 = False,
    reveal: Reveal = False,
) -> int:
    """Show everything that deploy would change.

    Nothing for an unchanged service. Without a choice, the newest image that has a tag is
    compared, as deploy would take it.
    """
    run = Run.of(context)
    choice = parse_choice(tag, digest, revision)
    settle(run)
    found = plan_choice(run, choice, DeployOptions(only_look=True))
    config = run.config
    run.check_account()
    for warning in found.plan.warnings:
        run.reporter.warn(warning)
    for note in found.plan.notes:
        run.reporter.note(note)
    fresh = _freshness(run)
    for line in fresh.lines(run.clock.now()) if fresh is not None and fresh.changed else []:
        run.reporter.note(line)
    document = {
        "settings_read": fresh.document() if fresh is not None else None,
        "service": config.service.name,
        "cluster": config.service.cluster,
        "environment": config.environment,
    }
    return report(
        run, found.diff(config.task.container), document, reveal=reveal, exit_code=exit_code
    )


def _freshness(run: Run) -> Freshness | None:
    """Give which parameters and secrets changed since the tasks read them; None where none runs.

    It is no difference: a deploy that has nothing else to do starts no task for it.
    """
    where = run.config.service
    try:
        tasks = list_tasks(run.clients, where.cluster, service=where.name)
    except (AccessDeniedError, NotFoundError):
        return None
    if not tasks:
        return None
    return SettingsObservation(run.clients, run.config).since(oldest_start(tasks))


def report(
    run: Run, found: Diff, document: Mapping[str, object], *, reveal: bool, exit_code: bool
) -> int:
    """Give a diff, its lines on stdout; gives the exit code.

    Args:
        run: the run of the command.
        found: what differs.
        document: what JSON tells besides.
        reveal: whether values that look like secrets are shown.
        exit_code: whether differences have an exit code of their own.
    """
    if found.is_empty:
        run.reporter.note("no differences")
    run.reporter.result({**document, **found.document(reveal=reveal)}, found.lines(reveal=reveal))
    return ExitCode.DIFFERENCES if exit_code and not found.is_empty else ExitCode.DONE
