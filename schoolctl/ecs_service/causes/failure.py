"""The diagnosis of stopped tasks, events and targets, and the report on a failed rollout. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from schoolctl.base.text import count, iso
from schoolctl.ecs_service.causes.log_reasons import SAID
from schoolctl.ecs_service.causes.logs import moment
from schoolctl.ecs_service.causes.reasons import (
    EXITS,
    TARGETS,
    UNPLACED,
    Diagnosis,
    first,
    matching,
)
from schoolctl.ecs_service.causes.stop_reasons import STOPPED
from schoolctl.model.services import short_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.model.services import ContainerState, Deployment, LogLine, ServiceEvent, Task
    from schoolctl.model.surroundings import TargetHealth

LOG_LINES = 10
"""How many of a task's last lines are shown."""
_EVENTS = 5
_TASKS = 10
# The clocks of a task and of its deployment are ECS's own, but not one and the same.
_SLACK = timedelta(seconds=2)
_UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)
_KILLED = 137
_SIGNALS = 128
"""A shell reports the end by signal N as exit code 128 + N."""


@dataclass(frozen=True)
class FailureReport:
    """What is known of a deployment that did not complete, or of one task.

    `stopped` are tasks of that deployment alone, newest first; `log` are the last lines of the
    first of them, None where they could not be read; `unread` says what was not looked at, and why.
    Where no task has stopped, the lines may be those of one that runs: `log_of`.
    """

    container: str
    stopped: tuple[Task, ...] = ()
    log: tuple[LogLine, ...] | None = ()
    events: tuple[ServiceEvent, ...] = ()
    targets: tuple[TargetHealth, ...] = ()
    unread: tuple[str, ...] = ()
    log_of: Task | None = None

    @property
    def speaker(self) -> Task | None:
        """The task whose lines `log` has."""
        return self.log_of or (self.stopped[0] if self.stopped else None)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The likeliest cause: of a stopped task, else of an event, else of a target.

        A task that was replaced in passing is the cause only where nothing else tells of one.
        """
        said = [each.message for each in self.log or ()]
        stopped = (
            diagnose(self.stopped[0], container=self.container, log=said) if self.stopped else None
        )
        if stopped is not None and stopped.trouble:
            return stopped
        found = (
            *(diagnose_event(each.message) for each in self.events),
            *(each for each in map(_of_target, self.targets) if each.trouble),
        )
        return next((each for each in found if each is not None), stopped)

    def lines(self, *, cause: bool = True) -> tuple[str, ...]:
        """Give the report for people; the cause may stand elsewhere."""
        found = self.diagnosis
        return (
            *self._task_lines(),
            *((f"cause: {found.cause}",) if cause and found is not None else ()),
            *self._log_lines(),
            *self._event_lines(),
            *self._target_lines(),
            *(f"not looked at: {each}" for each in self.unread),
        )

    def document(self) -> dict[str, object]:
        """Give the report for JSON."""
        found = self.diagnosis
        return {
            "cause": found.cause if found else None,
            "fix": found.fix if found else None,
            "stopped": len(self.stopped),
            "stopped_tasks": [self._task_document(each) for each in self.stopped[:_TASKS]],
            "log": [{"at": moment(each.at), "message": each.message} for each in self.log or ()],
            "log_task": self.speaker.id if self.log and self.speaker else None,
            "events": [{"at": iso(each.at), "message": each.message} for each in self.events],
            "targets": [
                {
                    "target_group": each.target_group,
                    "address": each.address,
                    "port": each.port,
                    "state": each.state,
                    "reason": each.reason,
                    "description": each.description,
                    "cause": _of_target(each).cause,
                }
                for each in self.targets
            ],
            "not_looked_at": list(self.unread),
        }

    def _task_lines(self) -> list[str]:
        if not self.stopped:
            return [] if self.unread else ["none of its tasks has stopped"]
        revision, number = self.stopped[0].task_definition, len(self.stopped)
        kinds = Counter(_outcome(each, self.container) for each in self.stopped)
        lines = [f"{count(number, 'task')} of {revision} stopped:"]
        lines += [f"  {times} x {kind}" for kind, times in kinds.items()]
        return lines

    def _log_lines(self) -> list[str]:
        if self.speaker is None or self.log is None:
            return []
        task = short_id(self.speaker.id)
        if not self.log:
            return [f"task {task} wrote no log line"]
        return [
            f"last log lines of task {task}:",
            *(f"  | {each.message}" for each in self.log),
        ]

    def _event_lines(self) -> list[str]:
        if not self.events:
            return []
        return ["events of the service:", *(f"  {each.message}" for each in self.events)]

    def _target_lines(self) -> list[str]:
        return [
            f"target {each.address}:{each.port} of {each.target_group} is {each.state}:"
            f" {_of_target(each).cause}"
            for each in self.targets
            if _of_target(each).trouble
        ]

    def _task_document(self, task: Task) -> dict[str, object]:
        guilty = culprit(task, self.container)
        found = diagnose(task, container=self.container)
        return {
            "id": task.id,
            "stop_code": task.stop_code,
            "reason": task.stopped_reason,
            "container": guilty.name if guilty else None,
            "container_reason": guilty.reason if guilty else None,
            "exit_code": guilty.exit_code if guilty else None,
            "started_at": iso(task.started_at),
            "stopped_at": iso(task.stopped_at),
            "cause": found.cause,
            "fix": found.fix,
        }


def tasks_of(
    deployment: Deployment, tasks: Sequence[Task], *, settled: bool = False
) -> tuple[Task, ...]:
    """Give the tasks of one deployment that tell of trouble, newest first.

    ECS writes the deployment's id into `startedBy`; where another name stands there, or the id is
    not known, the revision and the time decide. Tasks that the rollout replaced in passing, or that
    somebody stopped, are left out, unless there are no others.

    Args:
        deployment: whose tasks.
        tasks: of its service, in any order.
        settled: whether it completed, and all tasks run: whatever was stopped by hand or by a
            smaller count is then no trouble any more.
    """
    ours = [each for each in tasks if is_of(deployment, each)]
    ours.sort(key=_age_key, reverse=True)
    trouble = tuple(each for each in ours if diagnose(each).trouble)
    by_itself = tuple(each for each in trouble if each.stop_code != "UserInitiated")
    if settled:
        return by_itself
    return by_itself or trouble or tuple(ours)


def events_since(
    deployment: Deployment, events: Sequence[ServiceEvent]
) -> tuple[ServiceEvent, ...]:
    """Give the newest events since a deployment began, those that mean trouble first in line."""
    since = [each for each in events if each.at >= deployment.created_at]
    trouble = [each for each in since if diagnose_event(each.message) is not None]
    return tuple((trouble or since)[:_EVENTS])


def is_of(deployment: Deployment, task: Task) -> bool:
    """Say whether a task was started by a deployment."""
    if deployment.id and task.started_by.startswith("ecs-svc/"):
        return task.started_by == deployment.id
    return (
        task.task_definition == deployment.task_definition
        and task.created_at is not None
        and task.created_at >= deployment.created_at - _SLACK
    )


def _age_key(task: Task) -> datetime:
    return task.stopped_at or task.created_at or _UNKNOWN_TIME


def _outcome(task: Task, container: str) -> str:
    """Say in one line how a task ended."""
    guilty = culprit(task, container)
    parts = [": ".join(filter(None, (task.stop_code, task.stopped_reason)))]
    if guilty is not None and guilty.exit_code is not None:
        parts.append(f"container {guilty.name} ended with exit code {guilty.exit_code}")
    if guilty is not None and guilty.reason:
        parts.append(guilty.reason)
    return "; ".join(filter(None, parts)) or "stopped without a reason"


def _of_target(target: TargetHealth) -> Diagnosis:
    return diagnose_target(target.reason, target.description)


# The diagnosis


def diagnose(task: Task, *, container: str = "", log: Sequence[str] = ()) -> Diagnosis:
    """Say why a stopped task stopped.

    Args:
        task: a task that has stopped.
        container: the container that matters most; another that failed is found, too.
        log: the last lines of that container, oldest first; they may tell more than ECS.

    Source: ECS API, Task.stopCode, Task.stoppedReason, Container.reason, Container.exitCode.
    """
    guilty = culprit(task, container)
    said = "" if is_vague(task) else task.stopped_reason
    reason = " ".join(filter(None, (said, guilty.reason if guilty else "")))
    exit_code = guilty.exit_code if guilty else None
    if task.stop_code == "UserInitiated":
        who = f": {task.stopped_reason}" if task.stopped_reason else ""
        return Diagnosis(f"somebody stopped the task{who}", "start it again, or deploy again")
    rule = matching(STOPPED, f"{task.stop_code} {reason}")
    if rule is not None:
        nearer = first(SAID, "\n".join(log)) if rule.vague else None
        return nearer or rule.diagnosis()
    if task.stop_code == "ServiceSchedulerInitiated":
        return _replaced(exit_code)
    if exit_code is not None:
        return _by_exit(exit_code, log)
    return Diagnosis(
        reason or task.stop_code or "ECS gives no reason",
        "look at the log: `schoolctl logs`",
        known=False,
    )


def culprit(task: Task, container: str = "") -> ContainerState | None:
    """Give the container whose end explains the task's: one that failed, the named one first."""
    ordered = sorted(task.containers, key=lambda each: each.name != container)
    # Python's sort is stable, so the named container stays first among its equals.
    ordered.sort(key=lambda each: (not each.exit_code, not each.reason, each.exit_code is None))
    return ordered[0] if ordered else None


