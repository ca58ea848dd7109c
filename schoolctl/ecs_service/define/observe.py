"""What a service stands in, read side by side: the service itself, parameters, network, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ec2 import find_security_groups, find_subnets
from schoolctl.aws.ecs.services import describe_revision, describe_service, list_tasks
from schoolctl.aws.elbv2 import find_target_group
from schoolctl.aws.log_groups import log_group_exists
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import AccessDeniedError, NotFoundError
from schoolctl.ecs_service.define.needs import Denied
from schoolctl.ecs_service.define.observe_task import or_denied
from schoolctl.ecs_service.define.plan import Present
from schoolctl.ecs_service.define.service_needs import ServiceNeeds
from schoolctl.ecs_service.define.task_definition import container_image
from schoolctl.model.images import ImageRef

if TYPE_CHECKING:
    from concurrent.futures import Future

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.model.images import Digest
    from schoolctl.model.services import Revision, ServiceState


class ServiceObservation:
    """The service and everything around it; the calls begin when this is made.

    Args:
        clients: AWS.
        config: the configuration of the environment.
        newest: the newest revision of the family, being read: mostly it is the one that runs.
    """

    def __init__(self, clients: Clients, config: Config, newest: Future[Revision | None]) -> None:
        start, service = clients.start, config.service
        names = [config.parameter_name(key) for key in config.parameters]
        self._present = start(observe_present, clients, config, newest)
        self._parameters = start(get_parameters, clients, names, decrypt=False) if names else None
        self._target_group = (
            start(find_target_group, clients, service.target_group)
            if service.target_group is not None
            else None
        )
        self._subnets = start(find_subnets, clients, service.subnets)
        self._groups = start(find_security_groups, clients, service.security_groups)
        self._log_group = start(log_group_exists, clients, config.task.log_group)

    def present(self) -> Present:
        """Give the service as it is; where the cluster is missing, there is none."""
        return self._present.result()[1]

    def needs(self) -> ServiceNeeds:
        """Give what was found around the service."""
        parameters = or_denied(self._parameters) if self._parameters is not None else {}
        return ServiceNeeds(
            parameters=parameters if isinstance(parameters, Denied) else frozenset(parameters),
            cluster=self._present.result()[0],
            target_group=or_denied(self._target_group) if self._target_group is not None else None,
            subnets=or_denied(self._subnets),
            security_groups=or_denied(self._groups),
            log_group=or_denied(self._log_group),
        )


def observe_present(
    clients: Clients, config: Config, newest: Future[Revision | None] | None = None
) -> tuple[bool, Present]:
    """Give whether the cluster exists, and the service in it with the revision that it runs."""
    try:
        service = describe_service(clients, config.service.cluster, config.service.name)
    except NotFoundError:
        return False, Present(None, None)
    if service is None:
        return True, Present(None, None)
    running = _running(clients, service, newest)
    return True, Present(service, running, _pulled(clients, config, running))


def _running(
    clients: Clients, service: ServiceState, newest: Future[Revision | None] | None
) -> Revision | None:
    known = newest.result() if newest is not None else None
    if known is not None and known.ref == service.task_definition:
        return known
    return describe_revision(clients, service.task_definition)


def _pulled(clients: Clients, config: Config, running: Revision | None) -> frozenset[Digest] | None:
    """Give what the running tasks pulled, where the revision names its image by a tag."""
    if running is None:
        return frozenset()
    named = ImageRef.parse(container_image(running.definition, config.task.container))
    if named is None or named.digest is not None:
        return frozenset()
    try:
        tasks = list_tasks(clients, config.service.cluster, service=config.service.name)
    except AccessDeniedError:
        return None
    return frozenset(
        each.image_digest
        for task in tasks
        if task.task_definition == running.ref
        for each in task.containers
        if each.name == config.task.container and each.image_digest is not None
    )
