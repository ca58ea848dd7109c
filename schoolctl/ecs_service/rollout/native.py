"""What a service deployment adds to the verdict: ECS's own, where it may be read.

It tells what DescribeServices leaves out: that a rolled back deployment was rolled back, why, and
by which alarm; the stage of a blue/green deployment; that one was stopped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from schoolctl.base.text import local_time
from schoolctl.ecs_service.rollout.verdict import (
    ROLLBACK_WITHIN_SECONDS,
    Completed,
    Failed,
    Gone,
    InProgress,
    RolledBack,
    ScaledToZero,
    Stopped,
    Superseded,
    find,
    still_running,
)
from schoolctl.model.deployments import (
    DeploymentStrategy,
    HookStatus,
    LifecycleStage,
    MonitorStatus,
    ServiceDeploymentStatus,
    enough_running,
    is_watched_on,
)
from schoolctl.model.services import RolloutState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schoolctl.ecs_service.rollout.verdict import History, Verdict
    from schoolctl.model.deployments import LifecycleHook, ServiceDeployment, ServiceDeploymentBrief
    from schoolctl.model.services import Deployment, ServiceState, TaskDefinitionRef

Status, Stage = ServiceDeploymentStatus, LifecycleStage

STATUSES = {
    Status.PENDING: "ECS has not begun yet",
    Status.IN_PROGRESS: "in progress",
    Status.SUCCESSFUL: "successful",
    Status.STOP_REQUESTED: "ECS was asked to stop the deployment",
    Status.STOPPED: "stopped",
    Status.ROLLBACK_REQUESTED: "ECS was asked to go back",
    Status.ROLLBACK_IN_PROGRESS: "ECS is going back",
    Status.ROLLBACK_SUCCESSFUL: "ECS went back",
    Status.ROLLBACK_FAILED: "ECS tried to go back, and failed",
    Status.UNKNOWN: "in a state that this schoolctl does not know",
}
STAGES = {
    Stage.RECONCILE_SERVICE: "ECS first brings the service back to one revision",
    Stage.PRE_SCALE_UP: "the new tasks are about to start",
    Stage.SCALE_UP: "the new tasks are starting; they get no traffic yet",
    Stage.POST_SCALE_UP: "the new tasks run; they get no traffic yet",
    Stage.TEST_TRAFFIC_SHIFT: "test traffic is moving to the new tasks",
    Stage.POST_TEST_TRAFFIC_SHIFT: "the new tasks get the test traffic, the old ones all other",
    Stage.PRODUCTION_TRAFFIC_SHIFT: "production traffic is moving to the new tasks",
    Stage.POST_PRODUCTION_TRAFFIC_SHIFT: "the new tasks get the production traffic",
    Stage.BAKE_TIME: "bake time: both revisions run while ECS watches the new one",
    Stage.CLEAN_UP: "the old tasks are being stopped",
    Stage.UNKNOWN: "at a stage that this schoolctl does not know",
}
HOOKS = {
    HookStatus.AWAITING_ACTION: "waits for somebody to continue it",
    HookStatus.IN_PROGRESS: "is running",
    HookStatus.SUCCEEDED: "succeeded",
    HookStatus.FAILED: "failed",
    HookStatus.TIMED_OUT: "timed out",
    HookStatus.UNKNOWN: "is in a state that this schoolctl does not know",
}
_NEAR = timedelta(minutes=1)
"""How much later ECS may note one and the same beginning in its own record of it."""
_EARLIER = timedelta(seconds=5)
"""How much earlier: the record of a deployment of the same revision before ours is another one."""
_TROUBLE = re.compile(r"fail|circuit|alarm|unable|unhealthy", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """Our service deployment; the revisions are None where they could not be looked up."""

    deployment: ServiceDeployment
    rollback_to: TaskDefinitionRef | None = None


def match(
    started: Deployment, listed: Sequence[ServiceDeploymentBrief]
) -> ServiceDeploymentBrief | None:
    """Give the service deployment that is the record of `started`, or None.

    The two have no id in common: the revision and the time of creation decide.

    Args:
        started: our deployment, as CreateService or UpdateService answered it.
        listed: the newest service deployments, with their task definitions.
    """
    near = [
        each
        for each in listed
        if each.task_definition == started.task_definition
        and -_EARLIER <= each.created_at - started.created_at <= _NEAR
        and (each.finished_at is None or each.finished_at >= started.created_at)
    ]
    return min(near, key=lambda each: abs(each.created_at - started.created_at), default=None)


def weigh(
    verdict: Verdict,
    told: Told | None,
    service: ServiceState | None,
    started: Deployment,
    history: History,
    elapsed_seconds: float,
) -> Verdict:
    """Give the verdict on `started` once ECS's own record of it is heard, too.

    Args:
        verdict: what DescribeServices alone tells.
        told: the record; None where it cannot be read.
        service: the newest DescribeServices answer.
        started: our deployment.
        history: what the answers up to and including this one told.
        elapsed_seconds: the time since the deployment was started.
    """
    if told is None or service is None or isinstance(verdict, Gone):
        return verdict
    return _Weighing(verdict, told, service, started, history, elapsed_seconds).result()


@dataclass(frozen=True)
class _Weighing:
    verdict: Verdict
    told: Told
    service: ServiceState
    started: Deployment
    history: History
    elapsed_seconds: float

    def result(self) -> Verdict:
        status = self.told.deployment.status
        match status:
            case Status.PENDING | Status.IN_PROGRESS | Status.UNKNOWN:
                return self._going_on()
            case Status.STOP_REQUESTED:
                return InProgress(STATUSES[status])
            case Status.SUCCESSFUL:
                return self._successful()
            case Status.ROLLBACK_REQUESTED | Status.ROLLBACK_IN_PROGRESS:
                return RolledBack(self._reason(), self._to(), finished=False)
            case Status.ROLLBACK_SUCCESSFUL:
                return RolledBack(self._reason(), self._to(), finished=True)
            case Status.ROLLBACK_FAILED:
                return Failed(self._reason(), self._others(), rollback_failed=True)
            case Status.STOPPED:
                return self._stopped()
            case _:
                assert_never(status)

    def _going_on(self) -> Verdict:
        rolling = self.told.deployment.strategy is DeploymentStrategy.ROLLING
        if isinstance(self.verdict, Superseded) and self._is_fresh():
            return InProgress("another deployment was started: another rollout, or the way back")
        if rolling and not isinstance(self.verdict, InProgress | Completed):
            return self.verdict
        if isinstance(self.verdict, ScaledToZero):
            return self.verdict
        state = self._state()
        if rolling and isinstance(self.verdict, Completed) and state is RolloutState.COMPLETED:
            # The record may be a moment late; but where ECS goes on to watch, it decides.
            if not is_watched_on(self.service):
                return self.verdict
            return InProgress("all tasks run; ECS watches the deployment on before it decides")
        said = self.verdict.reason if isinstance(self.verdict, InProgress) else ""
        return InProgress(stage(self.told.deployment) or said)

    def _is_fresh(self) -> bool:
        """Say whether the newer deployment is so new that the record may not tell of it yet."""
        since = self.history.replaced_after_seconds
        return since is not None and self.elapsed_seconds - since < ROLLBACK_WITHIN_SECONDS

    def _state(self) -> RolloutState | None:
        ours = find(self.service, self.started)
        return ours.rollout_state if ours is not None else None

    def _successful(self) -> Verdict:
        primary = self.service.primary
        ours = find(self.service, self.started)
        if isinstance(self.verdict, RolledBack) and primary is not None:
            # Somebody deployed the revision before it once more, after ours had completed.
            return Superseded(
                "another deployment was started after this one had completed", primary
            )
        undecided = isinstance(self.verdict, InProgress) and ours is not None
        if not undecided or ours is None or ours.rollout_state is RolloutState.COMPLETED:
            return self.verdict
        if ours.status != "PRIMARY" or ours.running < enough_running(self.service):
            return self.verdict
        return Completed(ours.running, self.service.desired, self.told.deployment.reason)

    def _stopped(self) -> Verdict:
        if isinstance(self.verdict, Superseded | RolledBack):
            return self.verdict
        told, primary = self.told.deployment, self.service.primary
        if self._is_tripped() or isinstance(self.verdict, Failed) or _TROUBLE.search(told.reason):
            return Failed(self._reason(), self._others(), first=not self.history.others)
        if primary is not None and primary.id != self.started.id:
            return Superseded(told.reason or "another deployment was started", primary)
        return Stopped(told.reason or "somebody stopped it", self._others())

    def _is_tripped(self) -> bool:
        told = self.told.deployment
        by_breaker = told.breaker is not None and told.breaker.status is MonitorStatus.TRIGGERED
        return by_breaker or told.alarms is MonitorStatus.TRIGGERED or bool(told.triggered_alarms)

    def _reason(self) -> str:
        """Say why it failed, in ECS's words where it has some."""
        told = self.told.deployment
        alarms = ", ".join(told.triggered_alarms)
        said = self.history.ended or told.rollback_reason or told.reason
        parts = dict.fromkeys(
            (
                said or self.history.failed_reason or self.verdict.reason,
                f"alarm {alarms} went off" if alarms and alarms not in said else "",
            )
        )
        return "; ".join(each.rstrip(".") for each in parts if each) or STATUSES[told.status]

    def _to(self) -> TaskDefinitionRef | None:
        if self.told.rollback_to is not None:
            return self.told.rollback_to
        if isinstance(self.verdict, RolledBack):
            return self.verdict.to
        return self.history.before

    def _others(self) -> tuple[TaskDefinitionRef, ...]:
        return still_running(self.service, self.started.id)


