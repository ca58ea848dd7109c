"""The commands `why`, `status`, `tasks`, `events` and `history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.ecs.services import list_tasks
from schoolctl.base.errors import UnavailableError, UsageError, interrupted
from schoolctl.core.options import Command, Since, task_prefix
from schoolctl.core.run import Run
from schoolctl.core.stack_values import settle_secrets
from schoolctl.ecs_service.causes.failure import diagnose_event
from schoolctl.ecs_service.causes.logs import parse_since
from schoolctl.ecs_service.define.observe import need_service
from schoolctl.ecs_service.define.service_request import NOTHING_RUNS
from schoolctl.ecs_service.status.history import COLUMNS
from schoolctl.ecs_service.status.observe import (
    observe_deployment,
    observe_history,
    observe_status,
    observe_task,
)
from schoolctl.ecs_service.status.view import (
    STOPPED_TASK_COLUMNS,
    TASK_COLUMNS,
    event_document,
    event_lines,
    in_order,
    task_document,
    task_row,
)

if TYPE_CHECKING:
    from datetime import datetime

    from schoolctl.model.services import ServiceEvent, ServiceState, Task

_POLL_SECONDS = 2.0
_EVENTS = 20
"""How many events are shown where neither --since nor --limit is given."""
_REMEMBERED = 300
"""How many events are known by their id; ECS tells of the newest hundred."""
_DEPLOYMENTS = 20
"""How many deployments `history` shows where no --limit is given."""

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


@app.command("status", cls=Command)
def status(context: typer.Context) -> None:
    """Show what runs, since when, from which image, how healthy."""
    run = Run.of(context)
    settle_secrets(run)
    found = observe_status(run.clients, run.config, run.clock, run.reporter.warn)
    run.check_account()
    lines = found.lines(run.clock.now())
    run.reporter.result(found.document(), map(run.for_environment, lines))


# `tasks`


@app.command("tasks", cls=Command)
def tasks(
    context: typer.Context,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="Only the tasks of the last hour that stopped.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Those that stopped, too.")
    ] = False,
) -> None:
    """List the service's tasks, and why those that stopped did.

    ECS tells of a stopped task for about an hour.
    """
    run = Run.of(context)
    service, found = _observe(run, running=not stopped, stopped=stopped or everything)
    container, now = run.config.task.container, run.clock.now()
    told = stopped or everything
    document = {
        "service": service.name,
        "cluster": service.cluster,
        "desired": service.desired,
        "tasks": [task_document(each, container) for each in found],
    }
    if not found:
        run.reporter.result(document)
        run.reporter.note(_none(service, stopped=stopped, told=told))
        return
    run.reporter.table(
        document,
        STOPPED_TASK_COLUMNS if told else TASK_COLUMNS,
        [task_row(each, container, now, stopped=told) for each in found],
    )


def _observe(run: Run, *, running: bool, stopped: bool) -> tuple[ServiceState, list[Task]]:
    where, clients = run.config.service, run.clients
    kinds = [kind for kind, wanted in ((True, stopped), (False, running)) if wanted]
    calls = [
        clients.start(list_tasks, clients, where.cluster, service=where.name, stopped=kind)
        for kind in kinds
    ]
    service = need_service(clients, run.config)
    run.check_account()
    return service, [task for call in calls for task in in_order(call.result())]


def _none(service: ServiceState, *, stopped: bool, told: bool) -> str:
    if stopped:
        return f"no task of {service.name} stopped in the last hour"
    if service.desired == 0:
        return f"{service.name} has no tasks: {NOTHING_RUNS}"
    more = "" if told else "; `schoolctl tasks --stopped` tells of those that stopped"
    return f"no task of {service.name} runs, and {service.desired} should{more}"


# `events`


@app.command("events", cls=Command)
def events(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new events until Ctrl-C.")
    ] = False,
    since: Since = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", metavar="N", min=1, help="Only the newest N events."),
    ] = None,
) -> None:
    """Show what ECS says of the service, and what it means.

    The newest twenty events, unless --since or --limit says otherwise; the newest comes last. ECS
    keeps a hundred. With -f and --json, each event is a JSON line.
    """
    run = Run.of(context)
    begin = parse_since(since, run.clock.now()) if since is not None else None
    service = need_service(run.clients, run.config)
    run.check_account()
    shown = _chosen(service, begin, limit)
    if follow:
        try:
            _follow(run, service, shown)
        except KeyboardInterrupt as stop:
            # That is how it is meant to end: no error, but the exit code of the signal.
            raise typer.Exit(interrupted(stop).exit_code) from None
    run.reporter.result(
        {
            "service": service.name,
            "cluster": service.cluster,
            "events": [event_document(each) for each in shown],
        },
        [run.for_environment(line) for each in shown for line in event_lines(each)],
    )
    if not shown:
        when = " in that time" if begin is not None else ""
        run.reporter.note(f"ECS tells of no event of {service.name}{when}")


def _chosen(service: ServiceState, begin: datetime | None, limit: int | None) -> list[ServiceEvent]:
    """Give the events that are wanted, the newest last."""
    wanted = [each for each in service.events if begin is None or each.at >= begin]
    number = limit if limit is not None else (_EVENTS if begin is None else len(wanted))
    return wanted[:number][::-1]


def _follow(run: Run, service: ServiceState, shown: list[ServiceEvent]) -> None:
    """Show new events as they come; ended by Ctrl-C."""
    for event in shown:
        _record(run, event)
    seen = {each.id: None for each in reversed(service.events)}
    while True:
        run.clock.sleep(_POLL_SECONDS)
        try:
            service = need_service(run.clients, run.config)
        except UnavailableError as error:
            run.reporter.detail(f"{error.what}: {error.why}")
            continue
        for event in reversed(service.events):
            if event.id not in seen:
                seen[event.id] = None
                _record(run, event)
        for old in list(seen)[:-_REMEMBERED]:
            del seen[old]


def _record(run: Run, event: ServiceEvent) -> None:
    style = "yellow" if diagnose_event(event.message) else ""
    lines = map(run.for_environment, event_lines(event))
    run.reporter.record(event_document(event), "\n".join(lines), style=style)


# `history`


@app.command("history", cls=Command)
def history(
    context: typer.Context,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", metavar="N", min=1, help="Show this many at most."),
    ] = _DEPLOYMENTS,
) -> None:
    """List the service's deployments, and what became of each.

    The newest comes first. What ECS itself recorded in the last 90 days is joined with what
    schoolctl noted on the revisions; the one that runs, and where a rollback would go, are marked.
    """
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
