"""The watch on a rollout, from the deployment that was started to its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schoolctl.aws.ecs.changes import update_service
from schoolctl.aws.ecs.deployments import stop_service_deployment
from schoolctl.base.errors import SchoolctlError, UnavailableError, interrupted
from schoolctl.base.text import count, duration
from schoolctl.ecs_service.causes.observe import observe_failure
from schoolctl.ecs_service.rollout import native
from schoolctl.ecs_service.rollout.answers import History
from schoolctl.ecs_service.rollout.observe import RolloutObserver
from schoolctl.ecs_service.rollout.progress import Look, Trace, heartbeat, progress
from schoolctl.ecs_service.rollout.verdict import (
    VISIBLE_WITHIN_SECONDS,
    Completed,
    Failed,
    InProgress,
    RolledBack,
    ScaledToZero,
    Stopped,
    Verdict,
    at_the_limit,
    count_not_visible,
    ended_in_vain,
    ended_without_target,
    judge,
    not_answered,
    weigh,
    with_unhealthy,
)
from schoolctl.ecs_service.rollout.view import GOES_ON, document, failure, success

if TYPE_CHECKING:
    from datetime import datetime

    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.ecs_service.causes.failure import FailureReport
    from schoolctl.ecs_service.steps.service import WaitForRollout
    from schoolctl.model.services import Deployment, ServiceState, TaskDefinitionRef
    from schoolctl.output.reporter import View

_POLL_SECONDS = 1.5
_HEARTBEAT_SECONDS = 30.0
"""After how long without news a log is told that the rollout is still watched."""
_WAY_BACK_SECONDS = 120.0
"""How long the way back of a failed deployment is watched; the verdict stands by then."""
_WORTH_EXPLAINING = (InProgress, RolledBack, Failed, Stopped)


def wait_for_rollout(step: WaitForRollout, tools: Tools, outcome: Outcome) -> str:
    """Follow the deployment that this plan started until it is decided.

    Returns:
        What became of it, such as `completed in 42 s, 2 of 2 running`.

    Raises:
        RolloutError: it failed, was rolled back, stopped or superseded, or the service was
            deleted.
        TimedOutError: it was not decided within the step's limit.
        InterruptedRunError: Ctrl-C; the rollout goes on.
    """
    started = step.deployment or outcome.deployment
    if started is None:
        raise AssertionError("the plan waits for a rollout before it starts one")
    outcome.deployment = started
    outcome.goes_on = GOES_ON
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
        self._observer = RolloutObserver(
            tools.clients, step.cluster, step.service, started, note=tools.reporter.detail
        )
        # Of a deployment of an earlier run it is known how many tasks it was to have.
        self._history = History(first_desired=step.deployment.desired if step.deployment else None)
        self._trace = Trace()
        self._newest = Look(None)
        self._news = News(started.created_at)
        self._lines: list[str] = []
        self._told_at = 0.0
        self._count_seen = outcome.desired is None

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
        try:
            return self._conclude(verdict)
        except KeyboardInterrupt as stop:
            raise self._interrupted_after(verdict, stop) from None

    def _poll(self, view: View) -> Verdict:
        """Give the verdict; InProgress when the time is up."""
        limit, on_the_way_back = self._step.timeout_seconds, False
        while True:
            begun = self._elapsed
            verdict = self._look(view, limit - begun)
            if self._is_hopeless(verdict):
                verdict = self._end(verdict, view)
                limit = min(limit, self._elapsed + _WAY_BACK_SECONDS)
            if isinstance(verdict, RolledBack) and not verdict.finished:
                if not on_the_way_back:
                    limit = min(limit, self._failed_at + _WAY_BACK_SECONDS)
                    on_the_way_back = True
            elif not isinstance(verdict, InProgress):
                return verdict
            left = limit - self._elapsed
            if left <= 0:
                return at_the_limit(verdict, self._history)
            spent = self._elapsed - begun
            self._tools.clock.sleep(min(max(_POLL_SECONDS - spent, 0.1), left))

    @property
    def _failed_at(self) -> float:
        """When our deployment was seen to have failed; now, where that was never seen."""
        at = self._history.failed_after_seconds
        return self._elapsed if at is None else at

    def _look(self, view: View, left_seconds: float) -> Verdict:
        troubled = self._history.unsteady_after_seconds is not None
        wanted = troubled or self._step.fail_fast is not None
        try:
            look = self._observer.look(max(left_seconds, _POLL_SECONDS), stopped=wanted)
        except UnavailableError as error:
            # Being throttled, or a network that is away for a while, says nothing of the rollout.
            self._tools.reporter.detail(f"{error.what}: {error.why}")
            verdict = not_answered(error.why.removeprefix("AWS answered "))
            self._show(view, verdict)
            return verdict
        self._newest = look
        verdict = self._judge(look)
        self._show(view, verdict)
        return verdict

    def _judge(self, look: Look) -> Verdict:
        elapsed, started = self._elapsed, self._started
        if self._is_from_before(look):
            return count_not_visible()
        history = self._history.after(look.service, started, elapsed)
        stops = look.troubled(started, self._tools.config.task.container)
        self._history = history = history.with_stops(stops, elapsed)
        self._trace = self._trace.after(look, started, elapsed)
        verdict = judge(look.service, started, history, elapsed)
        verdict = weigh(verdict, look.told, look.service, started, history, elapsed)
        if not self._step.healthy:
            return verdict
        targets = look.our_targets(started)
        return with_unhealthy(verdict, sum(each.state == "unhealthy" for each in targets))

    def _is_from_before(self, look: Look) -> bool:
        """Say whether an answer lacks the count that this run has set: ECS may tell it late."""
        if look.service is None or self._count_seen or self._elapsed >= VISIBLE_WITHIN_SECONDS:
            return False
        self._count_seen = look.service.desired == self._outcome.desired
        return not self._count_seen

    def _show(self, view: View, verdict: Verdict) -> None:
        elapsed = self._elapsed
        told = self._news.tell(self._newest.service, view)
        lines = progress(self._newest, self._started, self._trace.unhealthy_for(elapsed))
        reason = verdict.reason or "in progress"
        view.update(lines, moving=f"{reason} ({duration(elapsed)})")
        if told or lines != self._lines:
            self._told_at = elapsed
        elif elapsed - self._told_at >= _HEARTBEAT_SECONDS:
            view.heartbeat(heartbeat(lines, verdict.reason, elapsed))
            self._told_at = elapsed
        self._lines = lines

    # Ending it early

    def _is_hopeless(self, verdict: Verdict) -> bool:
        limit = self._step.fail_fast
        return (
            limit is not None
            and not self._history.ended
            and isinstance(verdict, InProgress)
            and self._history.failed_after_seconds is None
            and self._history.stops >= limit
        )

    def _end(self, verdict: Verdict, view: View) -> Verdict:
        """End the rollout and send the service back; with nothing to go back to, it has failed."""
        stops, before = count(self._history.stops, "task"), self._history.before
        reason = f"--fail-fast ended it: {stops} of it stopped with trouble"
        if before is None:
            return ended_without_target(reason)
        self._history = replace(self._history, ended=reason)
        try:
            done = go_back(
                self._step,
                self._tools,
                self._started,
                record_arn=self._observer.record_arn,
                before=before,
            )
        except SchoolctlError as error:
            return ended_in_vain(reason, before, error)
        view.event(f"  {reason}; {done}")
        return verdict

    # The end

    def _conclude(self, verdict: Verdict) -> str:
        """Say what became of the rollout, or raise it."""
        seconds = self._elapsed
        report = self._report(verdict)
        name = f"{self._step.cluster}/{self._step.service}"
        told = document(
            verdict, self._started, seconds=seconds, report=report, more=self._more(verdict)
        )
        self._tools.reporter.result(
            {"verdict": str(told["verdict"]).replace("_", " "), "rollout": told}
        )
        if not _is_good(verdict):
            raise failure(verdict, self._started, name, seconds=seconds, report=report)
        if isinstance(verdict, ScaledToZero):
            self._outcome.proven = False
            self._tools.reporter.warn(f"{verdict.reason}, so this rollout proves nothing")
        elif self._trace.line():
            self._tools.reporter.note(f"  {self._trace.line()}")
        return success(verdict, seconds)

    def _interrupted_after(self, verdict: Verdict, stop: KeyboardInterrupt) -> SchoolctlError:
        """Give the error for Ctrl-C while a decided rollout is being explained: it still tells."""
        name = f"{self._step.cluster}/{self._step.service}"
        if _is_good(verdict):
            return interrupted(stop, why=f"it came after this: {success(verdict, self._elapsed)}")
        told = failure(verdict, self._started, name, seconds=self._elapsed, report=None)
        return interrupted(stop, why=f"it came after this: {told.what}", hint=told.hint)

    def _more(self, verdict: Verdict) -> dict[str, object]:
        """Give the rest of the document: ECS's own record, and where the time went."""
        more: dict[str, object] = {}
        if isinstance(verdict, Completed):
            look = self._observer.with_stopped(self._newest)
            self._trace = self._trace.after(look, self._started, self._elapsed)
            more["time"] = self._trace.document()
        if self._newest.told is not None:
            more["service_deployment"] = native.document(self._newest.told)
        return more

    def _report(self, verdict: Verdict) -> FailureReport | None:
        if not isinstance(verdict, _WORTH_EXPLAINING):
            return None
        if isinstance(verdict, InProgress) and not verdict.answered:
            return None  # the limit is over, and AWS would not answer these questions either
        return observe_failure(
            self._tools.clients,
            self._newest.service,
            self._started,
            cluster=self._step.cluster,
            service_name=self._step.service,
            container=self._tools.config.task.container,
        )


