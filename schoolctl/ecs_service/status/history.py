"""The deployments of a service as far as they are known: ECS's record, and our notes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from schoolctl.base.text import iso, local_time, zoned_time
from schoolctl.ecs_service.define.target import BY_TAG, COMMIT_TAG, TAG_TAG, image_label
from schoolctl.ecs_service.define.task_definition import container_image
from schoolctl.ecs_service.rollout.rollback import left_behind
from schoolctl.images.push.release import short_commit
from schoolctl.model.deployments import ServiceDeploymentStatus as Status
from schoolctl.model.services import RolloutState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from schoolctl.model.deployments import ServiceDeploymentBrief
    from schoolctl.model.services import Deployment, Revision, ServiceState, TaskDefinitionRef

COLUMNS = ("REVISION", "IMAGE", "COMMIT", "BEGUN", "COMPLETED", "BY", "VERDICT")
_COMPLETED = "completed"
_NOT_NOTED = "not known to have completed"
# A deployment and ECS's record of it are written one after the other.
_SAME = timedelta(minutes=1)
_VERDICTS = {
    Status.PENDING: "waiting",
    Status.IN_PROGRESS: "in progress",
    Status.SUCCESSFUL: _COMPLETED,
    Status.STOP_REQUESTED: "being stopped",
    Status.STOPPED: "stopped",
    Status.ROLLBACK_REQUESTED: "being rolled back",
    Status.ROLLBACK_IN_PROGRESS: "being rolled back",
    Status.ROLLBACK_SUCCESSFUL: "rolled back",
    Status.ROLLBACK_FAILED: "failed, and so did the rollback",
    Status.UNKNOWN: "unknown",
}
_ROLLOUTS = {
    RolloutState.IN_PROGRESS: "in progress",
    RolloutState.COMPLETED: _COMPLETED,
    RolloutState.FAILED: "failed",
}


@dataclass(frozen=True)
class Attempt:
    """One deployment; `id` is empty where only a note on the revision tells of it."""

    ref: TaskDefinitionRef
    begun_at: datetime
    completed_at: datetime | None
    verdict: str
    reason: str = ""
    id: str = ""
    runs: bool = False
    is_target: bool = False
    """Whether a rollback would go to its revision."""
    is_left: bool = False
    """Whether the service was brought back from its revision."""


@dataclass(frozen=True)
class History:
    """The newest attempts first, and the revisions that they brought, by reference."""

    attempts: tuple[Attempt, ...]
    revisions: Mapping[TaskDefinitionRef, Revision]
    container: str
    recorded: bool
    """Whether ECS's own record was read; without it, some attempts that failed are missing."""

    def rows(self) -> list[list[str]]:
        """Give the cells under `COLUMNS`."""
        return [self._row(each) for each in self.attempts]

    def document(self) -> list[dict[str, object]]:
        """Give the attempts for JSON."""
        return [
            {
                "revision": str(each.ref),
                "tag": self._noted(each, TAG_TAG),
                "image": self._image(each) or None,
                "commit": self._noted(each, COMMIT_TAG),
                "deployed_by": self._noted(each, BY_TAG),
                "id": each.id or None,
                "begun_at": iso(each.begun_at),
                "completed_at": iso(each.completed_at),
                "verdict": each.verdict,
                "reason": each.reason or None,
                "runs": each.runs,
                "rollback_target": each.is_target,
                "rolled_back_from": each.is_left,
            }
            for each in self.attempts
        ]

    def _row(self, attempt: Attempt) -> list[str]:
        verdict = attempt.verdict
        if attempt.runs:
            verdict += ", runs now"
        if attempt.is_left:
            verdict += ", rolled back from"
        if attempt.is_target:
            verdict += "; a rollback goes here"
        image = self._noted(attempt, TAG_TAG) or image_label(self._image(attempt))
        by = self._noted(attempt, BY_TAG) or ""
        return [
            str(attempt.ref),
            image or "-",
            short_commit(self._noted(attempt, COMMIT_TAG) or "") or "-",
            zoned_time(attempt.begun_at),
            local_time(attempt.completed_at) if attempt.completed_at else "-",
            by.partition("/")[2] or by.rpartition(":")[2] or "-",
            verdict,
        ]

    def _image(self, attempt: Attempt) -> str:
        revision = self.revisions.get(attempt.ref)
        return container_image(revision.definition, self.container) if revision else ""

    def _noted(self, attempt: Attempt, key: str) -> str | None:
        revision = self.revisions.get(attempt.ref)
        return (revision.tags.get(key) or None) if revision else None


def attempts(
    service: ServiceState,
    recorded: Iterable[ServiceDeploymentBrief],
    revisions: Iterable[Revision],
    target: TaskDefinitionRef | None,
) -> list[Attempt]:
    """Join what is known of a service's deployments, the newest first.

    Args:
        service: with the deployments that DescribeServices tells of.
        recorded: ECS's own record, with task definitions.
        revisions: those of the family, with our notes.
        target: where a rollback would go.
    """
    found = [_of_record(each, each.task_definition) for each in recorded if each.task_definition]
    found += [
        _of_deployment(each)
        for each in service.deployments
        if not any(_is_same(each, attempt) for attempt in found)
    ]
    noted = list(revisions)
    known = {each.ref for each in found}
    found += [_of_revision(each) for each in noted if each.ref not in known]
    found.sort(key=lambda each: (each.begun_at, each.ref.revision), reverse=True)
    left = left_behind(noted) - {service.task_definition}
    return _marked(found, service.task_definition, target, left)


def _marked(
    found: Sequence[Attempt],
    running: TaskDefinitionRef,
    target: TaskDefinitionRef | None,
    left: Iterable[TaskDefinitionRef],
) -> list[Attempt]:
    """Mark what runs, where a rollback goes, and what one came from; each at its newest attempt."""
    now, back = _proof(found, running), _proof(found, target)
    from_there = {_proof(found, each) for each in left}
    return [
        replace(each, runs=number == now, is_target=number == back, is_left=number in from_there)
        for number, each in enumerate(found)
    ]


def _proof(found: Sequence[Attempt], ref: TaskDefinitionRef | None) -> int | None:
    """Give the number of a revision's newest attempt that completed, else of its newest."""
    numbers = [number for number, each in enumerate(found) if each.ref == ref]
    good = [number for number in numbers if found[number].verdict == _COMPLETED]
    return next(iter(good or numbers), None)


def _of_record(brief: ServiceDeploymentBrief, ref: TaskDefinitionRef) -> Attempt:
    verdict = _VERDICTS[brief.status]
    ended = brief.finished_at if verdict == _COMPLETED else None
    return Attempt(ref, brief.created_at, ended, verdict, brief.reason, brief.arn)


def _of_deployment(each: Deployment) -> Attempt:
    verdict = _ROLLOUTS[each.rollout_state] if each.rollout_state else "unknown"
    ended = each.updated_at if verdict == _COMPLETED else None
    return Attempt(
        each.task_definition, each.created_at, ended, verdict, each.rollout_reason, each.id
    )


def _of_revision(revision: Revision) -> Attempt:
    """Give what the notes on a revision tell: when it completed first, if it did."""
    begun = revision.registered_at or revision.completed_at
    if begun is None:
        raise AssertionError("ECS tells of every revision when it was registered")
    verdict = _COMPLETED if revision.completed_at else _NOT_NOTED
    return Attempt(revision.ref, begun, revision.completed_at, verdict)


def _is_same(deployment: Deployment, attempt: Attempt) -> bool:
    near = abs(deployment.created_at - attempt.begun_at) < _SAME
    return near and deployment.task_definition == attempt.ref
