"""The handlers that run a one-off task and open a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from schoolctl.aws.ecs.services import describe_revision
from schoolctl.aws.ecs.tasks import describe_task, list_started, start_task, stop_task
from schoolctl.aws.logs import TaskLog
from schoolctl.base.errors import (
    AccessDeniedError,
    BusyError,
    ExitCode,
    NotFoundError,
    RolloutError,
    SchoolctlError,
    TimedOutError,
    UnavailableError,
    interrupted,
)
from schoolctl.base.text import duration
from schoolctl.core.executor import until_visible
from schoolctl.ecs_service.causes.failure import LOG_LINES, diagnose
from schoolctl.ecs_service.causes.logs import container_names, log_place, moment
from schoolctl.ecs_service.run.session import run_session
from schoolctl.ecs_service.steps.tasks import OpenSession, RunTask
from schoolctl.model.services import short_id

if TYPE_CHECKING:
    from schoolctl.base.errors import InterruptedRunError
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.ecs_service.causes.reasons import Diagnosis
    from schoolctl.ecs_service.steps.tasks import AnyTaskStep
    from schoolctl.model.services import LogLine, LogPlace, Revision, Task, TaskDefinitionRef

_POLL_SECONDS = 1.0
# Lines are written before the task is told of as STOPPED, but CloudWatch may show them later.
_QUIET_SECONDS = 2.0
_DRAIN_SECONDS = 10.0
_VISIBLE_WITHIN_SECONDS = 30.0


def run_task(step: RunTask, tools: Tools, outcome: Outcome) -> str:
    """Run the step's command as a one-off task until it ends; `outcome.exit_code` is its code.

    Returns:
        Such as `exit code 0 after 3 s`.

    Raises:
        RolloutError: the step must succeed and did not, or never ran.
        SchoolctlError: it never ran (exit code 125).
        TimedOutError: it was stopped at the step's limit, and need not succeed.
        InterruptedRunError: it was stopped by Ctrl-C.
    """
    ref = outcome.revision(step.task_definition)
    try:
        place = log_place(_revision(ref, step, tools).definition, step.container)
        if step.alone:
            _wait_for_earlier(step, tools, ref.family)
        task = until_visible(
            tools,
            lambda: start_task(
                tools.clients,
                cluster=step.cluster,
                task_definition=ref,
                container=step.container,
                command=step.command,
                request={
                    "networkConfiguration": step.network,
                    "startedBy": _origin(step),
                    **step.launch,
                },
            ),
        )
    except SchoolctlError as error:
        raise _never_began(step, error) from error
    return _OneOff(step, tools, outcome, task, place).follow()


def _revision(ref: TaskDefinitionRef, step: RunTask, tools: Tools) -> Revision:
    found = describe_revision(tools.clients, ref)
    if found is None:
        raise NotFoundError(f"there is no revision {ref}", hint="run `schoolctl taskdef list`")
    names = container_names(found.definition)
    if step.container not in names:
        # Some of what speaks this API would run the image's own command instead.
        raise NotFoundError(
            f"{ref} has no container {step.container}",
            why=f"its containers are {', '.join(names)}",
            hint="correct `task.container` in schoolctl.yaml",
        )
    return found


def _origin(step: RunTask) -> str:
    """Give what ECS notes as a task's origin; one that must be alone is found again by it."""
    return f"schoolctl/{step.purpose.replace(' ', '-')}" if step.alone else "schoolctl"


def _wait_for_earlier(step: RunTask, tools: Tools, family: str) -> None:
    """Wait for a task of this purpose that an earlier run left: two at once may do harm.

    Raises:
        BusyError: it did not end within the step's limit.
    """
    give_up_at = tools.clock.monotonic() + step.timeout_seconds
    told = False
    while True:
        try:
            going = list_started(tools.clients, step.cluster, _origin(step), family)
        except AccessDeniedError as error:
            tools.reporter.warn(
                f"whether a {step.purpose} of an earlier run still goes on was not verified:"
                f" {error.action or 'the read'} is denied"
            )
            return
        if not going:
            return
        name = f"task {short_id(going[0].id)} of {going[0].task_definition}"
        if tools.clock.monotonic() >= give_up_at:
            raise BusyError(
                f"a {step.purpose} of an earlier run is still going on: {name}",
                why=f"it did not end within {duration(step.timeout_seconds)}",
                hint=f"`schoolctl logs --task {short_id(going[0].id)}` shows what it does;"
                f" `aws ecs stop-task --cluster {step.cluster} --task {going[0].id}` ends it",
            )
        if not told:
            tools.reporter.note(f"waiting for the {step.purpose} of an earlier run: {name}")
        told = True
        tools.clock.sleep(_POLL_SECONDS)


