"""A service, its tasks and its events, as text and as JSON documents. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from schoolctl.base.text import ago, aligned, exact_time, iso, zoned_time
from schoolctl.core.lock_rules import about
from schoolctl.ecs_service.causes.failure import (
    culprit,
    diagnose,
    diagnose_event,
    diagnose_target,
    is_vague,
)
from schoolctl.ecs_service.define.service_request import NOTHING_RUNS
from schoolctl.ecs_service.define.target import BY_TAG, COMMIT_TAG, TAG_TAG
from schoolctl.model.images import ImageRef
from schoolctl.model.services import RolloutState, short_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from schoolctl.core.lock_rules import Found
    from schoolctl.model.images import Digest
    from schoolctl.model.services import (
        Deployment,
        Revision,
        ScalingRange,
        ServiceEvent,
        ServiceState,
        Task,
    )
    from schoolctl.model.surroundings import TargetHealth
    from schoolctl.params.freshness import Freshness

_EVENTS = 5
TASK_COLUMNS = ("TASK", "REVISION", "STATUS", "HEALTH", "ZONE", "ADDRESS", "STARTED")
STOPPED_TASK_COLUMNS = ("TASK", "REVISION", "STATUS", "STARTED", "STOPPED", "WHY")


@dataclass(frozen=True)
class Status:
    """A service with what runs for it; `revision` is None where it could not be read."""

    service: ServiceState
    revision: Revision | None
    container: str
    tasks: tuple[Task, ...]
    targets: tuple[TargetHealth, ...]
    freshness: Freshness | None = None
    lock: Found | None = None
    scaling: ScalingRange | None = None
    """What auto scaling keeps the count between; None where it does not, or is not known."""

    @property
    def image(self) -> str:
        """The image reference that the revision names for the container."""
        definition = self.revision.definition if self.revision else {}
        containers = definition.get("containerDefinitions")
        for each in containers if isinstance(containers, list | tuple) else ():
            if each.get("name") == self.container:
                return str(each.get("image", ""))
        return ""

    @property
    def digest(self) -> Digest | None:
        """The image's digest: from its reference, else what the running tasks pulled."""
        ref = ImageRef.parse(self.image)
        if ref is not None and ref.digest is not None:
            return ref.digest
        return next(
            (
                each.image_digest
                for task in self.tasks
                if task.task_definition == self.service.task_definition
                for each in task.containers
                if each.name == self.container and each.image_digest is not None
            ),
            None,
        )

    @property
    def tag(self) -> str | None:
        """The image's tag, as noted on the revision or in its reference."""
        ref = ImageRef.parse(self.image)
        return self._noted(TAG_TAG) or (ref.tag if ref else None)

    @property
    def commit(self) -> str | None:
        """The commit that the image was built from, as noted on the revision."""
        return self._noted(COMMIT_TAG)

    def _noted(self, key: str) -> str | None:
        return (self.revision.tags.get(key) or None) if self.revision else None

    @property
    def since(self) -> datetime | None:
        """When the rollout of the revision completed, or began if it has not."""
        primary = self.service.primary
        if primary is None:
            return None
        if primary.rollout_state is not RolloutState.COMPLETED:
            return primary.created_at
        noted = self.revision.last_completed_at if self.revision else None
        # An earlier rollout of the same revision left its mark, too.
        return noted if noted and noted >= primary.created_at else primary.updated_at

    def document(self) -> dict[str, object]:
        """Give everything for JSON."""
        service = self.service
        return {
            "service": service.name,
            "cluster": service.cluster,
            "status": service.status,
            "revision": str(service.task_definition),
            "image": self.image or None,
            "tag": self.tag,
            "digest": str(self.digest) if self.digest else None,
            "commit": self.commit,
            "deployed_by": self._noted(BY_TAG),
            "since": iso(self.since),
            "desired": service.desired,
            "running": service.running,
            "pending": service.pending,
            "scaling": asdict(self.scaling) if self.scaling else None,
            "deployments": [_deployment_document(each) for each in service.deployments],
            "tasks": [task_document(each, self.container) for each in self.tasks],
            "targets": [_target_document(each) for each in self.targets],
            "events": [event_document(each) for each in service.events],
            "settings": self.freshness.document() if self.freshness else None,
            "lock": self.lock.holder.document() if self.lock else None,
        }

    @property
    def trouble(self) -> bool:
        """Whether there is anything for `why` to explain."""
        newest = self.service.deployments[0] if self.service.deployments else None
        failed = newest is not None and (
            newest.failed > 0 or newest.rollout_state is RolloutState.FAILED
        )
        sick = any(diagnose_target(each.reason, each.description).trouble for each in self.targets)
        moving = newest is not None and newest.rollout_state is RolloutState.IN_PROGRESS
        return failed or sick or (self.service.running < self.service.desired and not moving)

    def lines(self, now: datetime) -> list[str]:
        """Give the status for people, what matters most first.

        Args:
            now: the present, from which ages are counted.
        """
        service = self.service
        head = [
            ("service", f"{service.cluster}/{service.name} ({service.status})"),
            ("tasks", self._counts()),
            *((("trouble", "`schoolctl why` explains it"),) if self.trouble else ()),
            ("revision", f"{service.task_definition}{self._since_text(now)}"),
            ("image", self._image_text()),
            *((("deployed", f"by {by}"),) if (by := self._noted(BY_TAG)) else ()),
            *_labelled("settings", self.freshness.lines(now) if self.freshness else []),
            *_labelled("lock", [f"held by {about(self.lock)}"] if self.lock else []),
        ]
        rows = [task_row(each, self.container, now, stopped=False) for each in self.tasks]
        recent = reversed(service.events[:_EVENTS])
        return [
            *(f"{name:<9} {text}" for name, text in head),
            *_section("deployments", self._deployment_lines(now)),
            *_section("tasks", aligned([TASK_COLUMNS, *rows]) if rows else []),
            *_section("targets", aligned([_target_row(each) for each in self.targets])),
            *_section("events", [line for each in recent for line in event_lines(each)]),
        ]

    def _counts(self) -> str:
        service = self.service
        healthy = sum(each.state == "healthy" for each in self.targets)
        counts = [f"{service.running} of {service.desired} running"]
        if service.pending:
            counts.append(f"{service.pending} pending")
        if self.targets:
            counts.append(f"{healthy} of {len(self.targets)} targets healthy")
        if self.scaling:
            counts.append(f"auto scaling keeps it at {self.scaling}")
        if service.desired == 0:
            counts.append(NOTHING_RUNS)
        return ", ".join(counts)

    def _since_text(self, now: datetime) -> str:
        primary, since = self.service.primary, self.since
        if primary is None or since is None:
            return ""
        state = (primary.rollout_state or "deployed").lower().replace("_", " ")
        word = "" if primary.rollout_state is RolloutState.COMPLETED else " since"
        return f", {state}{word} {zoned_time(since)} ({ago(since, now)})"

    def _image_text(self) -> str:
        parts = [self.tag or self.image or "unknown"]
        if self.digest is not None:
            parts.append(f"sha256:{self.digest.short}")
        if self.commit:
            parts.append(f"commit {self.commit}")
        return ", ".join(parts)

    def _deployment_lines(self, now: datetime) -> list[str]:
        """Give a line for each deployment; a single one that completed has been told of."""
        primary = self.service.primary
        if (
            len(self.service.deployments) == 1
            and primary is not None
            and primary.rollout_state is RolloutState.COMPLETED
        ):
            return []
        return aligned([_deployment_row(each, now) for each in self.service.deployments])


