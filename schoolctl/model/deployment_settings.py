"""What a service's deployment configuration says: circuit breaker, way back, strategy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from schoolctl.model.deployments import DeploymentStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.model.services import ServiceState

_FEWEST_FAILURES, _MOST_FAILURES = 3, 200
_HALF, _WHOLE = 50, 100


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
