"""Verdicts on a rollout, and the only place where one is constructed. Pure.

`judge` decides from DescribeServices answers, where only our own deployment id counts. "The service
is stable" proves nothing: a service whose new revision was rolled back by the circuit breaker is
stable, too. `weigh` adds ECS's own record of the deployment, where it may be read. The functions at
the end return the verdicts on what this run itself saw or did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from schoolctl.base.text import count
from schoolctl.ecs_service.rollout.answers import evidence_of_rollback, find, still_running
from schoolctl.ecs_service.rollout.native import (
    STATUSES,
    failure_reason,
    is_stopped_by_trouble,
    stage,
)
from schoolctl.model.deployments import (
    DeploymentStrategy,
    ServiceDeploymentStatus,
    enough_running,
    is_watched_on,
    rolls_back,
    strategy,
    too_many_stops,
)
from schoolctl.model.services import RolloutState

if TYPE_CHECKING:
    from schoolctl.base.errors import SchoolctlError
    from schoolctl.ecs_service.rollout.answers import History
    from schoolctl.ecs_service.rollout.native import Told
    from schoolctl.model.services import Deployment, ServiceState, TaskDefinitionRef

VISIBLE_WITHIN_SECONDS = 30.0
"""How long an answer may lack what we have just made: DescribeServices is eventually consistent."""
ROLLBACK_WITHIN_SECONDS = 15.0
"""How long ECS may take from marking a deployment FAILED to starting the way back."""
STEADY_SECONDS = 5.0
"""How long all tasks must have stayed up where COMPLETED was said before they were."""
_GONE_STATUSES = {"INACTIVE", "DRAINING"}


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


def judge(
    service: ServiceState | None,
    started: Deployment,
    history: History,
    elapsed_seconds: float,
) -> Verdict:
    """Return the verdict on the deployment `started`, from DescribeServices answers.

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
    """Return whether an answer may be from before our deployment, even if one before it was not."""
    return (
        ours is None
        and not history.failed
        and primary.created_at <= started.created_at
        and elapsed_seconds < VISIBLE_WITHIN_SECONDS
    )


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
    evidence = evidence_of_rollback(service, started, primary)
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


# With ECS's own record


def weigh(
    verdict: Verdict,
    told: Told | None,
    service: ServiceState | None,
    started: Deployment,
    history: History,
    elapsed_seconds: float,
) -> Verdict:
    """Return the verdict on `started` with ECS's own record of it taken into account.

    Args:
        verdict: what DescribeServices alone tells.
        told: the record; None where it cannot be read.
        service: the newest DescribeServices answer.
        started: our deployment.
        history: what the answers up to and including this one told.
        elapsed_seconds: the time since the deployment was started.
    """
    if told is None or service is None or isinstance(verdict, Gone):
        return verdict
    return _Weighing(verdict, told, service, started, history, elapsed_seconds).result()


