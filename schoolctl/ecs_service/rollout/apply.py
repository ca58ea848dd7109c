"""The handlers of the steps that bring a service to a revision."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, assert_never

from schoolctl.aws import logs
from schoolctl.aws.ecs import changes
from schoolctl.aws.ecs.deployments import still_stopping, stop_deployments
from schoolctl.aws.ecs.services import describe_service
from schoolctl.aws.ecs.shapes import COMPLETED_AGAIN_AT_TAG, COMPLETED_AT_TAG
from schoolctl.base.errors import SchoolctlError, UnavailableError
from schoolctl.base.text import iso
from schoolctl.core.executor import until_visible
from schoolctl.ecs_service.rollout.follow import wait_for_rollout
from schoolctl.ecs_service.rollout.view import GOES_ON
from schoolctl.ecs_service.steps.service import (
    CreateLogGroup,
    CreateService,
    MarkCompleted,
    RegisterTaskDefinition,
    StopDeployment,
    UpdateService,
    WaitForRollout,
)

if TYPE_CHECKING:
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.ecs_service.steps.service import AnyServiceStep
    from schoolctl.model.services import ServiceState, TaskDefinitionRef

_ANSWERS_WITHIN_SECONDS = 60.0
_STOPS_WITHIN_SECONDS = 30.0
_PAUSE_SECONDS = 3.0
_LOOKS = 2
"""How often to look for what a lost call may have begun: ECS may show it some moments later."""


def apply(step: AnyServiceStep, tools: Tools, outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case CreateLogGroup():
            return create_log_group(step, tools)
        case RegisterTaskDefinition():
            return register(step, tools, outcome)
        case CreateService():
            return create_service(step, tools, outcome)
        case UpdateService():
            return update_service(step, tools, outcome)
        case StopDeployment():
            return stop_deployment(step, tools)
        case MarkCompleted():
            return mark_completed(step, tools, outcome)
        case WaitForRollout():
            return wait_for_rollout(step, tools, outcome)
        case _:
            assert_never(step)


def create_log_group(step: CreateLogGroup, tools: Tools) -> str:
    """Create a log group."""
    return "" if logs.create_log_group(tools.clients, step.name) else "it was there already"


# Revisions


def register(step: RegisterTaskDefinition, tools: Tools, outcome: Outcome) -> str:
    """Register a revision, just one, even where an answer is lost; gives its name.

    Raises:
        SchoolctlError: ECS refused, or did not answer for a minute.
    """
    deploy_id = str(uuid.uuid4())
    ref = until_visible(tools, lambda: _register_once(step, tools, deploy_id))
    outcome.registered = ref
    tools.reporter.result({"revision": str(ref)})
    return str(ref)


def _register_once(step: RegisterTaskDefinition, tools: Tools, deploy_id: str) -> TaskDefinitionRef:
    """Register; after a call without an answer, look whether ECS did it before calling again."""
    give_up_at = tools.clock.monotonic() + _ANSWERS_WITHIN_SECONDS
    while True:
        try:
            return changes.register_revision(
                tools.clients, step.definition, step.tags, deploy_id=deploy_id
            )
        except UnavailableError:
            tools.clock.sleep(_PAUSE_SECONDS)
            found = changes.find_registered(tools.clients, step.family, deploy_id)
            if found is not None:
                return found
            if tools.clock.monotonic() >= give_up_at:
                raise


def mark_completed(step: MarkCompleted, tools: Tools, outcome: Outcome) -> str:
    """Note on the revision when its rollout completed; a rollout that proved nothing leaves none.

    The service runs by now: a mark that cannot be made is a warning, and the next deploy makes it.
    """
    if not outcome.proven:
        return "left out: no task of it ran"
    name = COMPLETED_AGAIN_AT_TAG if step.again else COMPLETED_AT_TAG
    at = iso(tools.clock.now()) or ""
    try:
        changes.tag_revision(tools.clients, outcome.revision(step.task_definition), {name: at})
    except SchoolctlError as error:
        tools.reporter.warn(f"{error.what}, so `rollback` does not know it completed: {error.why}")
        return "left out"
    return ""


# The service


def create_service(step: CreateService, tools: Tools, outcome: Outcome) -> str:
    """Create the service; its first deployment is the one to follow."""
    revision = outcome.revision(step.task_definition)
    request = {
        **step.request,
        "taskDefinition": revision.arn,
        "desiredCount": step.desired_count,
    }
    made = until_visible(
        tools, lambda: changes.create_service(tools.clients, step.cluster, step.name, request)
    )
    outcome.desired = step.desired_count
    _started(made, revision, tools, outcome)
    return ""


def update_service(step: UpdateService, tools: Tools, outcome: Outcome) -> str:
    """Update the service; the PRIMARY deployment of the answer is the one to follow."""
    revision = outcome.revision(step.task_definition)
    request = {**step.request}
    if step.running != revision:
        # The full ARN: of a family's name ECS takes whatever is newest by then.
        request["taskDefinition"] = revision.arn
    if step.force:
        request["forceNewDeployment"] = True
        updated = until_visible(tools, lambda: _force_once(step, revision, tools, request))
    else:
        updated = until_visible(
            tools, lambda: changes.update_service(tools.clients, step.cluster, step.name, request)
        )
    outcome.desired = step.desired_count
    _started(updated, revision, tools, outcome)
    return ""


def _force_once(
    step: UpdateService,
    revision: TaskDefinitionRef,
    tools: Tools,
    request: dict[str, object],
) -> ServiceState:
    """Force one deployment: after a call without an answer, look for it before calling again."""
    before = describe_service(tools.clients, step.cluster, step.name)
    known = {each.id for each in before.deployments} if before is not None else set()
    give_up_at = tools.clock.monotonic() + _ANSWERS_WITHIN_SECONDS
    while True:
        try:
            return changes.update_service(tools.clients, step.cluster, step.name, request)
        except UnavailableError:
            for _ in range(_LOOKS):
                tools.clock.sleep(_PAUSE_SECONDS)
                now = describe_service(tools.clients, step.cluster, step.name)
                if now is not None and _has_begun(now, revision, known):
                    return now
            if tools.clock.monotonic() >= give_up_at:
                raise


def _has_begun(service: ServiceState, revision: TaskDefinitionRef, known: set[str]) -> bool:
    primary = service.primary
    return primary is not None and primary.id not in known and primary.task_definition == revision


def _started(
    service: ServiceState, revision: TaskDefinitionRef, tools: Tools, outcome: Outcome
) -> None:
    """Note which deployment was started; it is told even where the wait for it fails."""
    outcome.deployment = service.primary
    outcome.goes_on = GOES_ON
    tools.reporter.result(
        {
            "verdict": "started",
            "revision": str(revision),
            "deployment_id": service.primary.id if service.primary else None,
        }
    )


def stop_deployment(step: StopDeployment, tools: Tools) -> str:
    """Stop the deployment in progress where ECS can be told to; elsewhere an update replaces it."""
    try:
        stopped = stop_deployments(tools.clients, step.cluster, step.service)
        if stopped is not None:
            _wait_until_stopped(stopped, tools)
    except SchoolctlError as error:
        tools.reporter.detail(f"{error.what}: {error.why}")
        return "how far that is was not seen; the update replaces it"
    if stopped is None:
        return "ECS cannot be told to here; the update replaces it"
    return "" if stopped else "it was decided by then, or the update replaces it"


def _wait_until_stopped(arns: list[str], tools: Tools) -> None:
    give_up_at = tools.clock.monotonic() + _STOPS_WITHIN_SECONDS
    while still_stopping(tools.clients, arns) and tools.clock.monotonic() < give_up_at:
        tools.clock.sleep(_PAUSE_SECONDS)
