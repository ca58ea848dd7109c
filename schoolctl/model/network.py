"""The network around a service: rules of security groups, routes, endpoints, load balancers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EVERY_PROTOCOL = "-1"
"""How AWS writes a rule for all traffic."""
ANYWHERE = "0.0.0.0/0"
ANYWHERE_V6 = "::/0"


class SourceKind(StrEnum):
    """What a rule lets in, or out to."""

    IPV4 = "IPv4 range"
    IPV6 = "IPv6 range"
    PREFIX_LIST = "prefix list"
    GROUP = "security group"
    UNKNOWN = "unknown"
    """AWS told of none of them."""


@dataclass(frozen=True)
class Source:
    """Where the traffic of a rule comes from; of an egress rule, where it goes to."""

    kind: SourceKind
    value: str
    """The range, or the id of the prefix list or the group."""
    account: str = ""
    """Whose group it is, where it is that of another account."""
    peering: str = ""
    """The VPC peering connection that the group is behind."""


@dataclass(frozen=True)
class Rule:
    """One rule of a security group. `ports` is None where the rule has none, or all."""

    id: str
    group_id: str
    protocol: str
    """`tcp`, `udp`, `icmp`, a number, or `-1` for all traffic."""
    ports: tuple[int, int] | None
    source: Source
    egress: bool = False


@dataclass(frozen=True)
class LoadBalancer:
    """A load balancer. `address_type` is `ipv4`, `dualstack` or a kind of the latter."""

    arn: str
    name: str
    type: str
    scheme: str
    vpc_id: str
    address_type: str
    security_groups: tuple[str, ...]
    subnets: tuple[str, ...]
    zones: tuple[str, ...]


@dataclass(frozen=True)
class NetworkInterface:
    """A network interface, and the groups on it. What has it is told by its description."""

    id: str
    description: str
    security_groups: tuple[str, ...]
    instance: str = ""
    """The EC2 instance that it is of."""


@dataclass(frozen=True)
class SubnetPlace:
    """A subnet with its zone and its range of addresses."""

    id: str
    vpc_id: str
    zone: str
    cidr: str


@dataclass(frozen=True)
class Route:
    """One route. `target` is `local` or an id such as `igw-1`, `nat-1` or `vpce-1`."""

    destination: str
    """A range, or the id of a prefix list."""
    target: str
    is_active: bool = True


@dataclass(frozen=True)
class RouteTable:
    """A route table with the subnets that were put under it; the main one has the others, too."""

    id: str
    vpc_id: str
    is_main: bool
    subnets: tuple[str, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class Endpoint:
    """A VPC endpoint. `service` is such as `com.amazonaws.us-east-1.ecr.api`."""

    id: str
    vpc_id: str
    service: str
    type: str
    """`Interface` or `Gateway`."""
    state: str
    private_dns: bool
    security_groups: tuple[str, ...]
    subnets: tuple[str, ...]
    route_tables: tuple[str, ...]
