"""The partitions of AWS: what a region's name tells of its ARNs and host names.

Source: botocore's `partitions.json`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Partition:
    """What ARNs begin with behind `arn:`, and what the names of AWS's hosts end with."""

    name: str
    host_suffix: str


_COMMERCIAL = Partition("aws", "amazonaws.com")
_OTHERS = {
    "cn-": Partition("aws-cn", "amazonaws.com.cn"),
    "eusc-": Partition("aws-eusc", "amazonaws.eu"),
    "us-gov-": Partition("aws-us-gov", "amazonaws.com"),
    "us-iso-": Partition("aws-iso", "c2s.ic.gov"),
    "us-isob-": Partition("aws-iso-b", "sc2s.sgov.gov"),
    "eu-isoe-": Partition("aws-iso-e", "cloud.adc-e.uk"),
    "us-isof-": Partition("aws-iso-f", "csp.hci.ic.gov"),
}


def partition_of(region: str) -> Partition:
    """Give the partition that a region is in."""
    return next(
        (found for prefix, found in _OTHERS.items() if region.startswith(prefix)), _COMMERCIAL
    )
