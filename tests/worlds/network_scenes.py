"""Networks as they were observed, for tests of what is decided about them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from schoolctl.model.surroundings import (
    ANYWHERE,
    EVERY_PROTOCOL,
    Endpoint,
    LoadBalancer,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Source,
    SourceKind,
    SubnetPlace,
    TargetGroup,
)
from schoolctl.model.values import Database
from schoolctl.network.state import NetworkState
from tests.worlds import deploy_scenes

if TYPE_CHECKING:
    from schoolctl.config.models import Config

VPC = "vpc-1"
ALB, ECS, RDS = "sg-alb", "sg-ecs", "sg-rds"
NAMES = "network: {alb_group: web, service_group: tasks, database_group: data}"
GROUPS = (
    SecurityGroup(ALB, "web", VPC),
    SecurityGroup(ECS, "tasks", VPC),
    SecurityGroup(RDS, "data", VPC),
)
SUBNETS = (
    SubnetPlace("subnet-a", VPC, "us-east-1a", "10.0.1.0/24"),
    SubnetPlace("subnet-b", VPC, "us-east-1b", "10.0.2.0/24"),
)


@cache
def config(extra: str = "") -> Config:
    """Give a configuration that names the groups web, tasks and data."""
    return deploy_scenes.config(f"{NAMES}{f', {extra}' if extra else ''}")


def source(value: str, **more: str) -> Source:
    """Give a source; what kind it is shows in its text."""
    if value.startswith("sg-"):
        return Source(SourceKind.GROUP, value, **more)
    if value.startswith("pl-"):
        return Source(SourceKind.PREFIX_LIST, value)
    return Source(SourceKind.IPV6 if ":" in value else SourceKind.IPV4, value)


def rule(
    group: str,
    ports: int | tuple[int, int] | None,
    comes_from: str | Source,
    protocol: str = "tcp",
    *,
    egress: bool = False,
) -> Rule:
    """Give a rule; its id is made of what it says."""
    both = (ports, ports) if isinstance(ports, int) else ports
    made = source(comes_from) if isinstance(comes_from, str) else comes_from
    return Rule(
        f"sgr:{group}:{protocol}:{both}:{made.value}:{egress}",
        group,
        protocol,
        both,
        made,
        egress,
    )


DOCUMENTED = (
    rule(ALB, 80, ANYWHERE),
    rule(ALB, 443, ANYWHERE),
    rule(ECS, 3000, ALB),
    rule(RDS, 3306, ECS),
)
OPEN = tuple(rule(each, None, ANYWHERE, EVERY_PROTOCOL, egress=True) for each in (ALB, ECS, RDS))


def state(**changes: Any) -> NetworkState:
    """Give the documented network, with `changes`."""
    made = NetworkState(
        region="us-east-1",
        vpc_id=VPC,
        service_groups=(ECS,),
        service_subnets=("subnet-a", "subnet-b"),
        public_ip=True,
        target_group=TargetGroup(
            "arn:tg",
            "schoolapp-tg",
            "ip",
            VPC,
            ("arn:lb",),
            "/healthz",
            port=3000,
            protocol="HTTP",
        ),
        load_balancers=(balancer(),),
        databases=(database(),),
        database=database(),
        groups=GROUPS,
        rules=(*DOCUMENTED, *OPEN),
        subnets=SUBNETS,
        route_tables=(table(Route(ANYWHERE, "igw-1")),),
        endpoints=(),
        interfaces=(),
    )
    return replace(made, **changes)


def balancer(**changes: Any) -> LoadBalancer:
    """Give the load balancer in both zones."""
    made = LoadBalancer(
        arn="arn:lb",
        name="school",
        type="application",
        scheme="internet-facing",
        vpc_id=VPC,
        address_type="ipv4",
        security_groups=(ALB,),
        subnets=("subnet-a", "subnet-b"),
        zones=("us-east-1a", "us-east-1b"),
    )
    return replace(made, **changes)


def database(**changes: Any) -> Database:
    """Give the database."""
    made = Database("school", "instance", "available", "db.example", 3306, security_groups=(RDS,))
    return replace(made, **changes)


def table(*routes: Route) -> RouteTable:
    """Give the main route table, with routes besides the local one."""
    return RouteTable(
        "rtb-1", VPC, True, (), (Route("10.0.0.0/16", "local"), *routes)
    )  # it is the main one


def endpoint(name: str, **changes: Any) -> Endpoint:
    """Give an interface endpoint that lets the group of the tasks in, or S3's gateway."""
    gateway = name == "s3"
    made = Endpoint(
        id=f"vpce-{name}",
        vpc_id=VPC,
        service=f"com.amazonaws.us-east-1.{name}",
        type="Gateway" if gateway else "Interface",
        state="available",
        private_dns=not gateway,
        security_groups=() if gateway else ("sg-vpce",),
        subnets=() if gateway else ("subnet-a", "subnet-b"),
        route_tables=("rtb-1",) if gateway else (),
    )
    return replace(made, **changes)
