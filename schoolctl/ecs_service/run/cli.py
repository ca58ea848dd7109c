"""`schoolctl run`: a command as a one-off task."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.base.errors import DeclinedError, ExitCode, NotFoundError, SchoolctlError, UsageError
from schoolctl.core.limits import parse_timeout
from schoolctl.core.options import ChangingCommand
from schoolctl.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.plan import Plan
    from schoolctl.config.models import Config
    from schoolctl.model.services import ServiceState, TaskDefinitionRef

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
    from schoolctl.ecs_service.run.run_task import plan_run

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
    from schoolctl.aws.ecs.services import describe_service

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
    from schoolctl.aws.ecr import find_image, find_repository
    from schoolctl.aws.ecs.services import describe_revisions, list_revisions
    from schoolctl.ecs_service.run.run_task import revision_of_image, running_revision
    from schoolctl.model.services import TaskDefinitionRef

    if revision is not None:
        return TaskDefinitionRef(config.task.family, revision)
    if tag is None:
        return running_revision(service)
    repository = find_repository(clients, config)
    image = find_image(clients, repository, tag=tag) if repository else None
    refs = list_revisions(clients, config.task.family, limit=_REVISIONS)
    known = describe_revisions(clients, refs)
    return revision_of_image(known, tag, image.digest if image else None)
