"""ECR: repositories, manifests, single images and the registry login.

What only the registry protocol tells (the labels inside an image) is in
`schoolctl/docker/registry.py`.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import error_code, translated
from schoolctl.base.errors import NotFoundError
from schoolctl.model.images import Digest, Image, RegistryLogin, Repository, RepositoryUri
from schoolctl.model.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef, RepositoryTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config

INDEX_TYPES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_NEVER = datetime.fromtimestamp(0, UTC)
_MAYBE_INDEX = INDEX_TYPES | {""}
_OF_IMAGES = frozenset(
    {
        "",
        *INDEX_TYPES,
        *MANIFEST_TYPES,
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
IDS_PER_CALL = 100
"""BatchGetImage and BatchDeleteImage take so many."""


@dataclass(frozen=True)
class Manifest:
    """The manifest of one image, read from ECR.

    Attributes:
        digest: of the manifest, which is the image's.
        content: the manifest's JSON.
    """

    digest: Digest
    content: Mapping[str, Any]

    @property
    def config(self) -> Digest | None:
        """The blob that holds the image's configuration; None for an index."""
        found = self.content.get("config")
        return Digest(str(found["digest"])) if found else None

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """The compressed size of each layer in bytes, the base's first; empty for an index."""
        return tuple(int(each["size"]) for each in self.content.get("layers", ()))

    @property
    def children(self) -> tuple[Digest, ...]:
        """The manifests that an index lists; empty for an image."""
        return tuple(Digest(str(each["digest"])) for each in self.content.get("manifests", ()))

    @property
    def subject(self) -> Digest | None:
        """The image that a signature or attestation is about."""
        found = self.content.get("subject")
        return Digest(str(found["digest"])) if found else None

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures of the images that an index lists, each once; empty for an image."""
        found = (
            each.get("platform", {}).get("architecture")
            for each in self.content.get("manifests", ())
        )
        # BuildKit lists its attestations as made for `unknown`.
        return tuple(dict.fromkeys(str(each) for each in found if each not in {None, "unknown"}))

    def image_for(self, architecture: str) -> Digest | None:
        """Give the child of an index for an architecture such as `amd64`; None without one."""
        for each in self.content.get("manifests", ()):
            if each.get("platform", {}).get("architecture") == architecture:
                return Digest(str(each["digest"]))
        return None


def registry_host(config: Config, repository_uri: str) -> str:
    """Give the registry that images are pushed to and pulled from.

    Args:
        config: its `registry` takes the place of the host that ECR tells.
        repository_uri: `repositoryUri` of an ECR answer.
    """
    return config.registry or repository_uri.partition("/")[0]


# Repositories


def find_repository(clients: Clients, config: Config) -> Repository | None:
    """Give the environment's repository; None where there is none.

    Source: ECR DescribeRepositories.
    """
    name = config.image.repository
    with translated(f"read repository {name}"):
        try:
            answer = clients.ecr.describe_repositories(repositoryNames=[name])
        except ClientError as error:
            if error_code(error) == "RepositoryNotFoundException":
                return None
            raise
    found = answer["repositories"]
    return _repository(found[0], config) if found else None


def need_repository(clients: Clients, config: Config) -> Repository:
    """Give the environment's repository; without one, a `NotFoundError` with the cure."""
    repository = find_repository(clients, config)
    if repository is None:
        raise no_repository(config.image.repository, clients.region)
    return repository


def no_repository(name: str, region: str) -> NotFoundError:
    """Give the error for a repository that is not there."""
    return NotFoundError(
        f"repository {name} does not exist in {region}",
        why="ECR answered RepositoryNotFoundException; ECR makes no repository on a push",
        hint="run `schoolctl repo create`, or push with --create-repo",
    )


def create_repository(
    clients: Clients, config: Config, name: str, tags: Mapping[str, str]
) -> Repository:
    """Create a repository with immutable tags, scan on push and AES-256; one there is given back.

    Source: ECR CreateRepository.
    """
    with translated(f"create repository {name}"):
        try:
            answer = clients.ecr.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
                encryptionConfiguration={"encryptionType": "AES256"},
                tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        except ClientError as error:
            # Another run was first, or the reply to our own call was lost and it was repeated.
            if error_code(error) != "RepositoryAlreadyExistsException":
                raise
            found = clients.ecr.describe_repositories(repositoryNames=[name])["repositories"]
            return _repository(found[0], config)
    return _repository(answer["repository"], config)


def _repository(answer: RepositoryTypeDef, config: Config) -> Repository:
    name = answer["repositoryName"]
    return Repository(
        name=name,
        uri=RepositoryUri(registry_host(config, answer["repositoryUri"]), name),
        arn=answer["repositoryArn"],
        immutable_tags=answer.get("imageTagMutability", "MUTABLE").startswith("IMMUTABLE"),
        scan_on_push=answer.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        encryption=answer.get("encryptionConfiguration", {}).get("encryptionType", "AES256"),
        created_at=answer.get("createdAt"),
        tag_exclusions=tuple(
            each["filter"] for each in answer.get("imageTagMutabilityExclusionFilters", ())
        ),
    )


# Images