def _is_good(verdict: Verdict) -> bool:
    return isinstance(verdict, Completed) or (
        isinstance(verdict, ScaledToZero) and verdict.from_start
    )


def go_back(
    step: WaitForRollout,
    tools: Tools,
    started: Deployment,
    *,
    record_arn: str,
    before: TaskDefinitionRef,
) -> str:
    """Stop the deployment, so that ECS goes back; where it cannot be told to, update the service.

    Args:
        step: which service.
        tools: AWS, and where it is said.
        started: the deployment to end.
        record_arn: the ARN of its service deployment; empty where it is not known.
        before: the revision that ran before it.

    Returns:
        What was done, as the end of a sentence.

    Raises:
        SchoolctlError: the service could not be brought back.
    """
    tools.confirm_locks()
    if record_arn and _stop(tools, record_arn):
        return "ECS was told to stop it and to go back"
    if before == started.task_definition:
        raise SchoolctlError(
            "there is no other revision to go back to",
            why=f"{before} ran before, too",
            hint="stop its tasks: `schoolctl scale 0`",
        )
    update_service(tools.clients, step.cluster, step.service, {"taskDefinition": before.arn})
    return f"the service was sent back to {before}"


def _stop(tools: Tools, record_arn: str) -> bool:
    try:
        return stop_service_deployment(tools.clients, record_arn)
    except SchoolctlError as error:
        tools.reporter.detail(f"{error.what}: {error.why}")
        return False


class News:
    """The events of a service from a time on, the oldest first."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._told: set[str] = set()

    def tell(self, service: ServiceState | None, view: View) -> bool:
        """Show the events that were not shown yet; says whether there were any."""
        fresh = [
            each
            for each in reversed(service.events if service is not None else ())
            if each.at >= self._since and each.id not in self._told
        ]
        for each in fresh:
            self._told.add(each.id)
            view.event(f"  {each.message}")
        return bool(fresh)
