"""The uses of the images of a repository, and the details of single images.

Every cluster and every family of the region is looked at, not only those of the configuration:
who else uses the repository is not known. A look-up that fails is an error, never "no use".
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from schoolctl.aws.ecr import IDS_PER_CALL, authorization, find_manifests
from schoolctl.aws.ecs import services as ecs
from schoolctl.aws.session.clients import Clients
from schoolctl.base.errors import SchoolctlError, concerning
from schoolctl.base.text import batches
from schoolctl.docker.registry import labels_of, read_config
from schoolctl.images.stored.family import Needs, Use
from schoolctl.model.images import ImageRef
from schoolctl.model.services import short_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from schoolctl.aws.session.connection import Connection
    from schoolctl.config.models import Config
    from schoolctl.model.images import Digest, RepositoryUri
    from schoolctl.model.services import Revision, ServiceState, Task, TaskDefinitionRef

    T = TypeVar("T")
    R = TypeVar("R")
    from schoolctl.aws.ecr import Manifest
    from schoolctl.model.images import Image, RegistryLogin, Repository


_SIDE_BY_SIDE = 8
_READ_AT_ONCE = 64


def observe_everywhere(
    clients: Clients,
    repository: RepositoryUri,
    environments: Iterable[Config],
    connect: Callable[[Config], Connection],
    *,
    window: int,
    known: Iterable[Revision] = (),
) -> Needs:
    """Find what uses a repository's images: in its account and region, and where else they go.

    Args:
        clients: of the repository's account and region.
        repository: whose images.
        environments: all of schoolctl.yaml. One with credentials or a region of its own has a
            repository of its own, too, unless its `registry` names this one.
        connect: decides an environment's connection.
        window: as for `observe_image_use`.
        known: as for `observe_image_use`; of the repository's account and region.

    Raises:
        SchoolctlError: something could not be looked up, in whichever place.
    """
    name = repository.name
    found = [observe_image_use(clients, name, window=window, known=known)]
    for environment, place in _other_places(clients, repository, environments, connect):
        with concerning(environment), closing(Clients(place, clients.denials)) as other:
            found.append(observe_image_use(other, name, window=window))
    return Needs(
        uses=tuple(use for each in found for use in each.uses),
        window=window,
        outside=found[0].outside,
        elsewhere=tuple(use for each in found[1:] for use in each.outside),
        revisions=found[0].revisions,
    )


def _other_places(
    clients: Clients,
    repository: RepositoryUri,
    environments: Iterable[Config],
    connect: Callable[[Config], Connection],
) -> list[tuple[str, Connection]]:
    """Give the environments that run this repository's images elsewhere, one for each place."""
    # What was overruled is told of a connection, too, and makes no other place of it.
    seen = {replace(clients.connection, notes=())}
    found: list[tuple[str, Connection]] = []
    for config in environments:
        if config.registry == repository.registry and config.image.repository == repository.name:
            with concerning(config.environment):
                connection = replace(connect(config), notes=())
            if connection not in seen:
                seen.add(connection)
                found.append((config.environment, connection))
    return found


def observe_image_use(
    clients: Clients, repository: str, *, window: int, known: Iterable[Revision] = ()
) -> Needs:
    """Find everything in the account and region that uses a repository's images.

    Args:
        clients: AWS.
        repository: its name. The registry's host is not compared: an image of the same name
            elsewhere may be a copy, and what is not known is kept.
        window: how many of the newest, and of the newest completed, revisions of a family count as
            what a rollback may go to.
        known: revisions read a little earlier, which are not read again unless they run or are
            among the newest: what a revision names never changes, and one that is outside of those
            has not completed since.

    Raises:
        SchoolctlError: something could not be looked up.

    Source: ECS ListClusters, ListServices, DescribeServices, ListTasks, DescribeTasks,
        ListTaskDefinitionFamilies, ListTaskDefinitions, DescribeTaskDefinition.
    """
    # The calls below wait for calls in the clients' own threads; waiting in those same threads
    # could take all of them.
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="image-use") as threads:
        families = threads.submit(ecs.list_families, clients)
        services, tasks = _services_and_tasks(clients, threads)
        refs = _each(threads, lambda family: ecs.list_revisions(clients, family), families.result())
        running = _running(services, tasks)
        revisions = _revisions(clients, repository, refs, running, window, known)
    named = {revision.ref: revision for revision in revisions}
    missing = [str(ref) for ref in running if ref not in named]
    if missing:
        raise SchoolctlError(
            f"could not find out which images are in use: {missing[0]} cannot be read",
            why=f"{_what_runs(running, missing[0])} is at it, and ECS has no such task definition",
            hint="run it again; nothing was deleted",
        )
    kept = _kept_by_rollbacks(revisions, window)
    uses = [*_task_uses(repository, tasks)]
    for revision in revisions:
        names = [*running.get(revision.ref, ())]
        uses += _uses(
            repository, revision, [(each, f"{each} is at {revision.ref}") for each in names]
        )
        uses += _uses(repository, revision, kept.get(revision.ref, ()), running=False)
    outside = [
        use
        for revision in revisions
        if revision.active and revision.ref not in kept and revision.ref not in running
        for use in _uses(repository, revision, [(str(revision.ref), "")], running=False)
    ]
    return Needs(tuple(uses), window, tuple(outside), revisions=tuple(revisions))


