"""Why a task stopped, or was never placed: one cause and one cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.ecs_service.causes.log_reasons import SAID
from schoolctl.ecs_service.causes.reasons import (
    EXITS,
    TARGETS,
    UNPLACED,
    Diagnosis,
    first,
    matching,
)
from schoolctl.ecs_service.causes.stop_reasons import STOPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.model.services import ContainerState, Task

_KILLED = 137
_SIGNALS = 128
"""A shell reports the end by signal N as exit code 128 + N."""


def diagnose(task: Task, *, container: str = "", log: Sequence[str] = ()) -> Diagnosis:
    """Say why a stopped task stopped.

    Args:
        task: a task that has stopped.
        container: the container that matters most; another that failed is found, too.
        log: the last lines of that container, oldest first; they may tell more than ECS.

    Source: ECS API, Task.stopCode, Task.stoppedReason, Container.reason, Container.exitCode.
    """
    guilty = culprit(task, container)
    said = "" if is_vague(task) else task.stopped_reason
    reason = " ".join(filter(None, (said, guilty.reason if guilty else "")))
    exit_code = guilty.exit_code if guilty else None
    if task.stop_code == "UserInitiated":
        who = f": {task.stopped_reason}" if task.stopped_reason else ""
        return Diagnosis(f"somebody stopped the task{who}", "start it again, or deploy again")
    rule = matching(STOPPED, f"{task.stop_code} {reason}")
    if rule is not None:
        nearer = first(SAID, "\n".join(log)) if rule.vague else None
        return nearer or rule.diagnosis()
    if task.stop_code == "ServiceSchedulerInitiated":
        return _replaced(exit_code)
    if exit_code is not None:
        return _by_exit(exit_code, log)
    return Diagnosis(
        reason or task.stop_code or "ECS gives no reason",
        "look at the log: `schoolctl logs`",
        known=False,
    )


def culprit(task: Task, container: str = "") -> ContainerState | None:
    """Give the container whose end explains the task's: one that failed, the named one first."""
    ordered = sorted(task.containers, key=lambda each: each.name != container)
    # Python's sort is stable, so the named container stays first among its equals.
    ordered.sort(key=lambda each: (not each.exit_code, not each.reason, each.exit_code is None))
    return ordered[0] if ordered else None


def diagnose_event(message: str) -> Diagnosis | None:
    """Say what a service event means, or None where it means no trouble."""
    return first(UNPLACED, message)


def diagnose_target(reason_code: str, description: str = "") -> Diagnosis:
    """Say why the load balancer finds a target unhealthy. Source: ELBv2 TargetHealth.Reason."""
    known = TARGETS.get(reason_code)
    if known is not None:
        return Diagnosis(*known, trouble=bool(known[1]))
    waiting = reason_code.startswith(("Elb.", "Target.Deregistration")) or not reason_code
    return Diagnosis(description or reason_code or "healthy", "", trouble=not waiting, known=False)


def is_vague(task: Task) -> bool:
    """Say whether ECS's reason only tells that a container ended: its exit code tells more."""
    return "essential container" in task.stopped_reason.lower()


def _replaced(exit_code: int | None) -> Diagnosis:
    if exit_code == _KILLED:
        return Diagnosis(
            "ECS replaced the task, and killed it as it had not stopped in time",
            "let the process end on SIGTERM, or raise `task.stop_timeout`",
            trouble=False,
        )
    return Diagnosis("ECS replaced the task: a part of every rollout", "", trouble=False)


def _by_exit(exit_code: int, log: Sequence[str]) -> Diagnosis:
    said = first(SAID, "\n".join(log))
    if said is not None and exit_code:
        return said
    known = EXITS.get(exit_code)
    if known is not None:
        return Diagnosis(*known)
    if exit_code > _SIGNALS:
        return Diagnosis(
            f"the process was ended by signal {exit_code - _SIGNALS}", "look at the last log lines"
        )
    return Diagnosis(
        f"the process ended with exit code {exit_code}",
        "the last log lines tell why; most often a setting or the database is missing",
    )
