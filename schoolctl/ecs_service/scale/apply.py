"""The handlers of the scaling steps, and the wait for a task count."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, assert_never

from schoolctl.aws import autoscaling
from schoolctl.aws.ecs.services import describe_service, list_tasks
from schoolctl.aws.elbv2 import target_health
from schoolctl.aws.session.clients import answer_within
from schoolctl.base.errors import (
    AccessDeniedError,
    NotFoundError,
    SchoolctlError,
    UnavailableError,
    interrupted,
)
from schoolctl.base.text import duration
from schoolctl.core.executor import until_settled
from schoolctl.ecs_service.causes.failure import diagnose, tasks_of
from schoolctl.ecs_service.causes.observe import observe_failure
from schoolctl.ecs_service.rollout.follow import News
from schoolctl.ecs_service.rollout.verdict import VISIBLE_WITHIN_SECONDS
from schoolctl.ecs_service.scale.rules import (
    count_failure,
    count_progress,
    count_reached,
    count_stays,
    count_unseen,
)
from schoolctl.ecs_service.steps.scaling import (
    DeregisterScalableTarget,
    PutScalingPolicy,
    RegisterScalableTarget,
    WaitForCount,
)
from schoolctl.model.deployments import too_many_stops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.ecs_service.causes.failure import FailureReport
    from schoolctl.ecs_service.steps.scaling import AnyScalingStep
    from schoolctl.model.services import ServiceState
    from schoolctl.model.surroundings import TargetHealth
    from schoolctl.output.reporter import View

_POLL_SECONDS = 1.5


def wait_for_count(step: WaitForCount, tools: Tools, outcome: Outcome) -> str:
    """Wait until the service runs the tasks that it is to, and is served by them.

    Returns:
        Such as `4 of 4 running, 4 targets healthy after 12 s`.

    Raises:
        RolloutError: its tasks do not come up, somebody set another count, or it was deleted.
        TimedOutError: it does not run them within the step's limit.
        InterruptedRunError: Ctrl-C; ECS goes on.
    """
    outcome.rollout = _Count(step, tools).follow()
    return outcome.rollout


class _Count:
    """One wait, and what the answers so far have told."""

    def __init__(self, step: WaitForCount, tools: Tools) -> None:
        self._step = step
        self._tools = tools
        self._begun = tools.clock.monotonic()
        self._since = tools.clock.now()
        self._service: ServiceState | None = None
        self._reads_targets = True
        self._news = News(self._since)
        self._count_seen = False
        self._no_answer: str | None = None
        """Why the newest look saw nothing; None where it saw the service, or that there is none."""

    @property
    def _elapsed(self) -> float:
        return self._tools.clock.monotonic() - self._begun

    def follow(self) -> str:
        """Poll until it is decided, then say or raise what came of it."""
        goes_on = count_stays(self._step)
        try:
            with self._tools.reporter.view() as view:
                said, stops = self._poll(view)
        except KeyboardInterrupt as stop:
            raise interrupted(stop, hint=goes_on) from None
        except SchoolctlError as error:
            error.hint = "\n".join(filter(None, (error.hint, goes_on)))
            raise
        running = self._service.running if self._service else 0
        self._tools.reporter.result({"running": running, "seconds": round(self._elapsed, 1)})
        if said is None and self._no_answer is not None:
            raise count_unseen(self._step, why=self._no_answer, seconds=self._elapsed)
        if said is None:
            raise count_failure(
                self._service, self._step, stops=stops, seconds=self._elapsed, report=self._report()
            )
        return f"{said} after {duration(self._elapsed)}"

    def _poll(self, view: View) -> tuple[str | None, int]:
        """Give what was reached, or None with the number of tasks that stopped with trouble."""
        while True:
            try:
                said, stops = self._look(view, self._step.timeout_seconds - self._elapsed)
                self._no_answer = None
            except UnavailableError as error:
                # Being throttled, or a network that is away for a while, says nothing of the tasks.
                self._tools.reporter.detail(f"{error.what}: {error.why}")
                said, stops = None, 0
                self._no_answer = error.why
            left = self._step.timeout_seconds - self._elapsed
            if said is not None or self._is_over(stops) or left <= 0:
                return said, stops if self._is_over(stops) else 0
            self._tools.clock.sleep(min(_POLL_SECONDS, left))

    def _is_over(self, stops: int) -> bool:
        service = self._service
        changed = (
            service is None or service.status != "ACTIVE" or service.desired != self._step.count
        )
        # What ECS tells may be from before the count was set.
        decided = self._count_seen or self._elapsed >= VISIBLE_WITHIN_SECONDS
        answered = self._no_answer is None
        return (changed and decided and answered) or stops >= too_many_stops(self._step.count)

    def _look(self, view: View, left_seconds: float) -> tuple[str | None, int]:
        step, clients = self._step, self._tools.clients
        patience = max(left_seconds, _POLL_SECONDS)
        answer = clients.start(describe_service, clients, step.cluster, step.service, once=True)
        try:
            service = answer_within(answer, patience, f"look at service {step.service}")
        except NotFoundError:
            service = None  # its cluster is gone, too
        self._service = service
        if service is None:
            return None, 0
        self._count_seen |= service.desired == step.count
        targets = self._targets(service, patience)
        self._news.tell(service, view)
        view.update(
            count_progress(service, step.count, targets),
            moving=f"in progress ({duration(self._elapsed)})",
        )
        if service.status != "ACTIVE" or service.desired != step.count:
            return None, 0
        said = count_reached(service, step.count, targets)
        return said, 0 if said is not None else self._stops(service)

    def _targets(
        self, service: ServiceState, patience_seconds: float
    ) -> Sequence[TargetHealth] | None:
        """Give the load balancer's targets; None where nothing tells of them."""
        clients = self._tools.clients
        if not self._reads_targets or not service.target_group_arns:
            return None
        try:
            answer = clients.start(target_health, clients, service.target_group_arns)
            return answer_within(answer, patience_seconds, "read the target health")
        except AccessDeniedError as error:
            self._reads_targets = False
            self._tools.reporter.warn(
                "whether the load balancer finds the tasks healthy was not verified:"
                f" {error.action or 'the read'} is denied"
            )
            return None

    def _stops(self, service: ServiceState) -> int:
        """Give how many tasks have stopped with trouble since this began."""
        primary = service.primary
        if primary is None or service.running >= self._step.count:
            return 0
        step = self._step
        try:
            stopped = list_tasks(
                self._tools.clients, step.cluster, service=step.service, stopped=True
            )
        except SchoolctlError as error:
            self._tools.reporter.detail(f"{error.what}: {error.why}")
            return 0
        container = self._tools.config.task.container
        return sum(
            diagnose(each, container=container).trouble
            for each in tasks_of(primary, stopped)
            if each.stopped_at is not None and each.stopped_at >= self._since
        )

    def _report(self) -> FailureReport | None:
        """Give what explains why tasks do not run; None where that is no question."""
        service = self._service
        primary = service.primary if service is not None else None
        if service is None or primary is None or service.desired != self._step.count:
            return None
        return observe_failure(
            self._tools.clients,
            service,
            replace(primary, created_at=self._since),
            cluster=self._step.cluster,
            service_name=self._step.service,
            container=self._tools.config.task.container,
        )


def apply(step: AnyScalingStep, tools: Tools, outcome: Outcome) -> str:
    """Carry out a step; gives what to say beside its description, or nothing."""
    clients, names = tools.clients, (step.cluster, step.service)
    match step:
        case RegisterScalableTarget():
            limits = step.limits
            until_settled(
                tools, lambda: autoscaling.register_scalable_target(clients, *names, limits)
            )
            _started(tools, limits=asdict(limits))
            return ""
        case PutScalingPolicy():
            policy = step.policy
            until_settled(tools, lambda: autoscaling.put_scaling_policy(clients, *names, policy))
            _started(tools, policies=dict(step.targets))
            return ""
        case DeregisterScalableTarget():
            there = until_settled(
                tools, lambda: autoscaling.deregister_scalable_target(clients, *names)
            )
            _started(tools, limits=None, policies={})
            return "" if there else "it was ended already"
        case WaitForCount():
            return wait_for_count(step, tools, outcome)
        case _:
            assert_never(step)


def _started(tools: Tools, **known: object) -> None:
    """Put into the document what is so from here on, even where a later step fails."""
    tools.reporter.result({"verdict": "started", **known})
