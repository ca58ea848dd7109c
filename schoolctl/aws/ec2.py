"""EC2: subnets, security groups and their rules, network interfaces, route tables, endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import changing, is_code, translated
from schoolctl.base.text import batches
from schoolctl.model.surroundings import (
    EVERY_PROTOCOL,
    Endpoint,
    NetworkInterface,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Source,
    SourceKind,
    Subnet,
    SubnetPlace,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        IpPermissionTypeDef,
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
_DUPLICATE = "InvalidPermission.Duplicate"
_GONE = ("InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound")


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


def create_security_group(
    clients: Clients, name: str, vpc_id: str, description: str, tags: Mapping[str, str]
) -> tuple[str, bool]:
    """Create a group; gives its id, and whether it was there already.

    One of that name may be there by now: made by somebody else meanwhile, or by a call of ours
    whose answer was lost.

    Source: EC2 CreateSecurityGroup; InvalidGroup.Duplicate.
    """
    doing = f"create security group {name} in {vpc_id}"
    with translated(doing):
        try:
            made = clients.ec2.create_security_group(
                GroupName=name,
                VpcId=vpc_id,
                Description=description,
                TagSpecifications=[
                    {
                        "ResourceType": "security-group",
                        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                    }
                ],
            )
        except ClientError as error:
            if not is_code(error, "InvalidGroup.Duplicate"):
                raise
            found = find_security_groups(clients, [name])
            here = [each.id for each in found if each.vpc_id == vpc_id]
            if not here:
                raise
            return here[0], True
    return made["GroupId"], False


def authorize_ingress(clients: Clients, group_id: str, port: int, source: str) -> bool:
    """Let a group, by its id, or a range in on a tcp port; gives whether the rule is new.

    Raises:
        NotVisibleYetError: a group was created a moment ago, or is not there.

    Source: EC2 AuthorizeSecurityGroupIngress; InvalidPermission.Duplicate.
    """
    rule: IpPermissionTypeDef = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    if source.startswith("sg-"):
        rule["UserIdGroupPairs"] = [{"GroupId": source}]
    elif ":" in source:
        rule["Ipv6Ranges"] = [{"CidrIpv6": source}]
    else:
        rule["IpRanges"] = [{"CidrIp": source}]
    with changing(f"allow tcp {port} from {source} in {group_id}"):
        try:
            clients.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[rule])
        except ClientError as error:
            if is_code(error, _DUPLICATE):
                return False
            raise
    return True


def authorize_egress(clients: Clients, group_id: str, cidr: str) -> bool:
    """Let whatever has a group connect to a range; gives whether the rule is new.

    Raises:
        NotVisibleYetError: the group was created a moment ago, or is not there.

    Source: EC2 AuthorizeSecurityGroupEgress; InvalidPermission.Duplicate.
    """
    with changing(f"allow all traffic out in {group_id}"):
        try:
            clients.ec2.authorize_security_group_egress(
                GroupId=group_id,
                IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": cidr}]}],
            )
        except ClientError as error:
            if is_code(error, _DUPLICATE):
                return False
            raise
    return True


def revoke_ingress(clients: Clients, group_id: str, rule_id: str) -> bool:
    """Take one rule away; gives whether it was still there.

    Source: EC2 RevokeSecurityGroupIngress; InvalidSecurityGroupRuleId.NotFound.
    """
    with translated(f"remove rule {rule_id} from {group_id}"):
        try:
            clients.ec2.revoke_security_group_ingress(
                GroupId=group_id, SecurityGroupRuleIds=[rule_id]
            )
        except ClientError as error:
            if is_code(error, *_GONE):
                return False
            raise
    return True
