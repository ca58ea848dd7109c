"""What a push must know of ECR, asked side by side while the project's files are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecr import authorization, find_manifest, find_repository, no_repository
from schoolctl.base.errors import SchoolctlError
from schoolctl.images.push.image_labels import manifest_labels
from schoolctl.images.push.push import TaggedImage
from schoolctl.images.push.refusal import check_registry
from schoolctl.images.push.release import FINGERPRINT
from schoolctl.model.images import RepositoryUri

if TYPE_CHECKING:
    from concurrent.futures import Future

    from schoolctl.aws.ecr import Manifest
    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config


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
