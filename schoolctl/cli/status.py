"""`schoolctl status` and `schoolctl logs`: what runs, and what it says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.cli.options import Command
from schoolctl.cli.run import Run
from schoolctl.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schoolctl.aws.logs import ServiceLog
    from schoolctl.model import LogLine
    from schoolctl.plan.logs import LogPlace

_POLL_SECONDS = 1.5
_RECENT = timedelta(minutes=10)
_LOOK_BACK = (_RECENT, timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
"""How far to look for the newest lines, step by step: a busy log is long."""
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red")

app = typer.Typer(rich_markup_mode=None)


@app.command("status", cls=Command)
def status(context: typer.Context) -> None:
    """Show what runs, since when, from which image, how healthy."""
    from schoolctl.aws.observe_status import observe_status

    run = Run.of(context)
    found = observe_status(run.clients, run.config, run.reporter.warn)
    run.check_account()
    run.reporter.result(found.document(), found.lines(run.clock.now()))


@app.command("logs", cls=Command)
def logs(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Begin here: 30s, 10m, 2h, 1d, or an ISO time."
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="ID", help="Only this task; the first digits will do."),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--lines", "-n", metavar="N", min=1, help="Only the newest N lines."),
    ] = None,
) -> None:
    """Show the log lines of the service's tasks.

    Of the last ten minutes, unless --since or --lines says otherwise.
    """
    from schoolctl.aws.observe_status import observe_log_place
    from schoolctl.plan.logs import parse_since

    run = Run.of(context)
    now = run.clock.now()
    begin = parse_since(since, now) if since is not None else None
    prefix = _task_prefix(task)
    place = observe_log_place(run.clients, run.config)
    run.check_account()
    log, lines = _read(run, place, prefix, begin, number)
    if not follow:
        _tell(run, place, lines, begin or now - _RECENT)
        return
    _show(run, lines)
    while True:
        run.clock.sleep(_POLL_SECONDS)
        try:
            _show(run, log.new_lines())
        except UnavailableError as error:
            run.reporter.detail(f"{error.what}: {error.why}")


def _task_prefix(task: str | None) -> str:
    """Give the task's id, or its beginning, out of an id or an ARN."""
    found = (task or "").rpartition("/")[2]
    if task is not None and not found.replace("-", "").isalnum():
        raise UsageError(
            f"--task {task!r} is no task id",
            why="an id is 32 letters and digits",
            hint="`schoolctl status` lists the tasks",
        )
    return found


def _read(
    run: Run, place: LogPlace, prefix: str, begin: datetime | None, number: int | None
) -> tuple[ServiceLog, list[LogLine]]:
    """Give the lines that are wanted now, and the log that later ones come from."""
    from schoolctl.aws.logs import ServiceLog

    now = run.clock.now()
    begins = [begin] if begin is not None else [now - span for span in _LOOK_BACK]
    if number is None:
        begins = begins[:1]
    log = ServiceLog(run.clients, place, begins[0], task_prefix=prefix)
    lines = log.new_lines()
    for earlier in begins[1:]:
        if number is None or len(lines) >= number:
            break
        log = ServiceLog(run.clients, place, earlier, task_prefix=prefix)
        lines = log.new_lines()
    return log, lines[-number:] if number is not None else lines


def _tell(run: Run, place: LogPlace, lines: Sequence[LogLine], begin: datetime) -> None:
    from schoolctl.text import local_time

    if run.reporter.json_output:
        run.reporter.result(
            {"log_group": place.group, "lines": [_document(each) for each in lines]}
        )
        return
    if not lines:
        run.reporter.note(
            f"no lines in {place.group} since {local_time(begin)}; look further back with --since"
        )
    _show(run, lines)


def _show(run: Run, lines: Sequence[LogLine]) -> None:
    from schoolctl.plan.logs import short_id

    for line in lines:
        time = line.at.astimezone().strftime("%H:%M:%S")
        colour = _COLOURS[sum(map(ord, line.task_id)) % len(_COLOURS)]
        run.reporter.record(
            _document(line), f"{short_id(line.task_id)} {time} {line.message}", style=colour
        )


def _document(line: LogLine) -> dict[str, object]:
    from schoolctl.plan.logs import moment

    return {"at": moment(line.at), "task": line.task_id, "message": line.message}
