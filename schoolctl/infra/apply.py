"""Handlers of the steps that create, update and delete a stack, with live events."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, assert_never

from schoolctl.aws import cloudformation, iam, logs, rds
from schoolctl.aws.ecs import changes as ecs
from schoolctl.base.errors import (
    NotFoundError,
    RolloutError,
    SchoolctlError,
    TimedOutError,
    UnavailableError,
    interrupted,
)
from schoolctl.base.partitions import partition_of
from schoolctl.base.text import count, duration
from schoolctl.infra.changes import going_on, outcome, resource
from schoolctl.infra.operations import TOKEN, failure, is_success, refused_template
from schoolctl.infra.steps import (
    ChangeStack,
    CreateIdentityProvider,
    DeleteDatabase,
    DeleteLogGroup,
    DeleteService,
    DeleteStack,
    LayStack,
    ProtectStack,
    UnprotectDatabase,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.infra.steps import AnyStackStep
    from schoolctl.model.stacks import ChangeSet, StackEvent, StackState, Template
    from schoolctl.output.reporter import View

_POLL_SECONDS = 2.0
_QUIET_SECONDS = 30.0
_CHANGE_SET_SECONDS = 300.0
_GOES_ON = "CloudFormation goes on; `schoolctl infra status` shows how, `infra up` follows it"


def apply(step: AnyStackStep, tools: Tools, _outcome: Outcome) -> str:
    """Carry out one step; gives what to say of it beyond its own description."""
    match step:
        case LayStack():
            return lay_stack(step, tools)
        case ChangeStack():
            return change_stack(step, tools)
        case DeleteStack():
            return delete_stack(step, tools)
        case DeleteDatabase():
            return delete_database(step, tools)
        case ProtectStack():
            cloudformation.protect_stack(tools.clients, step.name, protected=step.protected)
        case DeleteService():
            ecs.delete_service(tools.clients, step.cluster, step.name)
        case UnprotectDatabase():
            rds.unprotect_database(tools.clients, step.instance)
        case DeleteLogGroup():
            logs.delete_log_group(tools.clients, step.name)
        case CreateIdentityProvider():
            audience = f"sts.{partition_of(tools.clients.region).host_suffix}"
            iam.create_identity_provider(tools.clients, step.host, audience)
        case _:
            assert_never(step)
    return ""


def change_set_name(template: Template, stack: StackState | None) -> str:
    """Give the name of the change set that brings a stack to a template.

    It is the same until the stack changes: then one that was carried out is in nobody's way.
    """
    since = stack.changed_at if stack is not None else None
    return (
        f"{TOKEN}{template.fingerprint}-{since:%Y%m%d%H%M%S}"
        if since
        else (f"{TOKEN}{template.fingerprint}")
    )


def lay_stack(step: LayStack, tools: Tools) -> str:
    """Create the stack, and follow it until it is there."""
    clients, name = tools.clients, step.name
    try:
        made = work_out(tools, name, step.template, None)
    except SchoolctlError:
        _forget_review(tools, name)
        raise
    token = _token(made)
    cloudformation.execute_change_set(clients, name, made, token)
    stack = cloudformation.find_stack(clients, name)
    if stack is None:
        raise NotFoundError(f"stack {name} was deleted meanwhile", why="somebody else did so")
    return follow(tools, stack, token, doing="create", timeout_seconds=step.timeout_seconds)


def _forget_review(tools: Tools, name: str) -> None:
    """Remove what a change set of a stack that is not there leaves: a name under review."""
    with suppress(SchoolctlError):
        left = cloudformation.find_stack(tools.clients, name)
        if left is not None and left.status == "REVIEW_IN_PROGRESS":
            cloudformation.delete_stack(tools.clients, left.id, f"{TOKEN}{uuid.uuid4()}")


def _token(change_set: ChangeSet) -> str:
    """Give the token of carrying a change set out: the same for each reply that was lost."""
    return f"{TOKEN}{change_set.id.rpartition('/')[2] or change_set.name}"[:128]


def work_out(tools: Tools, stack: str, template: Template, before: StackState | None) -> ChangeSet:
    """Give the change set that brings a stack to a template; it may say that nothing changes.

    Args:
        tools: AWS and the time.
        stack: its name.
        template: what it is to be.
        before: what it is; None where it is not there yet.

    Raises:
        SchoolctlError: CloudFormation cannot make one, and says why.
        TimedOutError: it takes too long.
    """
    clients, name = tools.clients, change_set_name(template, before)
    begun = tools.clock.monotonic()
    left = cloudformation.describe_change_set(clients, stack, name)
    if left is not None and left.execution != "AVAILABLE":
        # Of an earlier run, and of no use: failed, out of date, or carried out already.
        cloudformation.delete_change_set(clients, stack, name)
        left = None
    if left is None:
        cloudformation.create_change_set(clients, stack, name, template, new=before is None)
    while True:
        found = cloudformation.describe_change_set(clients, stack, name)
        if found is not None and found.status in {"CREATE_COMPLETE", "FAILED"}:
            break
        if tools.clock.monotonic() - begun > _CHANGE_SET_SECONDS:
            raise TimedOutError(
                f"CloudFormation has not worked out the changes of stack {stack}",
                why=f"it has been at it for {duration(_CHANGE_SET_SECONDS)}",
                hint="run it again",
            )
        tools.clock.sleep(_POLL_SECONDS / 2)
    if found.status == "FAILED" and not found.is_empty:
        with suppress(SchoolctlError):
            cloudformation.delete_change_set(clients, stack, name)
        raise refused_template(stack, found.reason)
    return found


def change_stack(step: ChangeStack, tools: Tools) -> str:
    """Carry out the change set that was shown, and follow it."""
    clients, token = tools.clients, _token(step.change_set)
    cloudformation.execute_change_set(clients, step.name, step.change_set, token)
    stack = cloudformation.find_stack(clients, step.name)
    if stack is None:
        raise NotFoundError(f"stack {step.name} was deleted meanwhile", why="somebody else did so")
    return follow(tools, stack, token, doing="change", timeout_seconds=step.timeout_seconds)


def delete_stack(step: DeleteStack, tools: Tools) -> str:
    """Delete the stack, and follow it until it is gone."""
    token = f"{TOKEN}{uuid.uuid4()}"
    cloudformation.delete_stack(tools.clients, step.id, token)
    stack = cloudformation.stack_status(tools.clients, step.id)
    return follow(tools, stack, token, doing="delete", timeout_seconds=step.timeout_seconds)


def follow(
    tools: Tools, stack: StackState, token: str, *, doing: str, timeout_seconds: float
) -> str:
    """Follow an operation until it is over; tells of each resource.

    Args:
        tools: AWS, time, output.
        stack: as it is now.
        token: of the operation.
        doing: what it does: create, change or delete.
        timeout_seconds: after which nobody waits any longer.

    Raises:
        RolloutError: it failed; names the resource and AWS's reason.
        TimedOutError: it is still going on.
        InterruptedRunError: Ctrl-C; CloudFormation goes on.
    """
    watched = _Watched(tools, stack, token)
    try:
        with tools.reporter.view() as view:
            ended = watched.until_over(view, timeout_seconds)
    except KeyboardInterrupt as stop:
        raise interrupted(stop, hint=_GOES_ON) from None
    if ended is None:
        raise TimedOutError(
            f"stack {stack.name} is still {watched.stack.status} after {duration(timeout_seconds)}",
            why="; ".join(watched.under_way()),
            hint=_GOES_ON,
        )
    if not is_success(ended.status):
        again = "schoolctl infra down" if doing == "delete" else "schoolctl infra up"
        raise failure(ended, watched.events, doing=doing, again=again)
    done = len({each.logical_id for each in watched.events if not each.of_stack})
    time = duration(watched.elapsed)
    return f"{count(done, 'resource')} in {time}" if done else f"in {time}"


class _Watched:
    """One operation, and what its events have told so far."""

    def __init__(self, tools: Tools, stack: StackState, token: str) -> None:
        self.stack = stack
        self.events: list[StackEvent] = []
        """Of the operation, oldest first."""
        self._tools = tools
        self._token = token
        self._begun = tools.clock.monotonic()
        self._told_at = self._begun
        self._newest = ""
        self._states: dict[str, StackEvent] = {}

    @property
    def elapsed(self) -> float:
        return self._tools.clock.monotonic() - self._begun

    def until_over(self, view: View, timeout_seconds: float) -> StackState | None:
        """Look until the operation is over; None where it is not after that time."""
        while True:
            with suppress(UnavailableError):
                self._look(view)
                if not self.stack.in_progress and self._has_ended():
                    return self.stack
            left = timeout_seconds - self.elapsed
            if left <= 0:
                return None
            self._tools.clock.sleep(min(_POLL_SECONDS, left))

    def _has_ended(self) -> bool:
        """Say whether the last event of the operation is in; it may come after the status."""
        last = self._states.get(self.stack.name)
        if last is None:
            return self.stack.status == "DELETE_COMPLETE"
        return last.status == self.stack.status

    def _look(self, view: View) -> None:
        clients = self._tools.clients
        events = clients.start(cloudformation.newest_events, clients, self.stack.id, self._newest)
        self.stack = cloudformation.stack_status(clients, self.stack.id)
        found = events.result()
        if found:
            self._newest = found[0].id
        for each in reversed(found):
            if each.token and each.token != self._token:
                continue
            self.events.append(each)
            self._note(each, view)
        self._show(view)

    def _note(self, event: StackEvent, view: View) -> None:
        self._states[event.logical_id] = event
        told = outcome(event)
        if told and not event.of_stack:
            view.event(f"  {resource(event.type, event.logical_id)}: {told}")
            self._told_at = self._tools.clock.monotonic()

    def under_way(self) -> list[str]:
        """Give what is being done, a piece for each resource."""
        return [
            f"{going_on(each)} {resource(each.type, each.logical_id)}"
            for each in self._states.values()
            if not outcome(each) and not each.of_stack
        ]

    def _show(self, view: View) -> None:
        going = self.under_way()
        time = duration(self.elapsed)
        view.update([], moving="\n".join((f"stack {self.stack.name} {time}", *going)))
        now = self._tools.clock.monotonic()
        if now - self._told_at >= _QUIET_SECONDS and going:
            self._told_at = now
            view.heartbeat(f"  {time}: {'; '.join(going)}")


def delete_database(step: DeleteDatabase, tools: Tools) -> str:
    """Delete the instance, and wait until it is gone: its stack is in the way until then."""
    clients, begun = tools.clients, tools.clock.monotonic()
    if not rds.delete_database(clients, step.instance):
        return "it was gone"
    while rds.database_exists(clients, step.instance):
        elapsed = tools.clock.monotonic() - begun
        if elapsed > step.timeout_seconds:
            raise TimedOutError(
                f"database {step.instance} is still being deleted after {duration(elapsed)}",
                hint="run it again, it goes on from there",
            )
        tools.clock.sleep(_POLL_SECONDS * 5)
    return f"gone after {duration(tools.clock.monotonic() - begun)}"


def follow_ours(
    tools: Tools, stack: StackState, token: str, events: Sequence[StackEvent], seconds: float
) -> None:
    """Follow an operation that an earlier run of ours began.

    Raises:
        RolloutError: it failed.
    """
    status = events[0].status if events else stack.status
    verbs = {"CREATE": "create", "UPDATE": "change", "DELETE": "delete", "ROLLBACK": "create"}
    doing = verbs.get(status.partition("_")[0], "change")
    tools.reporter.note(f"stack {stack.name} is {stack.status}: an earlier run began it")
    try:
        said = follow(tools, stack, token, doing=doing, timeout_seconds=seconds)
    except RolloutError as error:
        # What it failed at may be mended by now: this run says so and tries again itself.
        tools.reporter.warn(f"{error.what}: {error.why}")
    else:
        tools.reporter.note(f"that is through: {said}")
