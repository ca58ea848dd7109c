"""ECR: listing and deleting the images of a repository, and scan findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from schoolctl.aws.ecr import IDS_PER_CALL, no_repository, read_image, read_images, wants_reading
from schoolctl.aws.session.errors import error_code, translated
from schoolctl.model.images import Digest, Scan, Severity, age

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.images import Image


_IMAGES_PER_PAGE = 1000
_MOST_NAMED = 5
_SHOWN = (Severity.CRITICAL, Severity.HIGH)


def list_images(clients: Clients, name: str) -> list[Image]:
    """Give every image of the repository `name`, archived ones too, newest first.

    The children of an archived index are not known.

    Raises:
        NotFoundError: the repository is not there.

    Source: ECR DescribeImages (all pages); BatchGetImage for the children of indexes.
    """
    images: list[Image] = []
    unread: list[ImageDetailTypeDef] = []
    calls: list[Future[list[Image]]] = []
    pages = clients.ecr.get_paginator("describe_images").paginate(
        repositoryName=name,
        filter={"imageStatus": "ANY"},
        PaginationConfig={"PageSize": _IMAGES_PER_PAGE},
    )
    with translated(f"list the images of {name}"):
        try:
            for page in pages:
                # botocore reads a page of a captive portal as an answer without members.
                if "imageDetails" not in page:
                    raise ResponseParserError("the answer is not a page of images")
                for detail in page["imageDetails"]:
                    if wants_reading(detail):
                        unread.append(detail)
                    else:
                        images.append(read_image(detail))
                while len(unread) >= IDS_PER_CALL:
                    batch, unread = unread[:IDS_PER_CALL], unread[IDS_PER_CALL:]
                    calls.append(clients.start(read_images, clients, name, batch))
        except ClientError as error:
            if error_code(error) == "RepositoryNotFoundException":
                raise no_repository(name, clients.region) from error
            raise
    if unread:
        calls.append(clients.start(read_images, clients, name, unread))
    for call in calls:
        images += call.result()
    return sorted(images, key=age, reverse=True)


def delete_images(clients: Clients, name: str, digests: Sequence[Digest]) -> dict[Digest, str]:
    """Delete images by digest, with all their tags; at most 100.

    Returns:
        For each image that is still there, what ECR says of it. One that was gone already counts
        as deleted.

    Source: ECR BatchDeleteImage, which answers status 200 with `failures`.
    """
    with translated(f"delete images of {name}"):
        answer = clients.ecr.batch_delete_image(
            repositoryName=name, imageIds=[{"imageDigest": str(each)} for each in digests]
        )
    return {
        Digest(each.get("imageId", {}).get("imageDigest", "unknown")): (
            f"ECR answered {each.get('failureCode')}: {each.get('failureReason', '')}"
        )
        for each in answer.get("failures", [])
        if each.get("failureCode") != "ImageNotFound"
    }


def read_scan(clients: Clients, repository: str, digest: Digest) -> Scan:
    """Give what ECR's scan of an image found, as far as it is.

    Source: ECR DescribeImageScanFindings; of the findings themselves, the first page.
    """
    with translated(f"read the scan of {digest.short} in {repository}"):
        try:
            answer = clients.ecr.describe_image_scan_findings(
                repositoryName=repository, imageId={"imageDigest": str(digest)}
            )
        except ClientError as error:
            if error_code(error) == "ScanNotFoundException":
                return Scan()
            raise
    found = answer.get("imageScanFindings", {})
    status = answer.get("imageScanStatus", {})
    counts = found.get("findingSeverityCounts", {})
    return Scan(
        status=str(status.get("status", "")),
        description=str(status.get("description", "")),
        counts={str(name).lower(): int(number) for name, number in counts.items()},
        worst=tuple(_worst(found))[:_MOST_NAMED],
    )


def _worst(found: Mapping[str, Any]) -> Iterator[str]:
    """Give a line for each grave finding: basic scans and Inspector's have forms of their own."""
    for severity in _SHOWN:
        for each in found.get("findings", ()):
            if str(each.get("severity", "")).lower() == severity:
                named = {item["key"]: item.get("value", "") for item in each.get("attributes", ())}
                package = f"{named.get('package_name', '')} {named.get('package_version', '')}"
                yield f"{each.get('name', '')} ({severity}) {package}".rstrip()
        for each in found.get("enhancedFindings", ()):
            if str(each.get("severity", "")).lower() == severity:
                yield f"{each.get('title', '')} ({severity})"
