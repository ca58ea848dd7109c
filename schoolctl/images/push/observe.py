"""Reads of ECR before a push, a copy or the explanation of a refusal."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from schoolctl.aws.ecr import (
    authorization,
    find_manifest,
    find_repository,
    need_repository,
    no_repository,
)
from schoolctl.aws.session.errors import translated
from schoolctl.base.errors import AccessDeniedError, NotFoundError, SchoolctlError
from schoolctl.docker.registry import labels_of, platform_of, read_config
from schoolctl.images.push.promote import TestedImage
from schoolctl.images.push.refusal import Access, Facts, check_registry
from schoolctl.images.push.release import FINGERPRINT
from schoolctl.images.push.rules import TaggedImage
from schoolctl.model.images import RepositoryUri

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from schoolctl.aws.ecr import Manifest
    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.denial import Refusal
    from schoolctl.config.models import Config
    from schoolctl.model.images import Digest, RegistryLogin, Repository


_NO_LAYER = f"sha256:{'0' * 64}"


class PushObservation:
    """The repository and the image that has the tag; the calls begin when this is made.

    Args:
        clients: AWS.
        config: names the repository.
        tag: the tag, where it is known already.
    """

    def __init__(self, clients: Clients, config: Config, tag: str | None) -> None:
        self._clients = clients
        self._config = config
        self._repository = clients.start(find_repository, clients, config)
        self._login = clients.start(authorization, clients, config)
        self._manifest = self._start(tag) if tag is not None else None

    def _start(self, tag: str) -> Future[Manifest | None]:
        name = self._config.image.repository
        return self._clients.start(find_manifest, self._clients, name, tag=tag)

    def repository(self, *, may_be_missing: bool) -> tuple[RepositoryUri, bool]:
        """Give where the images go, and whether the repository is there.

        Args:
            may_be_missing: whether a missing one is fine, since it will be created.

        Raises:
            NotFoundError: it is missing.
            WrongTargetError: the registry is of another account or region.
        """
        found = self._repository.result()
        if found is not None:
            check_registry(found.uri.registry, found.arn, self._config.environment)
            return found.uri, True
        name = self._config.image.repository
        if not may_be_missing:
            raise no_repository(name, self._clients.region)
        return RepositoryUri(self._login.result().registry, name), False

    def scans_on_push(self) -> bool:
        """Say whether the repository scans what is pushed; one that is created will."""
        found = self._repository.result()
        return found is None or found.scan_on_push

    def tagged(self, repository: RepositoryUri, tag: str) -> TaggedImage | None:
        """Give the image that has `tag`; None where none has it."""
        manifest = (self._manifest or self._start(tag)).result()
        if manifest is None:
            return None
        try:
            labels = manifest_labels(
                self._clients,
                repository,
                manifest,
                login=self._login.result(),
                architecture=self._config.image.platform.partition("/")[2],
            )
        except SchoolctlError as error:
            return TaggedImage(manifest.digest, None, unread=f"{error.what} ({error.why})")
        return TaggedImage(manifest.digest, labels.get(FINGERPRINT))


def observe_tested(clients: Clients, config: Config, tag: str, *, platform: str) -> TestedImage:
    """Give the image that has `tag` in an environment's repository.

    Args:
        clients: of the environment that has the image.
        config: of the same.
        tag: the image's.
        platform: what it has to run on; of an index, that image is looked into.

    Raises:
        NotFoundError: there is no such repository, or no such image in it.

    Source: ECR DescribeRepositories, BatchGetImage; the registry's blobs.
    """
    waiting = clients.start(authorization, clients, config)
    asked = clients.start(find_manifest, clients, config.image.repository, tag=tag)
    repository = need_repository(clients, config)
    manifest = asked.result()
    if manifest is None:
        raise NotFoundError(
            f"image {tag} is not in repository {repository.name} of environment"
            f" {config.environment}",
            why=f"ECR has no such image ({clients.region})",
            hint=f"`schoolctl images list --env {config.environment}` shows those there are",
        )
    found = manifest_config(
        clients,
        repository.uri,
        manifest,
        login=waiting.result(),
        architecture=platform.split("/")[1],
    )
    listed = tuple(
        platform_of(each.get("platform") or {}) for each in manifest.content.get("manifests", ())
    )
    own = platform_of(found) if found is not None else ""
    return TestedImage(
        repository.uri.at(manifest.digest),
        config.environment,
        listed or ((own,) if own else ()),
        labels_of(found) if found is not None else {},
    )


def observe_refusal(
    clients: Clients, repository: RepositoryUri, refusal: Refusal, access: Access
) -> Facts:
    """Return what ECR's API says to the same user about a repository that its registry refused.

    An upload that is begun and left is nothing.

    Source: ECR BatchCheckLayerAvailability and InitiateLayerUpload, or BatchGetImage and
    GetDownloadUrlForLayer; GetRepositoryPolicy.
    """
    return Facts(
        refusal,
        access,
        repository.registry,
        authorization(clients).registry,
        _denied(clients, repository.name, access),
        _policy(clients, repository.name),
    )


def _denied(clients: Clients, name: str, access: Access) -> tuple[str, str] | None:
    ecr = clients.ecr
    try:
        with translated(f"{access.name.lower()} layers of {name}"):
            if access is Access.UPLOAD:
                ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[_NO_LAYER])
                ecr.initiate_layer_upload(repositoryName=name)
            else:
                ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": _NO_LAYER}])
                ecr.get_download_url_for_layer(repositoryName=name, layerDigest=_NO_LAYER)
    except AccessDeniedError as error:
        return error.why, error.hint
    except SchoolctlError:
        return None  # such as a layer that does not exist: the caller may ask for it
    return None


def _policy(clients: Clients, name: str) -> str:
    with suppress(SchoolctlError), translated(f"read the policy of {name}"):
        return clients.ecr.get_repository_policy(repositoryName=name).get("policyText", "")
    return ""


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