@dataclass(frozen=True)
class _Weighing:
    verdict: Verdict
    told: Told
    service: ServiceState
    started: Deployment
    history: History
    elapsed_seconds: float

    def result(self) -> Verdict:
        status = self.told.deployment.status
        match status:
            case (
                ServiceDeploymentStatus.PENDING
                | ServiceDeploymentStatus.IN_PROGRESS
                | ServiceDeploymentStatus.UNKNOWN
            ):
                return self._going_on()
            case ServiceDeploymentStatus.STOP_REQUESTED:
                return InProgress(STATUSES[status])
            case ServiceDeploymentStatus.SUCCESSFUL:
                return self._successful()
            case (
                ServiceDeploymentStatus.ROLLBACK_REQUESTED
                | ServiceDeploymentStatus.ROLLBACK_IN_PROGRESS
            ):
                return RolledBack(self._reason(), self._to(), finished=False)
            case ServiceDeploymentStatus.ROLLBACK_SUCCESSFUL:
                return RolledBack(self._reason(), self._to(), finished=True)
            case ServiceDeploymentStatus.ROLLBACK_FAILED:
                return Failed(self._reason(), self._others(), rollback_failed=True)
            case ServiceDeploymentStatus.STOPPED:
                return self._stopped()
            case _:
                assert_never(status)

    def _going_on(self) -> Verdict:
        rolling = self.told.deployment.strategy is DeploymentStrategy.ROLLING
        if isinstance(self.verdict, Superseded) and self._is_fresh():
            return InProgress("another deployment was started: another rollout, or the way back")
        if rolling and not isinstance(self.verdict, InProgress | Completed):
            return self.verdict
        if isinstance(self.verdict, ScaledToZero):
            return self.verdict
        state = self._state()
        if rolling and isinstance(self.verdict, Completed) and state is RolloutState.COMPLETED:
            # The record may be a moment late; but where ECS goes on to watch, it decides.
            if not is_watched_on(self.service):
                return self.verdict
            return InProgress("all tasks run; ECS watches the deployment on before it decides")
        said = self.verdict.reason if isinstance(self.verdict, InProgress) else ""
        return InProgress(stage(self.told.deployment) or said)

    def _is_fresh(self) -> bool:
        """Return whether the newer deployment is so new that the record may not have it yet."""
        since = self.history.replaced_after_seconds
        return since is not None and self.elapsed_seconds - since < ROLLBACK_WITHIN_SECONDS

    def _state(self) -> RolloutState | None:
        ours = find(self.service, self.started)
        return ours.rollout_state if ours is not None else None

    def _successful(self) -> Verdict:
        primary = self.service.primary
        ours = find(self.service, self.started)
        if isinstance(self.verdict, RolledBack) and primary is not None:
            # Somebody deployed the revision before it once more, after ours had completed.
            return Superseded(
                "another deployment was started after this one had completed", primary
            )
        undecided = isinstance(self.verdict, InProgress) and ours is not None
        if not undecided or ours is None or ours.rollout_state is RolloutState.COMPLETED:
            return self.verdict
        if ours.status != "PRIMARY" or ours.running < enough_running(self.service):
            return self.verdict
        return Completed(ours.running, self.service.desired, self.told.deployment.reason)

    def _stopped(self) -> Verdict:
        if isinstance(self.verdict, Superseded | RolledBack):
            return self.verdict
        told, primary = self.told.deployment, self.service.primary
        if is_stopped_by_trouble(told) or isinstance(self.verdict, Failed):
            return Failed(self._reason(), self._others(), first=not self.history.others)
        if primary is not None and primary.id != self.started.id:
            return Superseded(told.reason or "another deployment was started", primary)
        return Stopped(told.reason or "somebody stopped it", self._others())

    def _reason(self) -> str:
        return failure_reason(
            self.told.deployment,
            ended=self.history.ended,
            otherwise=self.history.failed_reason or self.verdict.reason,
        )

    def _to(self) -> TaskDefinitionRef | None:
        if self.told.rollback_to is not None:
            return self.told.rollback_to
        if isinstance(self.verdict, RolledBack):
            return self.verdict.to
        return self.history.before

    def _others(self) -> tuple[TaskDefinitionRef, ...]:
        return still_running(self.service, self.started.id)


# What this run itself saw or did


def not_answered(why: str) -> Verdict:
    """Return the verdict while AWS does not answer, for the reason `why`."""
    return InProgress(f"AWS does not answer: {why}", answered=False)


def count_not_visible() -> Verdict:
    """Return the verdict while answers still lack the desired count that this run has set."""
    return InProgress("the new desired count is not visible yet")


def with_unhealthy(verdict: Verdict, targets: int) -> Verdict:
    """Return `verdict`, undecided for as long as `targets` of a completed rollout are unhealthy."""
    if not targets or not isinstance(verdict, Completed):
        return verdict
    return InProgress(f"{count(targets, 'target')} of the load balancer not healthy")


def at_the_limit(verdict: Verdict, history: History) -> Verdict:
    """Return the verdict once the time is up: a rollout that this run ended is not undecided."""
    if history.ended and isinstance(verdict, InProgress):
        return RolledBack(history.ended, history.before, finished=False)
    return verdict


def ended_without_target(reason: str) -> Verdict:
    """Return the verdict on a rollout ended for `reason`, with no revision to roll back to."""
    return Failed(reason, (), first=True)


def ended_in_vain(reason: str, before: TaskDefinitionRef, error: SchoolctlError) -> Verdict:
    """Return the verdict on a rollout ended for `reason`, where the rollback to `before` failed."""
    return Failed(f"{reason}; {error.what}: {error.why}", (before,))
