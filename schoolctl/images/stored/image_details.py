"""What stands inside images: for which architectures, and from which commit.

ECR's API tells neither: an index lists its architectures, an image has its own in a blob that the
registry hands out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.aws.ecr import IDS_PER_CALL, authorization, find_manifests
from schoolctl.base.batches import batches
from schoolctl.base.errors import SchoolctlError
from schoolctl.docker.registry import labels_of, read_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schoolctl.aws.ecr import Manifest
    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.model.images import Digest, Image, RegistryLogin, Repository, RepositoryUri

_READ_AT_ONCE = 64


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
