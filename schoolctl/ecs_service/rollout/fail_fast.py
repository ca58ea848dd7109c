"""Ends a rollout that is hopeless, and brings the service back: `--fail-fast`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecs.changes import update_service
from schoolctl.aws.ecs.deployments import stop_service_deployment
from schoolctl.base.errors import SchoolctlError

if TYPE_CHECKING:
    from schoolctl.core.executor import Tools
    from schoolctl.ecs_service.steps.service import WaitForRollout
    from schoolctl.model.services import Deployment, TaskDefinitionRef


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
