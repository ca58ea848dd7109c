"""The deployment that `wait` follows, and the one that `why` explains. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from schoolctl.base.errors import NotFoundError, RolloutError, UsageError
from schoolctl.ecs_service.rollout.answers import is_way_back
from schoolctl.ecs_service.rollout.native import match
from schoolctl.ecs_service.rollout.verdict import ROLLBACK_WITHIN_SECONDS
from schoolctl.model.deployments import ServiceDeploymentStatus
from schoolctl.model.services import Deployment, RolloutState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.model.deployments import ServiceDeploymentBrief
    from schoolctl.model.services import ServiceState, TaskDefinitionRef

_FAILED = re.compile(r"deployment failed|roll(ed|ing)?[ -]?back", re.IGNORECASE)
_ID = re.compile(r"ecs-svc/\w+")
_PREFIX = "ecs-svc/"


@dataclass(frozen=True)
class InQuestion:
    """The deployment to follow; `moving` says whether it was not decided when it was found."""

    deployment: Deployment
    moving: bool


def rollout_in_question(
    service: ServiceState, records: Sequence[ServiceDeploymentBrief], revision: int | None
) -> InQuestion:
    """Give the rollout that is in progress, else the last one.

    The way back after a failure is no rollout of its own: the one that failed is in question.

    Args:
        service: as DescribeServices tells of it.
        records: ECS's own newest records, the newest first; empty where they cannot be read.
        revision: only a rollout of this revision.

    Raises:
        NotFoundError: ECS lists no deployment: another tool deploys the service.
        RolloutError: the last rollout failed, and all that is left of it is an event; or there is
            no rollout of `revision`.
    """
    if revision is not None:
        return _of_revision(service, records, revision)
    listed = deployment_in_question(service)
    newest = records[0] if records else None
    if listed.rollout_state is RolloutState.FAILED:
        return InQuestion(listed, moving=False)
    if newest is not None and newest.status is not ServiceDeploymentStatus.SUCCESSFUL:
        ours = next((each for each in service.deployments if match(each, [newest])), None)
        found = ours or _unlisted(newest)
        if found is not None:
            return InQuestion(found, moving=not newest.status.is_decided)
    if listed.rollout_state is not RolloutState.IN_PROGRESS and newest is None:
        _refuse_failed(service, listed)
    return InQuestion(listed, moving=listed.rollout_state is RolloutState.IN_PROGRESS)


def _of_revision(
    service: ServiceState, records: Sequence[ServiceDeploymentBrief], revision: int
) -> InQuestion:
    def fits(ref: TaskDefinitionRef | None) -> bool:
        return ref is not None and ref.revision == revision

    for each in service.deployments:
        if fits(each.task_definition):
            return InQuestion(each, moving=each.rollout_state is RolloutState.IN_PROGRESS)
    for record in records:
        found = _unlisted(record) if fits(record.task_definition) else None
        if found is not None:
            return InQuestion(found, moving=not record.status.is_decided)
    raise RolloutError(
        f"no rollout of revision {revision} to {service.name} is in progress",
        why=f"{service.name} is at {service.task_definition}",
        hint="`schoolctl history` lists earlier deployments",
    )


def _unlisted(record: ServiceDeploymentBrief) -> Deployment | None:
    """Give a deployment that DescribeServices no longer lists, as far as its record tells."""
    if record.task_definition is None:
        return None
    return Deployment(
        id=record.arn,
        status="INACTIVE",
        task_definition=record.task_definition,
        rollout_state=None,
        rollout_reason=record.reason,
        desired=0,
        running=0,
        pending=0,
        failed=0,
        created_at=record.created_at,
        updated_at=record.finished_at or record.created_at,
    )


def _refuse_failed(service: ServiceState, running: Deployment) -> None:
    """Refuse to call a service well whose events tell that the last rollout was rolled back.

    The deployment that failed is listed no more, once its tasks are gone.
    """
    since = running.created_at - timedelta(seconds=ROLLBACK_WITHIN_SECONDS)
    for event in service.events:
        ids = _ID.findall(event.message)
        of_another = bool(ids) and ids[0] != running.id
        if event.at >= since and of_another and _FAILED.search(event.message):
            raise RolloutError(
                f"the last rollout of {service.name} failed; it runs {running.task_definition}",
                why=event.message,
                hint="`schoolctl why` and `schoolctl tasks --all` tell more",
            )


# For `why`


def deployment_in_question(service: ServiceState, wanted: str | None = None) -> Deployment:
    """Give the deployment that `why` is about: the one asked for, else the newest.

    ECS brings a service back by a newer deployment of the older revision; then the one that
    failed is in question, and not the way back.

    Args:
        service: as DescribeServices tells of it.
        wanted: the beginning or the end of a deployment's id.

    Raises:
        NotFoundError: ECS lists no such deployment.
        UsageError: several begin or end so.
    """
    if wanted is not None:
        return _wanted(service, wanted)
    if not service.deployments:
        raise NotFoundError(
            f"ECS lists no deployment of {service.name}",
            why="another tool deploys it (CodeDeploy, or a controller of its own)",
            hint="`schoolctl why --task ID` explains one task",
        )
    newest = service.deployments[0]
    failed = next(
        (each for each in service.deployments if each.rollout_state is RolloutState.FAILED), None
    )
    if failed is not None and is_way_back(newest):
        return failed
    return newest


def _wanted(service: ServiceState, wanted: str) -> Deployment:
    digits = wanted.rpartition("/")[2]
    found = [
        each
        for each in service.deployments
        if digits and (each.id.removeprefix(_PREFIX).startswith(digits) or each.id.endswith(digits))
    ]
    listed = ", ".join(f"{each.id} ({each.task_definition})" for each in service.deployments)
    if not found:
        raise NotFoundError(
            f"there is no deployment {wanted} of {service.name}",
            why=f"ECS lists {listed or 'none'}",
            hint="`schoolctl history` tells of earlier ones",
        )
    if len(found) > 1:
        raise UsageError(f"{wanted!r} is the id of several deployments", why=f"ECS lists {listed}")
    return found[0]