def _labelled(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(name if number == 0 else "", line) for number, line in enumerate(lines)]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _deployment_row(each: Deployment, now: datetime) -> tuple[str, ...]:
    counts = f"{each.running} of {each.desired} running"
    if each.pending:
        counts += f", {each.pending} pending"
    if each.failed:
        counts += f", {each.failed} failed"
    return (
        each.status,
        str(each.task_definition),
        str(each.rollout_state or "unknown"),
        counts,
        f"begun {ago(each.created_at, now)}",
        each.rollout_reason,
    )


def _target_row(target: TargetHealth) -> tuple[str, ...]:
    why = ""
    if target.state != "healthy":
        found = diagnose_target(target.reason, target.description)
        why = found.cause + (f" ({found.fix})" if found.fix else "")
    return f"{target.address}:{target.port}", target.state, target.target_group, why


def _deployment_document(each: Deployment) -> Mapping[str, object]:
    return {
        "id": each.id,
        "status": each.status,
        "revision": str(each.task_definition),
        "rollout_state": str(each.rollout_state) if each.rollout_state else None,
        "reason": each.rollout_reason,
        "desired": each.desired,
        "running": each.running,
        "pending": each.pending,
        "failed": each.failed,
        "created_at": iso(each.created_at),
        "updated_at": iso(each.updated_at),
    }


