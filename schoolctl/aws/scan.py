"""ECR's scan of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import error_code, translated
from schoolctl.model.scan import Scan, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.images import Digest

_MOST_NAMED = 5
_SHOWN = (Severity.CRITICAL, Severity.HIGH)


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
