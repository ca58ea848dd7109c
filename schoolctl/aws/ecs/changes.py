"""ECS: registering and tagging revisions; creating, updating and deleting services.

Nothing here waits; what ECS does not see yet is told apart, so that the caller can try again.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto
from botocore.validate import ParamValidator

from schoolctl.aws.ecs import shapes
from schoolctl.aws.ecs.services import describe_revision, describe_service, request_members
from schoolctl.aws.session.errors import changing, error_message, is_code, translated
from schoolctl.base.errors import ConfigError
from schoolctl.base.text import batches
from schoolctl.model.services import TaskDefinitionRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_ecs.type_defs import TagTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import ServiceState


DEPLOY_ID_TAG = "schoolctl:deploy-id"
# Characters that a tag's value may have. Source: ECS TagResource.
_NOT_IN_TAGS = re.compile(r"[^\w\s+\-=.:/@]")
_LONGEST_TAG = 256
_DEREGISTERED_AT_ONCE = 4
_WRONG_TYPE = re.compile(
    r"^Invalid type for parameter (\S+), value: .*?, type: <class '[^']*'>, valid types: (.*?)$",
    re.MULTILINE | re.DOTALL,
)
_OTHERS = re.compile(
    r"^((?:Unknown parameter|Missing required parameter|Invalid length|Invalid range) .*)$",
    re.MULTILINE,
)
_CLASS = re.compile(r"<class '([^']*)'>")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}


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


def deregister_revisions(clients: Clients, revisions: Iterable[TaskDefinitionRef]) -> None:
    """Make revisions INACTIVE, some side by side; one that is already stays so.

    Source: ECS DeregisterTaskDefinition.
    """
    for batch in batches(revisions, _DEREGISTERED_AT_ONCE):
        for call in [clients.start(_deregister, clients, each) for each in batch]:
            call.result()


def _deregister(clients: Clients, revision: TaskDefinitionRef) -> None:
    with translated(f"deregister {revision}"):
        clients.ecs.deregister_task_definition(taskDefinition=revision.arn or str(revision))


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


def delete_service(clients: Clients, cluster: str, name: str) -> None:
    """Delete a service that runs nothing; one that is gone counts as deleted.

    Source: ECS DeleteService.
    """
    with translated(f"delete service {cluster}/{name}"):
        try:
            clients.ecs.delete_service(cluster=cluster, service=name)
        except boto.ClientError as error:
            if not is_code(error, "ServiceNotFoundException", "ServiceNotActiveException"):
                raise


def check_form(
    clients: Clients, operation: str, request: Mapping[str, Any], *, overrides: str
) -> None:
    """Refuse a request that botocore would refuse.

    Args:
        clients: the AWS clients; none of them is called.
        operation: of ECS, such as `RegisterTaskDefinition`.
        request: as it would be sent.
        overrides: the key of the configuration that shaped it, such as `task.overrides`.

    Raises:
        ConfigError: with a line for each problem, without the values.
    """
    shape = clients.ecs.meta.service_model.operation_model(operation).input_shape
    if shape is None:
        raise AssertionError(f"{operation} takes no request")
    report = ParamValidator().validate(dict(request), shape).generate_report()
    problems = list(_problems(report))
    if problems:
        raise ConfigError(
            f"`{overrides}` makes a request that ECS does not take; nothing was changed",
            why="\n".join(problems),
            hint=f"correct `{overrides}` in schoolctl.yaml: it is written as {operation} takes it",
        )


def _problems(report: str) -> Iterator[str]:
    for path, classes in _WRONG_TYPE.findall(report):
        words = [_WORDS[name] for name in _CLASS.findall(classes) if name in _WORDS]
        yield f"{path}: must be {' or '.join(words) or 'of another type'}"
    rest = _WRONG_TYPE.sub("", report)
    yield from (text[0].lower() + text[1:] for text in _OTHERS.findall(rest))
    if report and not _WRONG_TYPE.search(report) and not _OTHERS.search(rest):
        yield "a value has a form that AWS does not take"
