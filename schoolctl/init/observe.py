"""Everything that an existing service is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from schoolctl.aws.ec2 import find_security_groups
from schoolctl.aws.ecs.services import describe_revision, describe_service
from schoolctl.aws.elbv2 import find_target_group
from schoolctl.aws.secrets import find_secret
from schoolctl.aws.session.clients import get_identity
from schoolctl.aws.session.errors import error_code, translated
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import AccessDeniedError, ConflictError, NotFoundError, SchoolctlError
from schoolctl.ecs_service.define.task_definition import container_image
from schoolctl.init.adopt import Running, named_values, web_container
from schoolctl.model.images import ImageRef
from schoolctl.model.launch import FARGATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import Revision, ServiceState
    from schoolctl.model.values import SecretInfo

T = TypeVar("T")


def observe_running(
    clients: Clients, cluster: str, name: str, warn: Callable[[str], None]
) -> Running:
    """Read a service, its task definition, and what the names in them stand for.

    Args:
        clients: the AWS clients.
        cluster: of the service.
        name: of the service.
        warn: is told what may not be read; the configuration then says it by ARN or id.

    Raises:
        NotFoundError: there is no such service.
        ConflictError: something else than ECS's own controller deploys it, or not on Fargate.
    """
    identity = clients.start(get_identity, clients)
    service = _need_service(clients, cluster, name)
    revision = describe_revision(clients, service.task_definition)
    if revision is None:
        raise NotFoundError(
            f"{service.task_definition} is gone", why="ECS tells nothing of it any more"
        )
    _refuse_other_networks(service, revision)
    return _Around(clients, service, revision, warn).running(identity.result().account)


def _need_service(clients: Clients, cluster: str, name: str) -> ServiceState:
    service = describe_service(clients, cluster, name)
    if service is None or service.status != "ACTIVE":
        raise NotFoundError(
            f"there is no service {name} in cluster {cluster}",
            why=f"ECS in {clients.region} tells of none that is ACTIVE",
            hint=f"`aws ecs list-services --cluster {cluster}` lists them; "
            "`schoolctl profile show` tells whose account it is",
        )
    if service.task_sets:
        raise ConflictError(
            f"service {name} is not deployed by ECS itself",
            why="it has task sets: CodeDeploy or an external controller deploys it",
            hint="only ECS's own deployment controller takes a task definition by UpdateService",
        )
    return service


def _refuse_other_networks(service: ServiceState, revision: Revision) -> None:
    if revision.definition.get("networkMode") != FARGATE.network_mode:
        raise ConflictError(
            f"the tasks of {service.name} are none of {FARGATE.name}",
            why=f"{revision.ref} has the network mode"
            f" {revision.definition.get('networkMode') or 'bridge'};"
            f" {FARGATE.name}'s is {FARGATE.network_mode}",
            hint=f"schoolctl deploys to {FARGATE.name} alone",
        )


class _Around:
    """What stands around a service; the calls begin when this is made."""

    def __init__(
        self,
        clients: Clients,
        service: ServiceState,
        revision: Revision,
        warn: Callable[[str], None],
    ) -> None:
        self._clients, self._service, self._revision = clients, service, revision
        self._warn = warn
        start = clients.start
        names, arns = named_values(revision.definition)
        self._parameters = start(_parameter_types, clients, names)
        self._secrets = {arn: start(find_secret, clients, arn) for arn in arns}
        groups = _groups(service)
        self._groups = start(_group_names, clients, groups)
        arn = next(iter(service.target_group_arns), None)
        self._target_group = start(find_target_group, clients, arn) if arn else None
        web = web_container(service, revision.definition)
        self._image = ImageRef.parse(container_image(revision.definition, web))
        self._repository = start(_repository_uri, clients, self._image)

    def running(self, account: str) -> Running:
        """Wait for the calls."""
        no_parameters: Mapping[str, str] = {}
        no_groups: Mapping[str, str] = {}
        parameters = self._allowed(self._parameters, no_parameters, "parameters")
        found = {
            arn: self._allowed(call, _no_secret(), f"secret {arn}")
            for arn, call in self._secrets.items()
        }
        group = None
        if self._target_group is not None:
            group = self._allowed(self._target_group, None, "the target group")
        uri = self._allowed(self._repository, None, "the repository")
        image = self._image
        in_ecr = uri is not None and image is not None
        arn = next(iter(self._service.target_group_arns), None)
        return Running(
            self._service,
            self._revision,
            region=self._clients.region,
            account=account,
            repository=image.repository.name if in_ecr and image is not None else None,
            registry=image.repository.registry
            if in_ecr and image is not None and str(image.repository) != uri
            else None,
            parameters=parameters,
            secrets={each.arn: each.name for each in found.values() if each is not None},
            groups=self._allowed(self._groups, no_groups, "the security groups' names"),
            target_group=group.name if group is not None else arn,
            health_path=group.health_path if group is not None else "",
        )

    def _allowed(self, call: Future[T], otherwise: T, what: str) -> T:
        try:
            return call.result()
        except AccessDeniedError as error:
            self._warn(f"{what} could not be read: {error.action or 'the read'} is denied")
            return otherwise


def _no_secret() -> SecretInfo | None:
    return None


def _parameter_types(clients: Clients, names: Sequence[str]) -> Mapping[str, str]:
    try:
        found = get_parameters(clients, names, decrypt=False)
    except AccessDeniedError:
        raise
    except SchoolctlError:
        return {}  # one of the paths is no parameter's: SSM then refuses them all
    return {name: each.type for name, each in found.items()}


def _groups(service: ServiceState) -> list[str]:
    network = service.settings.get("networkConfiguration")
    told = network.get("awsvpcConfiguration") if isinstance(network, dict) else None
    groups = told.get("securityGroups") if isinstance(told, dict) else None
    return [str(each) for each in groups or ()]


def _group_names(clients: Clients, ids: Sequence[str]) -> Mapping[str, str]:
    """Give the names of groups by their ids; a VPC has each name once."""
    if not ids:
        return {}
    found = find_security_groups(clients, ids)
    # `default` says nothing, and braces would be placeholders.
    return {each.id: each.name for each in found if not {"{", "}"} & set(each.name)}


def _repository_uri(clients: Clients, image: ImageRef | None) -> str | None:
    """Give the URI of the account's repository that has the image; None where none has."""
    if image is None:
        return None
    name = image.repository.name
    with translated(f"read repository {name}"):
        try:
            told = clients.ecr.describe_repositories(repositoryNames=[name])["repositories"]
            uri = told[0].get("repositoryUri", "") if told else None
            if uri is None or uri == str(image.repository):
                return uri
            if ".dkr.ecr." in image.repository.registry:
                return None  # another account's, or another region's
            wanted = {"imageDigest": str(image.digest)} if image.digest else {"imageTag": image.tag}
            clients.ecr.describe_images(repositoryName=name, imageIds=[wanted])  # type: ignore[list-item]  # one of the two
        except ClientError as error:
            if error_code(error) in {"RepositoryNotFoundException", "ImageNotFoundException"}:
                return None
            raise
    return uri