def _never_began(step: RunTask, error: SchoolctlError) -> SchoolctlError:
    if error.exit_code not in {ExitCode.FAILED, ExitCode.NEVER_RAN}:
        return error
    if step.must_succeed:
        # A call that was not answered may have started it all the same.
        unknown = isinstance(error, UnavailableError)
        runs = "is not known to run" if unknown else "did not run"
        return RolloutError(
            f"the {step.purpose} {runs}: {error.what}", why=error.why, hint=error.hint
        )
    error.exit_code = ExitCode.NEVER_RAN
    return error


class _OneOff:
    """One task that was started, and its log so far."""

    def __init__(
        self, step: RunTask, tools: Tools, outcome: Outcome, task: Task, place: LogPlace | None
    ) -> None:
        self._step = step
        self._tools = tools
        self._outcome = outcome
        self._task = task
        self._log = TaskLog(tools.clients, place, task.id) if place else None
        self._lines: list[LogLine] = []
        self._begun = tools.clock.monotonic()
        self._seconds: float | None = None
        tools.reporter.note(f"task {short_id(task.id)} of {task.task_definition} started")
        if place is None:
            tools.reporter.warn(
                f"container {step.container} does not log to CloudWatch: its output is not shown"
            )

    @property
    def _elapsed(self) -> float:
        """Seconds since the start; once the task has stopped, until then."""
        if self._seconds is not None:
            return self._seconds
        return self._tools.clock.monotonic() - self._begun

    def follow(self) -> str:
        """Wait for the end, and say or raise what it was."""
        try:
            self._until_stopped()
            self._seconds = self._elapsed
            self._drain()
        except KeyboardInterrupt as stop:
            raise self._interrupted(stop) from None
        return self._conclude()

    def _until_stopped(self) -> None:
        seen = False
        while self._task.last_status != "STOPPED":
            found = self._look()
            if found is not None:
                self._task, seen = found, True
            elif not seen and self._elapsed > _VISIBLE_WITHIN_SECONDS:
                raise NotFoundError(f"ECS no longer knows task {short_id(self._task.id)}")
            self._read_log()
            if self._task.last_status == "STOPPED":
                return
            if self._elapsed >= self._step.timeout_seconds:
                self._time_out()
            self._tools.clock.sleep(_POLL_SECONDS)

    def _look(self) -> Task | None:
        try:
            return describe_task(self._tools.clients, self._step.cluster, self._task.arn)
        except UnavailableError as error:
            self._tools.reporter.detail(f"{error.what}: {error.why}")
            return self._task
        except SchoolctlError as error:
            task = short_id(self._task.id)
            goes_on = f"task {task} goes on: `schoolctl logs --task {task}` shows what it does"
            error.hint = "\n".join(filter(None, (error.hint, goes_on)))
            raise

    def _time_out(self) -> None:
        limit = duration(self._step.timeout_seconds)
        self._stop(f"longer than {limit}")
        self._read_log()
        self._report(None)
        what = f"the {self._step.purpose} took longer than {limit}, and is being stopped"
        error: SchoolctlError = TimedOutError(what, hint="give it more time with --timeout")
        if self._step.must_succeed:
            error = RolloutError(
                f"{what}; the service was left as it was",
                hint="give it more time: `service.release_timeout` in schoolctl.yaml, in seconds",
            )
        error.details = self._last_lines()
        raise error

    def _interrupted(self, stop: KeyboardInterrupt) -> InterruptedRunError:
        """Stop the task, and say what becomes of it: half a migration is worth knowing of."""
        task = short_id(self._task.id)
        self._tools.reporter.note(f"stopping task {task}")
        stopped = self._stop("schoolctl was interrupted")
        return interrupted(
            stop,
            why=f"it came while this was going on: {self._step.describe()}",
            hint=f"task {task} {'is being stopped' if stopped else 'goes on'}",
        )

    def _stop(self, reason: str) -> bool:
        """Ask ECS to stop the task; says whether ECS agreed."""
        try:
            stop_task(self._tools.clients, self._step.cluster, self._task.arn, reason)
        except SchoolctlError as error:
            self._tools.reporter.warn(
                f"task {short_id(self._task.id)} could not be stopped and goes on: {error.why}"
            )
            return False
        return True

    def _drain(self) -> None:
        """Wait a short, limited time for the log's last lines."""
        if self._container_exit() is None:
            return
        begun = quiet_since = self._tools.clock.monotonic()
        while self._log is not None:
            now = self._tools.clock.monotonic()
            if now - quiet_since >= _QUIET_SECONDS or now - begun >= _DRAIN_SECONDS:
                return
            self._tools.clock.sleep(_QUIET_SECONDS / 4)
            if self._read_log():
                quiet_since = self._tools.clock.monotonic()

    def _read_log(self) -> bool:
        """Show the lines that have arrived; says whether there were any."""
        if self._log is None:
            return False
        try:
            arrived = self._log.new_lines()
        except UnavailableError as error:
            self._tools.reporter.detail(f"{error.what}: {error.why}")
            return False
        except SchoolctlError as error:
            # What the task does matters more than what it says: it goes on.
            self._tools.reporter.warn(f"{error.what}: {error.why}")
            self._log = None
            return False
        for line in arrived:
            self._show(line)
        self._lines.extend(arrived)
        return bool(arrived)

    def _show(self, line: LogLine) -> None:
        reporter = self._tools.reporter
        if not self._step.log_is_result:
            reporter.note(f"  | {line.message}")
        elif not reporter.json_output:
            reporter.record({}, line.message)

    def _container_exit(self) -> int | None:
        return next(
            (each.exit_code for each in self._task.containers if each.name == self._step.container),
            None,
        )

    def _conclude(self) -> str:
        exit_code = self._container_exit()
        found = diagnose(
            self._task,
            container=self._step.container,
            log=[each.message for each in self._lines[-LOG_LINES:]],
        )
        self._report(exit_code)
        if exit_code is None:
            raise self._never_ran(found)
        self._outcome.exit_code = exit_code
        if exit_code and self._step.must_succeed:
            raise self._failed(exit_code, found)
        return f"exit code {exit_code} after {duration(self._elapsed)}"

    def _report(self, exit_code: int | None) -> None:
        told = {
            "task": self._task.id,
            "revision": str(self._task.task_definition),
            "exit_code": exit_code,
            "stopped_reason": self._task.stopped_reason,
            "seconds": round(self._elapsed, 1),
            "lines": [{"at": moment(each.at), "message": each.message} for each in self._lines],
        }
        key = self._step.purpose.replace(" ", "_")
        self._tools.reporter.result(told if self._step.log_is_result else {key: told})

    def _never_ran(self, found: Diagnosis) -> SchoolctlError:
        why = ": ".join(filter(None, (self._task.stop_code, self._task.stopped_reason)))
        what = f"the {self._step.purpose} never ran: {found.cause}"
        if self._step.must_succeed:
            return RolloutError(what, why=why, hint=found.fix)
        return SchoolctlError(what, why=why, hint=found.fix, exit_code=ExitCode.NEVER_RAN)

    def _failed(self, exit_code: int, found: Diagnosis) -> RolloutError:
        error = RolloutError(
            f"the {self._step.purpose} failed with exit code {exit_code};"
            " the service was left as it was",
            why=found.cause,
            hint=found.fix,
        )
        error.details = self._last_lines()
        return error

    def _last_lines(self) -> tuple[str, ...]:
        if not self._lines:
            return (f"task {short_id(self._task.id)} wrote no log line",)
        return (
            f"last log lines of task {short_id(self._task.id)}:",
            *(f"  | {each.message}" for each in self._lines[-LOG_LINES:]),
        )


def apply(step: AnyTaskStep, tools: Tools, outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case RunTask():
            return run_task(step, tools, outcome)
        case OpenSession():
            return run_session(step, tools, outcome)
        case _:
            assert_never(step)
