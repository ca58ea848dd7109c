"""The image of another environment that `push --from` copies: which it is, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecr import authorization, find_manifest, need_repository
from schoolctl.base.errors import NotFoundError
from schoolctl.docker.registry import labels_of, platform_of
from schoolctl.images.push.image_labels import manifest_config
from schoolctl.images.push.promote import TestedImage

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config


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
