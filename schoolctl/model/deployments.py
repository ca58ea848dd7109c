"""ECS service deployments, and what a service's deployment configuration says.

DescribeServices tells of the deployments that still have tasks; these are told of for 90 days, by
an operation of their own that not every account may call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from schoolctl.model.services import ServiceState, TaskDefinitionRef

_FEWEST_FAILURES, _MOST_FAILURES = 3, 200
_HALF, _WHOLE = 50, 100


class _Open(StrEnum):
    """A closed set that AWS may open one day: a value that is not known yet is UNKNOWN."""

    @classmethod
    def _missing_(cls, value: object) -> _Open:
        del value
        return cls("UNKNOWN")


class ServiceDeploymentStatus(_Open):
    """`status` of a service deployment, as ECS spells it."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESSFUL = "SUCCESSFUL"
    STOP_REQUESTED = "STOP_REQUESTED"
    STOPPED = "STOPPED"
    ROLLBACK_REQUESTED = "ROLLBACK_REQUESTED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_SUCCESSFUL = "ROLLBACK_SUCCESSFUL"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_decided(self) -> bool:
        """Whether nothing more will become of it."""
        return self in _DECIDED


_DECIDED = {
    ServiceDeploymentStatus.SUCCESSFUL,
    ServiceDeploymentStatus.STOPPED,
    ServiceDeploymentStatus.ROLLBACK_SUCCESSFUL,
    ServiceDeploymentStatus.ROLLBACK_FAILED,
}


class LifecycleStage(_Open):
    """`lifecycleStage` of a service deployment; a rolling one has none."""

    RECONCILE_SERVICE = "RECONCILE_SERVICE"
    PRE_SCALE_UP = "PRE_SCALE_UP"
    SCALE_UP = "SCALE_UP"
    POST_SCALE_UP = "POST_SCALE_UP"
    TEST_TRAFFIC_SHIFT = "TEST_TRAFFIC_SHIFT"
    POST_TEST_TRAFFIC_SHIFT = "POST_TEST_TRAFFIC_SHIFT"
    PRODUCTION_TRAFFIC_SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
    POST_PRODUCTION_TRAFFIC_SHIFT = "POST_PRODUCTION_TRAFFIC_SHIFT"
    BAKE_TIME = "BAKE_TIME"
    CLEAN_UP = "CLEAN_UP"
    UNKNOWN = "UNKNOWN"


class MonitorStatus(_Open):
    """What a circuit breaker, or the alarms of a deployment, are doing."""

    TRIGGERED = "TRIGGERED"
    MONITORING = "MONITORING"
    MONITORING_COMPLETE = "MONITORING_COMPLETE"
    DISABLED = "DISABLED"
    UNKNOWN = "UNKNOWN"


class DeploymentStrategy(_Open):
    """How a deployment brings in the new revision."""

    ROLLING = "ROLLING"
    BLUE_GREEN = "BLUE_GREEN"
    LINEAR = "LINEAR"
    CANARY = "CANARY"
    UNKNOWN = "UNKNOWN"


class HookStatus(_Open):
    """What a lifecycle hook is at."""

    AWAITING_ACTION = "AWAITING_ACTION"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class LifecycleHook:
    """A hook that a stage runs, or waits for: a Lambda function, or a pause for a person."""

    id: str
    kind: str
    """AWS_LAMBDA or PAUSE."""
    target: str
    """The function's ARN; empty for a pause."""
    status: HookStatus
    expires_at: datetime | None
    timeout_action: str
    """What ECS does when it expires: CONTINUE or ROLLBACK."""


@dataclass(frozen=True)
class BreakerState:
    """A deployment's circuit breaker: how many failures it counted, and how many trip it."""

    status: MonitorStatus
    failures: int
    threshold: int


@dataclass(frozen=True)
class RevisionShare:
    """How much of a service runs one service revision; weights are per cent of the traffic."""

    revision_arn: str
    requested: int
    running: int
    pending: int
    test_weight: float | None = None
    production_weight: float | None = None


