"""The labels of an image in ECR: which commit it was built from, and what schoolctl noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schoolctl.aws.ecr import authorization, find_manifest
from schoolctl.docker.registry import labels_of, read_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.aws.ecr import Manifest
    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.images import Digest, RegistryLogin, Repository, RepositoryUri


def image_labels(
    clients: Clients,
    repository: Repository,
    digest: Digest,
    *,
    login: RegistryLogin | None = None,
    architecture: str = "amd64",
) -> Mapping[str, str]:
    """Give the labels of an image; empty where it has none, or is gone.

    Args:
        clients: AWS.
        repository: where the image is; its URI names the registry that is asked.
        digest: of an image, or of an index: then its image for `architecture` is read.
        login: for the registry; got from ECR where it is not at hand.
        architecture: as in `linux/ARCHITECTURE`.

    Raises:
        SchoolctlError: ECR or the registry refuses; whoever wants the labels for show only
            makes a warning of it.
    """
    waiting = None if login else clients.start(authorization, clients)
    manifest = find_manifest(clients, repository.name, digest=digest)
    if manifest is None:
        return {}
    login = waiting.result() if waiting is not None else login
    if login is None:
        raise AssertionError("a login is either handed in or got")
    return manifest_labels(
        clients, repository.uri, manifest, login=login, architecture=architecture
    )


def manifest_labels(
    clients: Clients,
    repository: RepositoryUri,
    manifest: Manifest,
    *,
    login: RegistryLogin,
    architecture: str,
) -> Mapping[str, str]:
    """Give the labels of the image that a manifest, already read, describes."""
    found = manifest_config(clients, repository, manifest, login=login, architecture=architecture)
    return labels_of(found) if found is not None else {}


def manifest_config(
    clients: Clients,
    repository: RepositoryUri,
    manifest: Manifest,
    *,
    login: RegistryLogin,
    architecture: str,
) -> Mapping[str, Any] | None:
    """Give the configuration of the image that a manifest describes; None where there is none.

    Of an index, it is that of its image for `architecture`.
    """
    config = manifest.config
    if config is None:
        child = manifest.image_for(architecture)
        read = find_manifest(clients, repository.name, digest=child) if child else None
        config = read.config if read else None
    if config is None:
        return None
    with clients.denials.noting():
        return read_config(repository, config, login)
