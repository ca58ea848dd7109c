"""ECS's own record of a rollout (a service deployment), and what it says. Pure.

It tells what DescribeServices leaves out: that a rolled back deployment was rolled back, why, and
by which alarm; the stage of a blue/green deployment; that one was stopped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from schoolctl.base.text import local_time
from schoolctl.model.deployments import (
    HookStatus,
    LifecycleStage,
    MonitorStatus,
    ServiceDeploymentStatus,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schoolctl.model.deployments import LifecycleHook, ServiceDeployment, ServiceDeploymentBrief
    from schoolctl.model.services import Deployment, TaskDefinitionRef

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
    """Return the service deployment that is the record of `started`, or None.

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


def is_stopped_by_trouble(told: ServiceDeployment) -> bool:
    """Return whether ECS, and not a person, stopped a deployment: breaker, alarms, or its words."""
    by_breaker = told.breaker is not None and told.breaker.status is MonitorStatus.TRIGGERED
    by_alarm = told.alarms is MonitorStatus.TRIGGERED or bool(told.triggered_alarms)
    return by_breaker or by_alarm or _TROUBLE.search(told.reason) is not None


def failure_reason(told: ServiceDeployment, *, ended: str, otherwise: str) -> str:
    """Return why a deployment failed, in ECS's words where it has some.

    Args:
        told: the deployment.
        ended: why this run itself ended it, which takes precedence; empty where it did not.
        otherwise: the reason that other answers gave.
    """
    alarms = ", ".join(told.triggered_alarms)
    said = ended or told.rollback_reason or told.reason
    alarm = f"alarm {alarms} went off" if alarms and alarms not in said else ""
    parts = dict.fromkeys((said or otherwise, alarm))
    return "; ".join(each.rstrip(".") for each in parts if each) or STATUSES[told.status]


def stage(told: ServiceDeployment) -> str:
    """Return the stage of a deployment and what it waits for; empty for a rolling one."""
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
    """Return ECS's own record for JSON."""
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
