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


_ENABLED = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    }
)
"""The regions that every account has; each region since 2019 has to be enabled first."""


def has_to_be_enabled(region: str) -> bool:
    """Say whether an account has a region only after somebody enabled it.

    Source: AWS Account Management Reference, "Enable or disable AWS Regions".
    """
    return partition_of(region) is _COMMERCIAL and region not in _ENABLED