def find_running(clients: Clients) -> dict[TaskDefinitionRef, list[str]]:
    """Give each revision that a service, a deployment or a task is at, with what that is.

    Every cluster of the account and region is looked at.

    Source: ECS ListClusters, ListServices, DescribeServices, ListTasks, DescribeTasks.
    """
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="image-use") as threads:
        return _running(*_services_and_tasks(clients, threads))


def _services_and_tasks(
    clients: Clients, threads: ThreadPoolExecutor
) -> tuple[list[Sequence[ServiceState]], list[Sequence[Task]]]:
    clusters = ecs.list_clusters(clients)
    services = threads.map(lambda cluster: _services(clients, cluster), clusters)
    tasks = threads.map(lambda cluster: ecs.list_tasks(clients, cluster), clusters)
    return list(services), list(tasks)


def _what_runs(running: Mapping[TaskDefinitionRef, Sequence[str]], name: str) -> str:
    """Give what runs the revision called `name`."""
    return next(names[0] for ref, names in running.items() if str(ref) == name)


def _each(
    threads: ThreadPoolExecutor, call: Callable[[T], Sequence[R]], items: Iterable[T]
) -> list[Sequence[R]]:
    return list(threads.map(call, items))


def _services(clients: Clients, cluster: str) -> list[ServiceState]:
    return ecs.describe_services(clients, cluster, ecs.list_services(clients, cluster))


def _running(
    services: Iterable[Sequence[ServiceState]], tasks: Iterable[Sequence[Task]]
) -> dict[TaskDefinitionRef, list[str]]:
    """Give each revision that a service, a deployment or a task is at, with what that is."""
    found: dict[TaskDefinitionRef, list[str]] = defaultdict(list)
    for service in (each for group in services for each in group):
        name = f"service {service.cluster}/{service.name}"
        deployed = (each.task_definition for each in service.deployments)
        for revision in (service.task_definition, *deployed, *service.task_sets):
            found[revision].append(name)
    for task in (each for group in tasks for each in group):
        found[task.task_definition].append(_task_name(task))
    return {ref: list(dict.fromkeys(names)) for ref, names in found.items()}


def _task_name(task: Task) -> str:
    return f"task {short_id(task.id)}"


def _revisions(
    clients: Clients,
    repository: str,
    refs: Iterable[Sequence[TaskDefinitionRef]],
    running: Mapping[TaskDefinitionRef, object],
    window: int,
    known: Iterable[Revision],
) -> list[Revision]:
    """Read the revisions that matter: all of a family that uses the repository, else its newest."""
    families = {group[0].family: group for group in refs if group}
    first = {*running, *(ref for group in families.values() for ref in group[:window])}
    read = ecs.describe_revisions(clients, sorted(first))
    ours = {
        revision.ref.family
        for revision in read
        if any(_named(repository, image) for image in revision.images)
    }
    rest = [ref for family in ours for ref in families.get(family, ()) if ref not in first]
    before = {revision.ref: revision for revision in known}
    read += [before[ref] for ref in rest if ref in before]
    read += ecs.describe_revisions(clients, [ref for ref in rest if ref not in before])
    return sorted(read, key=lambda revision: revision.ref, reverse=True)


@dataclass(frozen=True)
class _Name:
    """How an image is named: by a digest, or else a tag, in a registry."""

    registry: str
    digest: Digest | None
    tag: str | None


def _named(repository: str, image: str) -> _Name | None:
    """Give how an image of the repository is named; None for an image of another one."""
    ref = ImageRef.parse(image)
    if ref is None or ref.repository.name != repository:
        return None
    # Without a tag and a digest, Docker means `latest`.
    tag = None if ref.digest else ref.tag or "latest"
    return _Name(ref.repository.registry, ref.digest, tag)


