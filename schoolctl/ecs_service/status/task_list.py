"""Tasks and service events as rows and lines for people, and as documents for JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.text import ago, exact_time, iso
from schoolctl.ecs_service.causes.diagnosis import culprit, diagnose, diagnose_event, is_vague
from schoolctl.ecs_service.causes.logs import short_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schoolctl.model.services import ServiceEvent, Task

COLUMNS = ("TASK", "REVISION", "STATUS", "HEALTH", "ZONE", "ADDRESS", "STARTED")
STOPPED_COLUMNS = ("TASK", "REVISION", "STATUS", "STARTED", "STOPPED", "WHY")


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """Give tasks in the order of their beginning, those that have not begun at the end."""
    return sorted(tasks, key=lambda each: (each.created_at is None, str(each.created_at), each.id))


def task_row(task: Task, container: str, now: datetime, *, stopped: bool) -> list[str]:
    """Give the cells of a task under `COLUMNS`, or with `stopped` under `STOPPED_COLUMNS`."""
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