@dataclass(frozen=True)
class ServiceDeploymentBrief:
    """A service deployment as a list has it.

    `task_definition` is that of its target revision, where it was looked up.
    """

    arn: str
    status: ServiceDeploymentStatus
    reason: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    revision_arn: str
    task_definition: TaskDefinitionRef | None = None


@dataclass(frozen=True)
class ServiceDeployment:
    """A service deployment with all that ECS tells of it."""

    arn: str
    status: ServiceDeploymentStatus
    reason: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    stopped_at: datetime | None
    target: RevisionShare
    sources: tuple[RevisionShare, ...] = ()
    strategy: DeploymentStrategy = DeploymentStrategy.ROLLING
    stage: LifecycleStage | None = None
    hooks: tuple[LifecycleHook, ...] = ()
    breaker: BreakerState | None = None
    alarms: MonitorStatus = MonitorStatus.DISABLED
    triggered_alarms: tuple[str, ...] = ()
    rollback_reason: str = ""
    rollback_revision_arn: str = ""


# The deployment configuration of a service


def breaker(service: ServiceState) -> Mapping[str, object]:
    """Give the service's circuit breaker settings, in AWS's shape; empty where it has none."""
    return _part(_configuration(service), "deploymentCircuitBreaker")


def rolls_back(service: ServiceState) -> bool:
    """Say whether ECS goes back by itself when a deployment of this service fails."""
    alarms = _part(_configuration(service), "alarms")
    return bool(breaker(service).get("rollback") or alarms.get("rollback"))


def failure_threshold(service: ServiceState) -> int | None:
    """Give how many failed tasks trip the circuit breaker; None where it is off.

    Source: ECS API, ThresholdConfiguration; that a part of a task counts as a whole one is a guess.
    """
    found = breaker(service)
    if not found.get("enable"):
        return None
    configured = _part(found, "thresholdConfiguration")
    value = configured.get("value", _HALF)
    value = value if isinstance(value, int) else _HALF
    match configured.get("type", "BOUNDED_PERCENT"):
        case "COUNT":
            return value
        case "UNBOUNDED_PERCENT":
            return max(1, _share(service.desired, value))
        case _:
            return _bounded(_share(service.desired, value))


def too_many_stops(desired: int) -> int:
    """Give how many stopped tasks make a failure of a deployment that was called COMPLETED.

    ECS's circuit breaker no longer watches such a one; its default threshold is taken for it.

    Source: ECS guide, deployment circuit breaker: half the desired count, at least 3, at most 200.
    """
    return _bounded(_share(desired, _HALF))


def strategy(service: ServiceState) -> DeploymentStrategy:
    """Give how deployments of this service bring in the new revision."""
    told = _configuration(service).get("strategy")
    return DeploymentStrategy(str(told)) if told else DeploymentStrategy.ROLLING


def is_watched_on(service: ServiceState) -> bool:
    """Say whether ECS goes on to watch a deployment whose tasks all run: bake time, alarms."""
    configuration = _configuration(service)
    alarms = _part(configuration, "alarms")
    return bool(configuration.get("bakeTimeInMinutes") or alarms.get("enable"))


def enough_running(service: ServiceState) -> int:
    """Give how many running tasks a completed deployment has at least.

    Source: ECS API, DeploymentEarlySuccessCriteria: a share of the desired count may be enough.
    """
    early = _part(_configuration(service), "earlySuccessCriteria")
    percent = early.get("healthyPercent")
    if not early.get("enable") or not isinstance(percent, int):
        return service.desired
    return min(service.desired, _share(service.desired, percent))


def _configuration(service: ServiceState) -> Mapping[str, object]:
    return _part(service.settings, "deploymentConfiguration")


def _part(settings: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = settings.get(name)
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}


def _share(desired: int, percent: int) -> int:
    return math.ceil(desired * percent / _WHOLE)


def _bounded(failures: int) -> int:
    return min(_MOST_FAILURES, max(_FEWEST_FAILURES, failures))