def _task_uses(repository: str, tasks: Iterable[Sequence[Task]]) -> Iterator[Use]:
    for task in (each for group in tasks for each in group):
        for container in task.containers:
            name = _named(repository, container.image)
            # The digest says which image it is, whatever name it was pulled by.
            digest = container.image_digest or (name.digest if name else None)
            tag = name.tag if name else None
            if digest is None and tag is None:
                continue
            reason = f"{_task_name(task)} of {task.task_definition} is {task.last_status}"
            yield Use(_task_name(task), reason, digest=digest, tag=tag)


def _kept_by_rollbacks(
    revisions: Iterable[Revision], window: int
) -> dict[TaskDefinitionRef, list[tuple[str, str]]]:
    """Give the revisions that a rollback may go to, each with its name and the reasons."""
    families: dict[str, list[Revision]] = defaultdict(list)
    for revision in revisions:
        if revision.active:
            families[revision.ref.family].append(revision)
    kept: dict[TaskDefinitionRef, list[tuple[str, str]]] = defaultdict(list)
    for family in families.values():
        newest = sorted(family, key=lambda each: each.ref, reverse=True)[:window]
        completed = sorted(
            ((at, each) for each in family if (at := each.last_completed_at) is not None),
            key=lambda pair: (pair[0], pair[1].ref),
            reverse=True,
        )[:window]
        for revision in newest:
            which = "the newest revision" if window == 1 else f"among the {window} newest revisions"
            reason = f"{revision.ref} is {which}"
            kept[revision.ref].append((str(revision.ref), reason))
        for _, revision in completed:
            which = "the last" if window == 1 else f"among the last {window}"
            reason = f"{revision.ref} is {which} that completed"
            kept[revision.ref].append((str(revision.ref), reason))
    return kept


def _uses(
    repository: str,
    revision: Revision,
    reasons: Iterable[tuple[str, str]],
    *,
    running: bool = True,
) -> Iterator[Use]:
    named = [found for image in revision.images if (found := _named(repository, image))]
    for by, reason in reasons:
        for name in named:
            yield Use(
                by,
                reason,
                digest=name.digest,
                tag=name.tag,
                running=running,
                registry=name.registry,
                revision=revision.ref,
            )


@dataclass(frozen=True)
class ImageDetails:
    """What stands inside an image.

    Attributes:
        architectures: such as `amd64`; of an index, all that it lists.
        labels: its own, or for an index those of one of its images.
    """

    architectures: tuple[str, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """What could be read.

    Attributes:
        details: by image.
        failure: the first of what went wrong; None where nothing did.
    """

    details: dict[Digest, ImageDetails] = field(default_factory=dict)
    failure: SchoolctlError | None = None


def read_details(
    clients: Clients, config: Config, repository: Repository, images: Sequence[Image]
) -> Found:
    """Read what stands inside images, side by side; archived ones cannot be read.

    Args:
        clients: AWS.
        config: its platform says which image of an index is looked into.
        repository: whose images these are.
        images: those asked about.

    Source: ECR GetAuthorizationToken, BatchGetImage; the registry's blobs.
    """
    ready = [str(each.digest) for each in images if not each.archived]
    if not ready:
        return Found()
    waiting = clients.start(authorization, clients, config)
    calls = [
        clients.start(find_manifests, clients, repository.name, batch)
        for batch in batches(ready, IDS_PER_CALL)
    ]
    try:
        manifests = [manifest for call in calls for manifest in call.result().values()]
        login = waiting.result()
    except SchoolctlError as error:
        return Found(failure=error)
    architecture = config.image.platform.partition("/")[2]
    found: dict[Digest, ImageDetails] = {}
    failure: SchoolctlError | None = None
    for group in batches(manifests, _READ_AT_ONCE):
        reading = [
            clients.start(_read, clients, repository.uri, each, login, architecture)
            for each in group
        ]
        for manifest, call in zip(group, reading, strict=True):
            try:
                found[manifest.digest] = call.result()
            except SchoolctlError as error:
                failure = failure or error
    return Found(found, failure)


def _read(
    clients: Clients,
    repository: RepositoryUri,
    manifest: Manifest,
    login: RegistryLogin,
    architecture: str,
) -> ImageDetails:
    listed = manifest.architectures
    inner: Manifest | None = manifest
    if manifest.config is None:
        child = manifest.image_for(architecture)
        read = find_manifests(clients, repository.name, [str(child)]) if child else {}
        inner = next(iter(read.values()), None)
    if inner is None or inner.config is None:
        return ImageDetails(listed, {})
    with clients.denials.noting():
        config = read_config(repository, inner.config, login)
    own = config.get("architecture")
    return ImageDetails(listed or ((str(own),) if own else ()), labels_of(config))