def diagnose_event(message: str) -> Diagnosis | None:
    """Say what a service event means, or None where it means no trouble."""
    return first(UNPLACED, message)


def diagnose_target(reason_code: str, description: str = "") -> Diagnosis:
    """Say why the load balancer finds a target unhealthy. Source: ELBv2 TargetHealth.Reason."""
    known = TARGETS.get(reason_code)
    if known is not None:
        return Diagnosis(*known, trouble=bool(known[1]))
    waiting = reason_code.startswith(("Elb.", "Target.Deregistration")) or not reason_code
    return Diagnosis(description or reason_code or "healthy", "", trouble=not waiting, known=False)


def is_vague(task: Task) -> bool:
    """Say whether ECS's reason only tells that a container ended: its exit code tells more."""
    return "essential container" in task.stopped_reason.lower()


def _replaced(exit_code: int | None) -> Diagnosis:
    if exit_code == _KILLED:
        return Diagnosis(
            "ECS replaced the task, and killed it as it had not stopped in time",
            "let the process end on SIGTERM, or raise `task.stop_timeout`",
            trouble=False,
        )
    return Diagnosis("ECS replaced the task: a part of every rollout", "", trouble=False)


def _by_exit(exit_code: int, log: Sequence[str]) -> Diagnosis:
    said = first(SAID, "\n".join(log))
    if said is not None and exit_code:
        return said
    known = EXITS.get(exit_code)
    if known is not None:
        return Diagnosis(*known)
    if exit_code > _SIGNALS:
        return Diagnosis(
            f"the process was ended by signal {exit_code - _SIGNALS}", "look at the last log lines"
        )
    return Diagnosis(
        f"the process ended with exit code {exit_code}",
        "the last log lines tell why; most often a setting or the database is missing",
    )
