"""`schoolctl logs`: what the service's tasks say, as it is or as it comes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.logs import ServiceLog
from schoolctl.base.errors import NotFoundError, UnavailableError, interrupted
from schoolctl.base.text import zoned_time
from schoolctl.core.options import Command, Since, task_prefix
from schoolctl.core.run import Run
from schoolctl.ecs_service.causes.logs import line_time, moment, parse_since
from schoolctl.ecs_service.status.observe import observe_log_places
from schoolctl.model.services import short_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from schoolctl.model.services import LogLine, LogPlace

_POLL_SECONDS = 1.5
_RECENT = timedelta(minutes=10)
_LOOK_BACK = (_RECENT, timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
"""How far to look for the newest lines, step by step: a busy log is long."""
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red")

app = typer.Typer(rich_markup_mode=None)


@app.command("logs", cls=Command)
def logs(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    since: Since = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="ID", help="Only this task; the first digits will do."),
    ] = None,
    container: Annotated[
        list[str] | None,
        typer.Option("--container", metavar="NAME", help="This container; may be repeated."),
    ] = None,
    all_containers: Annotated[
        bool, typer.Option("--all-containers", help="All containers of the tasks.")
    ] = False,
    grep: Annotated[
        str | None,
        typer.Option("--grep", metavar="TEXT", help="Only lines with this text, in any case."),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--lines", "--limit", "-n", metavar="N", min=1, help="Only the newest N."),
    ] = None,
) -> None:
    """Show the log lines of the service's tasks.

    Those of the last ten minutes, of all tasks in the order of time, unless --since or --lines
    says otherwise. With -f and --json, each line is a JSON line.
    """
    run = Run.of(context)
    begin = parse_since(since, run.clock.now()) if since is not None else None
    prefix = task_prefix(task)
    wanted = tuple(container) if container else (run.config.task.container,)
    places = observe_log_places(run.clients, run.config, None if all_containers else wanted)
    run.check_account()
    reading = _Reading(run, places, prefix, (grep or "").casefold(), begin, number)
    if follow:
        try:
            reading.follow()
        except KeyboardInterrupt as stop:
            # That is how it is meant to end: no error, but the exit code of the signal.
            raise typer.Exit(interrupted(stop).exit_code) from None
    else:
        reading.once()


@dataclass(frozen=True)
class _Reading:
    """One call of the command: what is read, and which of it is wanted."""

    run: Run
    places: Sequence[LogPlace]
    prefix: str
    text: str
    begin: datetime | None
    number: int | None

    def once(self) -> None:
        """Show what there is."""
        _, lines = self._newest()
        groups = list(dict.fromkeys(each.group for each in self.places))
        if self.run.reporter.json_output:
            documents = [_document(each) for each in lines]
            self.run.reporter.result(
                {"log_group": groups[0], "log_groups": groups, "lines": documents}
            )
            return
        if not self._show(lines):
            self._say_none()

    def follow(self) -> None:
        """Show what there is, then what comes, whatever happens to AWS; ended by Ctrl-C."""
        log, lines = self._newest()
        begun = away = False
        while True:
            try:
                self._show(lines)
            except (UnavailableError, NotFoundError) as error:
                if isinstance(error, NotFoundError) and not begun:
                    raise
                # Nothing is lost by waiting, even where the log group is made anew.
                if not away:
                    self.run.reporter.note(f"{error.what}, trying again: {error.why}")
                away = True
            else:
                if away:
                    self.run.reporter.note("CloudWatch Logs answers again")
                begun, away = True, False
            self.run.clock.sleep(_POLL_SECONDS)
            lines = self._wanted(log)

    def _newest(self) -> tuple[ServiceLog, Iterable[LogLine]]:
        """Give the lines that are wanted now, and the log that later ones come from."""
        now = self.run.clock.now()
        if self.number is None:
            log = self._open(self.begin or now - _RECENT)
            return log, self._wanted(log)
        begins = [now - each for each in _LOOK_BACK] if self.begin is None else [self.begin]
        return self._last(self.number, begins)

    def _last(
        self, number: int, begins: Sequence[datetime]
    ) -> tuple[ServiceLog, Iterable[LogLine]]:
        """Give the newest `number` lines, looked for from one beginning after the other."""
        log = self._open(begins[0])
        lines = deque(self._wanted(log), maxlen=number)
        if len(lines) < number and begins[1:]:
            return self._last(number, begins[1:])
        return log, lines

    def _open(self, begin: datetime) -> ServiceLog:
        return ServiceLog(self.run.clients, self.places, begin, task_prefix=self.prefix)

    def _wanted(self, log: ServiceLog) -> Iterable[LogLine]:
        return (each for each in log.new_lines() if self.text in each.message.casefold())

    def _show(self, lines: Iterable[LogLine]) -> bool:
        """Show lines as they are read; says whether there was any."""
        several = len({each.container for each in self.places}) > 1
        shown = False
        for line in lines:
            shown = True
            source = short_id(line.task_id) + (f"/{line.container}" if several else "")
            time = line_time(line.at, self.run.clock.now())
            colour = _COLOURS[sum(map(ord, line.task_id)) % len(_COLOURS)]
            self.run.reporter.record(
                _document(line), f"{source} {time} {line.message}", style=colour
            )
        return shown

    def _say_none(self) -> None:
        back = _LOOK_BACK[-1] if self.number is not None else _RECENT
        begin = self.begin or self.run.clock.now() - back
        where = ", ".join(f"{each.group} ({each.stream(self.prefix)}*)" for each in self.places)
        what = "no line with that text" if self.text else "no lines"
        self.run.reporter.note(
            f"{what} in {where} since {zoned_time(begin)}; look further back with --since, or"
            " at the tasks with `schoolctl tasks --all`"
        )


def _document(line: LogLine) -> dict[str, object]:
    return {
        "at": moment(line.at),
        "task": line.task_id,
        "container": line.container,
        "message": line.message,
    }