def stage(told: ServiceDeployment) -> str:
    """Say what a deployment is at, and what it waits for; empty for a rolling one in progress."""
    if told.status is not Status.IN_PROGRESS:
        return STATUSES[told.status]
    weight = told.target.production_weight
    shifting = told.stage in {Stage.PRODUCTION_TRAFFIC_SHIFT, Stage.BAKE_TIME}
    parts = [
        STAGES[told.stage] if told.stage is not None else "",
        f"{weight:g} % of it so far" if shifting and weight is not None else "",
        *(_hook(told, each) for each in told.hooks if each.status is not HookStatus.SUCCEEDED),
    ]
    return "; ".join(filter(None, parts))


def _hook(told: ServiceDeployment, hook: LifecycleHook) -> str:
    name = f"hook {hook.target.rpartition(':')[2] or hook.id}"
    text = f"{name} {HOOKS[hook.status]}"
    if hook.status is not HookStatus.AWAITING_ACTION:
        return text
    go_on = (
        f"`aws ecs continue-service-deployment --service-deployment-arn {told.arn}"
        f" --hook-id {hook.id}`"
    )
    return f"{text}: {go_on}{_expiry(hook.expires_at, hook.timeout_action)}"


def _expiry(at: datetime | None, action: str) -> str:
    if at is None:
        return ""
    does = {"CONTINUE": "goes on", "ROLLBACK": "goes back"}.get(action, action or "decides")
    return f"; at {local_time(at)} ECS {does} by itself"


def document(told: Told) -> dict[str, object]:
    """Give ECS's own record for JSON."""
    found = told.deployment
    return {
        "arn": found.arn,
        "status": found.status.value,
        "reason": found.reason,
        "strategy": found.strategy.value,
        "stage": found.stage.value if found.stage else None,
        "failures": found.breaker.failures if found.breaker else None,
        "threshold": found.breaker.threshold if found.breaker else None,
        "alarms": list(found.triggered_alarms),
        "rollback_reason": found.rollback_reason or None,
    }
