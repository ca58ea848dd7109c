"""Observations of a service, its surroundings, and the image or revision that is chosen for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from schoolctl.aws.ec2 import find_security_groups, find_subnets
from schoolctl.aws.ecr import find_image, find_repository
from schoolctl.aws.ecr_images import list_images
from schoolctl.aws.ecs.services import describe_revision, describe_service, list_tasks
from schoolctl.aws.elbv2 import find_target_group
from schoolctl.aws.iam import find_role
from schoolctl.aws.logs import log_group_exists
from schoolctl.aws.secrets import find_secret
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import AccessDeniedError, NotFoundError, SchoolctlError
from schoolctl.ecs_service.define.needs import Denied, ServiceNeeds
from schoolctl.ecs_service.define.plan import Present
from schoolctl.ecs_service.define.target import COMMIT_TAG, choose_newest, chosen, keep_image
from schoolctl.ecs_service.define.task_definition import container_image, named_roles
from schoolctl.ecs_service.define.task_needs import TaskNeeds
from schoolctl.images.push.observe import image_labels
from schoolctl.images.push.release import REVISION
from schoolctl.model.images import ImageRef
from schoolctl.model.services import TaskDefinitionRef

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.needs import Gaps
    from schoolctl.ecs_service.define.target import Choice, ChosenImage, KeptImage
    from schoolctl.model.images import Digest, Repository
    from schoolctl.model.services import Revision, ServiceState
    from schoolctl.model.surroundings import Role

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


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


def need_service(clients: Clients, config: Config) -> ServiceState:
    """Give the service, or raise a `NotFoundError` that says how to make it."""
    where = config.service
    service = describe_service(clients, where.cluster, where.name)
    if service is not None and service.status != "INACTIVE":
        return service
    raise NotFoundError(
        f"there is no service {where.name} in cluster {where.cluster}",
        why=f"environment {config.environment} names it, and ECS in {clients.region} has none"
        if service is None
        else "it was deleted",
        hint="`schoolctl deploy` creates it",
    )


# What is to run


class Answer(Protocol[T_co]):
    """A call that was started: what a `Future` is to whoever only wants its answer."""

    def result(self) -> T_co:
        """Wait for the answer, or raise the call's error."""
        ...


@dataclass(frozen=True)
class FoundImage:
    """The repository and the chosen image; None where there is none."""

    repository: Repository | None
    image: ChosenImage | None


class TaskObservation:
    """Everything that a task definition names; the calls begin when this is made.

    Args:
        clients: AWS.
        config: the configuration of the environment.
        choice: which image or revision is wanted.
    """

    def __init__(self, clients: Clients, config: Config, choice: Choice) -> None:
        self._clients = clients
        self._config = config
        self._choice = choice
        family = config.task.family
        start = clients.start
        self.newest_revision = start(describe_revision, clients, family)
        self._revision: Future[Revision | None] | None = None
        self._repository: Future[Repository | None] | None = None
        self._image: Future[FoundImage] | None = None
        self._roles: dict[str, Future[Role | None]] = {}
        self._secrets = {}
        if choice.revision is not None:
            ref = TaskDefinitionRef(family, choice.revision)
            self._revision = start(describe_revision, clients, ref)
            self._repository = start(find_repository, clients, config)
            return
        self._image = start(_find_choice, clients, config, choice, self.newest_revision)
        self._roles = {
            name: start(find_role, clients, name) for name in dict.fromkeys(named_roles(config))
        }
        self._secrets = {
            key: start(find_secret, clients, config.secret_name(key)) for key in config.secrets
        }

    def newest(self) -> Revision | None:
        """Give the newest ACTIVE revision of the family; None where there is none."""
        return self.newest_revision.result()

    def image(self, gaps: Gaps, keep: Revision | None = None) -> ChosenImage | KeptImage | None:
        """Give the chosen image; where it is missing, None, and `gaps` says so.

        Args:
            gaps: collects.
            keep: whose image is kept where none was asked for and the repository has none: a
                service that was made by hand may run one of another registry, or `latest`.
        """
        if self._image is None:
            raise AssertionError("a revision was chosen, not an image")
        found = self._image.result()
        name = self._config.image.repository
        if found.image is None and keep is not None and not self._choice.is_made:
            kept = keep_image(keep, self._config.task.container)
            if kept is not None:
                lack = "has no image with a tag" if found.repository else "is not in ECR"
                gaps.warnings.append(f"repository {name} {lack}; the image of {keep.ref} is kept")
                return kept
        if found.repository is None:
            gaps.lacks_for(f"repository {name}", "repo create")
        if found.image is None:
            self._note_missing_image(gaps)
        return found.image

    def _note_missing_image(self, gaps: Gaps) -> None:
        where = f"in repository {self._config.image.repository}"
        if self._choice.tag is not None:
            gaps.lacks_for(f"image {self._choice.tag} {where}", f"push --tag {self._choice.tag}")
        elif self._choice.digest is not None:
            gaps.lacks_for(f"image {self._choice.digest.short} {where}", "images list")
        else:
            gaps.lacks_for(f"an image with a tag {where}", "push --tag 1.0")

    def revision(self) -> tuple[Revision, bool | None]:
        """Give the chosen revision, and whether ECR has its image (None: it is not in ours).

        Raises:
            NotFoundError: there is no such revision.
        """
        if self._revision is None:
            raise AssertionError("an image was chosen, not a revision")
        found = self._revision.result()
        if found is None:
            raise no_revision(self._config.task.family, self._choice.revision)
        repository = self._repository.result() if self._repository is not None else None
        container = self._config.task.container
        return found, revision_image_exists(self._clients, repository, found, container)

    def needs(self, account: Callable[[], str]) -> TaskNeeds:
        """Give what was found of roles and secrets.

        Args:
            account: gives the account's id; asked for only where a role may not be read.
        """
        roles = {name: or_denied(call) for name, call in self._roles.items()}
        hidden = any(isinstance(each, Denied) for each in roles.values())
        return TaskNeeds(
            region=self._clients.region,
            account=account() if hidden else None,
            roles=roles,
            secrets={key: or_denied(call) for key, call in self._secrets.items()},
        )


