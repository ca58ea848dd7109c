"""Follows the deployment that was started until it is decided, and says what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecs import describe_service, list_tasks
from schoolctl.aws.observe_failure import observe_failure
from schoolctl.errors import SchoolctlError, UnavailableError, interrupted
from schoolctl.plan.diagnosis import diagnose
from schoolctl.plan.failure import events_since, tasks_of
from schoolctl.plan.rollout import (
    Completed,
    Failed,
    History,
    InProgress,
    RolledBack,
    ScaledToZero,
    Verdict,
    judge,
)
from schoolctl.plan.rollout_text import GOES_ON, document, failure, progress, success
from schoolctl.text import duration

if TYPE_CHECKING:
    from schoolctl.execute import Outcome, Tools
    from schoolctl.model import Deployment, ServiceState
    from schoolctl.plan.failure import FailureReport
    from schoolctl.plan.steps import WaitForRollout
    from schoolctl.reporter import View

_POLL_SECONDS = 1.5
_WAY_BACK_SECONDS = 120.0
"""How long the way back of a failed deployment is watched; the verdict stands by then."""
_WORTH_EXPLAINING = (InProgress, RolledBack, Failed)


def wait_for_rollout(step: WaitForRollout, tools: Tools, outcome: Outcome) -> str:
    """Follow the deployment that this plan started until it is decided.

    Returns:
        What became of it, such as `completed in 42 s, 2 of 2 running`.

    Raises:
        RolloutError: it failed, was rolled back or superseded, or the service was deleted.
        TimedOutError: it was not decided within the step's limit.
        InterruptedRunError: Ctrl-C; the rollout goes on.
    """
    started = step.deployment or outcome.deployment
    if started is None:
        raise AssertionError("the plan waits for a rollout before it starts one")
    outcome.deployment = started
    outcome.rollout = _Watch(step, tools, outcome, started).follow()
    return outcome.rollout


class _Watch:
    """One wait: what it follows, and what the answers so far have told."""

    def __init__(
        self, step: WaitForRollout, tools: Tools, outcome: Outcome, started: Deployment
    ) -> None:
        self._step = step
        self._tools = tools
        self._outcome = outcome
        self._started = started
        self._begun = tools.clock.monotonic()
        self._history = History()
        self._service: ServiceState | None = None
        self._events: set[str] = set()

    @property
    def _elapsed(self) -> float:
        return self._tools.clock.monotonic() - self._begun

    def follow(self) -> str:
        """Poll until the rollout is decided, then say or raise what became of it."""
        try:
            with self._tools.reporter.view() as view:
                verdict = self._poll(view)
        except KeyboardInterrupt as stop:
            raise interrupted(stop, hint=GOES_ON) from None
        except SchoolctlError as error:
            error.hint = "\n".join(filter(None, (error.hint, GOES_ON)))
            raise
        return self._conclude(verdict)

    def _poll(self, view: View) -> Verdict:
        """Give the verdict; InProgress when the time is up."""
        limit, on_the_way_back = self._step.timeout_seconds, False
        while True:
            verdict = self._look(view)
            if isinstance(verdict, RolledBack) and not verdict.finished:
                if not on_the_way_back:
                    limit, on_the_way_back = self._failed_at + _WAY_BACK_SECONDS, True
            elif not isinstance(verdict, InProgress):
                return verdict
            left = limit - self._elapsed
            if left <= 0:
                return verdict
            self._tools.clock.sleep(min(_POLL_SECONDS, left))

    @property
    def _failed_at(self) -> float:
        """When our deployment was seen to have failed; now, where that was never seen."""
        at = self._history.failed_after_seconds
        return self._elapsed if at is None else at

    def _look(self, view: View) -> Verdict:
        step = self._step
        try:
            self._service = describe_service(self._tools.clients, step.cluster, step.service)
        except UnavailableError as error:
            # Being throttled, or a network that is away for a while, says nothing of the rollout.
            self._tools.reporter.detail(f"{error.what}: {error.why}")
            return InProgress("AWS does not answer")
        elapsed = self._elapsed
        self._history = self._history.after(self._service, self._started, elapsed)
        if self._history.unsteady_after_seconds is not None:
            self._count_stops()
        verdict = judge(self._service, self._started, self._history, elapsed)
        self._show(view, verdict)
        return verdict

    def _count_stops(self) -> None:
        step = self._step
        try:
            stopped = list_tasks(
                self._tools.clients, step.cluster, service=step.service, stopped=True
            )
        except SchoolctlError as error:
            self._tools.reporter.detail(f"{error.what}: {error.why}")
            return
        trouble = [
            each
            for each in tasks_of(self._started, stopped)
            if diagnose(each, container=self._tools.config.task.container).trouble
        ]
        self._history = self._history.with_stops(len(trouble), self._elapsed)

    def _show(self, view: View, verdict: Verdict) -> None:
        service = self._service
        if service is None:
            return
        for event in reversed(events_since(self._started, service.events)):
            if event.id not in self._events:
                self._events.add(event.id)
                view.event(f"  {event.message}")
        reason = verdict.reason or "in progress"
        view.update(
            progress(service, self._started), moving=f"{reason} ({duration(self._elapsed)})"
        )

    def _conclude(self, verdict: Verdict) -> str:
        """Say what became of the rollout, or raise it."""
        seconds = self._elapsed
        good = isinstance(verdict, Completed) or (
            isinstance(verdict, ScaledToZero) and verdict.from_start
        )
        report = self._observe() if isinstance(verdict, _WORTH_EXPLAINING) else None
        name = f"{self._step.cluster}/{self._step.service}"
        told = document(verdict, self._started, seconds=seconds, report=report)
        self._tools.reporter.result(
            {"verdict": str(told["verdict"]).replace("_", " "), "rollout": told}
        )
        if not good:
            raise failure(verdict, self._started, name, seconds=seconds, report=report)
        if isinstance(verdict, ScaledToZero):
            self._outcome.proven = False
            self._tools.reporter.warn(f"{verdict.reason}, so this rollout proves nothing")
        return success(verdict, seconds)

    def _observe(self) -> FailureReport:
        return observe_failure(
            self._tools.clients,
            self._service,
            self._started,
            cluster=self._step.cluster,
            service_name=self._step.service,
            container=self._tools.config.task.container,
        )