def find_image(
    clients: Clients,
    repository: Repository,
    *,
    tag: str | None = None,
    digest: Digest | None = None,
) -> Image | None:
    """Give the image with a tag, or with a digest; None where there is none.

    Source: ECR DescribeImages.
    """
    image_id = {"imageTag": tag} if digest is None else {"imageDigest": str(digest)}
    with translated(f"look for image {tag or digest} in {repository.name}"):
        try:
            answer = clients.ecr.describe_images(
                repositoryName=repository.name,
                imageIds=[image_id],  # type: ignore[list-item]  # one of the two keys is there
            )
        except ClientError as error:
            if error_code(error) == "ImageNotFoundException":
                return None
            raise
    details = answer["imageDetails"]
    if not details:
        return None
    if wants_reading(details[0]):
        return read_images(clients, repository.name, details[:1])[0]
    return read_image(details[0])


def find_manifest(
    clients: Clients, name: str, *, tag: str | None = None, digest: Digest | None = None
) -> Manifest | None:
    """Give the manifest of an image by tag or digest; None without the image or the repository.

    Source: ECR BatchGetImage.
    """
    image_id = {"imageTag": tag} if digest is None else {"imageDigest": str(digest)}
    with translated(f"read image {tag or digest} of {name}"):
        try:
            answer = clients.ecr.batch_get_image(
                repositoryName=name,
                imageIds=[image_id],  # type: ignore[list-item]  # one of the two keys is there
                acceptedMediaTypes=[*MANIFEST_TYPES, *sorted(INDEX_TYPES)],
            )
        except ClientError as error:
            if error_code(error) == "RepositoryNotFoundException":
                return None
            raise
    for found in answer["images"]:
        return Manifest(
            Digest.parse(found["imageId"]["imageDigest"]), json.loads(found["imageManifest"])
        )
    return None


def wants_reading(detail: ImageDetailTypeDef) -> bool:
    """Say whether only the manifest tells what an image is made of, or about."""
    if _is_archived(detail):
        return False  # ImageInaccessible
    # What has no media type was pushed before ECR noted it, and may be an index.
    if detail.get("imageManifestMediaType", "") in _MAYBE_INDEX:
        return True
    # ECR names the subject of what refers to another image; not every look-alike does.
    artifact = detail.get("artifactMediaType", "") not in _OF_IMAGES
    return artifact and "subjectManifestDigest" not in detail


def read_images(clients: Clients, name: str, details: Sequence[ImageDetailTypeDef]) -> list[Image]:
    """Give images with what their manifests say; at most 100."""
    found = find_manifests(clients, name, [each["imageDigest"] for each in details])
    return [read_image(each, found.get(each["imageDigest"])) for each in details]


def find_manifests(clients: Clients, name: str, digests: Sequence[str]) -> dict[str, Manifest]:
    """Give the manifests of images by digest, without those that are gone; at most 100.

    Source: ECR BatchGetImage, which answers status 200 with `failures`.
    """
    with translated(f"read the manifests of {name}"):
        answer = clients.ecr.batch_get_image(
            repositoryName=name,
            imageIds=[{"imageDigest": each} for each in digests],
            acceptedMediaTypes=[*sorted(INDEX_TYPES), *MANIFEST_TYPES],
        )
    missing = [
        each
        for each in answer.get("failures", [])
        # Deleted since it was listed: nobody needs its children.
        if each.get("failureCode") != "ImageNotFound"
    ]
    if missing:
        first = missing[0]
        raise NotFoundError(
            f"could not read {len(missing)} of the images of {name}",
            why=f"ECR answered {first.get('failureCode')}: {first.get('failureReason')}",
            hint="run it again",
        )
    return {
        each["imageId"]["imageDigest"]: Manifest(
            Digest(each["imageId"]["imageDigest"]), json.loads(each["imageManifest"])
        )
        for each in answer["images"]
    }


def read_image(detail: ImageDetailTypeDef, manifest: Manifest | None = None) -> Image:
    """Return an image of DescribeImages, with what its manifest adds if that was read."""
    subject = detail.get("subjectManifestDigest")
    return Image(
        digest=Digest(detail["imageDigest"]),
        tags=tuple(sorted(detail.get("imageTags", ()))),
        size_bytes=detail.get("imageSizeInBytes") or 0,
        pushed_at=detail.get("imagePushedAt", _NEVER),
        pulled_at=detail.get("lastRecordedPullTime"),
        media_type=detail.get("imageManifestMediaType", ""),
        children=manifest.children if manifest else (),
        subject=Digest(subject) if subject else manifest.subject if manifest else None,
        archived=_is_archived(detail),
    )


def _is_archived(detail: ImageDetailTypeDef) -> bool:
    # Where ECR says nothing of it, there is no archive. ACTIVATING is on its way out of it.
    return detail.get("imageStatus", "ACTIVE") != "ACTIVE"


# The login


def authorization(clients: Clients, config: Config | None = None) -> RegistryLogin:
    """Get a token for the account's registry in this region; valid for 12 hours.

    Args:
        clients: whose credentials the token stands for.
        config: its `registry` takes the place of the host that ECR tells.

    Source: ECR GetAuthorizationToken.
    """
    with translated("log in to ECR"):
        answer = clients.ecr.get_authorization_token()
    given = answer["authorizationData"][0]
    username, _, password = (
        base64.b64decode(given["authorizationToken"]).decode("ascii").partition(":")
    )
    host = given["proxyEndpoint"].partition("://")[2]
    return RegistryLogin(
        registry=registry_host(config, host) if config is not None else host,
        username=username,
        password=SecretValue(password),
        expires_at=given["expiresAt"],
    )
