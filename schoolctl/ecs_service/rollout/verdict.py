"""What became of the deployment that we started, decided from DescribeServices answers.

Only our own deployment id counts. "The service is stable" proves nothing: a service whose new
revision was rolled back by the circuit breaker is stable, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from schoolctl.model.deployments import (
    DeploymentStrategy,
    enough_running,
    rolls_back,
    strategy,
    too_many_stops,
)
from schoolctl.model.services import RolloutState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.model.services import Deployment, ServiceState, TaskDefinitionRef

VISIBLE_WITHIN_SECONDS = 30.0
"""How long an answer may lack what we have just made: DescribeServices is eventually consistent."""
ROLLBACK_WITHIN_SECONDS = 15.0
"""How long ECS may take from marking a deployment FAILED to starting the way back."""
STEADY_SECONDS = 5.0
"""How long all tasks must have stayed up where COMPLETED was said before they were."""
_GONE_STATUSES = {"INACTIVE", "DRAINING"}
_WAY_BACK = re.compile(r"roll(ed|ing)?[ -]?back", re.IGNORECASE)


@dataclass(frozen=True)
class InProgress:
    """Not decided yet."""

    reason: str
    answered: bool = True
    """Whether AWS told; otherwise nothing is known."""


@dataclass(frozen=True)
class Completed:
    """Our deployment is PRIMARY, COMPLETED, and all its tasks run."""

    running: int
    desired: int
    reason: str = ""


@dataclass(frozen=True)
class RolledBack:
    """Our deployment failed, and the service goes back to the revision `to`."""

    reason: str
    to: TaskDefinitionRef | None
    """None where ECS does not tell."""
    finished: bool
    """Whether the way back is complete, too."""


@dataclass(frozen=True)
class Failed:
    """Our deployment failed and ECS does not go back."""

    reason: str
    still_running: tuple[TaskDefinitionRef, ...]
    """Other revisions of which tasks are still running, newest deployment first."""
    first: bool = False
    """Whether the service has no deployment before it, and so nothing to go back to."""
    replaced_by: TaskDefinitionRef | None = None
    """The revision of a deployment that somebody started since."""
    rollback_failed: bool = False
    """Whether ECS tried to go back, and failed at that, too."""


@dataclass(frozen=True)
class Stopped:
    """Somebody stopped our deployment before it was decided, and nothing goes back."""

    reason: str
    still_running: tuple[TaskDefinitionRef, ...]
    """Other revisions of which tasks are still running, newest deployment first."""


@dataclass(frozen=True)
class Superseded:
    """Somebody started another deployment before ours was decided."""

    reason: str
    by: Deployment


@dataclass(frozen=True)
class ScaledToZero:
    """The service's desired count is 0: nothing runs, so nothing is proven."""

    reason: str
    from_start: bool
    """Whether it was 0 when we began; otherwise somebody changed it meanwhile."""


@dataclass(frozen=True)
class Gone:
    """The service is being deleted, or is no longer there."""

    reason: str


Verdict = InProgress | Completed | RolledBack | Failed | Superseded | Stopped | ScaledToZero | Gone


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
        """Give the history with the number of tasks that have stopped so far."""
        if stops <= self.stops:
            return self
        return replace(self, stops=stops, unsteady_after_seconds=elapsed_seconds)

    def after(
        self, service: ServiceState | None, started: Deployment, elapsed_seconds: float
    ) -> History:
        """Give the history with one more answer in it."""
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


def judge(
    service: ServiceState | None,
    started: Deployment,
    history: History,
    elapsed_seconds: float,
) -> Verdict:
    """Say what has become of the deployment `started`.

    COMPLETED counts when it is said of tasks that run. Where it is said before they do (the
    emulator says it of a service's first deployment), or where tasks stop after it, they have to
    stay up for a while.

    Args:
        service: the newest answer; None where ECS knows no such service.
        started: our deployment, as CreateService or UpdateService answered it.
        history: what the answers up to and including this one told.
        elapsed_seconds: the time since the deployment was started.

    Source: ECS API, Deployment.rolloutState and Deployment.status; that a rollback is a new
    deployment on AWS (the emulator makes the old one PRIMARY again), and that it appears some
    moments after the failure.
    """
    if service is None or service.status in _GONE_STATUSES:
        return _without_service(service, elapsed_seconds)
    ours, primary = find(service, started), service.primary
    if ours is not None and ours.status == "PRIMARY":
        return _while_primary(service, ours, history, elapsed_seconds)
    if primary is None:
        return InProgress("ECS has no PRIMARY deployment yet")
    if _may_be_stale(ours, primary, started, history, elapsed_seconds):
        return InProgress("the deployment is not visible yet")
    if not history.seen and primary.created_at <= started.created_at:
        return Superseded("ECS no longer lists the deployment that was started", primary)
    return _after_primary(service, started, primary, history)


def _may_be_stale(
    ours: Deployment | None,
    primary: Deployment,
    started: Deployment,
    history: History,
    elapsed_seconds: float,
) -> bool:
    """Say whether an answer may be from before our deployment, even if one before it was not."""
    return (
        ours is None
        and not history.failed
        and primary.created_at <= started.created_at
        and elapsed_seconds < VISIBLE_WITHIN_SECONDS
    )


