"""The plans for another task count and for a restart, and whether a count is reached. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.errors import (
    BusyError,
    ConflictError,
    RolloutError,
    SchoolctlError,
    TimedOutError,
)
from schoolctl.base.plan import Plan
from schoolctl.base.text import ago, count, duration
from schoolctl.ecs_service.define.plan import in_progress
from schoolctl.ecs_service.steps.scaling import WaitForCount
from schoolctl.ecs_service.steps.service import MarkCompleted, UpdateService, WaitForRollout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schoolctl.base.plan import Step
    from schoolctl.ecs_service.causes.failure import FailureReport
    from schoolctl.ecs_service.define.plan import DeployOptions
    from schoolctl.model.services import Revision, ScalingRange, ServiceState
    from schoolctl.model.surroundings import TargetHealth

_SERVED = {"healthy", "unused"}
"""States of a target that is not waited for; `unused` is one that no listener leads to."""


def plan_scale(
    service: ServiceState,
    wanted: int,
    scaling: ScalingRange | None,
    options: DeployOptions,
    *,
    undo: str | None = None,
) -> Plan:
    """Decide the steps to `wanted` tasks; none where they run already.

    Args:
        service: as it was observed.
        wanted: how many tasks are to run.
        scaling: what auto scaling keeps to; None where it does not manage the count.
        options: whether and how long to wait.
        undo: the command that takes the count back, where more than the count is changed.

    Raises:
        ConflictError: auto scaling would not leave it at that count.
    """
    name, before = service.name, service.desired
    warnings = _check_range(service, wanted, scaling)
    change: tuple[Step, ...] = ()
    if before != wanted:
        change = (
            UpdateService(
                service.cluster,
                name,
                service.task_definition,
                {"desiredCount": wanted},
                running=service.task_definition,
                changes=(f"desiredCount {before} -> {wanted}",),
            ),
        )
    wait: tuple[Step, ...] = ()
    if options.wait and (change or not _is_at(service, wanted)):
        back = _undo(before, scaling) if undo is None else undo
        wait = (
            WaitForCount(
                service.cluster,
                name,
                wanted,
                options.timeout_seconds,
                undo=back if change else "",
            ),
        )
    stops = wanted == 0 and before > 0
    notes = (f"no task of {name} will run: nobody is served until it is scaled up again",)
    scales = f"scale {name} from {before} to {count(wanted, 'task')}."
    return Plan(
        scales if change else f"wait until {name} runs {count(wanted, 'task')}.",
        (*change, *wait),
        nothing=f"nothing to do: {name} runs {service.running} of {count(wanted, 'task')}",
        notes=notes if stops else (),
        warnings=warnings,
        asks=stops,
    )


def _undo(before: int, scaling: ScalingRange | None) -> str:
    """Give the command that takes the count back; empty where auto scaling would refuse it."""
    allowed = scaling is None or scaling.minimum <= before <= scaling.maximum
    return f"scale {before}" if allowed else ""


def _is_at(service: ServiceState, wanted: int) -> bool:
    return service.running == wanted and not service.pending


def _check_range(
    service: ServiceState, wanted: int, scaling: ScalingRange | None
) -> tuple[str, ...]:
    """Refuse a count that auto scaling would undo; gives what else to say of it."""
    if scaling is None:
        return ()
    low, high = scaling.minimum, scaling.maximum
    if low <= wanted <= high:
        return (f"auto scaling manages the count ({scaling}), and may change it again",)
    name = f"{service.cluster}/{service.name}"
    limit = f"--min {wanted}" if wanted < low else f"--max {wanted}"
    raise ConflictError(
        f"auto scaling keeps {name} at {scaling} tasks, not at {wanted}",
        why="it would undo another count within a minute",
        hint=f"change its limits with it: `schoolctl scale {wanted} {limit}`",
    )


# Whether they run


def count_stays(step: WaitForCount) -> str:
    """Say what goes on once nobody waits any more, and how to undo what was changed."""
    watch = "ECS goes on: watch it with `schoolctl status`"
    return f"{watch}, undo it with `schoolctl {step.undo}`" if step.undo else watch


def count_reached(
    service: ServiceState, wanted: int, targets: Sequence[TargetHealth] | None
) -> str | None:
    """Say that `wanted` tasks run and are served, or None where they do not yet.

    Args:
        service: the newest answer.
        wanted: how many tasks are to run.
        targets: of its target groups; None without a load balancer, and where they may not be
            read: running is enough then.
    """
    if not _is_at(service, wanted) or _served(service, targets) < wanted:
        return None
    healthy = f", {count(wanted, 'target')} healthy" if wanted and targets else ""
    return f"{service.running} of {wanted} running{healthy}"


def count_progress(
    service: ServiceState, wanted: int, targets: Sequence[TargetHealth] | None
) -> list[str]:
    """Give the line that shows how far it is."""
    parts = [f"{service.running} of {wanted} running"]
    if service.pending:
        parts.append(f"{service.pending} pending")
    if targets:
        parts.append(f"{_served(service, targets)} of {wanted} targets healthy")
    return [f"  {service.task_definition}: {', '.join(parts)}"]


def _served(service: ServiceState, targets: Sequence[TargetHealth] | None) -> int:
    """Give how many targets are healthy in the group that has the fewest."""
    if targets is None:
        return service.desired
    groups: dict[str, int] = {}
    for each in targets:
        groups[each.target_group] = groups.get(each.target_group, 0) + (each.state in _SERVED)
    # A group that tells of no target has none yet.
    every_group = len(groups) >= len(service.target_group_arns)
    return min(groups.values(), default=0) if every_group else 0


def count_failure(
    service: ServiceState | None,
    step: WaitForCount,
    *,
    stops: int,
    seconds: float,
    report: FailureReport | None,
) -> SchoolctlError:
    """Give the error for a count that was not reached.

    Args:
        service: the newest answer; None where there is no such service any more.
        step: what was waited for.
        stops: how many of the new tasks have stopped with trouble, where that ended the wait.
        seconds: how long it was watched.
        report: what explains it.
    """
    name, goes_on = f"{step.cluster}/{step.service}", count_stays(step)
    if service is None or service.status != "ACTIVE":
        return RolloutError(
            f"service {name} was deleted meanwhile", hint="`schoolctl deploy` creates it anew"
        )
    if service.desired != step.count:
        return RolloutError(
            f"somebody else set {name} to {count(service.desired, 'task')} meanwhile",
            why=f"this run had set it to {step.count}",
            hint="`schoolctl status` shows what runs now",
        )
    runs = f"{service.running} of {count(step.count, 'task')} of {name}"
    found = report.diagnosis if report else None
    hint = "\n".join(filter(None, (found.fix if found else "", goes_on)))
    error: SchoolctlError
    if stops:
        why = f"{count(stops, 'new task')} stopped"
        error = RolloutError(f"only {runs} run", why=why, hint=hint)
    else:
        error = TimedOutError(f"only {runs} run after {duration(seconds)}", hint=hint)
    error.details = report.lines() if report else ()
    return error


def count_unseen(step: WaitForCount, *, why: str, seconds: float) -> TimedOutError:
    """Give the error for a count of which AWS told nothing by the end."""
    runs = f"{step.cluster}/{step.service} runs {count(step.count, 'task')}"
    return TimedOutError(
        f"whether {runs} was not seen within {duration(seconds)}",
        why=why,
        hint=count_stays(step),
    )


# New tasks of the same revision


def plan_restart(
    service: ServiceState, running: Revision | None, options: DeployOptions, now: datetime
) -> Plan:
    """Decide the steps to new tasks of the same revision.

    A deployment of that very revision that is in progress brings them already: it is followed,
    so that a restart which was interrupted is not begun anew.

    Args:
        service: as it was observed.
        running: the revision that it is at; None where ECS no longer tells of it.
        options: whether and how long to wait.
        now: the present time, for ages in messages.

    Raises:
        BusyError: a deployment of another revision is in progress.
    """
    cluster, name, ref = service.cluster, service.name, service.task_definition
    moving = in_progress(service)
    if moving is not None and moving.task_definition != ref:
        raise BusyError(
            f"another deployment of {cluster}/{name} is in progress: {moving.task_definition},"
            f" started {ago(moving.created_at, now)}",
            why=f"deployment {moving.id} is not decided yet",
            hint="wait until it is (`schoolctl status`), then restart",
        )
    if service.desired == 0:
        nothing = f"nothing to do: the desired count of {name} is 0, so no task runs"
        return Plan(nothing, (), nothing=nothing)
    notes: tuple[str, ...] = ()
    if moving is not None:
        notes = (f"new tasks of {ref} are being started already, {ago(moving.created_at, now)}",)
        if not options.wait:
            return Plan(f"restart {name}", (), nothing=f"nothing to do: {notes[0]}")
    change = UpdateService(cluster, name, ref, {}, running=ref, force=True)
    wait = WaitForRollout(cluster, name, options.timeout_seconds, deployment=moving)
    marked = running is None or running.completed_at is not None
    follow: tuple[Step, ...] = (wait, *(() if marked else (MarkCompleted(ref),)))
    return Plan(
        f"restart {name}: {count(service.desired, 'new task')} of {ref}.",
        (*(() if moving else (change,)), *(follow if options.wait else ())),
        notes=notes,
    )