def or_denied(call: Answer[T]) -> T | Denied:
    """Give the answer of a call, or the refusal; other errors are raised."""
    try:
        return call.result()
    except AccessDeniedError as error:
        return Denied(error)


def no_revision(family: str, revision: int | None) -> NotFoundError:
    """Give the error for a revision that is not there."""
    return NotFoundError(
        f"there is no revision {family}:{revision}",
        why="ECS knows none of that number",
        hint="`schoolctl taskdef list` shows those there are",
    )


def revision_image_exists(
    clients: Clients, repository: Repository | None, revision: Revision, container: str
) -> bool | None:
    """Say whether ECR still has a revision's image.

    Args:
        clients: AWS.
        repository: the environment's; None where there is none.
        revision: whose image is looked for.
        container: the name of the service's container.

    Returns:
        None where the image is of another repository, which nobody here knows about.
    """
    reference = ImageRef.parse(container_image(revision.definition, container))
    if reference is None or repository is None or reference.repository != repository.uri:
        return None
    return find_image(clients, repository, tag=reference.tag, digest=reference.digest) is not None


def _find_choice(
    clients: Clients, config: Config, choice: Choice, newest: Future[Revision | None]
) -> FoundImage:
    repository = find_repository(clients, config)
    if repository is None:
        return FoundImage(None, None)
    if not choice.is_made:
        images = list_images(clients, repository.name)
        image = choose_newest(images, repository)
    else:
        found = find_image(clients, repository, tag=choice.tag, digest=choice.digest)
        image = chosen(found, repository, choice.tag) if found is not None else None
    if image is None:
        return FoundImage(repository, None)
    commit = _commit(clients, config, repository, image, newest.result())
    return FoundImage(repository, replace(image, commit=commit))


def _commit(
    clients: Clients,
    config: Config,
    repository: Repository,
    image: ChosenImage,
    newest: Revision | None,
) -> str | None:
    """Give the commit that an image was built from; None where nothing that may be read tells."""
    digest = image.reference.digest
    if digest is None:
        return None
    deployed = newest is not None and str(image.reference) in newest.images
    if newest is not None and deployed:
        return newest.tags.get(COMMIT_TAG)
    architecture = config.image.platform.partition("/")[2]
    try:
        labels = image_labels(clients, repository, digest, architecture=architecture)
    except SchoolctlError:
        return None  # it is noted for people only: a deploy needs no right to read inside images
    return labels.get(REVISION)
