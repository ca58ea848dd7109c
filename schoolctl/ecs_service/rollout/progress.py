"""The progress of a rollout: its lines, and where the time went. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from schoolctl.base.text import duration
from schoolctl.ecs_service.causes.failure import diagnose, diagnose_target, is_of
from schoolctl.model.deployments import DeploymentStrategy, failure_threshold, strategy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from schoolctl.ecs_service.rollout.native import Told
    from schoolctl.model.services import Deployment, ServiceState, Task
    from schoolctl.model.surroundings import TargetHealth

LASTS_SECONDS = 10.0
"""How long a target has to be unhealthy before its reason is shown."""
_ORDER = ("healthy", "initial", "unhealthy", "draining")
PHASES = ("place", "pull", "start", "health", "drain")
_HEALTHY = "healthy"


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


# Where the time went


@dataclass(frozen=True)
class Trace:
    """What was seen of the tasks in the course of a rollout. Begin with `Trace()`.

    Times that AWS notes are of AWS's clock, times that were seen are seconds since the wait began:
    the two are never subtracted from each other.
    """

    ours: Mapping[str, Task] = field(default_factory=dict)
    """The newest that was told of each task of our deployment that did not fail, by id."""
    old: Mapping[str, Task] = field(default_factory=dict)
    """Likewise of the tasks that ours replaced."""
    running_at: Mapping[str, float] = field(default_factory=dict)
    """When a task of ours was first seen RUNNING, not yet healthy."""
    healthy_at: Mapping[str, float] = field(default_factory=dict)
    """When one of those was first seen healthy."""
    unhealthy_at: Mapping[str, float] = field(default_factory=dict)
    """Since when a target is unhealthy, by its address."""

    def after(self, look: Look, started: Deployment, elapsed_seconds: float) -> Trace:
        """Give the trace with one more look in it."""
        alive = {each.id: each for each in look.alive if is_of(started, each)}
        ended = [each for each in look.stopped if not is_of(started, each)]
        replaced = {
            each.id: each
            for each in ended
            if each.stopping_at is not None and each.stopping_at >= started.created_at
        }
        healthy = _healthy(look, started, alive)
        running = [each.id for each in alive.values() if each.last_status == "RUNNING"]
        if healthy is None:
            running, healthy = [], set()
        waiting = {id_: elapsed_seconds for id_ in running if id_ not in healthy}
        running_at = {**waiting, **self.running_at}
        seen = {id_: elapsed_seconds for id_ in healthy if id_ in running_at}
        bad = {each.address for each in look.our_targets(started) if each.state == "unhealthy"}
        return replace(
            self,
            ours={**self.ours, **alive},
            old={**self.old, **replaced},
            running_at=running_at,
            healthy_at={**seen, **self.healthy_at},
            unhealthy_at={each: self.unhealthy_at.get(each, elapsed_seconds) for each in bad},
        )

    def unhealthy_for(self, elapsed_seconds: float) -> dict[str, float]:
        """Give for how many seconds each unhealthy target has been so, by its address."""
        return {address: elapsed_seconds - at for address, at in self.unhealthy_at.items()}

    def phases(self) -> dict[str, float]:
        """Give the seconds of each phase, of the slowest task; a phase that nobody told is absent.

        place: until the image is pulled. pull. start: until the task runs. health: until it is
        seen healthy. drain: until a replaced task has stopped.
        """
        known: dict[str, list[float | None]] = {
            "place": [_between(each.created_at, each.pull_started_at) for each in self._ours],
            "pull": [_between(each.pull_started_at, each.pull_stopped_at) for each in self._ours],
            "start": [_between(each.pull_stopped_at, each.started_at) for each in self._ours],
            "health": [at - self.running_at[id_] for id_, at in self.healthy_at.items()],
            "drain": [_between(each.stopping_at, each.stopped_at) for each in self.old.values()],
        }
        slowest = {
            phase: max((each for each in known[phase] if each is not None), default=None)
            for phase in PHASES
        }
        return {phase: seconds for phase, seconds in slowest.items() if seconds is not None}

    @property
    def _ours(self) -> list[Task]:
        return [each for each in self.ours.values() if each.started_at is not None]

    def line(self) -> str:
        """Say where the time went, in one line; empty where nothing is known."""
        told = [f"{phase} {duration(seconds)}" for phase, seconds in self.phases().items()]
        return f"where the time went (slowest task): {', '.join(told)}" if told else ""

    def document(self) -> dict[str, object]:
        """Give the phases for JSON."""
        return {f"{phase}_seconds": round(value, 1) for phase, value in self.phases().items()}


def _healthy(look: Look, started: Deployment, alive: Mapping[str, Task]) -> set[str] | None:
    """Give which of our tasks are healthy; None where nothing checks their health.

    A load balancer's word counts before that of the container's own check.
    """
    if look.service is not None and look.service.target_group_arns:
        well = {each.address for each in look.our_targets(started) if each.state == _HEALTHY}
        return {each.id for each in alive.values() if each.address in well}
    checked = [each for each in alive.values() if each.health in {"HEALTHY", "UNHEALTHY"}]
    if not checked:
        return None
    return {each.id for each in checked if each.health == "HEALTHY"}


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    if begin is None or end is None or end < begin:
        return None
    return (end - begin).total_seconds()
