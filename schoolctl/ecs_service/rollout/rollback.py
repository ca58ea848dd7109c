"""Where a rollback goes, and the steps that lead there. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from schoolctl.base.errors import NotFoundError
from schoolctl.base.plan import Plan
from schoolctl.base.text import ago
from schoolctl.ecs_service.define.plan import DeployOptions, in_progress
from schoolctl.ecs_service.steps.service import (
    MarkCompleted,
    StopDeployment,
    UpdateService,
    WaitForRollout,
)

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from datetime import datetime

    from schoolctl.base.plan import Step
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.target import Target
    from schoolctl.model.services import Revision, ServiceState, TaskDefinitionRef


@dataclass(frozen=True)
class Candidate:
    """A revision that a rollback may go to.

    Attributes:
        revision: an ACTIVE one, with its tags.
        image_exists: whether ECR still has its image; None where that is not known here.
    """

    revision: Revision
    image_exists: bool | None


@dataclass(frozen=True)
class RollbackTarget:
    """Where a rollback goes.

    Attributes:
        revision: the target.
        proven: whether a rollout of it has completed before.
        passed_over: newer ones that completed, and that the service was brought back from; in
            the order of their completion, the newest first.
    """

    revision: Revision
    proven: bool
    passed_over: tuple[Revision, ...] = ()


@dataclass(frozen=True)
class Completions:
    """When the rollouts of a revision completed, as ECS remembers: the first and the last."""

    first: datetime
    last: datetime


def with_completion(
    revision: Revision, completions: Mapping[TaskDefinitionRef, Completions]
) -> Revision:
    """Give a revision with the times that ECS remembers, where schoolctl noted no such on it."""
    told = completions.get(revision.ref)
    if told is None:
        return revision
    first = revision.completed_at or told.first
    last = max(first, told.last, revision.completed_again_at or first)
    return replace(revision, completed_at=first, completed_again_at=last if last > first else None)


def left_behind(revisions: Sequence[Revision]) -> set[TaskDefinitionRef]:
    """Give the revisions that the service was brought back from and has not been at since.

    One that had completed earlier completed again after them: somebody went back to it, over
    them. What was wrong with them is not known here, but to go to one of them again would be to
    go where somebody fled from.

    Args:
        revisions: those of one family, in any order.
    """
    known = [
        (each.ref, each.completed_at, each.last_completed_at)
        for each in revisions
        if each.completed_at is not None
    ]
    return {
        ref
        for ref, first, last in known
        if any(
            other_first < first
            and other_last is not None
            and last is not None
            and other_last > last
            for _, other_first, other_last in known
        )
    }


def completed_before(
    revisions: Sequence[Revision], running: Revision, left: Container[TaskDefinitionRef] = ()
) -> list[Revision]:
    """Give the revisions that completed before `running`, the newest first.

    What counts is when a rollout completed for the first time, not the revision's number: after
    a rollback, the next one goes further back and not forward again. A running revision that
    never completed is newer than all that did.

    Args:
        revisions: those of one family, in any order.
        running: what the PRIMARY deployment runs; need not be among `revisions`.
        left: those that were left behind, which come after the others.
    """
    found = [
        each
        for each in revisions
        if each.active
        and each.ref != running.ref
        and each.completed_at is not None
        and (running.completed_at is None or each.completed_at < running.completed_at)
    ]
    newest_first = sorted(found, key=_completion, reverse=True)
    return sorted(newest_first, key=lambda each: each.ref in left)


def _completion(revision: Revision) -> tuple[datetime, int]:
    if revision.completed_at is None:
        raise AssertionError("only revisions that completed are compared")
    return revision.completed_at, revision.ref.revision


def lower_than(revisions: Sequence[Revision], running: Revision) -> list[Revision]:
    """Give the ACTIVE revisions with a lower number, the highest first: unproven candidates."""
    found = [each for each in revisions if each.active and each.ref.revision < running.ref.revision]
    return sorted(found, key=lambda each: each.ref.revision, reverse=True)


def rollback_target(candidates: Sequence[Candidate], running: Revision) -> RollbackTarget:
    """Pick the revision that a rollback goes to: the newest that completed before `running`.

    One that the service was brought back from is passed over while there is another. Where none
    is proven so, it is the next lower one, to be asked about. An image that is gone rules a
    revision out either way.

    Args:
        candidates: ACTIVE revisions of one family, in any order.
        running: what the PRIMARY deployment runs; need not be in `candidates`.

    Raises:
        NotFoundError: no other revision still has its image.

    Source: ECS ListTaskDefinitions, DescribeTaskDefinition; ECR DescribeImages.
    """
    there = [each.revision for each in candidates if each.image_exists is not False]
    left = left_behind([each.revision for each in candidates])
    proven = completed_before(there, running, left)
    if proven:
        goal = proven[0]
        newer = [each for each in proven if _completion(each) > _completion(goal)]
        return RollbackTarget(goal, proven=True, passed_over=tuple(newer))
    lower = lower_than(there, running)
    if lower:
        return RollbackTarget(lower[0], proven=False)
    gone = [str(each.revision.ref) for each in candidates if each.image_exists is False]
    why = f"the images of {', '.join(gone)} are gone" if gone else "no earlier revision is ACTIVE"
    raise NotFoundError(
        f"there is nothing to roll back to: {running.ref} is the first that can run",
        why=why,
        hint="deploy another image: `schoolctl deploy --tag TAG`;"
        " or stop its tasks: `schoolctl scale 0`",
    )


def plan_rollback(
    config: Config,
    target: Target,
    service: ServiceState,
    options: DeployOptions,
    now: datetime,
    *,
    proven: bool,
) -> Plan:
    """Decide the steps that bring the service back to `target`.

    Nothing else of the service is changed, and no release command runs: what a migration did
    stays done.

    Args:
        config: the configuration of the environment.
        target: a revision that exists.
        service: as it was observed.
        options: what the command line asks for.
        now: the present time, for ages in messages.
        proven: whether a rollout of the target has completed before; if not, the user is asked.
    """
    cluster, name = config.service.cluster, config.service.name
    running, revision = service.task_definition, target.revision
    if revision is None:
        raise AssertionError("a rollback registers nothing")
    moving = in_progress(service)
    on_the_way = moving if moving and moving.task_definition == revision.ref == running else None
    if running == revision.ref and (moving is None or (on_the_way and not options.wait)):
        already = "on its way to" if on_the_way else "at"
        nothing = f"nothing to do: {name} is {already} {revision.ref} already"
        return Plan(nothing, (), nothing=nothing)
    changing: tuple[Step, ...] = ()
    if on_the_way is None:
        changing = (
            *(
                (StopDeployment(cluster, name, moving.id, moving.task_definition),)
                if moving
                else ()
            ),
            UpdateService(cluster, name, revision.ref, {}, running=running, changes=target.changes),
        )
    wait = WaitForRollout(
        cluster,
        name,
        options.timeout_seconds,
        deployment=on_the_way,
        fail_fast=options.fail_fast,
    )
    mark = MarkCompleted(revision.ref, again=revision.completed_at is not None)
    return Plan(
        f"roll {name} back from {running} to {revision.ref} ({target.label}).",
        (*changing, *((wait, mark) if options.wait else ())),
        notes=(_note(revision, target, running, now),),
        asks=not proven,
    )


def _note(revision: Revision, target: Target, running: TaskDefinitionRef, now: datetime) -> str:
    if revision.completed_at is not None:
        when = ago(revision.completed_at, now)
        return f"{revision.ref} ({target.label}) completed {when}, before {running}"
    return f"no rollout of {revision.ref} ({target.label}) is known to have completed"
