"""What surrounds a service: targets, roles and their trust, network, identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

APP_TAG = "schoolctl"
"""The tag by which a policy knows the groups of an app; its value is the app's name."""


@dataclass(frozen=True)
class TargetHealth:
    """One target of a load balancer; `state` as ELB spells it: healthy, initial, unhealthy ..."""

    target_group: str
    address: str
    port: int
    state: str
    reason: str
    description: str


@dataclass(frozen=True)
class TargetGroup:
    """A target group; `target_type` is `ip` for tasks of awsvpc, which Fargate runs."""

    arn: str
    name: str
    target_type: str
    vpc_id: str
    load_balancer_arns: tuple[str, ...]
    health_path: str = ""
    port: int | None = None
    health_port: str = "traffic-port"
    """Where the load balancer asks; `traffic-port` is the one that a target is registered with."""
    protocol: str = ""


@dataclass(frozen=True)
class Role:
    """An IAM role; `trusts_tasks` says whether ECS's tasks may take it."""

    arn: str
    trusts_tasks: bool = True


@dataclass(frozen=True)
class Subnet:
    """A subnet of a VPC."""

    id: str
    vpc_id: str


@dataclass(frozen=True)
class SecurityGroup:
    """A security group; its name is unique in its VPC only."""

    id: str
    name: str
    vpc_id: str


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


@dataclass(frozen=True)
class Identity:
    """Who the credentials belong to: sts GetCallerIdentity."""

    account: str
    arn: str
    user_id: str


_TASKS = "ecs-tasks.amazonaws.com"
_TAKE = "sts:assumerole"
TASKS_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
)
"""The trust policy of a role for tasks, as a command line takes it."""


def trusts_tasks(document: str) -> bool:
    """Say whether a trust policy lets ECS's tasks take the role.

    Conditions are taken to hold: those that AWS advises narrow it down to the role's own account.

    Args:
        document: JSON; what cannot be read trusts nobody.
    """
    try:
        policy = json.loads(document)
    except ValueError:
        return False
    if not isinstance(policy, Mapping):
        return False
    matching = [each for each in _statements(policy) if _is_about_tasks(each)]
    effects = {each.get("Effect") for each in matching}
    return "Allow" in effects and "Deny" not in effects


def _statements(policy: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for each in _many(policy.get("Statement")):
        if isinstance(each, Mapping):
            yield each


def _is_about_tasks(statement: Mapping[str, object]) -> bool:
    principal = statement.get("Principal")
    named = _many(principal.get("Service")) if isinstance(principal, Mapping) else _many(principal)
    if not {_TASKS, "*"} & {str(each) for each in named}:
        return False
    return any(fnmatchcase(_TAKE, str(each).lower()) for each in _many(statement.get("Action")))


def _many(value: object) -> list[object]:
    """Give what a policy says of one thing or a list of them."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
