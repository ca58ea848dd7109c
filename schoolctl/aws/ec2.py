"""EC2: the subnets and security groups that tasks run in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from schoolctl.aws.session.errors import translated
from schoolctl.model.surroundings import SecurityGroup, Subnet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_ec2.type_defs import FilterTypeDef

    from schoolctl.aws.session.clients import Clients


def find_subnets(
    clients: Clients, wanted: str | Sequence[str] | Mapping[str, str]
) -> tuple[Subnet, ...]:
    """Give the subnets that the configuration means, by id; those that do not exist are absent.

    Args:
        clients: the AWS clients.
        wanted: `default` for the default subnets of the default VPC, ids, or tags that the
            subnets all have.

    Source: EC2 DescribeSubnets, all pages. A filter finds nothing where an id leads nowhere; the
    parameter of that name would be an error that tells of one id alone.
    """
    filters: list[FilterTypeDef]
    if isinstance(wanted, str):
        filters = [{"Name": "default-for-az", "Values": ["true"]}]
    elif isinstance(wanted, Mapping):
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]
    else:
        filters = [{"Name": "subnet-id", "Values": list(wanted)}]
    pages = clients.ec2.get_paginator("describe_subnets")
    with translated("look for the subnets"):
        found = [
            Subnet(each.get("SubnetId", ""), each.get("VpcId", ""))
            for page in pages.paginate(Filters=filters)
            for each in page["Subnets"]
        ]
    return tuple(sorted(found, key=lambda subnet: subnet.id))


def find_security_groups(
    clients: Clients, names_or_ids: Sequence[str]
) -> tuple[SecurityGroup, ...]:
    """Give the security groups with these names or ids, of every VPC; missing ones are absent.

    Source: EC2 DescribeSecurityGroups, all pages.
    """
    ids = [each for each in names_or_ids if is_group_id(each)]
    names = [each for each in names_or_ids if not is_group_id(each)]
    asked = [
        (name, values) for name, values in (("group-id", ids), ("group-name", names)) if values
    ]
    calls = [clients.start(_security_groups, clients, name, values) for name, values in asked[1:]]
    found = [_security_groups(clients, *asked[0])] if asked else []
    return tuple(
        group for groups in (*found, *(call.result() for call in calls)) for group in groups
    )


def _security_groups(clients: Clients, key: str, values: Sequence[str]) -> list[SecurityGroup]:
    pages = clients.ec2.get_paginator("describe_security_groups")
    with translated(f"look for security group {', '.join(values)}"):
        return [
            SecurityGroup(each.get("GroupId", ""), each.get("GroupName", ""), each.get("VpcId", ""))
            for page in pages.paginate(Filters=[{"Name": key, "Values": list(values)}])
            for each in page["SecurityGroups"]
        ]


def is_group_id(text: str) -> bool:
    """Say whether `text` is the id of a security group; no name may begin like one."""
    return text.startswith("sg-")
