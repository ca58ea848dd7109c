"""EC2: the rules of security groups, who uses the groups, and the ways out of a VPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.session.errors import translated
from schoolctl.base.batches import batches
from schoolctl.model.network import (
    EVERY_PROTOCOL,
    Endpoint,
    NetworkInterface,
    Route,
    RouteTable,
    Rule,
    Source,
    SourceKind,
    SubnetPlace,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_ec2.type_defs import (
        RouteTableTypeDef,
        RouteTypeDef,
        SecurityGroupRuleTypeDef,
    )

    from schoolctl.aws.session.clients import Clients

_FILTER_LIMIT = 200
_TARGETS = (
    "NatGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "EgressOnlyInternetGatewayId",
    "CoreNetworkArn",
    "InstanceId",
    "NetworkInterfaceId",
    "GatewayId",
)
"""What a route may lead to; `GatewayId` is that of an internet gateway, an endpoint, or `local`."""


def list_rules(clients: Clients, group_ids: Sequence[str]) -> tuple[Rule, ...]:
    """Give the rules of groups, ingress and egress, sorted; groups that do not exist have none.

    Source: EC2 DescribeSecurityGroupRules, all pages. Its rules have ids and one source each;
    DescribeSecurityGroups puts those of the same ports together, without ids.
    """
    pages = clients.ec2.get_paginator("describe_security_group_rules")
    found = []
    for each in batches(sorted(set(group_ids)), _FILTER_LIMIT):
        with translated(f"read the rules of {', '.join(each)}"):
            for page in pages.paginate(Filters=[{"Name": "group-id", "Values": list(each)}]):
                found += [_rule(rule) for rule in page["SecurityGroupRules"]]
    return tuple(sorted(found, key=lambda rule: (rule.group_id, rule.ports or (0, 0), rule.id)))


def _rule(found: SecurityGroupRuleTypeDef) -> Rule:
    protocol = found.get("IpProtocol", EVERY_PROTOCOL)
    low, high = found.get("FromPort"), found.get("ToPort")
    # ICMP has its type and code there, and -1 for any.
    has_ports = protocol in {"tcp", "udp"} and low is not None and high is not None and low >= 0
    return Rule(
        id=found.get("SecurityGroupRuleId", ""),
        group_id=found.get("GroupId", ""),
        protocol=protocol,
        ports=(low, high) if has_ports and low is not None and high is not None else None,
        source=_source(found),
        egress=found.get("IsEgress", False),
    )


def _source(found: SecurityGroupRuleTypeDef) -> Source:
    if "CidrIpv4" in found:
        return Source(SourceKind.IPV4, found["CidrIpv4"])
    if "CidrIpv6" in found:
        return Source(SourceKind.IPV6, found["CidrIpv6"])
    if "PrefixListId" in found:
        return Source(SourceKind.PREFIX_LIST, found["PrefixListId"])
    group = found.get("ReferencedGroupInfo")
    if group is None:
        return Source(SourceKind.UNKNOWN, "")
    owner, ours = group.get("UserId", ""), found.get("GroupOwnerId", "")
    return Source(
        SourceKind.GROUP,
        group.get("GroupId", ""),
        account=owner if ours and owner != ours else "",
        peering=group.get("VpcPeeringConnectionId", ""),
    )


def list_interfaces(clients: Clients, group_ids: Sequence[str]) -> tuple[NetworkInterface, ...]:
    """Give the network interfaces that any of the groups is on.

    Source: EC2 DescribeNetworkInterfaces, all pages.
    """
    wanted = set(group_ids)
    found = []
    pages = clients.ec2.get_paginator("describe_network_interfaces")
    for ids in batches(sorted(wanted), _FILTER_LIMIT):
        with translated("find out what uses the security groups"):
            for page in pages.paginate(Filters=[{"Name": "group-id", "Values": list(ids)}]):
                found += [
                    NetworkInterface(
                        id=each.get("NetworkInterfaceId", ""),
                        description=each.get("Description", ""),
                        security_groups=tuple(
                            group.get("GroupId", "") for group in each.get("Groups", ())
                        ),
                        instance=each.get("Attachment", {}).get("InstanceId", ""),
                    )
                    for each in page["NetworkInterfaces"]
                ]
    return tuple(each for each in found if wanted & set(each.security_groups))


def list_subnets(clients: Clients, vpc_id: str) -> tuple[SubnetPlace, ...]:
    """Give the subnets of a VPC, by zone.

    Source: EC2 DescribeSubnets, all pages.
    """
    pages = clients.ec2.get_paginator("describe_subnets")
    with translated(f"look at the subnets of {vpc_id}"):
        found = [
            SubnetPlace(
                id=each.get("SubnetId", ""),
                vpc_id=each.get("VpcId", ""),
                zone=each.get("AvailabilityZone", ""),
                cidr=each.get("CidrBlock", ""),
            )
            for page in pages.paginate(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
            for each in page["Subnets"]
        ]
    return tuple(sorted(found, key=lambda subnet: (subnet.zone, subnet.id)))


def list_route_tables(clients: Clients, vpc_id: str) -> tuple[RouteTable, ...]:
    """Give the route tables of a VPC, by id.

    Source: EC2 DescribeRouteTables, all pages.
    """
    pages = clients.ec2.get_paginator("describe_route_tables")
    with translated(f"look at the routes of {vpc_id}"):
        found = [
            _route_table(each)
            for page in pages.paginate(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
            for each in page["RouteTables"]
        ]
    return tuple(sorted(found, key=lambda table: table.id))


def _route_table(found: RouteTableTypeDef) -> RouteTable:
    under = found.get("Associations", ())
    return RouteTable(
        id=found.get("RouteTableId", ""),
        vpc_id=found.get("VpcId", ""),
        is_main=any(each.get("Main", False) for each in under),
        subnets=tuple(each["SubnetId"] for each in under if each.get("SubnetId")),
        routes=tuple(map(_route, found.get("Routes", ()))),
    )


def _route(found: RouteTypeDef) -> Route:
    to = found.get("DestinationCidrBlock") or found.get("DestinationIpv6CidrBlock")
    target = next((str(found[key]) for key in _TARGETS if found.get(key)), "")  # type: ignore[literal-required]  # one of them
    return Route(
        destination=to or found.get("DestinationPrefixListId", ""),
        target=target,
        is_active=found.get("State", "active") != "blackhole",
    )


def list_endpoints(clients: Clients, vpc_id: str) -> tuple[Endpoint, ...]:
    """Give the endpoints of a VPC, by service.

    Source: EC2 DescribeVpcEndpoints, all pages.
    """
    pages = clients.ec2.get_paginator("describe_vpc_endpoints")
    with translated(f"look at the endpoints of {vpc_id}"):
        found = [
            Endpoint(
                id=each.get("VpcEndpointId", ""),
                vpc_id=each.get("VpcId", ""),
                service=each.get("ServiceName", ""),
                type=each.get("VpcEndpointType", ""),
                state=each.get("State", "").lower(),
                private_dns=each.get("PrivateDnsEnabled", False),
                security_groups=tuple(group.get("GroupId", "") for group in each.get("Groups", ())),
                subnets=tuple(each.get("SubnetIds", ())),
                route_tables=tuple(each.get("RouteTableIds", ())),
            )
            for page in pages.paginate(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
            for each in page["VpcEndpoints"]
        ]
    # Not every AWS minds the filter.
    ours = [each for each in found if each.vpc_id == vpc_id]
    return tuple(sorted(ours, key=lambda endpoint: (endpoint.service, endpoint.id)))