def _target_document(target: TargetHealth) -> Mapping[str, object]:
    return {
        "target_group": target.target_group,
        "address": target.address,
        "port": target.port,
        "state": target.state,
        "reason": target.reason,
        "description": target.description,
    }


# Tasks


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """Give tasks in the order of their beginning, those that have not begun at the end."""
    return sorted(tasks, key=lambda each: (each.created_at is None, str(each.created_at), each.id))


def task_row(task: Task, container: str, now: datetime, *, stopped: bool) -> list[str]:
    """Return the cells of a task, under the columns of stopped tasks where `stopped`."""
    name = [short_id(task.id), str(task.task_definition), task_state(task)]
    started = ago(task.started_at, now) if task.started_at else "-"
    if not stopped:
        health = (task.health or "UNKNOWN").lower()
        return [*name, health, task.zone or "-", task.address or "-", started]
    is_over = task.last_status == "STOPPED"
    ended = ago(task.stopped_at, now) if task.stopped_at else "-"
    return [*name, started, ended, stop_text(task, container) if is_over else "-"]


def task_state(task: Task) -> str:
    """Give a task's state in small letters, and whether it is being stopped."""
    state = task.last_status.lower()
    going = task.desired_status == "STOPPED" and task.last_status != "STOPPED"
    return f"{state}, stopping" if going else state


def stop_text(task: Task, container: str) -> str:
    """Say why a task stopped: our words for it, then of ECS's own what they leave out."""
    guilty = culprit(task, container)
    cause = diagnose(task, container=container)
    told = cause.cause if cause.known else ""
    reason = task.stopped_reason
    said = reason if told else ": ".join(filter(None, (task.stop_code, reason)))
    if told and (reason in told or is_vague(task)):
        said = ""
    code = ""
    if guilty is not None and guilty.exit_code is not None:
        code = f"exit code {guilty.exit_code}"
        code = "" if code in told else f"container {guilty.name}: {code}"
    own = guilty.reason if guilty else ""
    return "; ".join(filter(None, (told, said, code, own))) or "no reason given"


def task_document(task: Task, container: str) -> dict[str, object]:
    """Give a task for JSON; the last fields are None while it runs."""
    is_over = task.last_status == "STOPPED"
    cause = diagnose(task, container=container) if is_over else None
    return {
        "id": task.id,
        "revision": str(task.task_definition),
        "last_status": task.last_status,
        "desired_status": task.desired_status,
        "health": task.health,
        "zone": task.zone or None,
        "address": task.address or None,
        "deployment_id": task.started_by or None,
        "created_at": iso(task.created_at),
        "started_at": iso(task.started_at),
        "stopped_at": iso(task.stopped_at),
        "containers": [
            {
                "name": each.name,
                "status": each.status,
                "image": each.image,
                "digest": str(each.image_digest) if each.image_digest else None,
                "exit_code": each.exit_code,
                "reason": each.reason or None,
            }
            for each in task.containers
        ],
        "stop_code": task.stop_code or None,
        "stopped_reason": task.stopped_reason or None,
        "cause": cause.cause if cause else None,
        "fix": (cause.fix or None) if cause else None,
    }


# Events


def event_lines(event: ServiceEvent) -> list[str]:
    """Give an event for people; one that means trouble has a mark, and its meaning below it."""
    found = diagnose_event(event.message)
    line = f"{exact_time(event.at)}  {'!' if found else ' '} {event.message}"
    if found is None:
        return [line]
    indent = " " * (line.index(event.message))
    return [line, f"{indent}{found.cause}: {found.fix}"]


def event_document(event: ServiceEvent) -> dict[str, object]:
    """Give an event for JSON."""
    found = diagnose_event(event.message)
    return {
        "at": iso(event.at),
        "id": event.id,
        "message": event.message,
        "trouble": found is not None,
        "cause": found.cause if found else None,
        "fix": found.fix if found else None,
    }
