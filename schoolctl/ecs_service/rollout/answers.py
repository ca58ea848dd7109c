"""What successive DescribeServices answers tell about the deployment that was started. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from schoolctl.model.deployments import enough_running
from schoolctl.model.services import RolloutState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.model.services import Deployment, ServiceState, TaskDefinitionRef

_WAY_BACK = re.compile(r"roll(ed|ing)?[ -]?back", re.IGNORECASE)


@dataclass(frozen=True)
class History:
    """What earlier answers told that the next one may leave out. Begin with `History()`."""

    seen: bool = False
    """Whether our deployment has been in an answer."""
    first_desired: int | None = None
    """The service's desired count in the first answer that had our deployment."""
    failed_after_seconds: float | None = None
    """When our deployment was first seen FAILED."""
    failed_reason: str = ""
    others: Mapping[str, TaskDefinitionRef] = field(default_factory=dict)
    """Every other deployment id seen, with its revision."""
    unsteady_after_seconds: float | None = None
    """When our deployment was last seen COMPLETED without all its tasks up."""
    stops: int = 0
    """How many tasks of our deployment have stopped with trouble, as far as was looked."""
    before: TaskDefinitionRef | None = None
    """The revision that ran when our deployment began, as far as was seen."""
    replaced_after_seconds: float | None = None
    """When a newer deployment was first seen in the place of ours."""
    ended: str = ""
    """Why this run itself ended the rollout; empty where it did not."""

    @property
    def failed(self) -> bool:
        """Whether our deployment is known to have failed."""
        return self.failed_after_seconds is not None or bool(self.ended)

    def with_stops(self, stops: int, elapsed_seconds: float) -> History:
        """Return the history with the number of tasks that have stopped so far."""
        if stops <= self.stops:
            return self
        return replace(self, stops=stops, unsteady_after_seconds=elapsed_seconds)

    def after(
        self, service: ServiceState | None, started: Deployment, elapsed_seconds: float
    ) -> History:
        """Return the history with one more answer in it."""
        if service is None:
            return self
        others = {
            each.id: each.task_definition for each in service.deployments if each.id != started.id
        }
        before = self.before or _ran_before(service, started)
        history = replace(self, others={**self.others, **others}, before=before)
        primary = service.primary
        newer = primary is not None and primary.created_at > started.created_at
        if newer and self.replaced_after_seconds is None:
            history = replace(history, replaced_after_seconds=elapsed_seconds)
        ours = find(service, started)
        if ours is None:
            return history
        first = service.desired if self.first_desired is None else self.first_desired
        history = replace(history, seen=True, first_desired=first)
        said, enough = RolloutState.COMPLETED, enough_running(service)
        if ours.rollout_state is said and ours.running < enough:
            history = replace(history, unsteady_after_seconds=elapsed_seconds)
        elif not self.seen and started.rollout_state is said and started.running < enough:
            history = replace(history, unsteady_after_seconds=0.0)
        if ours.rollout_state is not RolloutState.FAILED:
            return history
        at = elapsed_seconds if self.failed_after_seconds is None else self.failed_after_seconds
        reason = ours.rollout_reason or self.failed_reason
        return replace(history, failed_after_seconds=at, failed_reason=reason)


def find(service: ServiceState, started: Deployment) -> Deployment | None:
    """Return our deployment as an answer has it; None where it is not listed."""
    return next((each for each in service.deployments if each.id == started.id), None)


def _ran_before(service: ServiceState, started: Deployment) -> TaskDefinitionRef | None:
    """Return the revision of the newest deployment before ours that has run."""
    return next(
        (
            each.task_definition
            for each in service.deployments
            if each.id != started.id
            and each.created_at <= started.created_at
            and each.rollout_state is not RolloutState.FAILED
            and (each.running or each.rollout_state is RolloutState.COMPLETED)
        ),
        None,
    )


def evidence_of_rollback(
    service: ServiceState, started: Deployment, primary: Deployment
) -> str | None:
    """Return the message that shows a rollback, or None where there is none."""
    if primary.created_at < started.created_at:
        return primary.rollout_reason or "ECS went back to the deployment before it"
    if is_way_back(primary):
        return primary.rollout_reason
    return next(
        (
            each.message
            for each in service.events
            if started.id in each.message
            and ("failed" in each.message or _WAY_BACK.search(each.message))
        ),
        None,
    )


def is_way_back(deployment: Deployment) -> bool:
    """Return whether ECS says that this deployment is the rollback of another one."""
    return _WAY_BACK.search(deployment.rollout_reason) is not None


def still_running(service: ServiceState, our_id: str) -> tuple[TaskDefinitionRef, ...]:
    """Return the revisions of other deployments that have running tasks, the newest first."""
    return tuple(
        each.task_definition for each in service.deployments if each.id != our_id and each.running
    )
