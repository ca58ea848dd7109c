"""Wrong networks: each differs from the documented one in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.worlds.laid import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.worlds.laid import Network

MANAGED_LIST = "pl-0a1b2c3d4e5f60718"


@dataclass(frozen=True)
class Wrong:
    """A wrong network: what makes it so, and whether rules alone repair it."""

    make: Callable[[Network], object]
    by_rules: bool = True


def _database_in_another_vpc(network: Network) -> None:
    network.rds.delete_db_instance(DBInstanceIdentifier="school", SkipFinalSnapshot=True)
    network.ec2.delete_security_group(GroupId=network.database)
    vpc = network.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    network.ids[vpc] = "VPC-2"
    network.group("schoolApp-rds-sg", vpc)


def _single_and_range(network: Network) -> None:
    network.allow(network.service, (3000, 3010), network.alb)


def _range_alone(network: Network) -> None:
    network.forbid(network.service, 3000, network.alb)
    _single_and_range(network)


def _another_port(network: Network) -> None:
    network.forbid(network.database, 3306, network.service)
    network.allow(network.database, 3307, network.service)


def _from_vpc_range(network: Network) -> None:
    network.forbid(network.database, 3306, network.service)
    network.allow(network.database, 3306, "172.31.0.0/16")


def _from_another_group(network: Network) -> None:
    network.forbid(network.service, 3000, network.alb)
    network.allow(network.service, 3000, network.group("bastion"))


def _ipv6_only(network: Network) -> None:
    network.forbid(network.alb, 80, ANYWHERE)
    network.allow(network.alb, 80, "::/0")


def _crossed(network: Network) -> None:
    network.forbid(network.service, 3000, network.alb)
    network.forbid(network.database, 3306, network.service)
    network.allow(network.service, 3000, network.database)
    network.allow(network.database, 3306, network.alb)


def _one_web_range(network: Network) -> None:
    network.forbid(network.alb, 80, ANYWHERE)
    network.forbid(network.alb, 443, ANYWHERE)
    network.allow(network.alb, (80, 443), ANYWHERE)


def _second_group_is_open(network: Network) -> None:
    second = network.group("legacy")
    network.allow(second, 22, ANYWHERE)
    network.serve_with([network.service, second])


def _second_group_has_the_edge(network: Network) -> None:
    second = network.group("legacy")
    network.forbid(network.service, 3000, network.alb)
    network.allow(second, 3000, network.alb)
    network.serve_with([network.service, second])


def _other_group_in_use(network: Network) -> None:
    network.serve_with([network.group("launch-wizard-1")])


def _everything(network: Network) -> None:
    network.forbid(network.service, 3000, network.alb)
    network.allow(network.service, None, ANYWHERE, "-1")
    network.forbid(network.database, 3306, network.service)
    network.allow(network.database, None, ANYWHERE, "-1")


def _no_way_out(network: Network) -> None:
    network.ec2.delete_route(RouteTableId=network.table, DestinationCidrBlock=ANYWHERE)


def _other_zones(network: Network) -> None:
    others = [
        each["SubnetId"]
        for each in network.ec2.describe_subnets()["Subnets"]
        if each["SubnetId"] not in network.subnets
    ]
    network.elb.set_subnets(
        LoadBalancerArn=network.balancer, Subnets=[network.subnets[0], min(others)]
    )
    network.ids[min(others)] = "SUBNET-C"


WRONG = {
    "port-80-missing": Wrong(lambda it: it.forbid(it.alb, 80, ANYWHERE)),
    "port-443-missing": Wrong(lambda it: it.forbid(it.alb, 443, ANYWHERE)),
    "service-edge-missing": Wrong(lambda it: it.forbid(it.service, 3000, it.alb)),
    "database-edge-missing": Wrong(lambda it: it.forbid(it.database, 3306, it.service)),
    "database-open-to-anywhere": Wrong(lambda it: it.allow(it.database, 3306, ANYWHERE)),
    "database-open-over-ipv6": Wrong(lambda it: it.allow(it.database, 3306, "::/0")),
    "database-open-to-a-prefix-list": Wrong(lambda it: it.allow(it.database, 3306, MANAGED_LIST)),
    "database-lets-in-udp": Wrong(lambda it: it.allow(it.database, 3306, it.service, "udp")),
    "database-from-the-vpc-range": Wrong(_from_vpc_range),
    "database-on-another-port": Wrong(_another_port),
    "database-in-another-vpc": Wrong(_database_in_another_vpc),
    "service-single-and-range": Wrong(_single_and_range),
    "service-range-alone": Wrong(_range_alone),
    "service-from-another-group": Wrong(_from_another_group),
    "service-open-to-itself": Wrong(lambda it: it.allow(it.service, None, it.service, "-1")),
    "service-answers-icmp": Wrong(lambda it: it.allow(it.service, -1, ANYWHERE, "icmp")),
    "service-closed-egress": Wrong(lambda it: it.close_egress(it.service)),
    "references-crossed": Wrong(_crossed),
    "everything-open": Wrong(_everything),
    "web-ports-as-a-range": Wrong(_one_web_range),
    "web-over-ipv6-only": Wrong(_ipv6_only),
    "second-group-is-open": Wrong(_second_group_is_open),
    "other-group-in-use": Wrong(_other_group_in_use),
    "target-type-instance": Wrong(lambda it: it.retarget(TargetType="instance"), by_rules=False),
    "target-port-and-path": Wrong(
        lambda it: it.retarget(Port=80, HealthCheckPath="/", HealthCheckPort="8080"),
        by_rules=False,
    ),
    "no-public-address": Wrong(
        lambda it: it.serve_with([it.service], public=False), by_rules=False
    ),
    "no-way-out": Wrong(_no_way_out, by_rules=False),
    "zones-of-others": Wrong(_other_zones, by_rules=False),
}
RIGHT: dict[str, Callable[[Network], object]] = {
    "second-group-has-the-edge": _second_group_has_the_edge,
    "web-over-ipv6-too": lambda it: it.allow(it.alb, 80, "::/0"),
}
"""Networks that look unlike the documented one, and let in the same."""