def _ran_before(service: ServiceState, started: Deployment) -> TaskDefinitionRef | None:
    """Give the revision of the newest deployment before ours that has run."""
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


def find(service: ServiceState, started: Deployment) -> Deployment | None:
    """Give our deployment as an answer has it; None where it is not listed."""
    return next((each for each in service.deployments if each.id == started.id), None)


def _without_service(service: ServiceState | None, elapsed_seconds: float) -> Verdict:
    if service is not None:
        return Gone(f"the service is {service.status}: somebody is deleting it")
    if elapsed_seconds < VISIBLE_WITHIN_SECONDS:
        return InProgress("the service is not visible yet")
    return Gone("ECS knows no such service any more")


def _while_primary(
    service: ServiceState, ours: Deployment, history: History, elapsed_seconds: float
) -> Verdict:
    if ours.rollout_state is RolloutState.FAILED:
        return _while_failed(service, ours, history, elapsed_seconds)
    if service.desired == 0:
        from_start = history.first_desired in {None, 0}
        when = "is 0" if from_start else "was set to 0 while the rollout was under way"
        return ScaledToZero(f"the desired count {when}: no task runs", from_start)
    if ours.rollout_state is RolloutState.COMPLETED:
        return _while_completed(service, ours, history, elapsed_seconds)
    # Answers from before rolloutState existed: only a service that holds nothing but our
    # deployment, with nothing pending, may be called complete.
    alone = ours.pending == 0 and len(service.deployments) == 1
    if ours.rollout_state is not None or not alone or ours.running < service.desired:
        return InProgress(ours.rollout_reason)
    if not _is_rolling(service):
        return InProgress("all its tasks run; whether they have the traffic, ECS does not tell")
    return Completed(ours.running, service.desired, ours.rollout_reason)


def _while_completed(
    service: ServiceState, ours: Deployment, history: History, elapsed_seconds: float
) -> Verdict:
    others = still_running(service, ours.id)
    if history.stops >= too_many_stops(service.desired):
        return Failed(
            f"ECS calls the deployment completed, but {history.stops} of its tasks have stopped",
            others,
            first=not history.others,
        )
    if not _is_rolling(service) and others:
        return InProgress("tasks of another revision are still running")
    if ours.running < enough_running(service):
        return InProgress(f"{ours.running} of {service.desired} tasks are running")
    unsteady = history.unsteady_after_seconds
    if unsteady is not None and elapsed_seconds - unsteady < STEADY_SECONDS:
        return InProgress("all tasks are running; watching whether they stay")
    return Completed(ours.running, service.desired, ours.rollout_reason)


def _is_rolling(service: ServiceState) -> bool:
    return strategy(service) is DeploymentStrategy.ROLLING


def _while_failed(
    service: ServiceState, ours: Deployment, history: History, elapsed_seconds: float
) -> Verdict:
    since = elapsed_seconds - (history.failed_after_seconds or 0.0)
    goes_back = history.ended or rolls_back(service)
    if history.others and goes_back and since < ROLLBACK_WITHIN_SECONDS:
        return InProgress("the deployment failed; ECS is about to go back")
    return Failed(
        history.ended or ours.rollout_reason,
        still_running(service, ours.id),
        first=not history.others,
    )


def _after_primary(
    service: ServiceState, started: Deployment, primary: Deployment, history: History
) -> Verdict:
    evidence = _evidence_of_rollback(service, started, primary)
    known = {ref for id_, ref in history.others.items() if id_ != primary.id}
    goes_back = history.ended or (history.failed and rolls_back(service))
    went_back = goes_back and primary.task_definition in known
    if evidence is not None or went_back:
        return RolledBack(
            reason=history.ended or history.failed_reason or evidence or "the deployment failed",
            to=primary.task_definition,
            finished=primary.rollout_state in {RolloutState.COMPLETED, None}
            and primary.running >= service.desired,
        )
    if history.failed:
        return Failed(
            history.ended or history.failed_reason,
            still_running(service, started.id),
            replaced_by=primary.task_definition,
        )
    ours = find(service, started)
    completed = ours is not None and ours.rollout_state is RolloutState.COMPLETED
    when = "after this one had completed" if completed else "before this one was decided"
    return Superseded(f"another deployment ({primary.id}) was started {when}", primary)


def _evidence_of_rollback(
    service: ServiceState, started: Deployment, primary: Deployment
) -> str | None:
    """Give the words that tell of a rollback, or None where there are none."""
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
    """Say whether ECS tells that it goes back by this deployment after another one failed."""
    return _WAY_BACK.search(deployment.rollout_reason) is not None


def still_running(service: ServiceState, our_id: str) -> tuple[TaskDefinitionRef, ...]:
    """Give the revisions of other deployments that have running tasks, the newest first."""
    return tuple(
        each.task_definition for each in service.deployments if each.id != our_id and each.running
    )
