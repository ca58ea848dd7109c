"""`why`: which deployment or task is in question, and what there is to say of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import NotFoundError, UsageError
from schoolctl.base.text import ago, count, iso, zoned_time
from schoolctl.ecs_service.define.service_request import NOTHING_RUNS
from schoolctl.model.deployments import ServiceDeploymentStatus
from schoolctl.model.services import Deployment, RolloutState, short_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schoolctl.ecs_service.causes.failure import FailureReport
    from schoolctl.ecs_service.causes.reasons import Diagnosis
    from schoolctl.model.deployments import ServiceDeploymentBrief
    from schoolctl.model.services import ServiceState, Task

_WENT_BACK = {
    ServiceDeploymentStatus.ROLLBACK_SUCCESSFUL,
    ServiceDeploymentStatus.ROLLBACK_FAILED,
}


def rolled_back(service: ServiceState, newest: ServiceDeploymentBrief | None) -> Deployment | None:
    """Give the newest deployment where ECS recorded that it failed, and lists it no more.

    Once a service is back at its old revision, DescribeServices tells only of that. The id that
    the tasks know it by is not in the record: it stays empty.
    """
    if newest is None or newest.task_definition is None or newest.status not in _WENT_BACK:
        return None
    if any(each.task_definition == newest.task_definition for each in service.deployments):
        return None
    ended = newest.finished_at or newest.created_at
    return Deployment(
        id="",
        status="INACTIVE",
        task_definition=newest.task_definition,
        rollout_state=RolloutState.FAILED,
        rollout_reason=newest.reason,
        desired=service.desired,
        running=0,
        pending=0,
        failed=0,
        created_at=newest.created_at,
        updated_at=ended,
    )


def task_in_question(tasks: Sequence[Task], wanted: str, service: str) -> Task:
    """Give the task whose id begins with `wanted`.

    Raises:
        NotFoundError: there is none.
        UsageError: there are several.
    """
    found = [each for each in tasks if each.id.startswith(wanted)]
    if not found:
        raise NotFoundError(
            f"service {service} has no task {wanted}",
            why="ECS tells of a stopped task for about an hour",
            hint="`schoolctl tasks --all` lists those that it knows",
        )
    if len(found) > 1:
        raise UsageError(
            f"{count(len(found), 'task')} begin with {wanted}",
            why=", ".join(each.id for each in found),
            hint="give more digits",
        )
    return found[0]


@dataclass(frozen=True)
class Why:
    """What is wrong with a service, or with one task of it; `subject` is that task."""

    service: ServiceState
    deployment: Deployment | None
    subject: Task | None
    report: FailureReport

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The cause and the fix; None where nothing is wrong."""
        found = self.report.diagnosis
        return found if found is not None and found.trouble else None

    @property
    def trouble(self) -> bool:
        """Whether anything is wrong."""
        if self.subject is not None:
            return self._stopped and self.diagnosis is not None
        if self.deployment is None:
            return False
        short = self.service.running < self.service.desired
        return self._failed or self.diagnosis is not None or (short and not self._moving)

    @property
    def _failed(self) -> bool:
        deployment = self.deployment
        return deployment is not None and deployment.rollout_state is RolloutState.FAILED

    @property
    def _stopped(self) -> bool:
        return self.subject is not None and self.subject.last_status == "STOPPED"

    @property
    def _moving(self) -> bool:
        deployment = self.deployment
        return deployment is not None and deployment.rollout_state is RolloutState.IN_PROGRESS

    def summary(self, now: datetime) -> str:
        """Say in one line how things stand."""
        if self.subject is not None:
            return self._of_task(self.subject, now)
        if self.deployment is None:
            raise AssertionError("either a task or a deployment is in question")
        return self._of_deployment(self.deployment, now)

    def lines(self, now: datetime) -> list[str]:
        """Give all of it for people: how things stand, the fix, the cause, and what shows it."""
        lines = [self.summary(now)]
        if not self.trouble:
            alone = self.subject is not None
            return [*lines, *(self.report.lines(cause=False) if alone else self._unread())]
        found = self.diagnosis
        if found is not None:
            lines += [f"fix:   {found.fix}"] if found.fix else []
            lines.append(f"cause: {found.cause}")
        reason = self.deployment.rollout_reason if self.deployment else ""
        if reason and self._failed:
            lines.append(f"ECS:   {reason}")
        return [*lines, "", *self.report.lines(cause=False)]

    def document(self, now: datetime) -> dict[str, object]:
        """Give everything for JSON."""
        deployment = self.deployment
        return {
            "service": self.service.name,
            "cluster": self.service.cluster,
            "trouble": self.trouble,
            "summary": self.summary(now),
            "desired": self.service.desired,
            "running": self.service.running,
            "task": self.subject.id if self.subject else None,
            "deployment_id": (deployment.id or None) if deployment else None,
            "revision": str(
                self.subject.task_definition
                if self.subject
                else deployment.task_definition
                if deployment
                else self.service.task_definition
            ),
            "rollout_state": str(deployment.rollout_state)
            if deployment and deployment.rollout_state
            else None,
            "rollout_reason": deployment.rollout_reason if deployment else None,
            "begun_at": iso(deployment.created_at) if deployment else None,
            **self.report.document(),
        }

    def _unread(self) -> list[str]:
        return [f"not looked at: {each}" for each in self.report.unread]

    def _of_task(self, task: Task, now: datetime) -> str:
        name = f"task {short_id(task.id)} of {task.task_definition}"
        if self._stopped:
            when = f" {ago(task.stopped_at, now)}" if task.stopped_at else ""
            return f"{name} stopped{when}"
        since = f" since {zoned_time(task.started_at)}" if task.started_at else ""
        health = f", health {task.health.lower()}" if task.health else ""
        return f"{name} is {task.last_status.lower()}{since}{health}"

    def _of_deployment(self, deployment: Deployment, now: datetime) -> str:
        service = self.service
        name = f"{service.cluster}/{service.name}"
        rollout = f"{name}: the rollout of {deployment.task_definition}"
        counts = f"{service.running} of {count(service.desired, 'task')} running"
        match deployment.rollout_state:
            case RolloutState.FAILED:
                return f"{rollout} failed{self._afterwards(deployment)}"
            case RolloutState.IN_PROGRESS:
                failed = f", {count(deployment.failed, 'task')} failed" if deployment.failed else ""
                fine = "" if self.trouble else "; nothing is wrong so far"
                return (
                    f"{rollout} began {ago(deployment.created_at, now)} and goes on:"
                    f" {deployment.running} of {deployment.desired} running{failed}{fine}"
                )
            case _:
                if service.desired == 0:
                    return f"{name}: {NOTHING_RUNS}"
                fine = "" if self.trouble else "nothing is wrong: "
                since = f"{zoned_time(deployment.updated_at)} ({ago(deployment.updated_at, now)})"
                return f"{name}: {fine}{deployment.task_definition} runs, {counts}, since {since}"

    def _afterwards(self, failed: Deployment) -> str:
        primary = self.service.primary
        if primary is None or primary.id == failed.id:
            return ""
        done = "was" if primary.rollout_state is RolloutState.COMPLETED else "is being"
        return f" and {done} rolled back to {primary.task_definition}"
