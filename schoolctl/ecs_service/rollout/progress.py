"""What is seen of a rollout under way, and the lines that show it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.text import duration
from schoolctl.ecs_service.causes.diagnosis import diagnose, diagnose_target
from schoolctl.ecs_service.causes.failure import is_of
from schoolctl.model.deployment_settings import failure_threshold, strategy
from schoolctl.model.deployments import DeploymentStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.ecs_service.rollout.native import Told
    from schoolctl.model.services import Deployment, ServiceState, Task
    from schoolctl.model.surroundings import TargetHealth

LASTS_SECONDS = 10.0
"""How long a target has to be unhealthy before its reason is shown."""
_ORDER = ("healthy", "initial", "unhealthy", "draining")


@dataclass(frozen=True)
class Look:
    """What AWS told at one moment, as far as it could be read.

    `alive` are the service's tasks that run or are to run, `stopped` those that ended.
    """

    service: ServiceState | None
    told: Told | None = None
    alive: tuple[Task, ...] = ()
    stopped: tuple[Task, ...] = ()
    targets: tuple[TargetHealth, ...] = ()

    def our_targets(self, started: Deployment) -> tuple[TargetHealth, ...]:
        """Give the targets that are tasks of our deployment."""
        addresses = {each.address for each in self.alive if each.address and is_of(started, each)}
        return tuple(each for each in self.targets if each.address in addresses)

    def troubled(self, started: Deployment, container: str) -> int:
        """Say how many tasks of our deployment have stopped with trouble."""
        ours = (each for each in self.stopped if is_of(started, each))
        return sum(diagnose(each, container=container).trouble for each in ours)


def progress(look: Look, started: Deployment, unhealthy: Mapping[str, float]) -> list[str]:
    """Give the lines that show a rollout under way, ours first; none without an answer.

    Args:
        look: what was seen.
        started: our deployment.
        unhealthy: for how many seconds each target has been unhealthy, by its address.
    """
    service = look.service
    if service is None:
        return []
    listed = sorted(service.deployments, key=lambda each: each.id != started.id)
    return [
        *(
            _deployment_line(each, look, service, ours=each.id == started.id)
            for each in listed
            if each.id == started.id or each.running or each.pending
        ),
        *_target_lines(look.our_targets(started), unhealthy),
    ]


def heartbeat(lines: list[str], reason: str, seconds: float) -> str:
    """Give the line that tells a log without news that the rollout is still watched."""
    state = "; ".join(filter(None, (lines[0].strip() if lines else "", reason)))
    return f"  still waiting after {duration(seconds)}: {state or 'in progress'}"


def _deployment_line(
    deployment: Deployment, look: Look, service: ServiceState, *, ours: bool
) -> str:
    whose = "new" if ours else "old"
    parts = [f"{deployment.running} of {deployment.desired} running"]
    if deployment.pending:
        parts.append(f"{deployment.pending} pending")
    if ours:
        parts += _failures(deployment, look, service)
    elif deployment.failed:
        parts.append(f"{deployment.failed} failed")
    return f"  {deployment.task_definition} ({whose}): {', '.join(parts)}"


def _failures(ours: Deployment, look: Look, service: ServiceState) -> list[str]:
    """Say how many tasks failed, and how many end the rollout."""
    counted = look.told.deployment.breaker if look.told is not None else None
    failed = counted.failures if counted is not None else ours.failed
    if not failed:
        return []
    if strategy(service) is not DeploymentStrategy.ROLLING:
        return [f"{failed} failed"]  # the circuit breaker is for rolling deployments
    limit = counted.threshold if counted is not None else 0
    limit = limit or failure_threshold(service) or 0
    return [
        f"{failed} failed (the circuit breaker ends it at {limit})" if limit else f"{failed} failed"
    ]


def _target_lines(targets: tuple[TargetHealth, ...], unhealthy: Mapping[str, float]) -> list[str]:
    if not targets:
        return []
    states = Counter(each.state for each in targets)
    ordered = sorted(states, key=lambda state: (state not in _ORDER, _rank(state), state))
    lines = [f"  targets: {', '.join(f'{states[state]} {state}' for state in ordered)}"]
    for each in targets:
        if unhealthy.get(each.address, 0.0) >= LASTS_SECONDS:
            cause = diagnose_target(each.reason, each.description).cause
            lines.append(f"  target {each.address}:{each.port} stays unhealthy: {cause}")
    return lines


def _rank(state: str) -> int:
    return _ORDER.index(state) if state in _ORDER else len(_ORDER)
