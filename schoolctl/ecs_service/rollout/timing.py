"""Where the time of a rollout went, from the tasks' own timestamps and what was seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from schoolctl.base.text import duration
from schoolctl.ecs_service.causes.failure import is_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from schoolctl.ecs_service.rollout.progress import Look
    from schoolctl.model.services import Deployment, Task

PHASES = ("place", "pull", "start", "health", "drain")
_HEALTHY = "healthy"


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
