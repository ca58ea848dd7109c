"""ECS, changing: revisions, services, deployments.

Nothing here waits; what ECS does not see yet is told apart, so that the caller can try again.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto

from schoolctl.aws import ecs_shapes as shapes
from schoolctl.aws.ecs import describe_revision, describe_service, request_members
from schoolctl.aws.errors import error_code, error_message, is_code, translated
from schoolctl.aws.visible import changing
from schoolctl.model import TaskDefinitionRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_ecs.type_defs import TagTypeDef

    from schoolctl.aws.clients import Clients
    from schoolctl.model import ServiceState

DEPLOY_ID_TAG = "schoolctl:deploy-id"
# Characters that a tag's value may have. Source: ECS TagResource.
_NOT_IN_TAGS = re.compile(r"[^\w\s+\-=.:/@]")
_LONGEST_TAG = 256
_STOPPING = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED")


# Revisions


def register_revision(
    clients: Clients, definition: Mapping[str, Any], tags: Mapping[str, str], *, deploy_id: str
) -> TaskDefinitionRef:
    """Register a revision, in one call that is not repeated.

    Raises:
        UnavailableError: no answer came; `find_registered` tells whether ECS did it.
        NotVisibleYetError: ECS does not see a role yet.

    Source: ECS RegisterTaskDefinition, which has no client token.
    """
    family = str(definition.get("family", ""))
    request = {**definition}
    own = request.pop("tags", [])
    with changing(f"register a revision of {family}"):
        answer = clients.ecs_once.register_task_definition(
            **request, tags=[*own, *_tag_list({**tags, DEPLOY_ID_TAG: deploy_id})]
        )
    return TaskDefinitionRef.from_arn(answer["taskDefinition"].get("taskDefinitionArn", ""))


def find_registered(clients: Clients, family: str, deploy_id: str) -> TaskDefinitionRef | None:
    """Give the newest revision of `family` if it was registered under `deploy_id`."""
    newest = describe_revision(clients, family)
    if newest is None or newest.tags.get(DEPLOY_ID_TAG) != deploy_id:
        return None
    return newest.ref


def tag_revision(clients: Clients, revision: TaskDefinitionRef, tags: Mapping[str, str]) -> None:
    """Put tags on a revision. Source: ECS TagResource."""
    with translated(f"tag {revision}"):
        clients.ecs.tag_resource(resourceArn=revision.arn, tags=_tag_list(tags))


def _tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [
        {"key": key, "value": _NOT_IN_TAGS.sub("_", value)[:_LONGEST_TAG]}
        for key, value in tags.items()
    ]


# Services


def create_service(
    clients: Clients, cluster: str, name: str, request: Mapping[str, Any]
) -> ServiceState:
    """Create a service; a call that is repeated after a lost reply creates no second one.

    Args:
        clients: the AWS clients.
        cluster: its name.
        name: the service's.
        request: all else of a CreateService request, the task definition and count included.

    Raises:
        NotVisibleYetError: ECS does not see a role or target group yet.

    Source: ECS CreateService.
    """
    token = str(uuid.uuid4())
    with changing(f"create service {cluster}/{name}"):
        try:
            answer = clients.ecs.create_service(
                cluster=cluster, serviceName=name, clientToken=token, **request
            )
        except boto.ClientError as error:
            # Where the token is not honoured, a repeated call finds what the first one made.
            found = _made_already(clients, cluster, name, request, error)
            if found is None:
                raise
            return found
    return shapes.service_state(answer["service"], request_members(clients, "UpdateService"))


def _made_already(
    clients: Clients, cluster: str, name: str, request: Mapping[str, Any], error: boto.ClientError
) -> ServiceState | None:
    if not re.search(r"idempotent|already exists", error_message(error), re.IGNORECASE):
        return None
    found = describe_service(clients, cluster, name)
    wanted = request.get("taskDefinition")
    return found if found is not None and found.task_definition.arn == wanted else None


def update_service(
    clients: Clients, cluster: str, name: str, request: Mapping[str, Any]
) -> ServiceState:
    """Update a service.

    A repetition after a lost reply does nothing more, unless it forces a new deployment: such a
    call is made once.

    Raises:
        UnavailableError: no answer came.
        NotVisibleYetError: ECS does not see a role or target group yet.

    Source: ECS UpdateService.
    """
    ecs = clients.ecs_once if request.get("forceNewDeployment") else clients.ecs
    with changing(f"update service {cluster}/{name}"):
        answer = ecs.update_service(cluster=cluster, service=name, **request)
    return shapes.service_state(answer["service"], request_members(clients, "UpdateService"))


# Deployments


def stop_deployments(clients: Clients, cluster: str, service: str) -> list[str] | None:
    """Ask ECS to stop the deployments of a service that are in progress, and go back.

    Returns:
        The ARNs of those that were asked to stop; None where this AWS cannot do it, which is no
        failure: an update goes over a deployment in progress.

    Source: ECS ListServiceDeployments, StopServiceDeployment; both younger than most of ECS.
    """
    doing = f"stop the deployment of {cluster}/{service}"
    with translated(doing):
        try:
            # Asked once: whatever does not know the operation may answer with a server error.
            answer = clients.ecs_once.list_service_deployments(
                cluster=cluster, service=service, status=["PENDING", "IN_PROGRESS"]
            )
            arns = [each.get("serviceDeploymentArn", "") for each in answer["serviceDeployments"]]
            for arn in arns:
                _stop(clients, arn)
        except boto.ClientError as error:
            if _is_unknown_operation(error):
                return None
            raise
    return arns


def _stop(clients: Clients, arn: str) -> None:
    try:
        clients.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    except boto.ClientError as error:
        # It was decided between the two calls.
        if not is_code(error, "ConflictException", "ServiceDeploymentNotFoundException"):
            raise


def _is_unknown_operation(error: boto.ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    unknown = error_code(error) in {"UnknownOperationException", "InvalidAction", "UnknownAction"}
    return unknown or status in {404, 501} or "not implemented" in error_message(error).lower()


def still_stopping(clients: Clients, arns: list[str]) -> bool:
    """Say whether one of these service deployments has not yet begun to go back.

    Source: ECS DescribeServiceDeployments, at most 20 a call.
    """
    if not arns:
        return False
    with translated("look at the deployments that were stopped"):
        answer = clients.ecs.describe_service_deployments(serviceDeploymentArns=arns[:20])
    return any(each.get("status") in _STOPPING for each in answer["serviceDeployments"])
